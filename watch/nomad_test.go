package watch_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"

	"ostro/nomadtest"
	"ostro/watch"
)

func TestMain(m *testing.M) { os.Exit(nomadtest.Main(m)) }

const (
	serves = nomadtest.Serves
	breaks = nomadtest.Breaks
)

var job = nomadtest.Job

// slowly makes that no allocation of the job is healthy while a test lasts.
func slowly(j *api.Job) *api.Job {
	for _, g := range j.TaskGroups {
		g.Update.MinHealthyTime, g.Update.HealthyDeadline, g.Update.ProgressDeadline = new(time.Hour), new(2*time.Hour), new(3*time.Hour)
	}
	return j
}

// register submits a job as it is and returns the target to watch. The job is
// purged when the test ends.
func register(t *testing.T, c *api.Client, job *api.Job) watch.Target {
	t.Helper()
	reply, _, err := c.Jobs().Register(job, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nomadtest.Purge(c, "", *job.ID) })
	have, _, err := c.Jobs().Info(*job.ID, nil)
	if err != nil {
		t.Fatal(err)
	}
	return watch.Target{JobID: *job.ID, EvalID: reply.EvalID, JobVersion: *have.Version, JobModifyIndex: reply.JobModifyIndex}
}

// verdict watches a target to its end. What was shown is in the test's log.
func verdict(t *testing.T, c *api.Client, target watch.Target, o watch.Options) watch.Verdict {
	t.Helper()
	if o.Timeout == 0 {
		o.Timeout = 4 * time.Minute
	}
	seen := make(map[string]bool)
	o.Notify = func(e watch.Event) {
		t.Logf("%s: %s", e.Kind, e.Text)
		if seen[e.Text] && e.Kind == watch.EventProgress {
			t.Errorf("shown twice: %s", e.Text)
		}
		seen[e.Text] = true
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	v, err := run(ctx, t, c, target, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("verdict: %s: %s", v.Outcome, v.Summary)
	for _, r := range v.Reasons {
		t.Logf("reason: %+v", r)
	}
	return v
}

func wantOutcome(t *testing.T, v watch.Verdict, want watch.Outcome, words ...string) {
	t.Helper()
	if v.Outcome != want {
		t.Fatalf("the outcome is %s (%s), want %s", v.Outcome, v.Summary, want)
	}
	for _, w := range words {
		if !strings.Contains(v.Summary, w) {
			t.Errorf("the summary %q does not say %q", v.Summary, w)
		}
	}
}

func TestVerdictDeployUpdateRevert(t *testing.T) { nomadtest.EachAlways(t, verdictDeployUpdateRevert) }

func verdictDeployUpdateRevert(t *testing.T, c *api.Client) {
	wantOutcome(t, verdict(t, c, register(t, c, job("revert", "service", serves)), watch.Options{}), watch.Successful)
	wantOutcome(t, verdict(t, c, register(t, c, job("revert", "service", serves+" 1")), watch.Options{}), watch.Successful)

	v := verdict(t, c, register(t, c, job("revert", "service", breaks)), watch.Options{})
	wantOutcome(t, v, watch.Reverted, "reverted to version 1")
	joined, err := watch.Join(t.Context(), c, "", "", "revert")
	if err != nil {
		t.Fatal(err)
	}
	wantOutcome(t, verdict(t, c, joined, watch.Options{}), watch.Reverted, "reverted to version 1")
	if len(v.Reasons) != 1 || v.Reasons[0].ExitCode == nil || *v.Reasons[0].ExitCode != 7 || !strings.Contains(v.Reasons[0].LogTail, "no config file") {
		t.Errorf("the reason is not that the task ended with 7: %+v", v.Reasons)
	}
}

func TestVerdictFirstDeployFails(t *testing.T) { nomadtest.EachAlways(t, verdictFirstDeployFails) }

func verdictFirstDeployFails(t *testing.T, c *api.Client) {
	v := verdict(t, c, register(t, c, job("first", "service", breaks)), watch.Options{})
	wantOutcome(t, v, watch.Failed, "no stable version")
}

func TestVerdictSystem(t *testing.T) { nomadtest.Each(t, verdictSystem) }

func verdictSystem(t *testing.T, c *api.Client) {
	wantOutcome(t, verdict(t, c, register(t, c, job("sys", "system", serves)), watch.Options{}), watch.Successful)
	wantOutcome(t, verdict(t, c, register(t, c, job("sys", "system", breaks)), watch.Options{}), watch.Reverted, "reverted to version 0")
}

func TestVerdictUnplaceable(t *testing.T) { nomadtest.Each(t, verdictUnplaceable) }

func verdictUnplaceable(t *testing.T, c *api.Client) {
	for _, kind := range []string{"service", "system", "batch", "sysbatch"} {
		j := job("nowhere-"+kind, kind, serves)
		j.Constraints = []*api.Constraint{{LTarget: "${attr.kernel.name}", RTarget: "windows", Operand: "="}}
		start := time.Now()
		v := verdict(t, c, register(t, c, j), watch.Options{})
		wantOutcome(t, v, watch.Unplaceable, "${attr.kernel.name} = windows", "1 node")
		if took := time.Since(start); took > time.Minute {
			t.Errorf("%s: known after %s only", kind, took)
		}
	}
}

func TestVerdictNoNodes(t *testing.T) { nomadtest.Each(t, verdictNoNodes) }

func verdictNoNodes(t *testing.T, c *api.Client) {
	for _, kind := range []string{"service", "system", "batch", "sysbatch"} {
		j := job("nodc-"+kind, kind, serves)
		j.Datacenters = []string{"nope"}
		v := verdict(t, c, register(t, c, j), watch.Options{})
		wantOutcome(t, v, watch.Unplaceable, map[string]string{"service": "datacenter nope", "batch": "datacenter nope"}[kind])
	}
}

func TestVerdictSuperseded(t *testing.T) { nomadtest.EachAlways(t, verdictSuperseded) }

func verdictSuperseded(t *testing.T, c *api.Client) {
	slow := func(arg string) *api.Job {
		return slowly(job("race", "service", serves+" "+arg))
	}
	first := register(t, c, slow("1"))
	register(t, c, slow("2"))
	v := verdict(t, c, first, watch.Options{})
	wantOutcome(t, v, watch.Superseded, "superseded by version 1")

	third := register(t, c, slow("3"))
	if _, _, err := c.Jobs().Deregister("race", false, nil); err != nil {
		t.Fatal(err)
	}
	wantOutcome(t, verdict(t, c, third, watch.Options{}), watch.Superseded, "stopped")
	fourth := register(t, c, slow("4"))
	if _, _, err := c.Jobs().Deregister("race", true, nil); err != nil {
		t.Fatal(err)
	}
	wantOutcome(t, verdict(t, c, fourth, watch.Options{}), watch.Superseded, "purged")
}

func TestVerdictWithoutDeployment(t *testing.T) { nomadtest.Each(t, verdictWithoutDeployment) }

func verdictWithoutDeployment(t *testing.T, c *api.Client) {
	j := job("nodeploy", "service", serves)
	j.TaskGroups[0].Update.MaxParallel = new(0)
	j.TaskGroups[0].Count = new(2)
	wantOutcome(t, verdict(t, c, register(t, c, j), watch.Options{}), watch.Successful, "version 0 runs")
	j = job("nodeploy", "service", breaks)
	j.TaskGroups[0].Update.MaxParallel = new(0)
	wantOutcome(t, verdict(t, c, register(t, c, j), watch.Options{}), watch.Failed)
	j.TaskGroups[0].Count = new(0)
	wantOutcome(t, verdict(t, c, register(t, c, j), watch.Options{}), watch.Successful, "nothing runs")
}

func TestVerdictBatch(t *testing.T) { nomadtest.Each(t, verdictBatch) }

func verdictBatch(t *testing.T, c *api.Client) {
	for _, kind := range []string{"batch", "sysbatch"} {
		run := func(id, script string) watch.Verdict {
			return verdict(t, c, register(t, c, job(id+kind, kind, script)), watch.Options{})
		}
		wantOutcome(t, run("done", "echo done; sleep 1"), watch.Successful)
		v := run("broken", "sleep 1;"+breaks)
		wantOutcome(t, v, watch.Failed)
		if len(v.Reasons) != 1 || *v.Reasons[0].ExitCode != 7 {
			t.Errorf("%s: reasons are %+v", kind, v.Reasons)
		}
	}
}

func TestVerdictRevertToStopped(t *testing.T) { nomadtest.Each(t, verdictRevertToStopped) }

func verdictRevertToStopped(t *testing.T, c *api.Client) {
	wantOutcome(t, verdict(t, c, register(t, c, job("dead", "service", serves)), watch.Options{}), watch.Successful)
	if _, _, err := c.Jobs().Deregister("dead", false, nil); err != nil {
		t.Fatal(err)
	}
	v := verdict(t, c, register(t, c, job("dead", "service", breaks)), watch.Options{})
	if strings.HasSuffix(t.Name(), "/ostro") {
		wantOutcome(t, v, watch.Reverted, "reverted to version 0") // it looks for a version that runs
		return
	}
	wantOutcome(t, v, watch.NothingRuns, "stopped")
	// Nomad goes on with the allocation that failed: why it did is told again.
	v = verdict(t, c, register(t, c, job("dead", "service", breaks)), watch.Options{})
	wantOutcome(t, v, watch.Failed, "0 of 1 allocation(s) run")
	if len(v.Reasons) != 1 || v.Reasons[0].ExitCode == nil || *v.Reasons[0].ExitCode != 7 {
		t.Errorf("reasons: %+v", v.Reasons)
	}
}

func TestVerdictTimeout(t *testing.T) { nomadtest.Each(t, verdictTimeout) }

func verdictTimeout(t *testing.T, c *api.Client) {
	v := verdict(t, c, register(t, c, slowly(job("slow", "service", serves))), watch.Options{Timeout: 2 * time.Second})
	wantOutcome(t, v, watch.Unknown, "the outcome is unknown")
}

func TestVerdictCanary(t *testing.T) { nomadtest.Each(t, verdictCanary) }

func verdictCanary(t *testing.T, c *api.Client) {
	canary := func(script string) *api.Job {
		j := job("canary", "service", script)
		j.TaskGroups[0].Update.Canary = new(1)
		return j
	}
	wantOutcome(t, verdict(t, c, register(t, c, canary(serves)), watch.Options{}), watch.Successful)

	second := register(t, c, canary(serves+" 1"))
	v := verdict(t, c, second, watch.Options{Promote: watch.PromoteDetach})
	wantOutcome(t, v, watch.ReadyForPromotion)
	if v.Deployment == nil {
		t.Fatal("no deployment to promote")
	}
	asked := 0
	check := httptest.NewServer(http.HandlerFunc(func(reply http.ResponseWriter, _ *http.Request) {
		if asked++; asked < 3 {
			reply.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer check.Close()
	v = verdict(t, c, second, watch.Options{Promote: watch.PromoteHealthy, PromoteCheck: check.URL})
	wantOutcome(t, v, watch.Successful)
	if asked != 3 {
		t.Errorf("the check was asked %d times, want 3", asked)
	}

	v = verdict(t, c, register(t, c, canary(breaks)), watch.Options{Promote: watch.PromoteHealthy})
	wantOutcome(t, v, watch.Reverted, "reverted to version 1")
}

func TestVerdictNoChange(t *testing.T) { nomadtest.Each(t, verdictNoChange) }

func verdictNoChange(t *testing.T, c *api.Client) {
	join := func(target watch.Target) watch.Target {
		target.NoChange, target.EvalID = true, ""
		return target
	}
	good := register(t, c, job("same", "service", serves))
	wantOutcome(t, verdict(t, c, join(good), watch.Options{}), watch.Successful)
	wantOutcome(t, verdict(t, c, join(good), watch.Options{}), watch.Successful)

	bad := register(t, c, job("samebad", "service", breaks))
	wantOutcome(t, verdict(t, c, bad, watch.Options{}), watch.Failed)
	wantOutcome(t, verdict(t, c, join(bad), watch.Options{}), watch.Failed)

	run := register(t, c, job("samebatch", "batch", "exit 0"))
	wantOutcome(t, verdict(t, c, run, watch.Options{}), watch.Successful)
	wantOutcome(t, verdict(t, c, join(run), watch.Options{}), watch.Successful)
}

func TestVerdictRevertOnFailure(t *testing.T) { nomadtest.Each(t, verdictRevertOnFailure) }

func verdictRevertOnFailure(t *testing.T, c *api.Client) {
	manual := func(script string) *api.Job {
		j := job("manual", "service", script)
		j.TaskGroups[0].Update.AutoRevert = new(false)
		return j
	}
	o := watch.Options{RevertOnFailure: true}
	v := verdict(t, c, register(t, c, manual(breaks+" # first")), o)
	wantOutcome(t, v, watch.Failed, "no stable version")
	wantOutcome(t, verdict(t, c, register(t, c, manual(serves)), o), watch.Successful)
	v = verdict(t, c, register(t, c, manual(breaks)), o)
	wantOutcome(t, v, watch.Reverted, "reverted to version 1")
}

func TestVerdictRevertFailsToo(t *testing.T) { nomadtest.Each(t, verdictRevertFailsToo) }

func verdictRevertFailsToo(t *testing.T, c *api.Client) {
	flag := filepath.Join(t.TempDir(), "ok")
	if err := os.WriteFile(flag, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	first := job("twice", "service", "test -e "+flag+" || exit 9; "+serves)
	first.TaskGroups[0].Update.HealthCheck = new("manual")
	wantOutcome(t, act(t, c, register(t, c, first), watch.Options{}, ": running", sayHealthy(c, true)), watch.Successful)
	if err := os.Remove(flag); err != nil {
		t.Fatal(err)
	}
	v := verdict(t, c, register(t, c, job("twice", "service", breaks)), watch.Options{})
	wantOutcome(t, v, watch.Failed, "the revert to version 0 did not succeed")
	if len(v.Reasons) != 2 || v.Rollback == nil {
		t.Errorf("not both failures are told: %+v", v.Reasons)
	}
}

func TestVerdictSideTasks(t *testing.T) { nomadtest.Each(t, verdictSideTasks) }

func verdictSideTasks(t *testing.T, c *api.Client) {
	j := job("sides", "service", serves)
	side := func(name, hook, script string) *api.Task {
		return &api.Task{
			Name: name, Driver: "raw_exec", Config: map[string]any{"command": "/bin/sh", "args": []string{"-c", script}},
			Lifecycle: &api.TaskLifecycle{Hook: hook}, Resources: &api.Resources{CPU: new(10), MemoryMB: new(10)},
		}
	}
	g := j.TaskGroups[0]
	g.Tasks = append(g.Tasks, side("init", "prestart", "exit 0"), side("after", "poststart", "exit 0"), side("end", "poststop", "exit 0"))
	wantOutcome(t, verdict(t, c, register(t, c, j), watch.Options{}), watch.Successful)
	g.Update.MaxParallel = new(0)
	g.Tasks[0].Config["args"] = []string{"-c", serves + " 1"}
	wantOutcome(t, verdict(t, c, register(t, c, j), watch.Options{}), watch.Successful, "version 1 runs")
}

func TestVerdictRegistration(t *testing.T) { nomadtest.Each(t, verdictRegistration) }

func verdictRegistration(t *testing.T, c *api.Client) {
	j := job("cron", "batch", "exit 0")
	j.Periodic = &api.PeriodicConfig{Enabled: new(true), Spec: new("0 0 1 1 *"), SpecType: new("cron")}
	wantOutcome(t, verdict(t, c, register(t, c, j), watch.Options{}), watch.Successful, "registered")
}

func TestVerdictForcedLaunch(t *testing.T) { nomadtest.Each(t, verdictForcedLaunch) }

func verdictForcedLaunch(t *testing.T, c *api.Client) {
	j := job("hourly", "batch", breaks)
	j.Periodic = &api.PeriodicConfig{Enabled: new(true), Spec: new("0 0 1 1 *"), SpecType: new("cron")}
	register(t, c, j)
	evalID, _, err := c.Jobs().PeriodicForce("hourly", nil)
	if err != nil {
		t.Fatal(err)
	}
	eval, _, err := c.Evaluations().Info(evalID, nil)
	if err != nil {
		t.Fatal(err)
	}
	wantOutcome(t, verdict(t, c, watch.Target{JobID: eval.JobID, EvalID: evalID}, watch.Options{}), watch.Failed)
}

func TestVerdictDispatch(t *testing.T) { nomadtest.Each(t, verdictDispatch) }

func verdictDispatch(t *testing.T, c *api.Client) {
	j := job("sized", "batch", `exit $(test "$NOMAD_META_good" = yes && echo 0 || echo 5)`)
	j.ParameterizedJob = &api.ParameterizedJobConfig{MetaRequired: []string{"good"}}
	wantOutcome(t, verdict(t, c, register(t, c, j), watch.Options{}), watch.Successful, "registered")
	for good, want := range map[string]watch.Outcome{"yes": watch.Successful, "no": watch.Failed} {
		run, _, err := c.Jobs().Dispatch("sized", map[string]string{"good": good}, nil, "", nil)
		if err != nil {
			t.Fatal(err)
		}
		wantOutcome(t, verdict(t, c, watch.Target{JobID: run.DispatchedJobID, EvalID: run.EvalID}, watch.Options{}), want)
	}
}

// An allocation that fails between its own health and the deployment's end makes
// the deploy a failure, though Nomad's deployment ends well.
func TestVerdictFailedBehindSuccess(t *testing.T) { nomadtest.Each(t, verdictFailedBehindSuccess) }

func verdictFailedBehindSuccess(t *testing.T, c *api.Client) {
	flag := filepath.Join(t.TempDir(), "enough")
	j := job("behind", "service", "until test -e "+flag+"; do sleep 0.1; done; exit 3")
	slow := *j.TaskGroups[0]
	update := *slow.Update
	update.HealthCheck = new("manual")
	slow.Name, slow.Update, slow.Tasks = new("slow"), &update, []*api.Task{nomadtest.Task("server", serves)}
	j.TaskGroups[0].Update.MinHealthyTime = new(500 * time.Millisecond)
	j.TaskGroups = append(j.TaskGroups, &slow)
	steps := map[string]func() error{
		"group web of version 0: 1 of 1 placed, 1 healthy": func() error { return os.WriteFile(flag, nil, 0o600) },
		": failed, healthy": func() error {
			allocs, _, err := c.Jobs().Allocations("behind", false, nil)
			i := slices.IndexFunc(allocs, func(a *api.AllocationListStub) bool { return a.TaskGroup == "slow" })
			if err != nil || i < 0 {
				return fmt.Errorf("allocations: %v, %w", allocs, err)
			}
			d, _, err := c.Jobs().LatestDeployment("behind", nil)
			if err == nil {
				_, _, err = c.Deployments().SetAllocHealth(d.ID, []string{allocs[i].ID}, nil, nil)
			}
			return err
		},
	}
	o := watch.Options{Timeout: 4 * time.Minute, Notify: func(e watch.Event) {
		t.Logf("%s: %s", e.Kind, e.Text)
		for word, step := range steps {
			if strings.HasSuffix(e.Text, word) {
				if err := step(); err != nil {
					t.Error(err)
				}
				delete(steps, word)
			}
		}
	}}
	v, err := run(t.Context(), t, c, register(t, c, j), o)
	if err != nil || len(steps) > 0 {
		t.Fatalf("%v; left to do: %v", err, slices.Collect(maps.Keys(steps)))
	}
	wantOutcome(t, v, watch.Failed)
	if v.Deployment.Status != "successful" || len(v.Reasons) != 1 || v.Reasons[0].Group != "web" || *v.Reasons[0].ExitCode != 3 {
		t.Errorf("the deployment is %s, the reasons are %+v", v.Deployment.Status, v.Reasons)
	}
}

func TestVerdictOperatorFails(t *testing.T) { nomadtest.Each(t, verdictOperatorFails) }

func verdictOperatorFails(t *testing.T, c *api.Client) {
	target := register(t, c, slowly(job("operated", "service", serves)))
	var once sync.Once
	o := watch.Options{Timeout: 4 * time.Minute}
	o.Notify = func(watch.Event) {
		once.Do(func() {
			d, _, err := c.Jobs().LatestDeployment("operated", nil)
			if err == nil {
				_, _, err = c.Deployments().Fail(d.ID, nil)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	v, err := run(t.Context(), t, c, target, o)
	if err != nil {
		t.Fatal(err)
	}
	wantOutcome(t, v, watch.Failed, "deployment marked as failed")
}

// A server that is killed and comes back costs two lines, not the verdict.
func TestVerdictServerRestart(t *testing.T) {
	if os.Getenv("OSTRO_TEST") != "full" {
		t.Skip("OSTRO_TEST is not full: the restart of a real Nomad is not tested")
	}
	t.Parallel()
	n := nomadtest.Start(t, "")
	j := job("restarted", "service", serves)
	update := j.TaskGroups[0].Update
	update.MinHealthyTime, update.HealthyDeadline, update.ProgressDeadline = new(8*time.Second), new(time.Minute), new(2*time.Minute)
	target := register(t, n.Client, j)
	var lines []string
	var restart sync.WaitGroup
	o := watch.Options{Timeout: 5 * time.Minute, Notify: func(e watch.Event) {
		t.Logf("%s: %s", e.Kind, e.Text)
		if lines = append(lines, e.Text); len(lines) == 1 {
			n.Kill(syscall.SIGKILL)
			restart.Go(func() {
				<-time.After(3 * time.Second)
				if err := n.Run(); err != nil {
					t.Error(err)
				}
			})
		}
	}}
	v, err := run(t.Context(), t, n.Client, target, o)
	restart.Wait()
	if err != nil {
		t.Fatal(err)
	}
	wantOutcome(t, v, watch.Successful)
	told := strings.Join(lines, "\n")
	if strings.Count(told, "contact lost") != 1 || strings.Count(told, "contact is back") != 1 {
		t.Errorf("the loss of contact is not told once:\n%s", told)
	}
}
