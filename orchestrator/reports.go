package orchestrator

import (
	"sync"
	"time"

	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator/runner"
	"ostro/orchestrator/state"
)

// reportRetry is how long reports that could not be written wait.
const reportRetry = time.Second

// A nodeReport is what a node says about its allocations.
type nodeReport struct {
	node    string
	updates []runner.Update
}

// reports are those of all nodes that wait to be written. One of the nodes writes
// at a time, and takes with it what the others have brought by then: the state is
// synced once for all of them.
type reports struct {
	mu      sync.Mutex
	waiting []nodeReport
	turn    chan struct{} // holds one while somebody writes
}

func newReports() *reports { return &reports{turn: make(chan struct{}, 1)} }

func (r *reports) add(n nodeReport) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.waiting = append(r.waiting, n)
}

func (r *reports) take() []nodeReport {
	r.mu.Lock()
	defer r.mu.Unlock()
	waiting := r.waiting
	r.waiting = nil
	return waiting
}

// report writes what a runner says about its allocations, and what follows from
// it. It returns when that is written.
func (l *loop) report(node string, updates []runner.Update) {
	l.reports.add(nodeReport{node, updates})
	select {
	case l.reports.turn <- struct{}{}:
	case <-l.ctx.Done():
		return
	}
	defer func() { <-l.reports.turn }()
	// Nothing where another node has written this one's report, too.
	if waiting := l.reports.take(); len(waiting) > 0 {
		l.writeReports(waiting)
	}
}

// writeReports writes all in one write. Nothing of it is lost while the state cannot
// be written: it is tried until it can. What a node says that is out of reach is
// heard when it is back.
func (l *loop) writeReports(all []nodeReport) {
	var updates []runner.Update
	for _, r := range all {
		if !l.away.hold(r.node, r.updates) {
			updates = append(updates, r.updates...)
		}
	}
	for l.ctx.Err() == nil {
		var taken [][2]*api.Allocation
		_, err := l.store.Update(func(tx *state.Txn) error {
			taken = nil
			for _, u := range updates {
				if before := tx.Alloc(nil, u.AllocID); before != nil {
					taken = append(taken, [2]*api.Allocation{before, l.takeReport(tx, before, u)})
				}
			}
			return nil
		})
		if err == nil {
			for _, a := range taken {
				l.telemetry.Count(a[0], a[1])
			}
			return
		}
		l.log.Error("cannot take the reports of nodes", "error", err)
		select {
		case <-l.ctx.Done():
		case <-time.After(reportRetry):
		}
	}
}
