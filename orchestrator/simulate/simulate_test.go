package simulate

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"
	"pgregory.net/rapid"
)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func node(name string) *api.Node {
	return &api.Node{
		ID: name, Name: name, Datacenter: "dc1", NodePool: "default", Status: api.NodeStatusReady,
		SchedulingEligibility: api.NodeSchedulingEligible, Attributes: map[string]string{"kernel.name": "linux"},
		Drivers: map[string]*api.DriverInfo{"raw_exec": {Detected: true, Healthy: true}},
		NodeResources: &api.NodeResources{
			Cpu: api.NodeCpuResources{CpuShares: 4000}, Memory: api.NodeMemoryResources{MemoryMB: 4000},
			Disk: api.NodeDiskResources{DiskMB: 100000}, Networks: []*api.NetworkResource{{IP: "127.0.0.1"}},
		},
	}
}

// job is a service that says env, in steps that change makes.
func job(env string, change func(*api.Job, *api.TaskGroup, *api.UpdateStrategy)) *api.Job {
	task := api.NewTask("t", "raw_exec")
	task.Env = map[string]string{"V": env}
	task.Resources = &api.Resources{CPU: new(100), MemoryMB: new(100)}
	group := api.NewTaskGroup("g", 3)
	group.AddTask(task)
	group.RestartPolicy = &api.RestartPolicy{Attempts: new(2), Interval: new(time.Minute), Delay: new(5 * time.Second), Mode: new("fail")}
	group.ReschedulePolicy = &api.ReschedulePolicy{Attempts: new(0), Unlimited: new(false)}
	job := &api.Job{ID: new("web"), Type: new(api.JobTypeService), Datacenters: []string{"*"}, NodePool: new("default"), TaskGroups: []*api.TaskGroup{group}, Update: api.DefaultUpdateStrategy()}
	change(job, group, job.Update)
	job.Canonicalize()
	job.Stop, job.Stable = new(false), new(false)
	return job
}

func plain(*api.Job, *api.TaskGroup, *api.UpdateStrategy) {}

func sameSpec(a, b *api.Job) bool {
	return reflect.DeepEqual(a.TaskGroups, b.TaskGroups) && *a.Stop == *b.Stop
}

// first deploys a job to an empty cluster, and gives the input for the next.
func first(t testing.TB, old *api.Job, nodes int) Input {
	t.Helper()
	in := Input{Start: start, Job: old, SameSpec: sameSpec}
	for i := range nodes {
		in.Nodes = append(in.Nodes, node(fmt.Sprintf("n%d", i)))
	}
	w := newWorld(in, Good)
	w.register()
	w.settle()
	for !w.over() && w.next() {
		w.settle()
	}
	in.Versions, in.Allocs, in.Deployment = w.versions, w.sorted(), w.deployment()
	in.Start = w.now.Add(time.Hour)
	return in
}

// text is a timeline as one line for each event.
func text(t Timeline) string {
	var b strings.Builder
	for _, e := range t.Events {
		fmt.Fprintln(&b, strings.Join(strings.Fields(fmt.Sprint(e.At, " ", e.Kind, " ", e.Allocation, " v", e.Version, " ", e.Detail)), " "))
	}
	fmt.Fprintf(&b, "%s after %s, lowest %d\n", t.Outcome, t.Took, t.Lowest["g"])
	return b.String()
}

