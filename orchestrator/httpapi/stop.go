package httpapi

import (
	"strconv"

	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator/reconcile"
	"ostro/orchestrator/state"
)

// deregisterReply is the answer of a stop. (Nomad.)
type deregisterReply struct {
	EvalID          string
	EvalCreateIndex uint64
	JobModifyIndex  uint64
	VolumeEvalID    string
	VolumeEvalIndex uint64
	Index           uint64
	LastContact     uint64
	KnownLeader     bool
	NextToken       string
}

// stopRequest is what the parameters of a stop ask for.
type stopRequest struct {
	purge, noShutdownDelay bool
	priority               int
}

// stopParameters reads them. (Nomad: the texts.)
func stopParameters(r *request) (req stopRequest, err error) {
	if req.purge, err = r.flag("purge"); err != nil {
		return req, err
	}
	if _, err = r.flag("global"); err != nil {
		return req, err
	}
	if text := r.query.Get("eval_priority"); text != "" {
		if req.priority, err = strconv.Atoi(text); err != nil {
			return req, textError("Failed to parse value of \"eval_priority\" (" + text + ") as a int: " + err.Error())
		}
	}
	if req.noShutdownDelay, err = r.flag("no_shutdown_delay"); err != nil {
		return req, err
	}
	if req.priority > maxPriority {
		return req, badRequest(badEvalPriority)
	}
	return req, nil
}

// stopJob stops a job, or purges it. A job that is not there is no error.
// (Nomad: R10.)
func (s *server) stopJob(r *request) (any, error) {
	req, err := stopParameters(r)
	if err != nil {
		return nil, err
	}
	reply := deregisterReply{}
	index, err := s.Store.Update(func(tx *state.Txn) error {
		old := tx.Job(nil, r.namespace, r.id())
		if old == nil {
			return nil
		}
		reply.JobModifyIndex, reply.EvalCreateIndex = tx.Index, tx.Index
		if req.noShutdownDelay {
			skipShutdownDelay(tx, old)
		}
		tx.StopJob(r.namespace, r.id(), req.purge, s.Clock.Now().UnixNano())
		if old.IsPeriodic() || old.IsParameterized() {
			return nil
		}
		eval := s.newEval(tx, r.namespace, r.id(), triggerDeregister)
		eval.Type, eval.Priority, eval.JobModifyIndex = *old.Type, *old.Priority, tx.Index
		if req.priority > 0 {
			eval.Priority = req.priority
		}
		tx.PutEval(eval)
		reply.EvalID = eval.ID
		return nil
	})
	reply.Index = reply.JobModifyIndex
	return answer{value: reply, index: index}, err
}

// skipShutdownDelay lets the tasks of a job end without their delay.
func skipShutdownDelay(tx *state.Txn, job *api.Job) {
	for _, old := range tx.AllocsByJob(nil, *job.Namespace, *job.ID) {
		if !reconcile.Terminal(old) {
			alloc := *old
			alloc.DesiredTransition.NoShutdownDelay = new(true)
			tx.PutAlloc(&alloc)
		}
	}
}
