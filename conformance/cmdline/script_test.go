package cmdline

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
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
const patience = 2 * time.Minute

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

// follow is the command `follow TEXT nomad ARGS...`: it interrupts a program that does
// not end by itself, when that has said the text. `! follow` does not keep what it
// said.
func follow(ts *testscript.TestScript, forget bool, args []string) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := command(ctx, ts, args[1], args[2:])
	cmd.Stdout = &listener{text: args[0], heard: func() { cmd.Process.Signal(os.Interrupt) }}
	// An agent that nobody asks has nothing to tell in its log.
	go func() {
		client := sessionOf(ts).client
		for ctx.Err() == nil {
			client.Status().Leader()
			select {
			case <-ctx.Done():
			case <-time.After(100 * time.Millisecond):
			}
		}
	}()
	u := ended(ctx, ts, cmd)
	if forget {
		u.Out = ""
	}
	sessionOf(ts).said.add(u)
}

// A listener keeps what is written to it, and tells once that a text was.
type listener struct {
	said  bytes.Buffer
	text  string
	heard func()
}

func (l *listener) Write(p []byte) (int, error) {
	l.said.Write(p)
	if l.heard != nil && strings.Contains(l.said.String(), l.text) {
		l.heard()
		l.heard = nil
	}
	return len(p), nil
}

func command(ctx context.Context, ts *testscript.TestScript, name string, args []string) *exec.Cmd {
	path, err := exec.LookPath(name)
	ts.Check(err)
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Dir = ts.Getenv("WORK")
	cmd.Env = append(cmd.Environ(), "NOMAD_ADDR="+ts.Getenv("NOMAD_ADDR"), "NOMAD_TOKEN="+ts.Getenv("NOMAD_TOKEN"), "NOMAD_CLI_SHOW_HINTS=0", "NO_COLOR=1")
	return cmd
}

func say(ts *testscript.TestScript, name string, args []string) utterance {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := command(ctx, ts, name, args)
	cmd.Stdout = &listener{}
	return ended(ctx, ts, cmd)
}

func ended(ctx context.Context, ts *testscript.TestScript, cmd *exec.Cmd) utterance {
	var problems bytes.Buffer
	cmd.Stderr = &problems
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		ts.Fatalf("%v", err)
	}
	what := strings.Join(append([]string{filepath.Base(cmd.Path)}, cmd.Args[1:]...), " ")
	out := cmd.Stdout.(*listener).said.String()
	if ctx.Err() != nil {
		ts.Fatalf("%s does not end: it said %s%s", what, out, problems.String())
	}
	ts.Logf("%s%s", out, problems.String())
	return utterance{what, out, problems.String(), cmd.ProcessState.ExitCode()}
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
//	await checked ALLOC COUNT  so many checks have been made
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
		case "checked":
			checks, err := client.Allocations().Checks(args[1], nil)
			ts.Check(err)
			n := 0
			for _, check := range checks {
				if check.Status != "pending" {
					n++
				}
			}
			return strconv.Itoa(n) == args[2]
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
