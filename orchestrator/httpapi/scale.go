package httpapi

import (
	"net/http"
	"slices"

	"github.com/hashicorp/go-memdb"
	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator/state"
)

func (s *server) scaleStatus(r *request) (any, error) {
	status, index, err := one(s, r, "jobs", jobNotFound, func(snap *state.Snapshot, watch memdb.WatchSet) (*api.JobScaleStatusResponse, uint64) {
		job := snap.Job(watch, r.namespace, r.id())
		if job == nil {
			return nil, 0
		}
		allocs := snap.AllocsByJob(watch, r.namespace, r.id())
		index := listIndex(snap, "allocs", allocs, func(a *api.Allocation) uint64 { return a.ModifyIndex })
		return scaleOf(job, allocs), max(index, *job.ModifyIndex)
	})
	return answer{value: status, index: index}, err
}

func scaleOf(job *api.Job, allocs []*api.Allocation) *api.JobScaleStatusResponse {
	status := &api.JobScaleStatusResponse{
		JobID: *job.ID, Namespace: *job.Namespace, JobCreateIndex: *job.CreateIndex, JobModifyIndex: *job.ModifyIndex,
		JobStopped: *job.Stop, TaskGroups: map[string]api.TaskGroupScaleStatus{},
	}
	for _, group := range job.TaskGroups {
		counts := api.TaskGroupScaleStatus{Desired: *group.Count, Events: []api.ScalingEvent{}}
		for _, a := range allocs {
			if a.TaskGroup == *group.Name && a.DesiredStatus == api.AllocDesiredStatusRun {
				countScale(&counts, a)
			}
		}
		status.TaskGroups[*group.Name] = counts
	}
	return status
}

func countScale(counts *api.TaskGroupScaleStatus, a *api.Allocation) {
	if a.ClientTerminalStatus() {
		return
	}
	counts.Placed++
	if a.ClientStatus == api.AllocClientStatusRunning {
		counts.Running++
	}
	if a.DeploymentStatus == nil || a.DeploymentStatus.Healthy == nil {
		return
	}
	if *a.DeploymentStatus.Healthy {
		counts.Healthy++
	} else {
		counts.Unhealthy++
	}
}

// scaleJob sets the count of a group, as a new version. (Nomad: R12.)
func (s *server) scaleJob(r *request) (any, error) {
	req := api.ScalingRequest{}
	if err := decode(r, &req); err != nil {
		return nil, err
	}
	name := req.Target["Group"]
	switch {
	case req.Target["Job"] != "" && req.Target["Job"] != r.id():
		return nil, badRequest("job ID in payload did not match URL")
	case name == "":
		return nil, badRequest("missing task group name for scaling action")
	case req.Error && req.Count != nil:
		return nil, badRequest("scaling action should not contain count if error is true")
	case req.Count != nil && *req.Count < 0:
		return nil, badRequest("scaling action count can't be negative")
	}
	reply := api.JobRegisterResponse{}
	index, err := s.Store.Update(func(tx *state.Txn) error {
		job, err := scaled(tx, r, req)
		if err != nil || job == nil {
			return err
		}
		stored, err := tx.RegisterJob(state.Registration{Job: job, EnforceIndex: req.JobModifyIndex != 0, JobModifyIndex: req.JobModifyIndex})
		if err != nil {
			return err
		}
		eval := s.newEval(tx, r.namespace, r.id(), triggerScaling)
		tx.PutEval(eval)
		reply.JobModifyIndex, reply.EvalID, reply.EvalCreateIndex = *stored.JobModifyIndex, eval.ID, eval.CreateIndex
		return nil
	})
	return answer{value: reply, index: index}, err
}

// scaled is a copy of the job with the count of the request, or nil where the
// request changes nothing.
func scaled(tx *state.Txn, r *request, req api.ScalingRequest) (*api.Job, error) {
	old := tx.Job(nil, r.namespace, r.id())
	if old == nil {
		return nil, fail(http.StatusNotFound, "job %q not found", r.id())
	}
	i := slices.IndexFunc(old.TaskGroups, func(g *api.TaskGroup) bool { return *g.Name == req.Target["Group"] })
	if i < 0 {
		return nil, badRequest("task group %q specified for scaling does not exist in job", req.Target["Group"])
	}
	if d := tx.LatestDeployment(nil, r.namespace, r.id()); d != nil && state.Active(d) && !req.Error {
		return nil, badRequest("job scaling blocked due to active deployment")
	}
	if req.Count == nil {
		return nil, nil
	}
	job, group := *old, *old.TaskGroups[i]
	count := int(*req.Count)
	if err := checkScale(&job, &group, count); err != nil {
		return nil, err
	}
	group.Count = &count
	job.TaskGroups = slices.Clone(old.TaskGroups)
	job.TaskGroups[i] = &group
	return &job, nil
}

func checkScale(job *api.Job, group *api.TaskGroup, count int) error {
	if *job.Type == api.JobTypeSystem && count > 1 {
		return badRequest("cannot scale system jobs to a count greater than 1")
	}
	if p := group.Scaling; p != nil {
		if p.Max != nil && int64(count) > *p.Max {
			return badRequest("group count was greater than scaling policy maximum: %d > %d", count, *p.Max)
		}
		if p.Min != nil && int64(count) < *p.Min {
			return badRequest("group count was less than scaling policy minimum: %d < %d", count, *p.Min)
		}
	}
	return nil
}
