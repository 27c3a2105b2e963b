package watch

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/nomad/api"
)

// Target names what is judged: one version of one job.
type Target struct {
	Namespace, Region string // "" means the client's own
	JobID             string
	EvalID            string // evaluation that the register made, "" when there is none
	JobVersion        uint64
	JobModifyIndex    uint64
	NoChange          bool     // nothing was submitted: judge what runs, join what is under way
	Strategy          Strategy // from [For]; the zero value asks the job on the server
}

// Strategy is the way in which a job reaches its end.
type Strategy int

const (
	Auto         Strategy = iota // by the type of the job on the server
	Rollout                      // service, system: a deployment, or allocations that keep running
	Completion                   // batch, sysbatch: allocations that end
	Registration                 // periodic, parameterized: nothing runs yet
)

// For chooses the strategy for a job before it is registered, so that a type
// that nobody could judge leaves the cluster untouched.
func For(job *api.Job) (Strategy, error) {
	kind := deref(job.Type)
	switch {
	case kind != "" && kind != "service" && kind != "system" && kind != "batch" && kind != "sysbatch":
		return Auto, fmt.Errorf("job %s has the unknown type %q", deref(job.ID), kind)
	case job.Periodic != nil, job.ParameterizedJob != nil && !job.Dispatched:
		return Registration, nil
	case kind == "batch", kind == "sysbatch":
		return Completion, nil
	}
	return Rollout, nil
}

// ErrNoJob is wrapped by the error of [Join] for a job that the server does not
// have.
var ErrNoJob = errors.New("there is no such job")

// Join returns the target to watch for a job that somebody else, or an earlier
// run, has registered: its current version, or the version that failed where the
// current one is the server's revert of it.
func Join(ctx context.Context, c *api.Client, namespace, region, jobID string) (Target, error) {
	t := Target{Namespace: namespace, Region: region, JobID: jobID, NoChange: true}
	r := reader{client: c, target: t}
	s := &Snapshot{Target: t}
	if _, err := r.read(ctx, s); err != nil {
		return t, fmt.Errorf("read job %s: %w", jobID, err)
	}
	if s.Job == nil {
		return t, fmt.Errorf("read job %s: %w", jobID, ErrNoJob)
	}
	t.JobVersion, t.JobModifyIndex = deref(s.Job.Version), deref(s.Job.JobModifyIndex)
	for _, d := range s.Deployments {
		_, back := s.rollback(d)
		if back != nil && back.JobModifyIndex == deref(s.Job.JobModifyIndex) && d.JobCreateIndex == deref(s.Job.CreateIndex) {
			t.JobVersion, t.JobModifyIndex = d.JobVersion, d.JobSpecModifyIndex
		}
	}
	return t, nil
}

// What Options.Promote may say.
const (
	PromoteWait    = "wait"    // somebody else promotes; the default
	PromoteHealthy = "healthy" // promote once all canaries are healthy
	PromoteDetach  = "detach"  // stop watching once all canaries are healthy
)

// Options say how long to watch and what to do on the way.
type Options struct {
	Timeout         time.Duration // for the whole watch, 0 is 1h
	WaitForCapacity time.Duration // how long something may stay unplaceable
	Promote         string        // PromoteHealthy, PromoteWait or PromoteDetach; "" waits
	PromoteAfter    time.Duration // promote no earlier than this after the watch began
	PromoteCheck    string        // URL that must answer 2xx before a promotion, "" for none
	RevertOnFailure bool          // register the last stable version when the server does not
	LogLines        int           // last lines of a failed task to fetch, 0 is 20
	Notify          func(Event)   // told of each change once, from the goroutine of Run; may be nil
	Show            func(View)    // given what to draw after each look, from the same goroutine; may be nil
}

func (o Options) withDefaults() (Options, error) {
	if o.Timeout == 0 {
		o.Timeout = time.Hour
	}
	if o.LogLines == 0 {
		o.LogLines = 20
	}
	if o.Notify == nil {
		o.Notify = func(Event) {}
	}
	if o.Show == nil {
		o.Show = func(View) {}
	}
	switch o.Promote {
	case "":
		o.Promote = PromoteWait
	case PromoteWait, PromoteHealthy, PromoteDetach:
	default:
		return o, fmt.Errorf("promote is %q: want healthy, wait or detach", o.Promote)
	}
	return o, nil
}

func deref[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}
