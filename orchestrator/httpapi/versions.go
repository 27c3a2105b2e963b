package httpapi

import (
	"fmt"

	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator/state"
)

// revertJob registers a copy of an older version as the newest. (Nomad: R8.)
func (s *server) revertJob(r *request) (any, error) {
	req := api.JobRevertRequest{}
	if err := decode(r, &req); err != nil {
		return nil, err
	}
	switch {
	case req.JobID == "":
		return nil, badRequest("JobID must be specified")
	case req.JobID != r.id():
		return nil, badRequest("Job ID does not match")
	}
	reply := registerReply{}
	index, err := s.Store.Update(func(tx *state.Txn) error {
		if err := checkRevert(tx, r.namespace, req); err != nil {
			return err
		}
		job := tx.RevertJob(r.namespace, req.JobID, req.JobVersion, false)
		job.SubmitTime = new(s.Clock.Now().UnixNano())
		reply.JobModifyIndex = *job.JobModifyIndex
		if job.IsPeriodic() || job.IsParameterized() {
			return nil
		}
		eval := s.newEval(tx, r.namespace, req.JobID, triggerRegister)
		tx.PutEval(eval)
		reply.asked(eval)
		return nil
	})
	reply.Index = index
	return answer{value: reply, index: index}, err
}

func checkRevert(tx *state.Txn, namespace string, req api.JobRevertRequest) error {
	current := tx.Job(nil, namespace, req.JobID)
	switch {
	case current == nil:
		return fmt.Errorf("job %q not found", req.JobID)
	case *current.Version == req.JobVersion:
		return textError("can't revert to current version")
	case req.EnforcePriorVersion != nil && *current.Version != *req.EnforcePriorVersion:
		return textError(fmt.Sprintf("Current job has version %d; enforcing version %d", *current.Version, *req.EnforcePriorVersion))
	case tx.Version(nil, namespace, req.JobID, req.JobVersion) == nil:
		return versionNotFound(namespace, req.JobID, req.JobVersion)
	}
	return nil
}

func versionNotFound(namespace, id string, version uint64) error {
	return fmt.Errorf("job %q in namespace %q at version %d not found", id, namespace, version)
}

func (s *server) setStable(r *request) (any, error) {
	req := api.JobStabilityRequest{}
	if err := decode(r, &req); err != nil {
		return nil, err
	}
	switch {
	case req.JobID == "":
		return nil, badRequest("JobID must be specified")
	case req.JobID != r.id():
		return nil, badRequest("Job ID does not match")
	}
	index, err := s.Store.Update(func(tx *state.Txn) error {
		if tx.Version(nil, r.namespace, req.JobID, req.JobVersion) == nil {
			return versionNotFound(r.namespace, req.JobID, req.JobVersion)
		}
		tx.MarkStable(r.namespace, req.JobID, req.JobVersion, req.Stable)
		return nil
	})
	return answer{value: map[string]uint64{"Index": index}, index: index}, err
}
