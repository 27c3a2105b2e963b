package decide

import (
	"fmt"
	"maps"
	"time"

	"github.com/hashicorp/nomad/api"
	"github.com/klauspost/compress/snappy"

	"ostro/orchestrator/state"
)

// The triggers of the evaluations of children. (Nomad.)
const (
	triggerPeriodic = "periodic-job"
	triggerRegister = "job-register"
)

// Launches tells whether time launches a job: it is periodic, enabled and not
// stopped. (Nomad: a parameterized one is launched once it was dispatched.)
func Launches(job *api.Job) bool {
	return job != nil && job.IsPeriodic() && *job.Periodic.Enabled && !*job.Stop && !job.IsParameterized()
}

// NextLaunch is the first time after a moment at which a periodic job is due,
// in the job's time zone; zero when there is none. Around a change of the clock
// it is what the library says that Nomad uses.
func NextLaunch(job *api.Job, after time.Time) (time.Time, error) {
	where, err := job.Periodic.GetLocation()
	if err != nil {
		return time.Time{}, fmt.Errorf("find the time zone of job %q: %w", *job.ID, err)
	}
	specs := job.Periodic.Specs
	if job.Periodic.Spec != nil && *job.Periodic.Spec != "" {
		specs = []string{*job.Periodic.Spec}
	}
	var next time.Time
	for _, spec := range specs {
		one := api.PeriodicConfig{SpecType: new(api.PeriodicSpecCron), Spec: &spec}
		at, err := one.Next(after.In(where))
		if err != nil {
			return time.Time{}, fmt.Errorf("find the next launch of job %q: %w", *job.ID, err)
		}
		if !at.IsZero() && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	return next, nil
}

// MissedLaunch tells whether a periodic job was due between its last launch, or
// its registration, and now. (Nomad: R18.)
func MissedLaunch(snap *state.Snapshot, job *api.Job, now time.Time) bool {
	last := time.Unix(0, *job.SubmitTime)
	if at := snap.LastLaunch(nil, *job.Namespace, *job.ID); at.After(last) {
		last = at
	}
	next, err := NextLaunch(job, last)
	return err == nil && !next.IsZero() && next.Before(now)
}

// HasLiveChild tells whether a launch of a periodic job has not ended yet.
func HasLiveChild(snap *state.Snapshot, job *api.Job) bool {
	for _, child := range snap.Jobs(nil, *job.Namespace, *job.ID+api.JobPeriodicLaunchSuffix) {
		if *child.ParentID == *job.ID && *child.Status != state.JobDead {
			return true
		}
	}
	return false
}

// childID is the ID of the child that a periodic job has at a time.
func childID(job *api.Job, at time.Time) string {
	return fmt.Sprintf("%s%s%d", *job.ID, api.JobPeriodicLaunchSuffix, at.Unix())
}

// Launched tells whether a periodic job was launched for a time already: when
// the clock was set back, the same time comes twice.
func Launched(snap *state.Snapshot, job *api.Job, at time.Time) bool {
	return snap.Job(nil, *job.Namespace, childID(job, at)) != nil
}

// Launch stores the child that a periodic job has at a time, for which it was
// not launched yet, and the evaluation of it.
func (c Clock) Launch(tx *state.Txn, job *api.Job, at time.Time) *api.Evaluation {
	child := c.child(job, childID(job, at))
	child.Periodic = nil
	tx.PutChild(child, c.NewID)
	tx.PutLaunch(*job.Namespace, *job.ID, at)
	eval := c.NewEval(tx, *job.Namespace, *child.ID, triggerPeriodic)
	tx.PutEval(eval)
	return eval
}

// Dispatch stores the child of a parameterized job that a request asks for, and
// the evaluation of it, which is nil when time launches the child. The request
// is valid and its priority is set.
func (c Clock) Dispatch(tx *state.Txn, job *api.Job, req api.JobDispatchRequest, token string) (*api.Job, *api.Evaluation) {
	name := fmt.Sprintf("%d-%s", c.Now().Unix(), tail(c.NewID()))
	if req.IdPrefixTemplate != "" {
		name = req.IdPrefixTemplate + "-" + name
	}
	child := c.child(job, *job.ID+api.JobDispatchLaunchSuffix+name)
	child.Dispatched, child.DispatchIdempotencyToken, child.Priority = true, &token, &req.Priority
	if len(req.Meta) > 0 {
		child.Meta = maps.Clone(job.Meta)
		if child.Meta == nil {
			child.Meta = map[string]string{}
		}
		maps.Copy(child.Meta, req.Meta)
	}
	child.Payload = snappy.Encode(nil, req.Payload)
	tx.PutChild(child, c.NewID)
	if child.IsPeriodic() {
		return child, nil
	}
	eval := c.NewEval(tx, *child.Namespace, *child.ID, triggerRegister)
	tx.PutEval(eval)
	return child, eval
}

// child is a copy of a job under another name.
func (c Clock) child(job *api.Job, id string) *api.Job {
	child := *job
	child.ID, child.Name, child.ParentID = &id, &id, job.ID
	child.Status, child.StatusDescription = new(""), new("")
	child.SubmitTime = new(c.Now().UnixNano())
	return &child
}

// tail is the part of an ID that tells children of the same second apart.
func tail(id string) string { return id[len(id)-8:] }
