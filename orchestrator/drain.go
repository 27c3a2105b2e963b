package orchestrator

import (
	"ostro/orchestrator/state"
)

// drainTimer is the name under which a node's drain is looked at again.
func drainTimer(node string) string { return "drain/" + node }

// drain takes the next step of a node's drain. (Nomad: S5.)
func (l *loop) drain(node string) {
	delete(l.timers, drainTimer(node))
	l.update("drain a node", drainTimer(node), func(tx *state.Txn) {
		if at := l.Drain(tx, node); !at.IsZero() {
			l.timers[drainTimer(node)] = at
		}
	})
}