func TestFutures(t *testing.T) {
	shared := func(change func(*api.Job, *api.TaskGroup, *api.UpdateStrategy)) func(string) *api.Job {
		return func(env string) *api.Job { return job(env, change) }
	}
	for _, tt := range []struct {
		name   string
		job    func(env string) *api.Job
		future Future
		want   string
	}{
		{"rolling", shared(plain), Good, `
0s stops web.g[0] v0
0s starts web.g[0] v1
10s healthy web.g[0] v1
10s stops web.g[1] v0
10s starts web.g[1] v1
20s healthy web.g[1] v1
20s stops web.g[2] v0
20s starts web.g[2] v1
30s healthy web.g[2] v1
30s ends v1 successful: Deployment completed successfully
successful after 30s, lowest 2
`},
		{"one canary", shared(func(_ *api.Job, _ *api.TaskGroup, u *api.UpdateStrategy) { u.Canary, u.MaxParallel = new(1), new(2) }), Good, `
0s starts web.g[0] v1
10s healthy web.g[0] v1
10s promoted v1
10s stops web.g[0] v0
10s stops web.g[1] v0
10s stops web.g[2] v0
10s starts web.g[1] v1
10s starts web.g[2] v1
20s healthy web.g[1] v1
20s healthy web.g[2] v1
20s ends v1 successful: Deployment completed successfully
successful after 20s, lowest 1
`},
		{"a crash is reverted", shared(func(_ *api.Job, _ *api.TaskGroup, u *api.UpdateStrategy) { u.AutoRevert = new(true) }), Crashes, `
0s stops web.g[0] v0
0s starts web.g[0] v1
0s restarts web.g[0] v1 5s
5s restarts web.g[0] v1 5s
10s fails web.g[0] v1
10s ends v1 failed: Failed due to unhealthy allocations - rolling back to job version 0
10s reverts v0
10s updates web.g[1] v2
10s updates web.g[2] v2
10s starts web.g[0] v2
10s healthy web.g[1] v2
10s healthy web.g[2] v2
20s healthy web.g[0] v2
20s ends v2 successful: Deployment completed successfully
reverted after 20s, lowest 2
`},
		{"a crash is not reverted", shared(plain), Crashes, `
0s stops web.g[0] v0
0s starts web.g[0] v1
0s restarts web.g[0] v1 5s
5s restarts web.g[0] v1 5s
10s fails web.g[0] v1
10s ends v1 failed: Failed due to unhealthy allocations
failed after 10s, lowest 2
`},
		{"never healthy, reverted", shared(func(_ *api.Job, _ *api.TaskGroup, u *api.UpdateStrategy) { u.AutoRevert = new(true) }), NeverHealthy, `
0s stops web.g[0] v0
0s starts web.g[0] v1
5m0s unhealthy web.g[0] v1
5m0s ends v1 failed: Failed due to unhealthy allocations - rolling back to job version 0
5m0s reverts v0
5m0s stops web.g[0] v1
5m0s updates web.g[1] v2
5m0s updates web.g[2] v2
5m0s starts web.g[0] v2
5m0s healthy web.g[1] v2
5m0s healthy web.g[2] v2
5m10s healthy web.g[0] v2
5m10s ends v2 successful: Deployment completed successfully
reverted after 5m10s, lowest 2
`},
		{"a canary that crashes takes nothing down", shared(func(_ *api.Job, g *api.TaskGroup, u *api.UpdateStrategy) {
			u.Canary, g.RestartPolicy.Attempts = new(1), new(0)
		}), Crashes, `
0s starts web.g[0] v1
0s fails web.g[0] v1
0s ends v1 failed: Failed due to unhealthy allocations
failed after 0s, lowest 3
`},
		{"the progress deadline fires", shared(func(_ *api.Job, g *api.TaskGroup, u *api.UpdateStrategy) {
			g.ReschedulePolicy, g.RestartPolicy.Attempts = nil, new(0)
			u.ProgressDeadline, u.HealthyDeadline = new(40*time.Second), new(20*time.Second)
		}), Crashes, `
0s stops web.g[0] v0
0s starts web.g[0] v1
0s fails web.g[0] v1
30s starts web.g[0] v1
30s fails web.g[0] v1
40s ends v1 failed: Failed due to progress deadline
failed after 40s, lowest 2
`},
		{"no deployment", shared(func(_ *api.Job, _ *api.TaskGroup, u *api.UpdateStrategy) { u.MaxParallel = new(0) }), Good, `
0s stops web.g[0] v0
0s stops web.g[1] v0
0s stops web.g[2] v0
0s starts web.g[0] v1
0s starts web.g[1] v1
0s starts web.g[2] v1
running after 0s, lowest 3
`},
		{"a shutdown delay on the only node", shared(func(_ *api.Job, g *api.TaskGroup, u *api.UpdateStrategy) {
			g.Count, g.ShutdownDelay = new(1), new(5*time.Second)
		}), Good, `
0s stops web.g[0] v0
5s starts web.g[0] v1
15s healthy web.g[0] v1
15s ends v1 successful: Deployment completed successfully
successful after 15s, lowest 0
`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := first(t, tt.job("1"), 1)
			in.Job = tt.job("2")
			if got := text(Run(in, tt.future)); got != strings.TrimPrefix(tt.want, "\n") {
				t.Errorf("got:\n%s", got)
			}
		})
	}
}

