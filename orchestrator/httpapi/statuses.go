package httpapi

import (
	"slices"
	"strconv"

	"github.com/hashicorp/go-memdb"
	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator/state"
)

// jobStatus is a job with what a page of jobs shows of it. (Nomad.)
type jobStatus struct {
	ID, Namespace, Name, Type, NodePool, ParentID, Status string
	Datacenters                                           []string
	Priority, GroupCountSum                               int
	Version, ModifyIndex                                  uint64
	SubmitTime                                            int64
	Stop, IsPack                                          bool
	Allocs                                                []allocStatus
	ChildStatuses                                         []string
	LatestDeployment                                      *deploymentStatus
}

type allocStatus struct {
	ID, Group, ClientStatus, NodeID, FollowupEvalID string
	DeploymentStatus                                struct {
		Canary  bool
		Healthy *bool
	}
	JobVersion    uint64
	HasPausedTask bool
}

type deploymentStatus struct {
	ID, Status, StatusDescription               string
	JobVersion                                  uint64
	IsActive, AllAutoPromote, RequiresPromotion bool
}

// statusesRequest names the jobs to show; none means all.
type statusesRequest struct {
	Jobs            []struct{ ID, Namespace string }
	IncludeChildren bool
}

// jobStatuses lists jobs, last changed first. (Nomad: its index is the newest
// of what is on the page, so that other changes wake nobody.)
func (s *server) jobStatuses(r *request) (any, error) {
	req, err := statusesBody(r)
	if err != nil {
		return nil, err
	}
	if len(req.Jobs) > 0 {
		r.perPage = len(req.Jobs)
	}
	r.reverse = !r.reverse
	type result struct {
		list []*jobStatus
		next string
		err  error
	}
	var before []string
	found, index := wait(s, r, func(snap *state.Snapshot, watch memdb.WatchSet) (result, uint64) {
		jobs, next, err := page(r, req.choose(snap.Jobs(watch, r.namespace, "")), func(job *api.Job) key { return indexKey(*job.ModifyIndex, *job.ID) })
		shown, index, ids := []*jobStatus{}, uint64(0), []string{}
		for _, job := range jobs {
			status, newest := statusOf(snap, watch, job)
			shown, index, ids = append(shown, status), max(index, newest), append(ids, *job.Namespace+"\x00"+*job.ID)
		}
		slices.Sort(ids)
		if len(ids) == 0 || before != nil && !slices.Equal(ids, before) {
			index = max(index, snap.TableIndex("jobs"))
		}
		before = ids
		return result{shown, next, err}, index
	})
	return answer{value: found.list, index: index, next: found.next}, found.err
}

func statusesBody(r *request) (*statusesRequest, error) {
	req := &statusesRequest{}
	if r.Method != "GET" && r.ContentLength != 0 {
		if err := decode(r, req); err != nil {
			return nil, err
		}
	}
	if text := r.query.Get("include_children"); text != "" {
		children, err := strconv.ParseBool(text)
		if err != nil {
			return nil, badRequest("Failed to parse value of \"include_children\" (%s) as a bool: %v", text, err)
		}
		req.IncludeChildren = children
	}
	return req, nil
}

func (q *statusesRequest) choose(jobs []*api.Job) []*api.Job {
	return slices.DeleteFunc(jobs, func(job *api.Job) bool {
		if *job.ParentID != "" && !q.IncludeChildren {
			return true
		}
		return len(q.Jobs) > 0 && !slices.Contains(q.Jobs, struct{ ID, Namespace string }{*job.ID, *job.Namespace})
	})
}

// statusOf gives also the newest index of what it shows.
func statusOf(snap *state.Snapshot, watch memdb.WatchSet, job *api.Job) (*jobStatus, uint64) {
	newest := *job.ModifyIndex
	status := &jobStatus{
		ID: *job.ID, Namespace: *job.Namespace, Name: *job.Name, Type: *job.Type, NodePool: *job.NodePool,
		ParentID: *job.ParentID, Status: *job.Status, Datacenters: job.Datacenters, Priority: *job.Priority,
		Version: *job.Version, ModifyIndex: *job.ModifyIndex, SubmitTime: *job.SubmitTime, Stop: *job.Stop,
	}
	_, status.IsPack = job.Meta["pack.name"]
	for _, group := range job.TaskGroups {
		status.GroupCountSum += *group.Count
	}
	if job.IsPeriodic() || job.IsParameterized() {
		status.ChildStatuses = []string{}
		for _, child := range snap.Jobs(watch, *job.Namespace, *job.ID+"/") {
			if *child.ParentID == *job.ID {
				status.ChildStatuses, newest = append(status.ChildStatuses, *child.Status), max(newest, *child.ModifyIndex)
			}
		}
		return status, newest
	}
	for _, a := range snap.AllocsByJob(watch, *job.Namespace, *job.ID) {
		status.Allocs, newest = append(status.Allocs, allocStatusOf(a)), max(newest, a.ModifyIndex)
	}
	if d := snap.LatestDeployment(watch, *job.Namespace, *job.ID); d != nil {
		status.LatestDeployment, newest = deploymentStatusOf(snap, d), max(newest, d.ModifyIndex)
	}
	return status, newest
}

func allocStatusOf(a *api.Allocation) allocStatus {
	status := allocStatus{
		ID: a.ID, Group: a.TaskGroup, ClientStatus: a.ClientStatus, NodeID: a.NodeID,
		FollowupEvalID: a.FollowupEvalID, JobVersion: *a.Job.Version,
	}
	if d := a.DeploymentStatus; d != nil {
		status.DeploymentStatus.Canary, status.DeploymentStatus.Healthy = d.Canary, d.Healthy
	}
	return status
}

func deploymentStatusOf(snap *state.Snapshot, d *api.Deployment) *deploymentStatus {
	status := &deploymentStatus{
		ID: d.ID, Status: d.Status, StatusDescription: d.StatusDescription, JobVersion: d.JobVersion,
		IsActive: state.Active(d), AllAutoPromote: len(d.TaskGroups) > 0,
	}
	job := snap.Version(nil, d.Namespace, d.JobID, d.JobVersion)
	for name, group := range d.TaskGroups {
		status.AllAutoPromote = status.AllAutoPromote && autoPromotes(job, name)
		status.RequiresPromotion = status.RequiresPromotion || d.Status == api.DeploymentStatusRunning && group.DesiredCanaries > 0 && !group.Promoted
	}
	return status
}

func autoPromotes(job *api.Job, group string) bool {
	if job == nil {
		return false
	}
	tg := job.LookupTaskGroup(group)
	return tg != nil && tg.Update != nil && tg.Update.AutoPromote != nil && *tg.Update.AutoPromote
}
