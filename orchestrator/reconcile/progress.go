package reconcile

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/hashicorp/nomad/api"
)

// ProgressInput is all that the fate of one deployment depends on.
type ProgressInput struct {
	Now   time.Time
	At    func(nanos int64) time.Time // as that of [Input]
	NewID func() string
	// Deployment is the deployment as stored.
	Deployment *api.Deployment
	// Priority is that of the evaluation that made the deployment.
	Priority int
	// Job is the current version of its job; nil when it was purged.
	Job *api.Job
	// Versions are the kept versions of the job, newest first.
	Versions []*api.Job
	// Allocs are the allocations of the deployment.
	Allocs []*api.Allocation
	// SameSpec tells whether two versions say the same, but for what the server
	// sets.
	SameSpec func(a, b *api.Job) bool
}

// ProgressChanges are what a look at a deployment changes, all in one write.
// (Nomad: W6, failing, reverting and the evaluation are one write.)
type ProgressChanges struct {
	// Deployment is the changed deployment, or nil.
	Deployment *api.Deployment
	// Update are changed copies of its allocations.
	Update []*api.Allocation
	// RevertTo is the version to register again, or nil.
	RevertTo *uint64
	// Eval asks for a new decision about the job, or is nil.
	Eval *api.Evaluation
	// CheckAt is when to look again, if nothing happens before; zero for never.
	CheckAt time.Time
}

// Count brings the counters of a deployment up to date with a change of one of
// its allocations. It changes d. (Nomad: W1, H7.)
func Count(d *api.Deployment, before, after *api.Allocation) {
	state := d.TaskGroups[after.TaskGroup]
	if state == nil {
		return
	}
	switch {
	case healthy(after) && !healthy(before) && !unhealthy(before):
		state.HealthyAllocs++
		if by := after.DeploymentStatus.Timestamp.Add(state.ProgressDeadline); state.ProgressDeadline > 0 && by.After(state.RequireProgressBy) {
			state.RequireProgressBy = by
		}
	case unhealthy(after) && healthy(before):
		state.HealthyAllocs--
		state.UnhealthyAllocs++
	case unhealthy(after) && !unhealthy(before):
		state.UnhealthyAllocs++
	}
}

// Progress decides whether a deployment goes on, fails, or is promoted by
// itself. (Nomad: W1 to W4, P8.)
func Progress(in ProgressInput) ProgressChanges {
	d := in.Deployment
	if in.superseded() || !active(d) || d.Status == api.DeploymentStatusPaused {
		// Nothing is left to decide here: the job's evaluation cancels the
		// deployment.
		return ProgressChanges{}
	}
	var retry []*api.Allocation
	for _, a := range in.Allocs {
		if !unhealthy(a) || a.DesiredStatus != api.AllocDesiredStatusRun {
			continue
		}
		state := d.TaskGroups[a.TaskGroup]
		if state == nil {
			continue
		}
		if state.ProgressDeadline == 0 || !CanReschedule(a, in.Now, in.At) {
			return in.fail(descFailedUnhealthy, state.AutoRevert)
		}
		if forced := a.DesiredTransition.Reschedule; forced == nil || !*forced {
			changed := *a
			changed.DesiredTransition.Reschedule = new(true)
			retry = append(retry, &changed)
		}
	}
	if failed, revert := in.overdue(); failed {
		return in.fail(descFailedDeadline, revert)
	}
	if in.promotable() {
		if changes, err := Promote(in, nil, true); err == nil {
			return changes
		}
	}
	changes := ProgressChanges{Update: retry, CheckAt: in.deadline()}
	if len(retry) > 0 {
		changes.Eval = in.newEval()
	}
	return changes
}

// NewEval asks for a new decision about the deployment's job.
func NewEval(in ProgressInput) *api.Evaluation { return in.newEval() }

func (in ProgressInput) newEval() *api.Evaluation {
	if in.Job == nil {
		return nil
	}
	now := in.Now.UnixNano()
	return &api.Evaluation{
		ID: in.NewID(), Namespace: in.Deployment.Namespace, JobID: in.Deployment.JobID,
		Type: *in.Job.Type, Priority: in.Priority, TriggeredBy: TriggerDeploymentWatcher,
		DeploymentID: in.Deployment.ID, JobModifyIndex: *in.Job.JobModifyIndex,
		Status: api.EvalStatusPending, CreateTime: now, ModifyTime: now,
	}
}

