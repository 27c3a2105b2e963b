package httpapi

import (
	"net/http"
	"slices"
	"strings"

	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator/state"
)

// The triggers of the evaluations that a request calls for. (Nomad.)
const (
	triggerRegister   = "job-register"
	triggerDeregister = "job-deregister"
	triggerScaling    = "job-scaling"
	triggerAllocStop  = "alloc-stop"
)

// maxPriority is the greatest priority of a job or an evaluation. (Nomad.)
const maxPriority = 100

const badEvalPriority = "Eval priority must be between 1 and 100 inclusively"

// registerReply is the answer of everything that makes a version. (Nomad.)
type registerReply struct {
	EvalID          string
	EvalCreateIndex uint64
	JobModifyIndex  uint64
	Warnings        string
	Index           uint64
	LastContact     uint64
	KnownLeader     bool
	NextToken       string
}

// asked notes the evaluation that the answer is about.
func (reply *registerReply) asked(eval *api.Evaluation) {
	reply.EvalID, reply.EvalCreateIndex = eval.ID, eval.CreateIndex
}

func (s *server) registerJob(r *request) (any, error) { return s.register(r, "") }

func (s *server) updateJob(r *request) (any, error) { return s.register(r, r.id()) }

// register stores a job and asks for an evaluation, in one write. wantID is the
// ID that the path names, or empty.
func (s *server) register(r *request, wantID string) (any, error) {
	req := api.JobRegisterRequest{}
	if err := decode(r, &req); err != nil {
		return nil, err
	}
	if err := checkJobRequest(req.Job, wantID); err != nil {
		return nil, err
	}
	if kind := req.Job.Type; kind != nil && *kind == api.JobTypeSystem && slices.ContainsFunc(req.Job.TaskGroups, scales) {
		return nil, badRequest("Task groups with job type system do not support scaling blocks")
	}
	if p := req.EvalPriority; p != 0 && (p < 1 || p > maxPriority) {
		return nil, badRequest(badEvalPriority)
	}
	if err := s.canonicalize(r, req.Job); err != nil {
		return nil, err
	}
	warnings, err := s.validate(req.Job)
	if err != nil {
		return nil, err
	}
	reply := registerReply{Warnings: warnings}
	index, err := s.Store.Update(func(tx *state.Txn) error {
		if err := checkRegistration(tx, req); err != nil {
			return err
		}
		job, eval, err := s.putJob(tx, req)
		if err != nil {
			return err
		}
		reply.JobModifyIndex = *job.JobModifyIndex
		if eval != nil {
			tx.PutEval(eval)
			reply.asked(eval)
		}
		return nil
	})
	reply.Index = index
	return answer{value: reply, index: index}, err
}

// checkJobRequest refuses what does not name a job. (Nomad: the texts.)
func checkJobRequest(job *api.Job, wantID string) error {
	switch {
	case job == nil:
		return badRequest("Job must be specified")
	case job.ID == nil:
		return badRequest("Job ID hasn't been provided")
	case wantID != "" && *job.ID != wantID:
		return badRequest("Job ID does not match name")
	}
	return refuseNulls(job)
}

// checkRegistration refuses a job that may not follow the stored one.
func checkRegistration(tx *state.Txn, req api.JobRegisterRequest) error {
	old := tx.Job(nil, *req.Job.Namespace, *req.Job.ID)
	if err := registration(req).Check(old); err != nil {
		return err
	}
	return checkTransition(old, req.Job)
}

func registration(req api.JobRegisterRequest) state.Registration {
	return state.Registration{
		Job: req.Job, Submission: req.Submission, EnforceIndex: req.EnforceIndex, JobModifyIndex: req.JobModifyIndex,
	}
}

// putJob stores the job of a request within a write. The evaluation is nil for
// a job that is launched by time or by dispatch. (Nomad: R4.)
func (s *server) putJob(tx *state.Txn, req api.JobRegisterRequest) (*api.Job, *api.Evaluation, error) {
	old := tx.Job(nil, *req.Job.Namespace, *req.Job.ID)
	if old != nil {
		preserve(old, req)
	}
	for _, policy := range state.ScalingPolicies(req.Job) {
		policy.ID = s.Clock.NewID()
	}
	job, err := tx.RegisterJob(registration(req))
	if err != nil {
		return nil, nil, err
	}
	if job.IsPeriodic() || job.IsParameterized() {
		return job, nil, nil
	}
	eval := s.newEval(tx, *job.Namespace, *job.ID, triggerRegister)
	if req.EvalPriority > 0 {
		eval.Priority = req.EvalPriority
	}
	return job, eval, nil
}

