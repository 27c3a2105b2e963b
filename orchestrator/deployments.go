package orchestrator

import (
	"time"

	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator/decide"
	"ostro/orchestrator/reconcile"
	"ostro/orchestrator/state"
)

// progress looks at a deployment and writes what becomes of it.
func (l *loop) progress(id string) {
	delete(l.timers, id)
	l.update("watch a deployment", id, func(tx *state.Txn) {
		d := tx.Deployment(nil, id)
		if d == nil || !state.Active(d) {
			return
		}
		if at := l.advance(tx, d); !at.IsZero() {
			l.timers[id] = at
		}
	})
}

// advance applies what reconcile decides about a deployment, and tells when to
// look again.
func (l *loop) advance(tx *state.Txn, d *api.Deployment) time.Time {
	changes := reconcile.Progress(l.Deployment(tx, d))
	decide.ApplyDeployment(tx, d, changes)
	return changes.CheckAt
}
