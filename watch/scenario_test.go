package watch_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"

	"ostro/nomadtest"
	"ostro/watch"
)

// act watches a target and does something to it when a line says word.
func act(t *testing.T, c *api.Client, target watch.Target, o watch.Options, word string, do func(d *api.Deployment) error) watch.Verdict {
	t.Helper()
	if o.Timeout == 0 {
		o.Timeout = 4 * time.Minute
	}
	acted := false
	o.Notify = func(e watch.Event) {
		t.Logf("%s: %s", e.Kind, e.Text)
		if acted || !strings.Contains(e.Text, word) {
			return
		}
		acted = true
		d, _, err := c.Jobs().LatestDeployment(target.JobID, &api.QueryOptions{Namespace: target.Namespace})
		if err == nil {
			err = do(d)
		}
		if err != nil {
			t.Error(err)
		}
	}
	v, err := run(t.Context(), t, c, target, o)
	if err != nil {
		t.Fatal(err)
	}
	if !acted {
		t.Errorf("no line says %q", word)
	}
	t.Logf("verdict: %s: %s", v.Outcome, v.Summary)
	return v
}

// The update block may stand at the job, at the group, or nowhere.
func TestVerdictUpdateBlock(t *testing.T) { nomadtest.Each(t, verdictUpdateBlock) }

func verdictUpdateBlock(t *testing.T, c *api.Client) {
	atJob := func(script string) *api.Job {
		j := job("at-job", "service", script)
		j.Update, j.TaskGroups[0].Update = j.TaskGroups[0].Update, nil
		return j
	}
	wantOutcome(t, verdict(t, c, register(t, c, atJob(serves)), watch.Options{}), watch.Successful)
	wantOutcome(t, verdict(t, c, register(t, c, atJob(breaks)), watch.Options{}), watch.Reverted, "reverted to version 0")

	nowhere := func(script string) *api.Job {
		j := job("nowhere", "service", script)
		j.TaskGroups[0].Update = nil
		return j
	}
	wantOutcome(t, verdict(t, c, register(t, c, nowhere(serves)), watch.Options{}), watch.Successful)
	wantOutcome(t, verdict(t, c, register(t, c, nowhere(breaks)), watch.Options{}), watch.Failed, "unhealthy allocations")
}

// A paused deployment is neither over nor failed; resumed, it goes on.
func TestVerdictPaused(t *testing.T) { nomadtest.Each(t, verdictPaused) }

