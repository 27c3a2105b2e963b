package deploy

import (
	"context"
	"crypto/rand"
	"errors"
	"net"

	"github.com/hashicorp/nomad/api"
)

// Dispatch launches a parameterized job once. The receipt speaks of the child
// job that runs. A launch whose answer is lost is asked for again under the same
// token, and so happens once.
//
// Errors: [*Unreachable] and [*Refused], after which there was no launch, and
// [*Unsettled].
func Dispatch(ctx context.Context, c *api.Client, job *api.Job, o api.DispatchOptions) (*Receipt, error) {
	o.JobID = deref(job.ID)
	token, sent := rand.Text(), false
	reply, err := retry(ctx, "dispatch job "+o.JobID, contactBudget, requestTimeout, func(ctx context.Context) (*api.JobDispatchResponse, error) {
		w := writeOptions(ctx, job)
		w.IdempotencyToken = token
		reply, _, err := c.Jobs().DispatchOpts(&o, w)
		op, network := errors.AsType[*net.OpError](err)
		sent = sent || err != nil && !(network && op.Op == "dial")
		return reply, err
	})
	if _, refused := errors.AsType[*Refused](err); err != nil && sent && !refused {
		return nil, &Unsettled{JobID: o.JobID, Launch: true, Err: err}
	}
	if err != nil {
		return nil, err
	}
	r := newReceipt(job, nil)
	return r, readChild(ctx, c, r, job, reply.DispatchedJobID, reply.EvalID)
}

// readChild makes the receipt speak of the job that was launched.
func readChild(ctx context.Context, c *api.Client, r *Receipt, parent *api.Job, id, evalID string) error {
	child, err := retry(ctx, "read job "+id, contactBudget, contactBudget, func(ctx context.Context) (*api.Job, error) {
		child, _, err := c.Jobs().Info(id, queryOptions(ctx, parent))
		return child, err
	})
	if err != nil {
		return unsettledLaunch(r.JobID, err)
	}
	r.EvalID, r.Child, r.NoChange = evalID, id, false
	r.JobVersion, r.JobModifyIndex = deref(child.Version), jobIndex(child)
	return nil
}

// unsettledLaunch is about a launch after which nobody answers.
func unsettledLaunch(id string, err error) error {
	if _, silent := errors.AsType[*Unreachable](err); silent {
		return &Unsettled{JobID: id, Launch: true, Err: err}
	}
	return err
}
