package decide

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator/state"
)

// attic is a state with things that ended at some time before now.
type attic struct {
	t     *testing.T
	store *state.Store
	now   time.Time
}

func newAttic(t *testing.T) *attic {
	store, err := state.Open(state.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return &attic{t, store, time.Unix(1700000000, 0)}
}

func (a *attic) write(fn func(*state.Txn)) {
	a.t.Helper()
	if _, err := a.store.Update(func(tx *state.Txn) error {
		fn(tx)
		return nil
	}); err != nil {
		a.t.Fatal(err)
	}
}

// job stores a version of a job that was submitted so long ago.
func (a *attic) job(kind, id string, ago time.Duration, change ...func(*api.Job)) {
	a.t.Helper()
	job := &api.Job{ID: &id, Type: &kind, Status: new(""), SubmitTime: new(a.now.Add(-ago).UnixNano())}
	job.AddTaskGroup(api.NewTaskGroup("g", 1))
	job.Canonicalize()
	for _, c := range change {
		c(job)
	}
	a.write(func(tx *state.Txn) {
		if _, err := tx.RegisterJob(state.Registration{Job: job}); err != nil {
			a.t.Fatal(err)
		}
	})
}

// eval stores an evaluation of a job with one allocation, both of which ended
// so long ago.
func (a *attic) eval(jobID, id string, ago time.Duration, client string) {
	a.t.Helper()
	at := a.now.Add(-ago).UnixNano()
	a.write(func(tx *state.Txn) {
		job := tx.Job(nil, "default", jobID)
		tx.PutEval(&api.Evaluation{ID: id, Namespace: "default", JobID: jobID, Type: *job.Type, Status: "complete", ModifyTime: at})
		tx.PutAlloc(&api.Allocation{
			ID: id, EvalID: id, Namespace: "default", JobID: jobID, Job: job, TaskGroup: "g", NodeID: "n", DeploymentID: id,
			DesiredStatus: "run", ClientStatus: client, ModifyTime: at,
		})
	})
}

func (a *attic) collect(ages Ages) {
	a.t.Helper()
	a.write(func(tx *state.Txn) { Clock{Now: func() time.Time { return a.now }}.Collect(tx, ages) })
}

// left are the IDs of the jobs, the evaluations and the allocations.
func (a *attic) left() string {
	snap := a.store.Snapshot()
	var jobs, evals, allocs []string
	for _, job := range snap.Jobs(nil, "*", "") {
		jobs = append(jobs, *job.ID)
	}
	for _, eval := range snap.Evals(nil) {
		evals = append(evals, eval.ID)
	}
	for _, alloc := range snap.Allocs(nil) {
		allocs = append(allocs, alloc.ID)
	}
	slices.Sort(evals)
	return fmt.Sprint(jobs, evals, allocs)
}

func stopped(job *api.Job) { job.Stop = new(true) }

func TestCollectEndedThings(t *testing.T) {
	const minute = time.Minute
	for name, c := range map[string]struct {
		fill func(*attic)
		left string
		// forced is what is left when age does not matter.
		forced string
	}{
		"an old stopped service": {func(a *attic) {
			a.job("service", "s", 5*time.Hour, stopped)
			a.eval("s", "e", 5*time.Hour, "complete")
		}, "[] [] []", "[] [] []"},
		"a young stopped service": {func(a *attic) {
			a.job("service", "s", 30*minute, stopped)
			a.eval("s", "e", 30*minute, "complete")
		}, "[s] [e] [e]", "[] [] []"},
		"a stopped service whose task still ends": {func(a *attic) {
			a.job("service", "s", 5*time.Hour, stopped)
			a.eval("s", "e", 5*time.Hour, "running")
		}, "[s] [e] [e]", "[s] [e] [e]"},
		"a service that runs, and what it replaced": {func(a *attic) {
			a.job("service", "s", 5*time.Hour)
			a.eval("s", "old", 2*time.Hour, "complete")
			a.eval("s", "young", 30*minute, "complete")
			a.eval("s", "now", 2*time.Hour, "running")
		}, "[s] [now young] [now young]", "[s] [now] [now]"},
		"a failed allocation that is to be replaced": {func(a *attic) {
			a.job("service", "s", 5*time.Hour)
			a.eval("s", "bad", 2*time.Hour, "failed")
			a.eval("s", "now", 2*time.Hour, "running")
		}, "[s] [bad now] [bad now]", "[s] [bad now] [bad now]"},
		"a batch job that has ended": {func(a *attic) {
			a.job("batch", "b", 5*time.Hour)
			a.eval("b", "e", 5*time.Hour, "complete")
		}, "[] [] []", "[] [] []"},
		"a batch job that ended a while ago, and runs again": {func(a *attic) {
			a.job("batch", "b", 30*time.Hour)
			a.eval("b", "before", 30*time.Hour, "complete")
			a.job("batch", "b", 29*time.Hour, func(job *api.Job) { job.Priority = new(60) })
			a.eval("b", "first", 29*time.Hour, "complete")
			a.eval("b", "now", minute, "running")
		}, "[b] [first now] [first now]", "[b] [first now] [first now]"},
		"a dead service that nobody stopped": {func(a *attic) {
			a.job("service", "s", 5*time.Hour)
			a.eval("s", "e", 5*time.Hour, "complete")
		}, "[s] [] []", "[s] [] []"},
		"a tagged version": {func(a *attic) {
			a.job("service", "s", 5*time.Hour, stopped)
			a.eval("s", "e", 5*time.Hour, "complete")
			a.write(func(tx *state.Txn) {
				if err := tx.TagVersion("default", "s", 0, &api.JobVersionTag{Name: "golden"}); err != nil {
					a.t.Fatal(err)
				}
			})
		}, "[s] [] []", "[s] [] []"},
		"a periodic job": {func(a *attic) {
			a.job("batch", "p", 5*time.Hour, func(job *api.Job) {
				job.Periodic = &api.PeriodicConfig{Specs: []string{"0 0 1 1 *"}}
				job.Periodic.Canonicalize()
			})
		}, "[p] [] []", "[p] [] []"},
		"an allocation without its evaluation": {func(a *attic) {
			a.job("service", "s", 5*time.Hour)
			a.write(func(tx *state.Txn) {
				tx.PutAlloc(&api.Allocation{ID: "a", EvalID: "gone", Namespace: "default", JobID: "s", Job: tx.Job(nil, "default", "s"), ClientStatus: "complete"})
			})
		}, "[s] [] []", "[s] [] []"},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAttic(t)
			c.fill(a)
			a.collect(DefaultAges())
			if got := a.left(); got != c.left {
				t.Errorf("left %s, want %s", got, c.left)
			}
			a.collect(Ages{})
			if got := a.left(); got != c.forced {
				t.Errorf("left %s at once, want %s", got, c.forced)
			}
		})
	}
}

