package decide

import (
	"slices"
	"time"

	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator/reconcile"
	"ostro/orchestrator/state"
)

// CallOff ends the evaluation that was to decide about an allocation had it stayed
// out of reach, unless another allocation waits for it, too. (Nomad.)
func CallOff(tx *state.Txn, a *api.Allocation, now time.Time) {
	eval := tx.Eval(nil, a.FollowupEvalID)
	shared := slices.ContainsFunc(tx.AllocsByJob(nil, a.Namespace, a.JobID), func(o *api.Allocation) bool {
		return o.ID != a.ID && o.FollowupEvalID == a.FollowupEvalID && !reconcile.Terminal(o)
	})
	if eval == nil || shared {
		return
	}
	over := *eval
	over.Status, over.StatusDescription = api.EvalStatusCancelled, "allocs reconnected"
	over.ModifyTime = now.UnixNano()
	tx.PutEval(&over)
}

// NewEval asks for a decision about a job as the write sees it. The caller
// stores it.
func (c Clock) NewEval(tx *state.Txn, namespace, jobID, trigger string) *api.Evaluation {
	now := c.Now().UnixNano()
	eval := &api.Evaluation{
		ID: c.NewID(), Namespace: namespace, JobID: jobID, TriggeredBy: trigger,
		Type: api.JobTypeService, Priority: api.JobDefaultPriority,
		Status: api.EvalStatusPending, CreateTime: now, ModifyTime: now,
	}
	if job := tx.Job(nil, namespace, jobID); job != nil {
		eval.Type, eval.Priority, eval.JobModifyIndex = *job.Type, *job.Priority, *job.JobModifyIndex
	}
	return eval
}
