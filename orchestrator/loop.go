package orchestrator

import (
	"cmp"
	"context"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator/decide"
	"ostro/orchestrator/reconcile"
	"ostro/orchestrator/runner"
	"ostro/orchestrator/state"
	"ostro/orchestrator/telemetry"
)

// loop turns pending evaluations into decisions, watches deployments, and
// hands allocations to the runners. It is the one writer of decisions.
type loop struct {
	loopConfig
	store *state.Store

	mu    sync.Mutex
	dirty dirty
	wake  chan struct{}
	// draining are the nodes that are drained.
	draining map[string]bool

	away    away
	reports *reports

	// timers say when an evaluation or a deployment is to be looked at again.
	// Only the loop's own goroutine touches them.
	timers map[string]time.Time
	// launches says when a periodic job is due, and collectAt when to look for
	// garbage; both are the goroutine's own, too.
	launches  map[jobName]launch
	collectAt time.Time

	running sync.WaitGroup
	ctx     context.Context
	cancel  context.CancelFunc
}

type loopConfig struct {
	*decide.Planner
	log *slog.Logger
	// heartbeat is how often a node tells that it is there.
	heartbeat time.Duration
	// node describes a node of this process, as it registers.
	node    func(id string) *api.Node
	runners map[string]*runner.Runner
	// telemetry measures decisions; nil measures nothing.
	telemetry *telemetry.Telemetry
}

func newLoop(c loopConfig) *loop {
	return &loop{
		loopConfig: c, dirty: newDirty(), wake: make(chan struct{}, 1), timers: map[string]time.Time{},
		launches: map[jobName]launch{}, draining: map[string]bool{}, reports: newReports(),
	}
}

// begin looks at everything once, and from then on at what changes.
func (l *loop) begin(ctx context.Context) {
	l.ctx, l.cancel = context.WithCancel(ctx)
	l.takeBack()
	snap := l.store.Snapshot()
	l.mu.Lock()
	for _, eval := range snap.OpenEvals(nil, api.EvalStatusPending) {
		l.dirty.evals[eval.ID] = true
	}
	for _, d := range snap.ActiveDeployments(nil) {
		l.dirty.deployments[d.ID] = true
	}
	for id := range l.runners {
		l.dirty.node(id)
	}
	for _, job := range snap.Jobs(nil, "*", "") {
		l.notePeriodic(job)
	}
	for _, node := range snap.Nodes(nil) {
		l.noteNode(node)
	}
	l.dirty.world = true
	l.mu.Unlock()
	l.running.Go(l.run)
}

// takeBack has nothing of the state lie ahead of now, where the clock was set back while
// no agent ran.
func (l *loop) takeBack() {
	ahead := decide.FindAhead(l.store.Snapshot(), l.Now())
	if ahead.By == 0 {
		return
	}
	l.log.Warn("the clock was set back: what the state has of later than now counts as of now", "by", ahead.By)
	l.update("write the state anew", "clock", ahead.Apply)
}

// end stops the loop: what it has not done waits in the state, and what the
// nodes report is dropped.
func (l *loop) end() {
	if l.cancel != nil {
		l.cancel()
	}
	l.running.Wait()
}