// The job of a collected service keeps its status, and its deployment stays
// while an allocation of it runs.
func TestCollectDeploymentsAndNodes(t *testing.T) {
	a := newAttic(t)
	a.job("service", "s", 5*time.Hour)
	a.eval("s", "over", 5*time.Hour, "complete")
	a.eval("s", "now", 5*time.Hour, "running")
	old := a.now.Add(-25 * time.Hour)
	a.write(func(tx *state.Txn) {
		for _, id := range []string{"over", "now", "active", "young"} {
			d := &api.Deployment{ID: id, Namespace: "default", JobID: "s", Status: "successful", ModifyTime: old.UnixNano()}
			switch id {
			case "active":
				d.Status = "running"
			case "young":
				d.ModifyTime = a.now.UnixNano()
			}
			tx.PutDeployment(d)
		}
		for id, status := range map[string]string{"n": "down", "gone": "down", "up": "ready"} {
			tx.PutNode(&api.Node{ID: id, Status: status, StatusUpdatedAt: old.Unix()})
		}
		tx.PutNode(&api.Node{ID: "lost", Status: "down", StatusUpdatedAt: a.now.Unix()})
	})
	a.collect(DefaultAges())
	var deployments, nodes []string
	for _, d := range a.store.Snapshot().Deployments(nil) {
		deployments = append(deployments, d.ID)
	}
	for _, n := range a.store.Snapshot().Nodes(nil) {
		nodes = append(nodes, n.ID)
	}
	if got := fmt.Sprint(deployments, nodes); got != "[active now young] [lost n up]" {
		t.Errorf("left %s", got)
	}
	a.write(func(tx *state.Txn) {
		ended := *tx.Alloc(nil, "now")
		ended.ClientStatus = "complete"
		tx.PutClientAlloc(&ended)
		d := *tx.Deployment(nil, "active")
		d.Status = "failed"
		tx.PutDeployment(&d)
	})
	a.collect(Ages{})
	if job := a.store.Snapshot().Job(nil, "default", "s"); *job.Status != state.JobDead {
		t.Errorf("a job whose evaluations were collected is %s", *job.Status)
	}
}
