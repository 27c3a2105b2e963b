// Package decide stands between state and reconcile: it gathers what a decision
// depends on out of a snapshot, and writes what was decided into the same
// transaction. The evaluation loop and the API use it alike, so that a plan is
// what a registration would do.
package decide

import (
	"slices"
	"time"

	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator/reconcile"
	"ostro/orchestrator/state"
)

// Apply writes what was decided about an evaluation.
func Apply(tx *state.Txn, changes reconcile.Changes) {
	for _, d := range changes.Deployments {
		tx.PutDeployment(d)
		if changes.Stable && d.Status == api.DeploymentStatusSuccessful {
			tx.MarkStable(d.Namespace, d.JobID, d.JobVersion, true)
		}
	}
	var back []*api.Allocation
	for _, a := range changes.Update {
		before := tx.Alloc(nil, a.ID)
		if before != nil && before.FollowupEvalID != "" && a.FollowupEvalID == "" {
			back = append(back, before)
		}
	}
	for _, a := range slices.Concat(changes.Update, changes.Place) {
		tx.PutAlloc(a)
	}
	for _, eval := range append(changes.Evals, changes.Eval) {
		tx.PutEval(eval)
	}
	for _, a := range back {
		CallOff(tx, a, time.Unix(0, changes.Eval.ModifyTime))
	}
}

// Deployment gathers what the fate of a deployment depends on.
func (c Clock) Deployment(tx *state.Txn, d *api.Deployment) reconcile.ProgressInput {
	return reconcile.ProgressInput{
		Now: c.Now(), At: c.at, NewID: c.NewID, Deployment: d, SameSpec: state.SameSpec,
		Job:      tx.Job(nil, d.Namespace, d.JobID),
		Versions: tx.Versions(nil, d.Namespace, d.JobID),
		Allocs:   tx.AllocsByDeployment(nil, d.ID),
		Priority: Priority(&tx.Snapshot, d),
	}
}

// Priority is that of the evaluation that made a deployment: the first of those
// that name it. (Nomad.)
func Priority(snap *state.Snapshot, d *api.Deployment) int {
	var first *api.Evaluation
	for _, eval := range snap.EvalsByJob(nil, d.Namespace, d.JobID) {
		if eval.DeploymentID == d.ID && (first == nil || eval.CreateIndex < first.CreateIndex) {
			first = eval
		}
	}
	if first == nil {
		return api.JobDefaultPriority
	}
	return first.Priority
}

// ApplyDeployment writes what was decided about a deployment. The version that
// the job goes back to and the evaluation are part of the same write.
// (Nomad: W6.)
func ApplyDeployment(tx *state.Txn, d *api.Deployment, changes reconcile.ProgressChanges) {
	if changes.Deployment != nil {
		tx.PutDeployment(changes.Deployment)
	}
	for _, a := range changes.Update {
		tx.PutAlloc(a)
	}
	if changes.RevertTo != nil {
		if job := tx.RevertJob(d.Namespace, d.JobID, *changes.RevertTo, true); job != nil && changes.Eval != nil {
			changes.Eval.JobModifyIndex = *job.JobModifyIndex
		}
	}
	if changes.Eval != nil {
		tx.PutEval(changes.Eval)
	}
}