// groupDone tells whether a group no longer has to make progress.
func groupDone(state *api.DeploymentState) bool {
	if state.DesiredCanaries > 0 && !state.Promoted {
		// Who waits for a promotion does not run out of time. (Nomad: W3.)
		return state.HealthyAllocs >= state.DesiredCanaries
	}
	return state.HealthyAllocs >= state.DesiredTotal
}

// deadline is the earliest time by which a group must have made progress; zero
// when there is none. (Nomad: W2.)
func (in ProgressInput) deadline() time.Time {
	var earliest time.Time
	for _, state := range in.Deployment.TaskGroups {
		by := state.RequireProgressBy
		if !by.IsZero() && !groupDone(state) && (earliest.IsZero() || by.Before(earliest)) {
			earliest = by
		}
	}
	return earliest
}

// superseded tells whether the job was purged, or has another version by now.
// Nothing of the deployment may undo what was registered since. (Nomad reverts
// over it; see README.md.)
func (in ProgressInput) superseded() bool {
	return in.Job == nil || *in.Job.Version != in.Deployment.JobVersion || *in.Job.CreateIndex != in.Deployment.JobCreateIndex
}

// overdue tells whether a group missed its deadline, and whether one of those
// that did reverts.
func (in ProgressInput) overdue() (failed, revert bool) {
	for _, state := range in.Deployment.TaskGroups {
		by := state.RequireProgressBy
		if by.IsZero() || by.After(in.Now) || groupDone(state) {
			continue
		}
		failed = true
		revert = revert || state.AutoRevert
	}
	return failed, revert
}

// fail ends the deployment and says what the job goes back to. (Nomad: W5.)
func (in ProgressInput) fail(why string, revert bool) ProgressChanges {
	d := CopyDeployment(in.Deployment)
	d.Status = api.DeploymentStatusFailed
	d.ModifyTime = in.Now.UnixNano()
	changes := ProgressChanges{Deployment: d, Eval: in.newEval()}
	if revert && !in.superseded() {
		suffix := " - no stable job version to auto revert to"
		if to := in.stable(); to != nil {
			if in.SameSpec(to, in.Job) {
				suffix = fmt.Sprintf(" - not rolling back to stable job version %d as current job has same specification", *to.Version)
			} else {
				suffix = fmt.Sprintf(" - rolling back to job version %d", *to.Version)
				changes.RevertTo = to.Version
			}
		}
		why += suffix
	}
	d.StatusDescription = why
	return changes
}

// stable is the newest version that has proven itself and was not a stop.
// (Nomad takes a stopped version, too, and then nothing runs; see README.md.)
func (in ProgressInput) stable() *api.Job {
	for _, job := range in.Versions {
		if *job.Stable && !*job.Stop {
			return job
		}
	}
	return nil
}

// promotable tells whether the deployment is to be promoted by itself: every
// group that has canaries wants it and has them placed and healthy.
// (Nomad: P8.)
func (in ProgressInput) promotable() bool {
	waiting := false
	for name, state := range in.Deployment.TaskGroups {
		if state.DesiredCanaries == 0 || state.Promoted {
			continue
		}
		group := in.Job.LookupTaskGroup(name)
		if group == nil || group.Update == nil || !*group.Update.AutoPromote || in.healthyCanaries(name) < state.DesiredCanaries {
			return false
		}
		waiting = true
	}
	return waiting
}

func (in ProgressInput) healthyCanaries(group string) int {
	n := 0
	for _, a := range in.Allocs {
		if slices.Contains(in.Deployment.TaskGroups[group].PlacedCanaries, a.ID) && !Terminal(a) && healthy(a) {
			n++
		}
	}
	return n
}

// terminalError is refused for a deployment that has ended. (Nomad's words.)
func terminalError(verb string) error { return fmt.Errorf("can't %s terminal deployment", verb) }

