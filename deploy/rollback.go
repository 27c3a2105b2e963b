package deploy

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/nomad/api"
)

// Rollback registers an older version of a job as its newest. current is the job
// as it was read: the server refuses when somebody has changed it since.
//
// Errors are those of [Submit], with the same meaning.
func Rollback(ctx context.Context, c *api.Client, current, to *api.Job) (*Receipt, error) {
	what := fmt.Sprintf("roll job %s back to version %d", *current.ID, *to.Version)
	s := submitter{client: c, wanted: current}
	for {
		reply, err := attempt(ctx, requestTimeout, func(ctx context.Context) (*api.JobRegisterResponse, error) {
			reply, _, err := c.Jobs().Revert(*current.ID, *to.Version, current.Version, writeOptions(ctx, current), "", "")
			return reply, err
		})
		switch {
		case err == nil:
			return s.receipt(ctx, current, current, reply), nil
		case strings.Contains(err.Error(), "enforcing version"):
			return nil, s.overtaken(ctx, current)
		case !Transient(err):
			return nil, refusal(what, err)
		}
		receipt, settleErr := s.settleRollback(ctx, current, to)
		if receipt != nil || settleErr != nil {
			return receipt, s.lost(settleErr, err)
		}
		if !sleep(ctx, time.Second) {
			return nil, s.lost(context.Cause(ctx), err)
		}
	}
}

// overtaken is the conflict with whoever has changed the job meanwhile.
func (s *submitter) overtaken(ctx context.Context, current *api.Job) error {
	now, err := readJob(ctx, s.client, current, contactBudget, contactBudget)
	if err != nil {
		return err
	}
	return &Conflict{JobID: *current.ID, Want: jobIndex(current), Have: jobIndex(now), Attempts: 1}
}

// settleRollback finds out what became of a rollback whose answer was lost: a
// receipt when it took place, nil when it did not.
func (s *submitter) settleRollback(ctx context.Context, current, to *api.Job) (*Receipt, error) {
	now, err := readJob(ctx, s.client, current, 0, contactBudget)
	switch {
	case err != nil:
		return nil, err
	case jobIndex(now) == jobIndex(current):
		return nil, nil
	case now == nil || *now.Version != *current.Version+1 || !SameSpec(now, to):
		return nil, &Conflict{JobID: *current.ID, Want: jobIndex(current), Have: jobIndex(now), Attempts: 1}
	}
	r := newReceipt(now, current)
	r.EvalID, err = s.registerEval(ctx, now)
	return r, err
}
