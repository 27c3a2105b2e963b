package decide

import (
	"slices"
	"time"

	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator/reconcile"
	"ostro/orchestrator/state"
)

// Ahead is what a state says to have happened later than now, because the clock was
// set back while no agent ran. It counts as having happened now: attempts to replace
// an allocation are forgotten after their interval, delays and deadlines take their time
// once more and no longer, and what is over becomes old.
type Ahead struct {
	// By is how far the latest of it lies ahead; 0 where there is none.
	By time.Duration

	now         time.Time
	evals       []*api.Evaluation
	deployments []*api.Deployment
	allocs      []*api.Allocation
}

// FindAhead gives copies of all that has times after now, changed to be of now.
func FindAhead(snap *state.Snapshot, now time.Time) Ahead {
	f := Ahead{now: now.Round(0)}
	for _, eval := range snap.Evals(nil) {
		f.eval(*eval)
	}
	for _, d := range snap.Deployments(nil) {
		f.deployment(reconcile.CopyDeployment(d))
	}
	for _, a := range snap.Allocs(nil) {
		f.alloc(*a)
	}
	return f
}

// Apply writes them.
func (f Ahead) Apply(tx *state.Txn) {
	for _, eval := range f.evals {
		tx.PutEval(eval)
	}
	for _, d := range f.deployments {
		tx.PutDeployment(d)
	}
	for _, a := range f.allocs {
		tx.PutClientAlloc(a)
	}
}

// back sets times in Unix nanoseconds that lie ahead to now, and gives by how much it
// set the first.
func (f *Ahead) back(times ...*int64) (by time.Duration, changed bool) {
	for i, at := range times {
		ahead := time.Duration(*at - f.now.UnixNano())
		if ahead <= 0 {
			continue
		}
		*at, changed, f.By = f.now.UnixNano(), true, max(f.By, ahead)
		if i == 0 {
			by = ahead
		}
	}
	return by, changed
}

func (f *Ahead) eval(eval api.Evaluation) {
	by, changed := f.back(&eval.CreateTime, &eval.ModifyTime)
	if !changed {
		return
	}
	if !eval.WaitUntil.IsZero() {
		eval.WaitUntil = eval.WaitUntil.Add(-by)
	}
	f.evals = append(f.evals, &eval)
}

func (f *Ahead) deployment(d *api.Deployment) {
	_, changed := f.back(&d.CreateTime, &d.ModifyTime)
	for _, group := range d.TaskGroups {
		if group.RequireProgressBy.IsZero() {
			continue
		}
		// It was noted when there was progress.
		progress := group.RequireProgressBy.Add(-group.ProgressDeadline).UnixNano()
		by, moved := f.back(&progress)
		group.RequireProgressBy, changed = group.RequireProgressBy.Add(-by), changed || moved
	}
	if changed {
		f.deployments = append(f.deployments, d)
	}
}

func (f *Ahead) alloc(a api.Allocation) {
	_, changed := f.back(&a.CreateTime, &a.ModifyTime)
	if tracker := a.RescheduleTracker; tracker != nil {
		copied := *tracker
		copied.Events = slices.Clone(tracker.Events)
		for i, event := range copied.Events {
			e := *event
			_, moved := f.back(&e.RescheduleTime)
			copied.Events[i], changed = &e, changed || moved
		}
		a.RescheduleTracker = &copied
	}
	if changed {
		f.allocs = append(f.allocs, &a)
	}
}
