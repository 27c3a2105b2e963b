package httpapi

import (
	"github.com/hashicorp/go-memdb"
	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator/state"
)

// summarize counts the allocations of this life of a job by group, those that
// were collected, too. (Nomad: R15.)
func summarize(snap *state.Snapshot, watch memdb.WatchSet, job *api.Job) *api.JobSummary {
	summary := &api.JobSummary{
		JobID: *job.ID, Namespace: *job.Namespace, Summary: map[string]api.TaskGroupSummary{},
		Children:    children(snap, watch, job),
		CreateIndex: *job.CreateIndex, ModifyIndex: *job.JobModifyIndex,
	}
	for _, group := range job.TaskGroups {
		summary.Summary[*group.Name] = api.TaskGroupSummary{}
	}
	for _, a := range snap.AllocsByJob(watch, *job.Namespace, *job.ID) {
		if *a.Job.CreateIndex != *job.CreateIndex {
			continue
		}
		counts := summary.Summary[a.TaskGroup]
		countAllocs(&counts, a.ClientStatus, 1)
		summary.Summary[a.TaskGroup] = counts
		summary.ModifyIndex = max(summary.ModifyIndex, a.ModifyIndex)
	}
	for group, collected := range snap.Collected(watch, *job.Namespace, *job.ID) {
		counts := summary.Summary[group]
		for status, n := range collected {
			countAllocs(&counts, status, n)
		}
		summary.Summary[group] = counts
	}
	if eval := newestEval(snap.EvalsByJob(watch, *job.Namespace, *job.ID)); eval != nil {
		for group, queued := range eval.QueuedAllocations {
			if counts, ok := summary.Summary[group]; ok {
				counts.Queued = queued
				summary.Summary[group] = counts
			}
		}
		summary.ModifyIndex = max(summary.ModifyIndex, eval.ModifyIndex)
	}
	return summary
}

// countAllocs counts n allocations of a client status.
func countAllocs(counts *api.TaskGroupSummary, status string, n int) {
	switch status {
	case api.AllocClientStatusPending:
		counts.Starting += n
	case api.AllocClientStatusRunning:
		counts.Running += n
	case api.AllocClientStatusComplete:
		counts.Complete += n
	case api.AllocClientStatusFailed:
		counts.Failed += n
	case api.AllocClientStatusLost:
		counts.Lost += n
	case api.AllocClientStatusUnknown:
		counts.Unknown += n
	}
}

// newestEval is the evaluation that last decided about a job, or nil.
func newestEval(evals []*api.Evaluation) *api.Evaluation {
	var newest *api.Evaluation
	for _, eval := range evals {
		if eval.Status == api.EvalStatusComplete && (newest == nil || eval.ModifyIndex > newest.ModifyIndex) {
			newest = eval
		}
	}
	return newest
}

// children counts the jobs that were launched from this one, by status.
func children(snap *state.Snapshot, watch memdb.WatchSet, job *api.Job) *api.JobChildrenSummary {
	counts := &api.JobChildrenSummary{}
	if !job.IsPeriodic() && !job.IsParameterized() {
		return counts
	}
	for _, child := range snap.Jobs(watch, *job.Namespace, *job.ID+"/") {
		if *child.ParentID != *job.ID {
			continue
		}
		switch *child.Status {
		case state.JobPending:
			counts.Pending++
		case state.JobRunning:
			counts.Running++
		case state.JobDead:
			counts.Dead++
		}
	}
	return counts
}