// preserve takes what the request wants to keep from the stored job.
// (Nomad: R13.)
func preserve(old *api.Job, req api.JobRegisterRequest) {
	for _, group := range req.Job.TaskGroups {
		before := old.LookupTaskGroup(*group.Name)
		if before == nil {
			continue
		}
		if req.PreserveCounts {
			group.Count = before.Count
		}
		if !req.PreserveResources {
			continue
		}
		for _, task := range group.Tasks {
			if before := lookupTask(before, task.Name); before != nil {
				task.Resources = before.Resources
			}
		}
	}
}

func lookupTask(group *api.TaskGroup, name string) *api.Task {
	for _, task := range group.Tasks {
		if task.Name == name {
			return task
		}
	}
	return nil
}

// newEval asks for a decision about a job as the write sees it.
func (s *server) newEval(tx *state.Txn, namespace, jobID, trigger string) *api.Evaluation {
	return s.Clock.NewEval(tx, namespace, jobID, trigger)
}

func (s *server) evaluateJob(r *request) (any, error) {
	req := api.JobEvaluateRequest{}
	if r.ContentLength != 0 {
		if err := decode(r, &req); err != nil {
			return nil, err
		}
		switch req.JobID {
		case r.id():
		case "":
			return nil, badRequest("Job ID must be specified")
		default:
			return nil, badRequest("JobID not same as job name")
		}
	}
	reply := registerReply{}
	index, err := s.Store.Update(func(tx *state.Txn) error {
		job := tx.Job(nil, r.namespace, r.id())
		switch {
		case job == nil:
			return textError(jobNotFound)
		case job.IsPeriodic():
			return textError("can't evaluate periodic job")
		case job.IsParameterized():
			return textError("can't evaluate parameterized job")
		}
		if req.EvalOptions.ForceReschedule {
			forceReschedule(tx, job)
		}
		eval := s.newEval(tx, r.namespace, r.id(), triggerRegister)
		tx.PutEval(eval)
		reply.asked(eval)
		reply.JobModifyIndex = *job.JobModifyIndex
		return nil
	})
	reply.Index = index
	return answer{value: reply, index: index}, err
}

// forceReschedule marks the failed allocations that have no successor.
// (Nomad: R19.)
func forceReschedule(tx *state.Txn, job *api.Job) {
	for _, old := range tx.AllocsByJob(nil, *job.Namespace, *job.ID) {
		group := job.LookupTaskGroup(old.TaskGroup)
		if old.ClientStatus != api.AllocClientStatusFailed || old.NextAllocation != "" || !reschedules(group) {
			continue
		}
		alloc := *old
		alloc.DesiredTransition.ForceReschedule = new(true)
		tx.PutAlloc(&alloc)
	}
}

// reschedules tells whether a group replaces what has failed.
func reschedules(group *api.TaskGroup) bool {
	if group == nil || group.ReschedulePolicy == nil {
		return false
	}
	return *group.ReschedulePolicy.Unlimited || *group.ReschedulePolicy.Attempts > 0
}

// validateJob answers with what is wrong, never with an error status. (Nomad.)
func (s *server) validateJob(r *request) (any, error) {
	req := api.JobValidateRequest{}
	if err := decode(r, &req); err != nil {
		return nil, err
	}
	if req.Job == nil {
		return nil, badRequest("Job must be specified")
	}
	if err := refuseNulls(req.Job); err != nil {
		return nil, err
	}
	if err := s.canonicalize(r, req.Job); err != nil {
		return nil, err
	}
	warnings, err := s.validate(req.Job)
	reply := api.JobValidateResponse{DriverConfigValidated: true, Warnings: warnings}
	if problems, ok := err.(multiError); ok {
		reply.Error = problems.Error()
		for _, problem := range problems {
			reply.ValidationErrors = append(reply.ValidationErrors, problem.Error())
		}
	} else if err != nil {
		reply.Error, reply.ValidationErrors = err.Error(), []string{err.Error()}
	}
	return answer{value: reply}, nil
}

// jobParseError is the answer about a text that is no job.
func jobParseError(text string) error {
	return fail(http.StatusBadRequest, "Failed to parse job: %s", strings.TrimSpace(text))
}
