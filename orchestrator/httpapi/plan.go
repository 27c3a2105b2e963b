package httpapi

import (
	"slices"

	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator/decide"
	"ostro/orchestrator/jobdiff"
	"ostro/orchestrator/state"
)

// planJob does what a registration and its evaluation would do, tells about it,
// and forgets it. Whether the job may follow the stored one is not asked.
// (Nomad: R5.)
func (s *server) planJob(r *request) (any, error) {
	req := api.JobPlanRequest{}
	if err := decode(r, &req); err != nil {
		return nil, err
	}
	switch {
	case req.Job == nil:
		return nil, badRequest("Job must be specified")
	case req.Job.ID == nil:
		return nil, badRequest("Job must have a valid ID")
	case *req.Job.ID != r.id():
		return nil, badRequest("Job ID does not match")
	}
	if err := refuseNulls(req.Job); err != nil {
		return nil, err
	}
	if err := s.canonicalize(r, req.Job); err != nil {
		return nil, err
	}
	warnings, err := s.validate(req.Job)
	if err != nil {
		return nil, err
	}
	reply := api.JobPlanResponse{
		Warnings: warnings, Annotations: &api.PlanAnnotations{DesiredTGUpdates: map[string]*api.DesiredUpdates{}},
	}
	if req.Job.IsPeriodic() && *req.Job.Periodic.Enabled {
		if reply.NextPeriodicLaunch, err = decide.NextLaunch(req.Job, s.Clock.Now()); err != nil {
			return nil, err
		}
	}
	err = s.Store.Try(func(tx *state.Txn) error { return s.plan(tx, req, &reply) })
	index := s.Store.Snapshot().Index()
	return answer{value: planReply{&reply, index}, index: index}, err
}

func (s *server) plan(tx *state.Txn, req api.JobPlanRequest, reply *api.JobPlanResponse) error {
	old := tx.Job(nil, *req.Job.Namespace, *req.Job.ID)
	if old != nil {
		reply.JobModifyIndex = *old.JobModifyIndex
	}
	if req.Diff {
		diff, err := jobdiff.Jobs(old, req.Job, true)
		if err != nil {
			return err
		}
		reply.Diff = diff
	}
	job, eval, err := s.putJob(tx, api.JobRegisterRequest{Job: req.Job})
	if err != nil {
		return err
	}
	if eval == nil {
		// Of a job that is launched, the plan tells what a launch would do. (Nomad.)
		eval = s.newEval(tx, *job.Namespace, *job.ID, triggerRegister)
	}
	eval.AnnotatePlan = true
	tx.PutEval(eval)
	changes := s.Planner.Evaluation(tx, eval)
	reply.Annotations.DesiredTGUpdates = changes.Desired
	reply.FailedTGAllocs = changes.Eval.FailedTGAllocs
	reply.CreatedEvals = slices.DeleteFunc(changes.Evals, func(e *api.Evaluation) bool { return tx.Eval(nil, e.ID) != nil })
	if reply.Diff != nil {
		jobdiff.Annotate(reply.Diff, changes.Desired)
	}
	return nil
}