func (l *loop) run() {
	l.catchUp()
	l.collectAt = l.Now().Add(collectEvery)
	for {
		l.pass()
		timer := time.NewTimer(l.untilNext())
		select {
		case <-l.ctx.Done():
			timer.Stop()
			return
		case <-l.wake:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// idle is how long the loop sleeps when no time is set.
const idle = time.Hour

func (l *loop) untilNext() time.Duration {
	wait := idle
	for _, at := range l.timers {
		wait = min(wait, at.Sub(l.Now()))
	}
	wait = min(wait, l.collectAt.Sub(l.Now()))
	for _, due := range l.launches {
		wait = min(wait, due.try.Sub(l.Now()), launchCheck)
	}
	return max(wait, 0)
}

// pass does everything that is to be done, until nothing is left that can be
// done now.
func (l *loop) pass() {
	l.launchDue()
	l.collect()
	for {
		work := l.take()
		if work.empty() {
			return
		}
		if work.capacity || work.world {
			l.unblock(work.world)
		}
		for _, eval := range l.pending(work.evals) {
			l.evaluate(eval)
		}
		for _, id := range slices.Sorted(maps.Keys(work.deployments)) {
			l.progress(id)
		}
		for _, name := range slices.SortedFunc(maps.Keys(work.periodic), jobName.compare) {
			l.schedule(name)
		}
		for _, id := range slices.Sorted(maps.Keys(work.drains)) {
			l.drain(id)
		}
		for _, id := range slices.Sorted(maps.Keys(work.purged)) {
			l.timers[heartbeatTimer(id)] = l.Now().Add(l.heartbeat)
		}
		for _, id := range slices.Sorted(maps.Keys(work.heartbeats)) {
			l.beat(id)
		}
		for _, id := range slices.Sorted(maps.Keys(work.nodes)) {
			l.tell(id, work.nodes[id])
		}
	}
}

// tell has a node of this process run the allocations that are named, as they are
// now, or all of its where none is. One that is out of reach hears nothing.
func (l *loop) tell(node string, named map[string]bool) {
	r := l.runners[node]
	if r == nil || l.away.is(node) {
		return
	}
	snap := l.store.Snapshot()
	if len(named) == 0 {
		r.Sync(snap.AllocsByNode(nil, node))
		return
	}
	var changed []*api.Allocation
	var gone []string
	for _, id := range slices.Sorted(maps.Keys(named)) {
		if a := snap.Alloc(nil, id); a != nil {
			changed = append(changed, a)
		} else {
			gone = append(gone, id)
		}
	}
	r.Change(changed, gone)
}

// take gives what changed, and what has come due.
func (l *loop) take() dirty {
	l.mu.Lock()
	defer l.mu.Unlock()
	work := l.dirty
	l.dirty = newDirty()
	now := l.Now()
	for id, at := range l.timers {
		if !at.After(now) {
			delete(l.timers, id)
			work.capacity = work.capacity || id == unblockTimer
			// A name that is no evaluation is a deployment, and the other way round.
			work.evals[id], work.deployments[id] = true, true
			if node, ok := strings.CutPrefix(id, drainTimer("")); ok {
				work.drains[node] = true
			}
			if node, ok := strings.CutPrefix(id, heartbeatTimer("")); ok {
				work.heartbeats[node] = true
			}
		}
	}
	return work
}

// pending sorts evaluations by priority and age, and puts off those that wait
// for a time.
func (l *loop) pending(ids map[string]bool) []*api.Evaluation {
	snap := l.store.Snapshot()
	var evals []*api.Evaluation
	for id := range ids {
		eval := snap.Eval(nil, id)
		if eval == nil || eval.Status != api.EvalStatusPending {
			continue
		}
		if eval.WaitUntil.After(l.Now()) {
			l.timers[id] = eval.WaitUntil
			continue
		}
		evals = append(evals, eval)
	}
	return inOrder(evals)
}

// inOrder sorts evaluations by priority and age.
func inOrder(evals []*api.Evaluation) []*api.Evaluation {
	slices.SortFunc(evals, func(a, b *api.Evaluation) int {
		return cmp.Or(cmp.Compare(b.Priority, a.Priority), cmp.Compare(a.CreateIndex, b.CreateIndex), cmp.Compare(a.ID, b.ID))
	})
	return evals
}

// update writes; what cannot be written is tried again in a while.
func (l *loop) update(what, id string, fn func(*state.Txn)) {
	_, err := l.store.Update(func(tx *state.Txn) error {
		fn(tx)
		return nil
	})
	if err != nil {
		l.log.Error("cannot "+what, "id", id, "error", err)
		l.timers[id] = l.Now().Add(time.Second)
	}
}

// evaluate lets reconcile decide, and writes what it decided. It decides
// within the write, on the state that it changes: no decision is ever stale.
func (l *loop) evaluate(eval *api.Evaluation) {
	start := time.Now()
	l.update("evaluate a job", eval.ID, func(tx *state.Txn) {
		changes := l.Evaluation(tx, eval)
		changes.Eval.SnapshotIndex = tx.Index - 1
		l.telemetry.Measure(start, "nomad", "worker", "invoke_scheduler", eval.Type)
		decide.Apply(tx, changes)
		l.giveUpNodes(tx, changes.Update)
	})
	l.telemetry.Measure(start, "nomad", "plan", "submit")
}

// unblockTimer is the name under which a look for capacity is tried again.
const unblockTimer = "capacity"

// unblock gives every evaluation that waits for capacity another try. One that
// still finds none is not written, and one whose job is about to be decided
// about is left alone, unless that is for the same node. (Nomad: what waits comes
// first.) Room alone does not help what no node could run: that
// waits until the nodes change. (Nomad: E4.)
func (l *loop) unblock(world bool) {
	for _, blocked := range inOrder(l.store.Snapshot().OpenEvals(nil, api.EvalStatusBlocked)) {
		l.update("unblock an evaluation", unblockTimer, func(tx *state.Txn) {
			eval := tx.Eval(nil, blocked.ID)
			if eval == nil || eval.Status != api.EvalStatusBlocked || !world && !reconcile.NeedsRoom(eval) ||
				tx.PendingEval(nil, eval.Namespace, eval.JobID, notByNode) != nil {
				return
			}
			if changes := l.Evaluation(tx, eval); !changes.Idle() {
				decide.Apply(tx, changes)
			}
		})
	}
}

func notByNode(trigger string) bool { return trigger != decide.TriggerNodeUpdate }
