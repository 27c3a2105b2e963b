package decide

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/nomad/api"
	"pgregory.net/rapid"

	"ostro/orchestrator/state"
)

// cluster is a state with a planner that follows it, and nodes.
func cluster(t testing.TB, dir string, nodes int) (*state.Store, *Planner) {
	t.Helper()
	n := 0
	planner := NewPlanner(Clock{
		Now:   func() time.Time { return time.Unix(1700000000, 0) },
		NewID: func() string { n++; return fmt.Sprintf("id-%09d", n) },
	})
	store, err := state.Open(state.Config{Dir: dir, Committed: planner.Committed})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	write(t, store, func(tx *state.Txn) {
		for i := range nodes {
			tx.PutNode(testNode(i))
		}
	})
	return store, planner
}

func write(t testing.TB, store *state.Store, fn func(*state.Txn)) {
	t.Helper()
	if _, err := store.Update(func(tx *state.Txn) error { fn(tx); return nil }); err != nil {
		t.Fatal(err)
	}
}

func testNode(i int) *api.Node {
	name := fmt.Sprintf("node-%03d", i)
	return &api.Node{
		ID: name, Name: name, Datacenter: "dc1", NodePool: "default",
		Status: api.NodeStatusReady, SchedulingEligibility: api.NodeSchedulingEligible,
		Drivers: map[string]*api.DriverInfo{"mock_driver": {Detected: true, Healthy: true}},
		NodeResources: &api.NodeResources{
			Cpu: api.NodeCpuResources{CpuShares: 1e6}, Memory: api.NodeMemoryResources{MemoryMB: 1e6},
			Disk: api.NodeDiskResources{DiskMB: 1e9}, Networks: []*api.NetworkResource{{IP: "127.0.0.1"}},
		},
	}
}

func testJob(id string, count int) *api.Job {
	task := api.NewTask("t", "mock_driver")
	task.Resources = &api.Resources{CPU: new(10), MemoryMB: new(10)}
	group := api.NewTaskGroup("g", count).AddTask(task)
	group.Networks = []*api.NetworkResource{{DynamicPorts: []api.Port{{Label: "http"}}}}
	job := &api.Job{ID: &id, TaskGroups: []*api.TaskGroup{group}}
	job.Canonicalize()
	return job
}

// run registers a job and decides about it.
func run(t testing.TB, store *state.Store, planner *Planner, job *api.Job) {
	t.Helper()
	write(t, store, func(tx *state.Txn) {
		stored, err := tx.RegisterJob(state.Registration{Job: job})
		if err != nil {
			t.Fatal(err)
		}
		eval := planner.NewEval(tx, *stored.Namespace, *stored.ID, "job-register")
		tx.PutEval(eval)
		Apply(tx, planner.Evaluation(tx, eval))
	})
}

// TestUsageFollowsTheState compares what the planner has summed up with a count
// of everything, after any history.
func TestUsageFollowsTheState(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		store, planner := cluster(t, "", 3)
		for range rapid.IntRange(1, 20).Draw(rt, "steps") {
			id := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(rt, "job")
			switch rapid.SampledFrom([]string{"run", "run", "end", "gone"}).Draw(rt, "step") {
			case "run":
				run(t, store, planner, testJob(id, rapid.IntRange(0, 5).Draw(rt, "count")))
			case "end":
				write(t, store, func(tx *state.Txn) {
					for _, a := range tx.AllocsByJob(nil, "default", id) {
						ended := *a
						ended.ClientStatus = rapid.SampledFrom([]string{"running", "complete", "failed"}).Draw(rt, "status")
						tx.PutClientAlloc(&ended)
					}
				})
			case "gone":
				write(t, store, func(tx *state.Txn) {
					if job := tx.StopJob("default", id, false, 0); job != nil {
						Apply(tx, planner.Evaluation(tx, planner.NewEval(tx, "default", id, "job-deregister")))
					}
				})
			}
			counted := NewPlanner(planner.Clock)
			counted.Load(store.Snapshot())
			for i := range 3 {
				id := testNode(i).ID
				got, want := planner.on(id), counted.on(id)
				if diff := cmp.Diff(want, got); diff != "" {
					rt.Fatalf("%s:\n%s", id, diff)
				}
			}
		}
	})
}

// BenchmarkDecision takes the cost of a job of ten allocations, from its
// registration to the write of its decision on disk, when there are 1,000
// allocations and when there are 10,000, on 100 nodes.
func BenchmarkDecision(b *testing.B) {
	const perJob, measured = 10, 50
	var few, many time.Duration
	for b.Loop() {
		store, planner := cluster(b, b.TempDir(), 100)
		n := 0
		fill := func(allocs int) {
			for ; n < allocs/perJob; n++ {
				run(b, store, planner, testJob(fmt.Sprintf("job-%d", n), perJob))
			}
		}
		cost := func() time.Duration {
			begun := time.Now()
			fill((n + measured) * perJob)
			return time.Since(begun) / measured / perJob
		}
		fill(1000)
		few += cost()
		fill(10000)
		many += cost()
		if placed := len(store.Snapshot().Allocs(nil)); placed != n*perJob {
			b.Fatalf("%d allocations were placed, not %d", placed, n*perJob)
		}
	}
	b.ReportMetric(float64(few.Microseconds())/float64(b.N), "us-at-1000")
	b.ReportMetric(float64(many.Microseconds())/float64(b.N), "us-at-10000")
	b.ReportMetric(float64(many)/float64(few), "ratio-10000-to-1000")
}
