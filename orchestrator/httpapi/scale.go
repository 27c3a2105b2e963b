package httpapi

import (
	"net/http"
	"slices"

	"github.com/hashicorp/go-memdb"
	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator/reconcile"
	"ostro/orchestrator/state"
)

func (s *server) scaleStatus(r *request) (any, error) {
	status, index, err := one(s, r, "jobs", jobNotFound, func(snap *state.Snapshot, watch memdb.WatchSet) (*api.JobScaleStatusResponse, uint64) {
		job := snap.Job(watch, r.namespace, r.id())
		if job == nil {
			return nil, 0
		}
		allocs := snap.AllocsByJob(watch, r.namespace, r.id())
		events, index := snap.ScalingEvents(watch, r.namespace, r.id())
		for _, a := range allocs {
			index = max(index, a.ModifyIndex)
		}
		return scaleOf(job, allocs, events), max(index, *job.ModifyIndex)
	})
	return answer{value: status, index: index}, err
}

func scaleOf(job *api.Job, allocs []*api.Allocation, events map[string][]api.ScalingEvent) *api.JobScaleStatusResponse {
	status := &api.JobScaleStatusResponse{
		JobID: *job.ID, Namespace: *job.Namespace, JobCreateIndex: *job.CreateIndex, JobModifyIndex: *job.ModifyIndex,
		JobStopped: *job.Stop, TaskGroups: map[string]api.TaskGroupScaleStatus{},
	}
	for _, group := range job.TaskGroups {
		counts := api.TaskGroupScaleStatus{Desired: *group.Count, Events: events[*group.Name]}
		for _, a := range allocs {
			if a.TaskGroup == *group.Name {
				countScale(&counts, a)
			}
		}
		status.TaskGroups[*group.Name] = counts
	}
	return status
}

// countScale counts an allocation that runs and is no canary. (Nomad.)
func countScale(counts *api.TaskGroupScaleStatus, a *api.Allocation) {
	health := a.DeploymentStatus
	if reconcile.Terminal(a) || health != nil && health.Canary {
		return
	}
	counts.Placed++
	if a.ClientStatus == api.AllocClientStatusRunning {
		counts.Running++
	}
	if health == nil || health.Healthy == nil {
		return
	}
	if *health.Healthy {
		counts.Healthy++
	} else {
		counts.Unhealthy++
	}
}

// scaleJob sets the count of a group, as a new version, and remembers it as a
// scaling event; an event without a count, or of an error, is only remembered.
// (Nomad: R12.)
func (s *server) scaleJob(r *request) (any, error) {
	req := api.ScalingRequest{}
	if err := decode(r, &req); err != nil {
		return nil, err
	}
	if err := checkScaleRequest(r, req); err != nil {
		return nil, err
	}
	reply := registerReply{KnownLeader: true}
	index, err := s.Store.Update(func(tx *state.Txn) error {
		old, group, err := scaledGroup(tx, r, req)
		if err != nil {
			return err
		}
		reply.JobModifyIndex = *old.ModifyIndex
		event := api.ScalingEvent{
			Count: req.Count, PreviousCount: int64(*old.TaskGroups[group].Count), Error: req.Error,
			Message: req.Message, Meta: req.Meta, Time: uint64(s.Clock.Now().UnixNano()),
		}
		if req.Count != nil {
			job := s.scale(tx, old, group, int(*req.Count))
			reply.JobModifyIndex = *job.JobModifyIndex
			if !job.IsPeriodic() && !job.IsParameterized() {
				eval := s.newEval(tx, r.namespace, r.id(), triggerScaling)
				tx.PutEval(eval)
				reply.asked(eval)
				event.EvalID = &eval.ID
			}
		}
		tx.PutScalingEvent(r.namespace, r.id(), *old.TaskGroups[group].Name, event)
		return nil
	})
	reply.Index = index
	return answer{value: reply, index: index}, err
}

// checkScaleRequest refuses what is no request to scale. (Nomad: the texts.)
func checkScaleRequest(r *request, req api.ScalingRequest) error {
	namespace := req.Target["Namespace"]
	switch {
	case req.Target["Job"] != "" && req.Target["Job"] != r.id():
		return badRequest("job ID in payload did not match URL")
	case namespace != "" && namespace != r.namespace:
		return badRequest("namespace in payload did not match header")
	case req.Target["Group"] == "":
		return badRequest("missing task group name for scaling action")
	case req.Count != nil && *req.Count < 0:
		return badRequest("scaling action count can't be negative")
	case req.Count != nil && req.Error:
		return badRequest("scaling action should not contain count if error is true")
	}
	return nil
}

// scaledGroup finds the group of a request, and refuses the count that it may
// not have. (Nomad: the texts.)
func scaledGroup(tx *state.Txn, r *request, req api.ScalingRequest) (*api.Job, int, error) {
	job := tx.Job(nil, r.namespace, r.id())
	if job == nil {
		return nil, 0, fail(http.StatusNotFound, "job %q not found", r.id())
	}
	if req.Count != nil && *job.Type == api.JobTypeSystem && *req.Count > 1 {
		return nil, 0, badRequest(`jobs of type "system" can only be scaled between 0 and 1`)
	}
	i := slices.IndexFunc(job.TaskGroups, func(g *api.TaskGroup) bool { return *g.Name == req.Target["Group"] })
	if i < 0 {
		return nil, 0, badRequest("task group %q specified for scaling does not exist in job", req.Target["Group"])
	}
	if req.Count == nil {
		return job, i, nil
	}
	if p := job.TaskGroups[i].Scaling; p != nil {
		if p.Min != nil && *req.Count < *p.Min {
			return nil, 0, badRequest("group count was less than scaling policy minimum: %d < %d", *req.Count, *p.Min)
		}
		if p.Max != nil && *req.Count > *p.Max {
			return nil, 0, badRequest("group count was greater than scaling policy maximum: %d > %d", *req.Count, *p.Max)
		}
	}
	if d := tx.LatestDeployment(nil, r.namespace, r.id()); d != nil && state.Active(d) && d.JobCreateIndex == *job.CreateIndex {
		return nil, 0, badRequest("job scaling blocked due to active deployment")
	}
	if err := checkTotal(job, *req.Count-int64(*job.TaskGroups[i].Count)); err != nil {
		return nil, 0, err
	}
	if req.JobModifyIndex > 0 {
		return job, i, state.Registration{EnforceIndex: true, JobModifyIndex: req.JobModifyIndex}.Check(job)
	}
	return job, i, nil
}

// scale stores a copy of a job with the given count of one group.
func (s *server) scale(tx *state.Txn, old *api.Job, i, count int) *api.Job {
	job, group := *old, *old.TaskGroups[i]
	job.SubmitTime = new(s.Clock.Now().UnixNano())
	group.Count = &count
	job.TaskGroups = slices.Clone(old.TaskGroups)
	job.TaskGroups[i] = &group
	tx.AmendJob(&job)
	return &job
}
