package state

import (
	"maps"
	"slices"

	"github.com/hashicorp/nomad/api"
)

// The statuses of a job. (Nomad.)
const (
	JobPending = "pending"
	JobRunning = "running"
	JobDead    = "dead"
)

// refreshStatuses brings the status of each job that the write touched up to
// date, so that no reader ever sees a job beside a status of another moment.
func (tx *Txn) refreshStatuses() {
	touched := map[[2]string]bool{}
	for _, change := range tx.txn.Changes() {
		row := change.After
		if row == nil {
			row = change.Before
		}
		switch r := row.(type) {
		case *api.Allocation:
			touched[[2]string{r.Namespace, r.JobID}] = true
		case *api.Evaluation:
			touched[[2]string{r.Namespace, r.JobID}] = true
		case *api.Deployment:
			touched[[2]string{r.Namespace, r.JobID}] = true
		case *api.Job:
			touched[[2]string{*r.Namespace, *r.ID}] = true
		}
	}
	inOrder := slices.SortedFunc(maps.Keys(touched), func(a, b [2]string) int { return slices.Compare(a[:], b[:]) })
	for _, key := range inOrder { // the same history is written in the same way again
		job := tx.Job(nil, key[0], key[1])
		if job == nil {
			continue
		}
		if status := tx.jobStatus(job); job.Status == nil || *job.Status != status {
			changed := *job
			changed.Status = &status
			tx.PutJob(&changed)
		}
	}
}

// jobStatus derives a job's status from what there is of it. (Nomad: R14.)
func (tx *Txn) jobStatus(job *api.Job) string {
	if *job.Type == api.JobTypeSystem || job.IsPeriodic() || job.IsParameterized() {
		if *job.Stop {
			return JobDead
		}
		return JobRunning
	}
	for _, d := range tx.DeploymentsByJob(nil, *job.Namespace, *job.ID) {
		if Active(d) && d.JobCreateIndex == *job.CreateIndex {
			return JobRunning
		}
	}
	if tx.hasLiveAlloc(job) {
		return JobRunning
	}
	evals := tx.EvalsByJob(nil, *job.Namespace, *job.ID)
	for _, eval := range evals {
		if openEval(eval) {
			return JobPending
		}
	}
	// A job without evaluations is new, or they were collected.
	if len(evals) > 0 || *job.Stop || job.Status != nil && *job.Status != "" {
		return JobDead
	}
	return JobPending
}

func (tx *Txn) hasLiveAlloc(job *api.Job) bool {
	for _, a := range tx.AllocsByJob(nil, *job.Namespace, *job.ID) {
		stopped := a.DesiredStatus != api.AllocDesiredStatusRun
		switch a.ClientStatus {
		case api.AllocClientStatusComplete, api.AllocClientStatusFailed, api.AllocClientStatusLost:
			stopped = true
		}
		if !stopped {
			return true
		}
	}
	return false
}

func openEval(eval *api.Evaluation) bool {
	return eval.Status == api.EvalStatusPending || eval.Status == api.EvalStatusBlocked
}
