package cmdline

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/nomad/api"
	"github.com/rogpeppe/go-internal/testscript"
)

// A session is what the commands of one script work with. Its zero value is the
// key under which a script finds it.
type session struct {
	client *api.Client
	said   *transcript
}

func sessionOf(ts *testscript.TestScript) session { return ts.Value(session{}).(session) }

// patience is how long a command or a condition may take.
const patience = 5 * time.Minute

// program is the commands `nomad ARGS...` and `levant ARGS...`: it runs the program
// and keeps what it says.
func program(name string) func(ts *testscript.TestScript, _ bool, args []string) {
	return func(ts *testscript.TestScript, _ bool, args []string) {
		sessionOf(ts).said.add(say(ts, name, args))
	}
}

// shape is the command `shape nomad ARGS...`: it keeps of the JSON that the program
// says what there is, and not how much it is.
func shape(ts *testscript.TestScript, _ bool, args []string) {
	u := say(ts, args[0], args[1:])
	u.Out = shapeOf(u.Out)
	sessionOf(ts).said.add(u)
}

func say(ts *testscript.TestScript, name string, args []string) utterance {
	path, err := exec.LookPath(name)
	ts.Check(err)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Dir = ts.Getenv("WORK")
	cmd.Env = append(cmd.Environ(), "NOMAD_ADDR="+ts.Getenv("NOMAD_ADDR"), "NOMAD_TOKEN="+ts.Getenv("NOMAD_TOKEN"), "NOMAD_CLI_SHOW_HINTS=0", "NO_COLOR=1")
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problems
	err = cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		ts.Fatalf("%v", err)
	}
	if ctx.Err() != nil {
		ts.Fatalf("%s %s does not end: it said %s%s", name, strings.Join(args, " "), out.String(), problems.String())
	}
	ts.Logf("%s%s", out.String(), problems.String())
	return utterance{name + " " + strings.Join(args, " "), out.String(), problems.String(), cmd.ProcessState.ExitCode()}
}

// id is the command `id VARIABLE KIND JOB [STATUS]`: it sets a variable to the ID
// of the newest allocation, deployment or evaluation of a job, or of the node.
func id(ts *testscript.TestScript, _ bool, args []string) {
	client := sessionOf(ts).client
	found := ""
	awaitTrue(ts, "there is such an ID", func() bool {
		switch args[1] {
		case "alloc":
			stubs := allocs(ts, client, args[2])
			slices.SortFunc(stubs, func(a, b *api.AllocationListStub) int {
				return -cmp.Or(cmp.Compare(a.JobVersion, b.JobVersion), cmp.Compare(a.CreateTime, b.CreateTime), cmp.Compare(b.Name, a.Name))
			})
			for _, stub := range stubs {
				if len(args) == 3 || stub.ClientStatus == args[3] {
					found = stub.ID
					break
				}
			}
		case "deployment":
			d, _, err := client.Jobs().LatestDeployment(args[2], nil)
			ts.Check(err)
			if d != nil {
				found = d.ID
			}
		case "eval":
			evals, _, err := client.Jobs().Evaluations(args[2], nil)
			ts.Check(err)
			for _, eval := range evals {
				if eval.TriggeredBy == cmp.Or(strings.Join(args[3:], ""), "job-register") {
					found = eval.ID
				}
			}
		case "child":
			jobs, _, err := client.Jobs().List(&api.QueryOptions{Prefix: args[2] + "/"})
			ts.Check(err)
			if len(jobs) > 0 {
				found = jobs[len(jobs)-1].ID
			}
		case "node":
			nodes, _, err := client.Nodes().List(nil)
			ts.Check(err)
			found = nodes[0].ID
		default:
			ts.Fatalf("there is no kind %q", args[1])
		}
		return found != ""
	})
	ts.Setenv(args[0], found)
}

// await is the command that waits for what comes by itself:
//
//	await running JOB COUNT    so many allocations run
//	await ended JOB COUNT      so many allocations have ended
//	await deployed JOB         the deployment of the version is successful, and nothing moves
//	await deployment JOB STATE the newest deployment is in a state
//	await version JOB NUMBER   the job has this version
//	await restarted JOB TASK N the one running allocation has restarted the task so often, and it runs
//	await healthy JOB COUNT    the newest deployment has so many healthy allocations
//	await calm                 no evaluation is under way
func await(ts *testscript.TestScript, _ bool, args []string) {
	client := sessionOf(ts).client
	awaitTrue(ts, strings.Join(args, " "), func() bool {
		switch args[0] {
		case "running", "ended":
			n := 0
			for _, stub := range allocs(ts, client, args[1]) {
				live := stub.ClientStatus == api.AllocClientStatusRunning
				pending := stub.ClientStatus == api.AllocClientStatusPending
				if args[0] == "running" && live || args[0] == "ended" && !live && !pending {
					n++
				}
			}
			return strconv.Itoa(n) == args[2]
		case "deployed":
			return isDeployed(ts, client, args[1])
		case "deployment", "healthy":
			d, _, err := client.Jobs().LatestDeployment(args[1], nil)
			ts.Check(err)
			if d == nil {
				return false
			}
			n := 0
			for _, group := range d.TaskGroups {
				n += group.HealthyAllocs
			}
			return args[0] == "deployment" && d.Status == args[2] || args[0] == "healthy" && strconv.Itoa(n) == args[2]
		case "version":
			job, _, err := client.Jobs().Info(args[1], nil)
			ts.Check(err)
			return strconv.FormatUint(*job.Version, 10) == args[2]
		case "restarted":
			return slices.ContainsFunc(allocs(ts, client, args[1]), func(stub *api.AllocationListStub) bool {
				task := stub.TaskStates[args[2]]
				return task != nil && task.State == "running" && strconv.FormatUint(task.Restarts, 10) == args[3] && task.Events[len(task.Events)-1].Type == api.TaskStarted
			})
		case "calm":
			evals, _, err := client.Evaluations().List(nil)
			ts.Check(err)
			return !slices.ContainsFunc(evals, func(e *api.Evaluation) bool { return e.Status == api.EvalStatusPending })
		}
		ts.Fatalf("there is no condition %q", args[0])
		return false
	})
}

func allocs(ts *testscript.TestScript, client *api.Client, job string) []*api.AllocationListStub {
	stubs, _, err := client.Jobs().Allocations(job, true, nil)
	ts.Check(err)
	return stubs
}

func awaitTrue(ts *testscript.TestScript, what string, ok func() bool) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			ts.Fatalf("%s: did not come true", what)
		}
	}
}

func isDeployed(ts *testscript.TestScript, client *api.Client, id string) bool {
	job, _, err := client.Jobs().Info(id, nil)
	ts.Check(err)
	d, _, err := client.Jobs().LatestDeployment(id, nil)
	ts.Check(err)
	return d != nil && d.JobVersion == *job.Version && d.Status == api.DeploymentStatusSuccessful && !slices.ContainsFunc(allocs(ts, client, id), func(stub *api.AllocationListStub) bool {
		return stub.ClientStatus == api.AllocClientStatusPending || (stub.ClientStatus == api.AllocClientStatusRunning) != (stub.DesiredStatus == api.AllocDesiredStatusRun)
	})
}
