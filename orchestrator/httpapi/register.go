package httpapi

import (
	"fmt"
	"net/http"
	"reflect"
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
	triggerNodeUpdate = "node-update"
)

// maxPriority is the greatest priority of a job or an evaluation. (Nomad.)
const maxPriority = 100

func (s *server) registerJob(r *request) (any, error) { return s.register(r, "") }

func (s *server) updateJob(r *request) (any, error) { return s.register(r, r.id()) }

// unkept warns of what a job asks for and this agent does not do.
func unkept(job *api.Job) string {
	switch {
	case job.IsPeriodic():
		return "this agent stores periodic jobs, and does not launch them"
	case job.IsParameterized():
		return "this agent stores parameterized jobs, and does not dispatch them"
	}
	return ""
}

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
	if req.EvalPriority != 0 && (req.EvalPriority < 1 || req.EvalPriority > maxPriority) {
		return nil, badRequest("eval priority must be between 1 and 100 inclusively")
	}
	if err := s.canonicalize(r, req.Job); err != nil {
		return nil, err
	}
	warnings, err := s.validate(req.Job)
	if err != nil {
		return nil, err
	}
	reply := api.JobRegisterResponse{Warnings: strings.TrimSpace(warnings + "\n" + unkept(req.Job))}
	index, err := s.Store.Update(func(tx *state.Txn) error {
		job, eval, err := s.putJob(tx, req)
		if err != nil {
			return err
		}
		reply.JobModifyIndex = *job.JobModifyIndex
		if eval != nil {
			tx.PutEval(eval)
			reply.EvalID, reply.EvalCreateIndex = eval.ID, eval.CreateIndex
		}
		return nil
	})
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

// refuseNulls refuses a job with a null where a block is expected in a list:
// everything after this takes every block for granted.
func refuseNulls(job *api.Job) error {
	if path := nullElement(reflect.ValueOf(job)); path != "" {
		return badRequest("Job%s must not be null", strings.TrimSpace(path))
	}
	return nil
}

// nullElement gives the path of the first null in a list or map of blocks, or
// nothing.
func nullElement(v reflect.Value) string {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			return nullElement(v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if path := nullElement(v.Field(i)); path != "" {
				return "." + v.Type().Field(i).Name + path
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			if path := nullIn(v.Index(i)); path != "" {
				return fmt.Sprintf("[%d]%s", i, path)
			}
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			if path := nullIn(v.MapIndex(key)); path != "" {
				return fmt.Sprintf("[%v]%s", key, path)
			}
		}
	}
	return ""
}

func nullIn(v reflect.Value) string {
	if v.Kind() == reflect.Pointer && v.IsNil() {
		return " "
	}
	return nullElement(v)
}

// putJob stores the job of a request within a write. The evaluation is nil for
// a job that is launched by time or by dispatch. (Nomad: R4.)
func (s *server) putJob(tx *state.Txn, req api.JobRegisterRequest) (*api.Job, *api.Evaluation, error) {
	old := tx.Job(nil, *req.Job.Namespace, *req.Job.ID)
	if old != nil {
		if err := checkTransition(old, req.Job); err != nil {
			return nil, nil, err
		}
		preserve(old, req)
	}
	job, err := tx.RegisterJob(state.Registration{
		Job: req.Job, Submission: req.Submission, EnforceIndex: req.EnforceIndex, JobModifyIndex: req.JobModifyIndex,
	})
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
	now := s.Clock.Now().UnixNano()
	eval := &api.Evaluation{
		ID: s.Clock.NewID(), Namespace: namespace, JobID: jobID, TriggeredBy: trigger,
		Type: api.JobTypeService, Priority: api.JobDefaultPriority,
		Status: api.EvalStatusPending, CreateTime: now, ModifyTime: now,
	}
	if job := tx.Job(nil, namespace, jobID); job != nil {
		eval.Type, eval.Priority, eval.JobModifyIndex = *job.Type, *job.Priority, *job.JobModifyIndex
	}
	return eval
}

// deregisterReply is the answer of a stop. (Nomad.)
type deregisterReply struct {
	api.JobDeregisterResponse
	Index           uint64
	VolumeEvalID    string
	VolumeEvalIndex uint64
}

// stopJob stops a job, or purges it. A job that is not there is no error.
// (Nomad: R10.)
func (s *server) stopJob(r *request) (any, error) {
	purge, err := r.flag("purge")
	if err != nil {
		return nil, err
	}
	noDelay, err := r.flag("no_shutdown_delay")
	if err != nil {
		return nil, err
	}
	reply := deregisterReply{}
	index, err := s.Store.Update(func(tx *state.Txn) error {
		old := tx.Job(nil, r.namespace, r.id())
		if old == nil {
			return nil
		}
		reply.JobModifyIndex = tx.Index
		tx.StopJob(r.namespace, r.id(), purge)
		if noDelay {
			skipShutdownDelay(tx, r.namespace, r.id())
		}
		if old.IsPeriodic() || old.IsParameterized() {
			return nil
		}
		eval := s.newEval(tx, r.namespace, r.id(), triggerDeregister)
		eval.Type, eval.Priority, eval.JobModifyIndex = *old.Type, *old.Priority, tx.Index
		tx.PutEval(eval)
		reply.EvalID, reply.EvalCreateIndex = eval.ID, eval.CreateIndex
		return nil
	})
	reply.Index = reply.JobModifyIndex
	return answer{value: reply, index: index}, err
}

// skipShutdownDelay has the tasks of a job end at once, whatever their
// shutdown_delay says.
func skipShutdownDelay(tx *state.Txn, namespace, jobID string) {
	for _, old := range tx.AllocsByJob(nil, namespace, jobID) {
		alloc := *old
		alloc.DesiredTransition.NoShutdownDelay = new(true)
		tx.PutAlloc(&alloc)
	}
}

func (s *server) evaluateJob(r *request) (any, error) {
	req := api.JobEvaluateRequest{}
	if r.ContentLength != 0 {
		if err := decode(r, &req); err != nil {
			return nil, err
		}
	}
	reply := api.JobRegisterResponse{}
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
		reply.EvalID, reply.EvalCreateIndex, reply.JobModifyIndex = eval.ID, eval.CreateIndex, *job.JobModifyIndex
		return nil
	})
	return answer{value: reply, index: index}, err
}

// forceReschedule marks the failed allocations that have no successor.
// (Nomad: R19.)
func forceReschedule(tx *state.Txn, job *api.Job) {
	for _, old := range tx.AllocsByJob(nil, *job.Namespace, *job.ID) {
		if old.ClientStatus != api.AllocClientStatusFailed || old.NextAllocation != "" {
			continue
		}
		alloc := *old
		alloc.DesiredTransition.ForceReschedule = new(true)
		tx.PutAlloc(&alloc)
	}
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
