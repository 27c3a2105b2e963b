package orchestrator

import (
	"time"

	"ostro/orchestrator/decide"
	"ostro/orchestrator/state"
)

// collectEvery is how often the loop looks for what has ended long ago.
// (Nomad: 2.14.)
const collectEvery = 5 * time.Minute

// collect removes what has ended long ago, when it is time to look for it. What
// cannot be removed is looked for again.
func (l *loop) collect() {
	now := l.Now()
	if now.Before(l.collectAt) {
		return
	}
	l.collectAt = now.Add(collectEvery)
	_, err := l.store.Update(func(tx *state.Txn) error {
		l.Collect(tx, decide.DefaultAges())
		return nil
	})
	if err != nil {
		l.log.Error("cannot remove what has ended", "error", err)
	}
}
