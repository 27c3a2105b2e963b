package deploy

import (
	"context"

	"github.com/hashicorp/nomad/api"
)

// rerun stops a job that is over, so that registering it is a change, and begins
// anew. (Nomad: a batch job does not run again what it has completed.)
func (s *submitter) rerun(ctx context.Context) (*Receipt, error) {
	id := deref(s.wanted.ID)
	_, err := retry(ctx, "stop job "+id, contactBudget, requestTimeout, func(ctx context.Context) (string, error) {
		evalID, _, err := s.client.Jobs().Deregister(id, false, writeOptions(ctx, s.wanted))
		return evalID, err
	})
	if err != nil {
		return nil, err
	}
	return s.once(ctx)
}

// over reports whether a job has run to its end, and was not stopped since.
func over(job *api.Job) bool {
	return job != nil && deref(job.Status) == "dead" && !deref(job.Stop)
}

// launch forces a run of a periodic job; the receipt then speaks of the child
// job that runs. It is not repeated when the answer is lost, since each launch is
// one more run.
func (s *submitter) launch(ctx context.Context, r *Receipt) error {
	what := "launch job " + r.JobID
	evalID, err := attempt(ctx, requestTimeout, func(ctx context.Context) (string, error) {
		id, _, err := s.client.Jobs().PeriodicForce(r.JobID, writeOptions(ctx, s.wanted))
		return id, err
	})
	if err != nil && Transient(err) {
		return &Unsettled{JobID: r.JobID, Launch: true, Err: err}
	}
	if err != nil {
		return refusal(what, err)
	}
	eval, err := retry(ctx, "read the "+what, contactBudget, contactBudget, func(ctx context.Context) (*api.Evaluation, error) {
		eval, _, err := s.client.Evaluations().Info(evalID, queryOptions(ctx, s.wanted))
		return eval, err
	})
	if err != nil {
		return unsettledLaunch(r.JobID, err)
	}
	return readChild(ctx, s.client, r, s.wanted, eval.JobID, evalID)
}
