package httpapi

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/hashicorp/nomad/api"
	"github.com/klauspost/compress/snappy"

	"ostro/orchestrator/state"
)

// maxPayload is how many bytes a dispatch may carry. (Nomad.)
const maxPayload = 16 << 10

// dispatchReply is the answer of a dispatch. (Nomad.)
type dispatchReply struct {
	DispatchedJobID string
	EvalID          string
	EvalCreateIndex uint64
	JobCreateIndex  uint64
	Index           uint64
}

// dispatchJob launches a child of a parameterized job. (Nomad: R16, R17.)
func (s *server) dispatchJob(r *request) (any, error) {
	req := api.JobDispatchRequest{}
	if err := decode(r, &req); err != nil {
		return nil, err
	}
	if req.JobID != "" && req.JobID != r.id() {
		return nil, badRequest("Job ID does not match")
	}
	return s.dispatch(r, req)
}

// dispatchPayload takes the body of the request for the payload.
func (s *server) dispatchPayload(r *request) (any, error) {
	payload, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	return s.dispatch(r, api.JobDispatchRequest{Payload: payload})
}

func (s *server) dispatch(r *request, req api.JobDispatchRequest) (any, error) {
	reply := dispatchReply{}
	token := r.query.Get("idempotency_token")
	index, err := s.Store.Update(func(tx *state.Txn) error {
		job := tx.Job(nil, r.namespace, r.id())
		if err := checkDispatched(job, r.id()); err != nil {
			return err
		}
		if req.Priority == 0 {
			req.Priority = *job.Priority
		}
		if err := checkDispatch(job.ParameterizedJob, req); err != nil {
			return err
		}
		if child := childOf(tx, job, token); child != nil {
			reply = dispatchReply{DispatchedJobID: *child.ID, JobCreateIndex: *child.CreateIndex, Index: *child.ModifyIndex}
			return nil
		}
		child, eval := s.Clock.Dispatch(tx, job, req, token)
		reply = dispatchReply{DispatchedJobID: *child.ID, JobCreateIndex: tx.Index, Index: tx.Index}
		if eval != nil {
			reply.EvalID, reply.EvalCreateIndex = eval.ID, eval.CreateIndex
		}
		return nil
	})
	return answer{value: reply, index: index}, err
}

func checkDispatched(job *api.Job, id string) error {
	switch {
	case job == nil:
		return errors.New("parameterized job not found")
	case !job.IsParameterized():
		return textErrorf("Specified job %q is not a parameterized job", id)
	case *job.Stop:
		return textErrorf("Specified job %q is stopped", id)
	}
	return nil
}

// checkDispatch refuses what the job does not take. (Nomad: the texts.)
func checkDispatch(c *api.ParameterizedJobConfig, req api.JobDispatchRequest) error {
	var unpermitted, missing []string
	for key := range req.Meta {
		if !slices.Contains(c.MetaRequired, key) && !slices.Contains(c.MetaOptional, key) {
			unpermitted = append(unpermitted, key)
		}
	}
	for _, key := range c.MetaRequired {
		if _, given := req.Meta[key]; !given && !slices.Contains(missing, key) {
			missing = append(missing, key)
		}
	}
	slices.Sort(unpermitted)
	switch size := len(req.Payload); {
	case c.Payload == "required" && size == 0:
		return textErrorf("Payload is not provided but required by parameterized job")
	case c.Payload == "forbidden" && size > 0:
		return textErrorf("Payload provided but forbidden by parameterized job")
	case size > maxPayload:
		return textErrorf("Payload exceeds maximum size; %d > %d", size, maxPayload)
	case len(unpermitted) > 0:
		return textErrorf("Dispatch request included unpermitted metadata keys: %v", unpermitted)
	case len(missing) > 0:
		return textErrorf("Dispatch did not provide required meta keys: %v", missing)
	case req.Priority < 1 || req.Priority > maxPriority:
		return textErrorf("dispatch job priority must be between [1, %d]", maxPriority)
	}
	return nil
}

// childOf is the child of a job that an earlier dispatch with the same token
// made, or nil.
func childOf(tx *state.Txn, job *api.Job, token string) *api.Job {
	if token == "" {
		return nil
	}
	children := tx.Jobs(nil, *job.Namespace, *job.ID+api.JobDispatchLaunchSuffix)
	i := slices.IndexFunc(children, func(child *api.Job) bool {
		return *child.ParentID == *job.ID && *child.DispatchIdempotencyToken == token
	})
	if i < 0 {
		return nil
	}
	return children[i]
}

// withPayload gives a job with its payload as it was sent. (Nomad: the state
// and the tasks have it compressed, an answer about one job does not.)
func withPayload(job *api.Job) (*api.Job, error) {
	if job == nil || len(job.Payload) == 0 {
		return job, nil
	}
	payload, err := snappy.Decode(nil, job.Payload)
	if err != nil {
		return nil, fmt.Errorf("read the payload of job %q: %w", *job.ID, err)
	}
	whole := *job
	whole.Payload = payload
	return &whole, nil
}
