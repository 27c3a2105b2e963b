package orchestrator

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator/decide"
	"ostro/orchestrator/state"
)

// timeline is the loop alone, without nodes, on a state that outlives it. It
// runs in a bubble, whose time begins at 2000-01-01 00:00 UTC.
type timeline struct {
	t     *testing.T
	store *state.Store
	loop  *loop
}

func newTimeline(t *testing.T) *timeline {
	store, err := state.Open(state.Config{})
	if err != nil {
		t.Fatal(err)
	}
	tl := &timeline{t: t, store: store}
	tl.start()
	t.Cleanup(func() {
		tl.loop.end()
		store.Close()
	})
	return tl
}

// start lets a loop see the state for the first time.
func (tl *timeline) start() {
	tl.loop = newLoop(loopConfig{log: slog.New(slog.DiscardHandler), Planner: decide.NewPlanner(clock())})
	tl.loop.store = tl.store
	tl.loop.begin(context.Background())
	synctest.Wait()
}

// put writes a job, and tells the loop, which hears of it otherwise as it is
// committed.
func (tl *timeline) put(job *api.Job) {
	tl.t.Helper()
	job.Canonicalize()
	job.SubmitTime, job.Status = new(time.Now().UnixNano()), new("")
	tl.write(func(tx *state.Txn) {
		if _, err := tx.RegisterJob(state.Registration{Job: job}); err != nil {
			tl.t.Fatal(err)
		}
	})
	tl.loop.mu.Lock()
	tl.loop.notePeriodic(job)
	tl.loop.mu.Unlock()
	tl.loop.wake <- struct{}{}
	synctest.Wait()
}

func (tl *timeline) write(fn func(*state.Txn)) {
	tl.t.Helper()
	if _, err := tl.store.Update(func(tx *state.Txn) error {
		fn(tx)
		return nil
	}); err != nil {
		tl.t.Fatal(err)
	}
}

func (tl *timeline) pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// launches are the times of the children of a job, after midnight.
func (tl *timeline) launches(id string) (at []string) {
	for _, job := range tl.store.Snapshot().Jobs(nil, "default", id+"/periodic-") {
		seconds, err := time.ParseDuration(strings.TrimPrefix(*job.ID, id+"/periodic-") + "s")
		if err != nil {
			tl.t.Fatal(err)
		}
		at = append(at, time.Unix(0, 0).Add(seconds).UTC().Format("15:04:05"))
	}
	return at
}

func (tl *timeline) want(id string, want ...string) {
	tl.t.Helper()
	if got := tl.launches(id); !slices.Equal(got, want) {
		tl.t.Errorf("%s was launched at %v, not %v", id, got, want)
	}
}

func hourly(id string) *api.Job {
	job := api.NewBatchJob(id, id, "global", 50)
	job.Periodic = &api.PeriodicConfig{Specs: []string{"0 * * * *"}}
	return job.AddTaskGroup(api.NewTaskGroup("g", 0))
}

func TestPeriodicJobIsLaunchedOnTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tl := newTimeline(t)
		twice := hourly("twice")
		twice.Periodic.Specs = []string{"0 * * * *", "30 1 * * *"}
		off := hourly("off")
		off.Periodic.Enabled = new(false)
		tl.put(hourly("tick"))
		tl.put(twice)
		tl.put(off)
		tl.pass(2*time.Hour + time.Minute)
		tl.want("tick", "01:00:00", "02:00:00")
		tl.want("twice", "01:00:00", "01:30:00", "02:00:00")
		tl.want("off")
		child := tl.store.Snapshot().Job(nil, "default", "tick/periodic-946688400")
		if child == nil || child.IsPeriodic() || *child.ParentID != "tick" || *child.Name != *child.ID {
			t.Errorf("got the child %+v", child)
		}
		evals := tl.store.Snapshot().EvalsByJob(nil, "default", *child.ID)
		if len(evals) != 1 || evals[0].TriggeredBy != "periodic-job" {
			t.Errorf("got the evaluations %+v", evals)
		}
	})
}

func TestUpdatedAndStoppedPeriodicJobs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tl := newTimeline(t)
		tl.put(hourly("tick"))
		tl.pass(time.Hour + time.Minute)
		changed := hourly("tick")
		changed.Periodic.Specs = []string{"*/20 * * * *"}
		tl.put(changed)
		tl.pass(30 * time.Minute)
		tl.want("tick", "01:00:00", "01:20:00")
		stopped := hourly("tick")
		stopped.Stop = new(true)
		tl.put(stopped)
		tl.pass(3 * time.Hour)
		tl.want("tick", "01:00:00", "01:20:00")
		tl.put(hourly("tick"))
		tl.pass(time.Hour)
		tl.want("tick", "01:00:00", "01:20:00", "05:00:00")
	})
}

func TestProhibitedOverlapSkipsLaunches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tl := newTimeline(t)
		job := hourly("tick")
		job.Periodic.ProhibitOverlap = new(true)
		tl.put(job)
		tl.pass(time.Hour + time.Minute)
		alloc := &api.Allocation{ID: "a", Namespace: "default", JobID: "tick/periodic-946688400", DesiredStatus: "run", ClientStatus: "running"}
		tl.write(func(tx *state.Txn) {
			alloc.Job = tx.Job(nil, "default", alloc.JobID)
			tx.PutAlloc(alloc)
		})
		tl.pass(2 * time.Hour)
		tl.want("tick", "01:00:00")
		tl.write(func(tx *state.Txn) {
			ended := *alloc
			ended.ClientStatus = "complete"
			tx.PutClientAlloc(&ended)
			for _, eval := range tx.EvalsByJob(nil, "default", alloc.JobID) {
				over := *eval
				over.Status = "complete"
				tx.PutEval(&over)
			}
		})
		tl.pass(time.Hour)
		tl.want("tick", "01:00:00", "04:00:00")
	})
}

// However many launches were missed, one is made up for. (Nomad: R18.)
func TestMissedLaunchesAreMadeUpForOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tl := newTimeline(t)
		tl.put(hourly("tick"))
		tl.put(hourly("new"))
		tl.pass(time.Hour + time.Minute)
		tl.loop.end()
		tl.pass(2 * time.Hour)
		tl.start()
		tl.want("tick", "01:00:00", "03:01:00")
		tl.loop.end()
		tl.pass(10 * time.Minute)
		tl.start()
		tl.pass(time.Hour)
		tl.want("tick", "01:00:00", "03:01:00", "04:00:00")
		tl.want("new", "01:00:00", "03:01:00", "04:00:00")
	})
}

// A job that was registered and never launched is made up for as well.
func TestMissedFirstLaunch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tl := newTimeline(t)
		tl.put(hourly("tick"))
		tl.loop.end()
		tl.pass(90 * time.Minute)
		tl.start()
		tl.want("tick", "01:30:00")
	})
}
