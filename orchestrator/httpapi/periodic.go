package httpapi

import (
	"fmt"
	"time"

	"ostro/orchestrator/decide"
	"ostro/orchestrator/state"
)

// forceReply is the answer of a forced launch. (Nomad.)
type forceReply struct {
	EvalID          string
	EvalCreateIndex uint64
	Index           uint64
}

// forceLaunch launches a periodic job now, even over one that still runs.
// (Nomad: R18.)
func (s *server) forceLaunch(r *request) (any, error) {
	reply := forceReply{}
	index, err := s.Store.Update(func(tx *state.Txn) error {
		job := tx.Job(nil, r.namespace, r.id())
		switch {
		case job == nil:
			return textError(jobNotFound)
		case !job.IsPeriodic():
			return textError("can't force launch non-periodic job")
		case !decide.Launches(job):
			return fmt.Errorf("force launch for job %q failed: can't force run non-tracked job %q (%s)", r.id(), r.id(), r.namespace)
		}
		at := s.Clock.Now()
		for decide.Launched(&tx.Snapshot, job, at) {
			at = at.Add(time.Second) // Each launch has a child of its own.
		}
		eval := s.Clock.Launch(tx, job, at)
		reply = forceReply{EvalID: eval.ID, EvalCreateIndex: eval.CreateIndex, Index: eval.CreateIndex}
		return nil
	})
	return answer{value: reply, index: index}, err
}
