package httpapi

import (
	"github.com/hashicorp/go-memdb"
	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator/state"
)

// summarize counts the allocations of this life of a job by group. (Nomad: R15.)
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
		countAlloc(&counts, a)
		summary.Summary[a.TaskGroup] = counts
		summary.ModifyIndex = max(summary.ModifyIndex, a.ModifyIndex)
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

func countAlloc(counts *api.TaskGroupSummary, a *api.Allocation) {
	switch a.ClientStatus {
	case api.AllocClientStatusPending:
		counts.Starting++
	case api.AllocClientStatusRunning:
		counts.Running++
	case api.AllocClientStatusComplete:
		counts.Complete++
	case api.AllocClientStatusFailed:
		counts.Failed++
	case api.AllocClientStatusLost:
		counts.Lost++
	case api.AllocClientStatusUnknown:
		counts.Unknown++
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