// TestGoodFutureKeepsServing: a good rollout of the same size never serves less
// than the count less what may be exchanged at once, and ends with all of the new
// version.
func TestGoodFutureKeepsServing(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		count, parallel := rapid.IntRange(1, 8).Draw(rt, "count"), rapid.IntRange(1, 9).Draw(rt, "max_parallel")
		canaries := rapid.IntRange(0, count).Draw(rt, "canary")
		change := func(_ *api.Job, g *api.TaskGroup, u *api.UpdateStrategy) {
			g.Count, u.MaxParallel, u.Canary = &count, &parallel, &canaries
		}
		in := first(t, job("1", change), rapid.IntRange(1, 3).Draw(rt, "nodes"))
		in.Job = job("2", change)
		line := Run(in, Good)
		if line.Outcome != Successful {
			rt.Fatalf("a good future is %s:\n%s", line.Outcome, text(line))
		}
		if lowest := line.Lowest["g"]; lowest < count-parallel {
			rt.Fatalf("%d of %d served, with %d exchanged at once:\n%s", lowest, count, parallel, text(line))
		}
		if last := line.Levels[len(line.Levels)-1].Serving["g"]; last != count {
			rt.Fatalf("in the end %d of %d serve:\n%s", last, count, text(line))
		}
	})
}

// TestAnyFuture: time does not run backwards, the same future is told the same
// way, no input is changed, and a bad version never succeeds.
func TestAnyFuture(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		draw := func(env string) *api.Job {
			return job(env, func(j *api.Job, g *api.TaskGroup, u *api.UpdateStrategy) {
				g.Count = new(rapid.IntRange(1, 5).Draw(rt, "count"))
				u.MaxParallel, u.Canary = new(rapid.IntRange(0, 3).Draw(rt, "max_parallel")), new(rapid.IntRange(0, 2).Draw(rt, "canary"))
				u.AutoRevert = new(rapid.Bool().Draw(rt, "auto_revert"))
				g.RestartPolicy.Attempts = new(rapid.IntRange(0, 2).Draw(rt, "attempts"))
				if rapid.Bool().Draw(rt, "reschedules") {
					g.ReschedulePolicy = nil
				}
			})
		}
		in := first(t, draw("1"), 2)
		in.Job = draw("2")
		before := slices.Clone(in.Allocs)
		future := rapid.SampledFrom([]Future{Good, Crashes, NeverHealthy}).Draw(rt, "future")
		line := Run(in, future)
		if again := text(Run(in, future)); again != text(line) {
			rt.Fatalf("told twice:\n%s\n%s", text(line), again)
		}
		for i, e := range line.Events {
			if i > 0 && e.At < line.Events[i-1].At {
				rt.Fatalf("time runs backwards:\n%s", text(line))
			}
		}
		if future != Good && line.Outcome == Successful {
			rt.Fatalf("a bad version succeeds:\n%s", text(line))
		}
		for i, a := range before {
			if a != in.Allocs[i] || a.DesiredStatus != api.AllocDesiredStatusRun {
				rt.Fatalf("allocation %s was changed", a.Name)
			}
		}
	})
}

// TestCanonicalFollowsTheServer: what the server's plan says of a group decides
// whether its allocations are exchanged.
func TestCanonicalFollowsTheServer(t *testing.T) {
	for _, tt := range []struct {
		name    string
		env     string
		desired api.DesiredUpdates
		want    Kind
	}{
		{"both say exchange", "2", api.DesiredUpdates{DestructiveUpdate: 1}, Stops},
		{"only the server says exchange", "1", api.DesiredUpdates{DestructiveUpdate: 1}, Stops},
		{"only the server says in place", "2", api.DesiredUpdates{InPlaceUpdate: 3}, Updates},
	} {
		in := first(t, job("1", plain), 1)
		var err error
		if in.Job, err = Canonical(job(tt.env, plain), in.Versions[0], map[string]*api.DesiredUpdates{"g": &tt.desired}); err != nil {
			t.Fatal(err)
		}
		line := Run(in, Good)
		if got := line.Events[0].Kind; got != tt.want || line.Outcome != Successful {
			t.Errorf("%s: begins with %s, want %s:\n%s", tt.name, got, tt.want, text(line))
		}
	}
}
