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

	"github.com/hashicorp/go-memdb"
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

	away away

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

// dirty is what changed since the loop last looked.
type dirty struct {
	evals, deployments, nodes map[string]bool
	// periodic are jobs that time launches, or launched.
	periodic map[jobName]bool
	// drains are nodes whose drain may take its next step, purged those that
	// somebody has removed.
	drains, purged map[string]bool
	// heartbeats are nodes that tell again that they are there.
	heartbeats map[string]bool
	// capacity says that something may have become free, and world that nodes
	// have changed.
	capacity, world bool
}

func newDirty() dirty {
	return dirty{
		evals: map[string]bool{}, deployments: map[string]bool{}, nodes: map[string]bool{}, periodic: map[jobName]bool{},
		drains: map[string]bool{}, purged: map[string]bool{}, heartbeats: map[string]bool{},
	}
}

func (t dirty) empty() bool {
	return len(t.evals) == 0 && len(t.deployments) == 0 && len(t.nodes) == 0 && len(t.periodic) == 0 &&
		len(t.drains) == 0 && len(t.purged) == 0 && len(t.heartbeats) == 0 && !t.capacity && !t.world
}

func newLoop(c loopConfig) *loop {
	return &loop{
		loopConfig: c, dirty: newDirty(), wake: make(chan struct{}, 1), timers: map[string]time.Time{},
		launches: map[jobName]launch{}, draining: map[string]bool{},
	}
}

// begin looks at everything once, and from then on at what changes.
func (l *loop) begin(ctx context.Context) {
	l.ctx, l.cancel = context.WithCancel(ctx)
	snap := l.store.Snapshot()
	l.mu.Lock()
	for _, eval := range snap.OpenEvals(nil, api.EvalStatusPending) {
		l.dirty.evals[eval.ID] = true
	}
	for _, d := range snap.ActiveDeployments(nil) {
		l.dirty.deployments[d.ID] = true
	}
	for id := range l.runners {
		l.dirty.nodes[id] = true
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

// end stops the loop: what it has not done waits in the state, and what the
// nodes report is dropped.
func (l *loop) end() {
	if l.cancel != nil {
		l.cancel()
	}
	l.running.Wait()
}

// committed notes what a write changed. It is called under the store's lock.
func (l *loop) committed(_ uint64, changes state.Changes) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, change := range changes {
		l.note(change)
	}
	if !l.dirty.empty() {
		select {
		case l.wake <- struct{}{}:
		default:
		}
	}
}

func (l *loop) note(change memdb.Change) {
	switch after := change.After.(type) {
	case *api.Evaluation:
		if after.Status == api.EvalStatusPending {
			l.dirty.evals[after.ID] = true
		}
	case *api.Deployment:
		if state.Active(after) {
			l.dirty.deployments[after.ID] = true
		}
	case *api.Node:
		l.dirty.world = true
		l.noteNode(after)
	case *api.Allocation:
		maps.Copy(l.dirty.drains, l.draining)
		before, _ := change.Before.(*api.Allocation)
		if before == nil || before.AllocModifyIndex != after.AllocModifyIndex {
			l.dirty.nodes[after.NodeID] = true
		}
		if before != nil && reconcile.Terminal(after) && !reconcile.Terminal(before) {
			l.dirty.capacity = true
		}
	case *api.Job:
		l.notePeriodic(after)
	case nil:
		switch gone := change.Before.(type) {
		case *api.Allocation:
			l.dirty.nodes[gone.NodeID] = true
			l.dirty.capacity = l.dirty.capacity || !reconcile.Terminal(gone)
		case *api.Job:
			l.notePeriodic(gone)
		case *api.Node:
			l.dirty.purged[gone.ID] = true
			delete(l.draining, gone.ID)
		}
	}
}

func (l *loop) notePeriodic(job *api.Job) {
	if job.IsPeriodic() {
		l.dirty.periodic[jobName{*job.Namespace, *job.ID}] = true
	}
}

// noteNode follows which nodes are drained. The caller holds mu.
func (l *loop) noteNode(node *api.Node) {
	delete(l.draining, node.ID)
	if node.DrainStrategy != nil {
		l.draining[node.ID] = true
		l.dirty.drains[node.ID] = true
	}
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
		wait = min(wait, time.Until(at))
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
		for id := range work.deployments {
			l.progress(id)
		}
		for name := range work.periodic {
			l.schedule(name)
		}
		for id := range work.drains {
			l.drain(id)
		}
		for id := range work.purged {
			l.timers[heartbeatTimer(id)] = time.Now().Add(l.heartbeat)
		}
		for id := range work.heartbeats {
			l.beat(id)
		}
		for id := range work.nodes {
			if r := l.runners[id]; r != nil && !l.away.is(id) {
				r.Sync(l.store.Snapshot().AllocsByNode(nil, id))
			}
		}
	}
}

// take gives what changed, and what has come due.
func (l *loop) take() dirty {
	l.mu.Lock()
	defer l.mu.Unlock()
	work := l.dirty
	l.dirty = newDirty()
	now := time.Now()
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
		return cmp.Or(cmp.Compare(b.Priority, a.Priority), cmp.Compare(a.CreateIndex, b.CreateIndex))
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
		l.timers[id] = time.Now().Add(time.Second)
	}
}

// evaluate lets reconcile decide, and writes what it decided. It decides
// within the write, on the state that it changes: no decision is ever stale.
func (l *loop) evaluate(eval *api.Evaluation) {
	start := time.Now()
	l.update("evaluate a job", eval.ID, func(tx *state.Txn) {
		changes := l.Evaluation(tx, eval)
		l.telemetry.Measure(start, "nomad", "worker", "invoke_scheduler", eval.Type)
		decide.Apply(tx, changes)
	})
	l.telemetry.Measure(start, "nomad", "plan", "submit")
}

// unblockTimer is the name under which a look for capacity is tried again.
const unblockTimer = "capacity"

// unblock gives every evaluation that waits for capacity another try. One that
// still finds none is not written, and one whose job is about to be decided
// about is left alone. Room alone does not help what no node could run: that
// waits until the nodes change. (Nomad: E4.)
func (l *loop) unblock(world bool) {
	for _, blocked := range inOrder(l.store.Snapshot().OpenEvals(nil, api.EvalStatusBlocked)) {
		l.update("unblock an evaluation", unblockTimer, func(tx *state.Txn) {
			eval := tx.Eval(nil, blocked.ID)
			if eval == nil || eval.Status != api.EvalStatusBlocked || !world && !reconcile.NeedsRoom(eval) ||
				tx.PendingEval(nil, eval.Namespace, eval.JobID, "") != nil {
				return
			}
			if changes := l.Evaluation(tx, eval); !changes.Idle() {
				decide.Apply(tx, changes)
			}
		})
	}
}
