package decide

import (
	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator/state"
)

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