func verdictPaused(t *testing.T, c *api.Client) {
	wantOutcome(t, verdict(t, c, register(t, c, job("paused", "service", serves)), watch.Options{}), watch.Successful)
	next := job("paused", "service", serves+" 1")
	next.TaskGroups[0].Update.HealthCheck = new("manual")
	second := register(t, c, next)
	d := deploymentOf(t, c, second)
	if _, _, err := c.Deployments().Pause(d.ID, true, nil); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	v, err := run(ctx, t, c, second, watch.Options{Notify: func(e watch.Event) {
		if strings.Contains(e.Text, "paused") {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) || v.Outcome != watch.Unknown || v.Deployment == nil || v.Deployment.Status != "paused" {
		t.Fatalf("a paused deployment is %s: %s, %v", v.Outcome, v.Summary, err)
	}
	if _, _, err := c.Deployments().Pause(d.ID, false, nil); err != nil {
		t.Fatal(err)
	}
	wantOutcome(t, act(t, c, second, watch.Options{}, "is running", sayHealthy(c, true)), watch.Successful)
}

// deploymentOf waits for the deployment of a target.
func deploymentOf(t *testing.T, c *api.Client, target watch.Target) *api.Deployment {
	t.Helper()
	for until := time.Now().Add(time.Minute); time.Now().Before(until); <-time.After(50 * time.Millisecond) {
		d, _, err := c.Jobs().LatestDeployment(target.JobID, nil)
		if err == nil && d != nil && d.JobVersion == target.JobVersion {
			return d
		}
	}
	t.Fatal("there is no deployment")
	return nil
}

// Whoever deploys what is being deployed already joins.
func TestVerdictJoin(t *testing.T) { nomadtest.Each(t, verdictJoin) }

func verdictJoin(t *testing.T, c *api.Client) {
	flag := filepath.Join(t.TempDir(), "enough")
	j := slowly(job("joined", "service", "until test -e "+flag+"; do sleep 0.1; done; exit 5"))
	register(t, c, j)
	target, err := watch.Join(t.Context(), c, "", "", "joined")
	if err != nil {
		t.Fatal(err)
	}
	v := act(t, c, target, watch.Options{}, ": running", func(*api.Deployment) error { return os.WriteFile(flag, nil, 0o600) })
	wantOutcome(t, v, watch.Failed, "unhealthy allocations")
	if len(v.Reasons) != 1 || *v.Reasons[0].ExitCode != 5 {
		t.Errorf("reasons: %+v", v.Reasons)
	}
}

// A job of several groups, one of which changed and has canaries.
func TestVerdictOneGroupOfSeveral(t *testing.T) { nomadtest.Each(t, verdictOneGroupOfSeveral) }

func verdictOneGroupOfSeveral(t *testing.T, c *api.Client) {
	several := func(script string, canary int) *api.Job {
		j := job("several", "service", script)
		other, batchy := *j.TaskGroups[0], *j.TaskGroups[0]
		other.Name, other.Tasks = new("other"), []*api.Task{nomadtest.Task("server", serves)}
		batchy.Name, batchy.Tasks, batchy.Count = new("none"), []*api.Task{nomadtest.Task("server", breaks)}, new(0)
		update := *j.TaskGroups[0].Update
		update.Canary = &canary
		j.TaskGroups[0].Update, j.TaskGroups[0].Count = &update, new(2)
		j.TaskGroups = append(j.TaskGroups, &other, &batchy)
		return j
	}
	wantOutcome(t, verdict(t, c, register(t, c, several(serves, 1)), watch.Options{}), watch.Successful)
	second := register(t, c, several(serves+" 1", 1))
	wantOutcome(t, verdict(t, c, second, watch.Options{Promote: watch.PromoteDetach}), watch.ReadyForPromotion, "canary")
	wantOutcome(t, act(t, c, second, watch.Options{}, "can be promoted", func(d *api.Deployment) error {
		_, _, err := c.Deployments().PromoteGroups(d.ID, []string{"web"}, nil)
		return err
	}), watch.Successful)

	// A canary that crashes takes nothing down: the old version still serves.
	v := verdict(t, c, register(t, c, several(breaks, 2)), watch.Options{Promote: watch.PromoteHealthy})
	if v.Outcome != watch.Failed && v.Outcome != watch.Reverted {
		t.Fatalf("a canary that crashes gives %s", v.Outcome)
	}
	allocs, _, err := c.Jobs().Allocations("several", false, nil)
	if err != nil {
		t.Fatal(err)
	}
	serving := 0
	for _, a := range allocs {
		if a.TaskGroup == "web" && a.ClientStatus == "running" && a.DesiredStatus == "run" && a.JobVersion != 2 {
			serving++
		}
	}
	if serving != 2 {
		t.Errorf("%d allocations of the old version serve, want 2", serving)
	}
}

// A canary without auto_revert fails the deployment, and nothing else happens.
func TestVerdictCrashingCanary(t *testing.T) { nomadtest.Each(t, verdictCrashingCanary) }

func verdictCrashingCanary(t *testing.T, c *api.Client) {
	canary := func(script string) *api.Job {
		j := job("crash", "service", script)
		j.TaskGroups[0].Update.Canary, j.TaskGroups[0].Update.AutoRevert = new(1), new(false)
		return j
	}
	wantOutcome(t, verdict(t, c, register(t, c, canary(serves)), watch.Options{}), watch.Successful)
	v := verdict(t, c, register(t, c, canary(breaks)), watch.Options{})
	wantOutcome(t, v, watch.Failed, "unhealthy allocations")
	if len(v.Reasons) != 1 || *v.Reasons[0].ExitCode != 7 {
		t.Errorf("reasons: %+v", v.Reasons)
	}
}

// Promotion comes no earlier than asked for.
func TestVerdictPromoteAfter(t *testing.T) { nomadtest.Each(t, verdictPromoteAfter) }

func verdictPromoteAfter(t *testing.T, c *api.Client) {
	canary := func(script string) *api.Job {
		j := job("after", "service", script)
		j.TaskGroups[0].Update.Canary = new(1)
		return j
	}
	wantOutcome(t, verdict(t, c, register(t, c, canary(serves)), watch.Options{}), watch.Successful)
	second, start := register(t, c, canary(serves+" 1")), time.Now()
	promoted := time.Duration(0)
	v := act(t, c, second, watch.Options{Promote: watch.PromoteHealthy, PromoteAfter: 6 * time.Second}, "canary healthy,", func(*api.Deployment) error {
		promoted = time.Since(start)
		return nil
	})
	wantOutcome(t, v, watch.Successful)
	if promoted < 5*time.Second {
		t.Errorf("promoted after %s, want 6s", promoted)
	}
}

// Auto-promotion is the server's part.
func TestVerdictAutoPromote(t *testing.T) { nomadtest.Each(t, verdictAutoPromote) }

func verdictAutoPromote(t *testing.T, c *api.Client) {
	canary := func(script string) *api.Job {
		j := job("auto", "service", script)
		j.TaskGroups[0].Update.Canary, j.TaskGroups[0].Update.AutoPromote = new(1), new(true)
		return j
	}
	wantOutcome(t, verdict(t, c, register(t, c, canary(serves)), watch.Options{}), watch.Successful)
	wantOutcome(t, verdict(t, c, register(t, c, canary(serves+" 1")), watch.Options{}), watch.Successful)
}

// What never becomes healthy fails at the deadline, and the reason is the way in
// which it ended before it was told to.
func TestVerdictHealthyDeadline(t *testing.T) { nomadtest.Each(t, verdictHealthyDeadline) }

func verdictHealthyDeadline(t *testing.T, c *api.Client) {
	never := func(script string) *api.Job {
		j := job("never", "service", script)
		g := j.TaskGroups[0]
		g.RestartPolicy = &api.RestartPolicy{Attempts: new(1000), Interval: new(10 * time.Minute), Delay: new(500 * time.Millisecond), Mode: new("delay")}
		return j
	}
	wantOutcome(t, verdict(t, c, register(t, c, never(serves)), watch.Options{}), watch.Successful)
	// It does not run for as long as it would have to, on no machine.
	short := never("echo no license >&2; sleep 1; exit 9")
	short.TaskGroups[0].Update.MinHealthyTime, short.TaskGroups[0].Update.HealthyDeadline = new(4*time.Second), new(6*time.Second)
	v := verdict(t, c, register(t, c, short), watch.Options{})
	wantOutcome(t, v, watch.Reverted, "unhealthy allocations", "reverted to version 0")
	if len(v.Reasons) == 0 || v.Reasons[0].ExitCode == nil || *v.Reasons[0].ExitCode != 9 || !strings.Contains(v.Reasons[0].LogTail, "no license") {
		t.Errorf("reasons: %+v", v.Reasons)
	}
}

// A deployment that gets nowhere fails at its own deadline: nobody says of these
// allocations whether they are healthy.
func TestVerdictProgressDeadline(t *testing.T) { nomadtest.Each(t, verdictProgressDeadline) }

func verdictProgressDeadline(t *testing.T, c *api.Client) {
	wantOutcome(t, verdict(t, c, register(t, c, job("progress", "service", serves)), watch.Options{}), watch.Successful)
	j := job("progress", "service", serves+" 1")
	u := j.TaskGroups[0].Update
	u.HealthCheck, u.HealthyDeadline, u.ProgressDeadline = new("manual"), new(2*time.Second), new(3*time.Second)
	v := verdict(t, c, register(t, c, j), watch.Options{})
	wantOutcome(t, v, watch.Reverted, "progress deadline", "reverted to version 0")
}

// A change that touches no task is a deployment, too.
func TestVerdictInPlace(t *testing.T) { nomadtest.Each(t, verdictInPlace) }

func verdictInPlace(t *testing.T, c *api.Client) {
	wantOutcome(t, verdict(t, c, register(t, c, job("place", "service", serves)), watch.Options{}), watch.Successful)
	j := job("place", "service", serves)
	j.TaskGroups[0].Count, j.Priority = new(3), new(60)
	wantOutcome(t, verdict(t, c, register(t, c, j), watch.Options{}), watch.Successful, "version 1")
	j.TaskGroups[0].Count = new(1)
	wantOutcome(t, verdict(t, c, register(t, c, j), watch.Options{}), watch.Successful, "version 2")
}

// Fifty allocations that fail alike are one reason.
func TestVerdictManyFailAlike(t *testing.T) { nomadtest.Each(t, verdictManyFailAlike) }

func verdictManyFailAlike(t *testing.T, c *api.Client) {
	j := job("many", "batch", breaks)
	j.TaskGroups[0].Count = new(20)
	j.TaskGroups[0].EphemeralDisk = &api.EphemeralDisk{SizeMB: new(20)}
	j.TaskGroups[0].Tasks[0].LogConfig = &api.LogConfig{MaxFiles: new(1), MaxFileSizeMB: new(1)}
	j.TaskGroups[0].Tasks[0].Resources = &api.Resources{CPU: new(1), MemoryMB: new(10)}
	v := verdict(t, c, register(t, c, j), watch.Options{})
	wantOutcome(t, v, watch.Failed)
	if len(v.Reasons) != 1 || v.Reasons[0].LogTail != "no config file" {
		t.Errorf("reasons: %+v", v.Reasons)
	}
}

// A batch run of several allocations ends well when all have, and its failure has
// the exit code of the task that failed. One that is tried again is waited for.
func TestVerdictBatchRuns(t *testing.T) { nomadtest.Each(t, verdictBatchRuns) }

func verdictBatchRuns(t *testing.T, c *api.Client) {
	some := job("some", "batch", `test "$NOMAD_ALLOC_INDEX" = 1 && exit 3; sleep 1`)
	some.TaskGroups[0].Count = new(3)
	v := verdict(t, c, register(t, c, some), watch.Options{})
	wantOutcome(t, v, watch.Failed, "1 allocation(s)")
	if len(v.Reasons) != 1 || *v.Reasons[0].ExitCode != 3 {
		t.Errorf("reasons: %+v", v.Reasons)
	}
	flag := t.TempDir() + "/second"
	retried := job("retried", "batch", fmt.Sprintf("test -e %s && exit 0; touch %s; exit 1", flag, flag))
	retried.TaskGroups[0].ReschedulePolicy = &api.ReschedulePolicy{Attempts: new(2), Interval: new(time.Hour), Delay: new(5 * time.Second), DelayFunction: new("constant"), Unlimited: new(false)}
	wantOutcome(t, verdict(t, c, register(t, c, retried), watch.Options{}), watch.Successful)
}

// What waits for capacity is placed once there is some.
func TestVerdictCapacity(t *testing.T) { nomadtest.Each(t, verdictCapacity) }

func verdictCapacity(t *testing.T, c *api.Client) {
	nodes, _, err := c.Nodes().List(&api.QueryOptions{Params: map[string]string{"resources": "true"}})
	if err != nil || len(nodes) == 0 || nodes[0].NodeResources == nil {
		t.Fatalf("the node's memory is not known: %v", err)
	}
	holds := func(id string) *api.Job {
		j := job(id, "service", serves)
		j.TaskGroups[0].Tasks[0].Resources.MemoryMB = new(int(nodes[0].NodeResources.Memory.MemoryMB) * 6 / 10)
		return j
	}
	wantOutcome(t, verdict(t, c, register(t, c, holds("holder")), watch.Options{}), watch.Successful)
	second := register(t, c, holds("waiter"))
	wantOutcome(t, verdict(t, c, second, watch.Options{}), watch.Unplaceable, "memory exhausted")
	v := act(t, c, second, watch.Options{WaitForCapacity: time.Minute}, "cannot be placed", func(*api.Deployment) error {
		_, _, err := c.Jobs().Deregister("holder", false, nil)
		return err
	})
	wantOutcome(t, v, watch.Successful)
}

// A job's namespace is the job's own.
func TestVerdictNamespace(t *testing.T) { nomadtest.Each(t, verdictNamespace) }

func verdictNamespace(t *testing.T, c *api.Client) {
	if _, err := c.Namespaces().Register(&api.Namespace{Name: "team-a"}, nil); err != nil {
		if strings.HasSuffix(t.Name(), "/ostro") {
			t.Skipf("there are no namespaces yet: %v", err)
		}
		t.Fatal(err)
	}
	for _, script := range []string{serves, breaks} {
		j := job("app", "service", script)
		j.Namespace = new("team-a")
		reply, _, err := c.Jobs().Register(j, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { nomadtest.Purge(c, "team-a", "app") })
		have, _, err := c.Jobs().Info("app", &api.QueryOptions{Namespace: "team-a"})
		if err != nil {
			t.Fatal(err)
		}
		v := verdict(t, c, watch.Target{Namespace: "team-a", JobID: "app", EvalID: reply.EvalID, JobVersion: *have.Version, JobModifyIndex: reply.JobModifyIndex}, watch.Options{})
		if script == serves {
			wantOutcome(t, v, watch.Successful)
			continue
		}
		wantOutcome(t, v, watch.Reverted, "reverted to version 0")
		if len(v.Reasons) != 1 || v.Reasons[0].LogTail != "no config file" {
			t.Errorf("the log of another namespace is not read: %+v", v.Reasons)
		}
	}
}
