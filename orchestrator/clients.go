package orchestrator

import (
	"time"

	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator/decide"
	"ostro/orchestrator/reconcile"
	"ostro/orchestrator/runner"
	"ostro/orchestrator/state"
)

// takeReport gives the allocation as it is after the report.
func (l *loop) takeReport(tx *state.Txn, before *api.Allocation, u runner.Update) *api.Allocation {
	after := *before
	after.ClientStatus, after.ClientDescription = u.ClientStatus, u.ClientDescription
	after.TaskStates, after.NetworkStatus = u.TaskStates, u.NetworkStatus
	if before.ClientDescription == reconcile.AwayDescription && !reconcile.Settled(&after) {
		// Until it is decided whether the allocation goes on. (Nomad: S7.)
		after.ClientDescription = reconcile.AwayDescription
	}
	after.ModifyTime = l.Now().UnixNano()
	after.DeploymentStatus = verdict(before, u, l.Now())
	tx.PutClientAlloc(&after)
	if u.Services != nil {
		tx.PutServices(after.ID, u.Services)
	}
	if after.DeploymentStatus != before.DeploymentStatus && after.DeploymentID != "" {
		l.countHealth(tx, before, &after)
	}
	if failedNow(before, &after) && reconcile.CanReschedule(&after, l.Now(), l.At) {
		tx.PutEval(l.NewEval(tx, after.Namespace, after.JobID, reconcile.TriggerAllocFailure))
	}
	return &after
}

// verdict is the health of an allocation, within its deployment where it has one.
// There, one that fails before it was ever healthy is unhealthy. (Nomad: H6.)
func verdict(before *api.Allocation, u runner.Update, now time.Time) *api.AllocDeploymentStatus {
	old := before.DeploymentStatus
	given := u.DeploymentStatus
	if given != nil && u.DeploymentID != before.DeploymentID {
		given = nil
	}
	if given == nil && before.DeploymentID != "" && u.ClientStatus == api.AllocClientStatusFailed && (old == nil || old.Healthy == nil) {
		given = &api.AllocDeploymentStatus{Healthy: new(false), Timestamp: now}
	}
	if given == nil || old != nil && old.Healthy != nil && *old.Healthy == *given.Healthy {
		return old
	}
	status := *given
	if old != nil {
		status.Canary = old.Canary
	}
	return &status
}

// countHealth brings the deployment's counters up to date, decides about the
// deployment if it is not over, and where it goes on asks for its next step.
func (l *loop) countHealth(tx *state.Txn, before, after *api.Allocation) {
	stored := tx.Deployment(nil, after.DeploymentID)
	if stored == nil {
		return
	}
	d := reconcile.CopyDeployment(stored)
	reconcile.Count(d, before, after)
	d.ModifyTime = l.Now().UnixNano()
	tx.PutDeployment(d)
	if !state.Active(d) {
		return
	}
	l.advance(tx, d)
	current := tx.Deployment(nil, d.ID)
	byWatcher := func(trigger string) bool { return trigger == reconcile.TriggerDeploymentWatcher }
	asked := tx.PendingEval(nil, d.Namespace, d.JobID, byWatcher) != nil
	if current.Status == api.DeploymentStatusRunning && !asked {
		if eval := reconcile.NewEval(l.Deployment(tx, current)); eval != nil {
			tx.PutEval(eval)
		}
	}
}

func failedNow(before, after *api.Allocation) bool {
	return after.ClientStatus == api.AllocClientStatusFailed && before.ClientStatus != api.AllocClientStatusFailed
}

// giveUpAllocs counts the allocations whose tasks were ended together with the
// orchestrator as lost, so that the next start places them anew.
func (l *loop) giveUpAllocs() error {
	_, err := l.store.Update(func(tx *state.Txn) error {
		jobs := map[[2]string]bool{}
		for _, a := range tx.Allocs(nil) {
			if reconcile.Terminal(a) {
				continue
			}
			lost := *a
			lost.ClientStatus = api.AllocClientStatusLost
			lost.ClientDescription = "the agent was stopped"
			tx.PutAlloc(&lost)
			jobs[[2]string{a.Namespace, a.JobID}] = true
		}
		for key := range jobs {
			tx.PutEval(l.NewEval(tx, key[0], key[1], decide.TriggerNodeUpdate))
		}
		return nil
	})
	return err
}
