package telemetry

import (
	"strings"

	"github.com/hashicorp/go-metrics"
	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator/state"
)

// groupKey names a group of a job.
type groupKey struct{ namespace, job, group string }

// jobs counts the jobs by status, and their allocations by group.
func (g *gauges) jobs(snap *state.Snapshot, allocs []*api.Allocation) {
	counts, queued := countGroups(allocs), queuedGroups(snap.Evals(nil))
	statuses := map[string]int{state.JobPending: 0, state.JobRunning: 0, state.JobDead: 0}
	for _, job := range snap.Jobs(nil, api.AllNamespacesNamespace, "") {
		statuses[*job.Status]++
		if job.IsPeriodic() || job.IsParameterized() {
			continue
		}
		for _, group := range job.TaskGroups {
			key := groupKey{*job.Namespace, *job.ID, *group.Name}
			labels := append(jobLabels(job), label("task_group", *group.Name), label("namespace", *job.Namespace))
			g.set(float64(queued[key]), labels, "nomad/job_summary/queued")
			for status, word := range summaryWords {
				g.set(float64(counts[key][status]), labels, "nomad/job_summary/"+word)
			}
		}
	}
	for status, n := range statuses {
		g.set(float64(n), nil, "nomad/job_status/"+status)
	}
}

// summaryWords are what the summary of a job calls the statuses of its
// allocations.
var summaryWords = map[string]string{
	api.AllocClientStatusPending: "starting", api.AllocClientStatusRunning: "running",
	api.AllocClientStatusComplete: "complete", api.AllocClientStatusFailed: "failed",
	api.AllocClientStatusLost: "lost", api.AllocClientStatusUnknown: "unknown",
}

// jobLabels names a job, and where it was launched by another one its parent
// and its launch. (Nomad.)
func jobLabels(job *api.Job) []metrics.Label {
	labels := []metrics.Label{label("job", *job.Name)}
	for word, name := range map[string]string{"/dispatch-": "dispatch_id", "/periodic-": "periodic_id"} {
		if parent, launch, ok := strings.Cut(*job.ID, word); ok {
			return append(labels, label("parent_id", parent), label(name, launch))
		}
	}
	return labels
}

func countGroups(allocs []*api.Allocation) map[groupKey]map[string]int {
	counts := map[groupKey]map[string]int{}
	for _, a := range allocs {
		key := groupKey{a.Namespace, a.JobID, a.TaskGroup}
		if counts[key] == nil {
			counts[key] = map[string]int{}
		}
		counts[key][a.ClientStatus]++
	}
	return counts
}

// queuedGroups counts what the last evaluation of each job could not place.
func queuedGroups(evals []*api.Evaluation) map[groupKey]int {
	newest := map[[2]string]*api.Evaluation{}
	for _, eval := range evals {
		key := [2]string{eval.Namespace, eval.JobID}
		if eval.Status == api.EvalStatusComplete && (newest[key] == nil || newest[key].ModifyIndex < eval.ModifyIndex) {
			newest[key] = eval
		}
	}
	queued := map[groupKey]int{}
	for key, eval := range newest {
		for group, n := range eval.QueuedAllocations {
			queued[groupKey{key[0], key[1], group}] = n
		}
	}
	return queued
}