// Promote lets the canaries of the named groups, or of all, take over.
// (Nomad: P5.)
func Promote(in ProgressInput, groups []string, all bool) (ProgressChanges, error) {
	if in.Job == nil || !active(in.Deployment) {
		return ProgressChanges{}, terminalError("promote")
	}
	d := CopyDeployment(in.Deployment)
	var unready []error
	canaries := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(d.TaskGroups)) {
		state := d.TaskGroups[name]
		if !all && !slices.Contains(groups, name) {
			continue
		}
		if n := in.healthyCanaries(name); n < state.DesiredCanaries {
			//lint:ignore ST1005 the words are Nomad's
			unready = append(unready, fmt.Errorf("Task group %q has %d/%d healthy allocations", name, n, state.DesiredCanaries))
			continue
		}
		state.Promoted = true
		if state.ProgressDeadline > 0 && !state.RequireProgressBy.IsZero() {
			state.RequireProgressBy = in.Now.Add(state.ProgressDeadline)
		}
		for _, id := range state.PlacedCanaries {
			canaries[id] = true
		}
	}
	if len(unready) > 0 {
		return ProgressChanges{}, errors.Join(unready...)
	}
	if description := runningDescription(d, in.Job); d.Status == api.DeploymentStatusRunning && description == descRunning {
		d.StatusDescription = description
	}
	d.ModifyTime = in.Now.UnixNano()
	changes := ProgressChanges{Deployment: d, Eval: in.newEval()}
	for _, a := range in.Allocs {
		if canaries[a.ID] && !Terminal(a) && healthy(a) && a.DeploymentStatus.Canary {
			changed, status := *a, *a.DeploymentStatus
			status.Canary = false
			changed.DeploymentStatus = &status
			changes.Update = append(changes.Update, &changed)
		}
	}
	return changes, nil
}

// Fail ends a deployment on request; it reverts when any of its groups does.
func Fail(in ProgressInput) (ProgressChanges, error) {
	if !active(in.Deployment) {
		return ProgressChanges{}, terminalError("fail")
	}
	revert := false
	for _, state := range in.Deployment.TaskGroups {
		revert = revert || state.AutoRevert
	}
	return in.fail(descFailedByUser, revert), nil
}

// Pause stops a deployment from placing anything, and resumes it. (Nomad: P9.)
func Pause(in ProgressInput, pause bool) (ProgressChanges, error) {
	if !active(in.Deployment) {
		if pause {
			return ProgressChanges{}, terminalError("pause")
		}
		return ProgressChanges{}, terminalError("resume")
	}
	d := CopyDeployment(in.Deployment)
	d.ModifyTime = in.Now.UnixNano()
	if pause {
		d.Status, d.StatusDescription = api.DeploymentStatusPaused, descPaused
		return ProgressChanges{Deployment: d}, nil
	}
	d.Status, d.StatusDescription = api.DeploymentStatusRunning, descRunning
	for _, state := range d.TaskGroups {
		if state.ProgressDeadline > 0 {
			state.RequireProgressBy = in.Now.Add(state.ProgressDeadline)
		}
	}
	return ProgressChanges{Deployment: d, Eval: in.newEval()}, nil
}

// SetHealth sets the health of allocations by hand. One that is unhealthy fails
// the deployment at once. (Nomad: H1, and W5: nothing is said where there is
// nothing to go back to.)
func SetHealth(in ProgressInput, good, bad []string) (ProgressChanges, error) {
	if !active(in.Deployment) {
		return ProgressChanges{}, errors.New("can't set health of allocations for a terminal deployment")
	}
	if len(good)+len(bad) == 0 {
		return ProgressChanges{}, errors.New("must specify at least one healthy/unhealthy allocation ID")
	}
	d := CopyDeployment(in.Deployment)
	d.ModifyTime = in.Now.UnixNano()
	changes := ProgressChanges{Deployment: d, Eval: in.newEval()}
	revert := false
	allocs := slices.Clone(in.Allocs)
	for i, id := range slices.Concat(good, bad) {
		at := slices.IndexFunc(allocs, func(a *api.Allocation) bool { return a.ID == id })
		if at < 0 {
			return ProgressChanges{}, fmt.Errorf("unknown alloc %q", id)
		}
		changed := withHealth(allocs[at], i < len(good), in.Now)
		Count(d, allocs[at], changed)
		allocs[at] = changed // one that is named again counts once, and as named last (Nomad)
		changes.Update = slices.DeleteFunc(changes.Update, func(a *api.Allocation) bool { return a.ID == id })
		changes.Update = append(changes.Update, changed)
		state := d.TaskGroups[changed.TaskGroup]
		revert = revert || unhealthy(changed) && state != nil && state.AutoRevert
	}
	if len(bad) > 0 {
		in.Deployment = d
		failed := in.fail(descFailedUnhealthy, revert && in.stable() != nil)
		failed.Update = changes.Update
		return failed, nil
	}
	return changes, nil
}

// withHealth gives an allocation as somebody judges it.
func withHealth(a *api.Allocation, healthy bool, now time.Time) *api.Allocation {
	changed := *a
	changed.DeploymentStatus = &api.AllocDeploymentStatus{Healthy: &healthy, Timestamp: now}
	if a.DeploymentStatus != nil {
		changed.DeploymentStatus.Canary = a.DeploymentStatus.Canary
	}
	return &changed
}
