package orchestrator

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator/decide"
	"ostro/orchestrator/reconcile"
	"ostro/orchestrator/runner"
	"ostro/orchestrator/state"
)

// away are the nodes that are out of reach, with what they would have said.
type away struct {
	mu    sync.Mutex
	nodes map[string]map[string]runner.Update
}

// is tells whether a node is out of reach.
func (w *away) is(node string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.nodes[node] != nil
}

// hold keeps the last word about each allocation of a node that is out of
// reach; it tells whether it is.
func (w *away) hold(node string, updates []runner.Update) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	held := w.nodes[node]
	for _, u := range updates {
		if held != nil {
			held[u.AllocID] = u
		}
	}
	return held != nil
}

func (w *away) begin(node string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.nodes == nil {
		w.nodes = map[string]map[string]runner.Update{}
	}
	if w.nodes[node] == nil {
		w.nodes[node] = map[string]runner.Update{}
	}
}

func (w *away) end(node string) map[string]runner.Update {
	w.mu.Lock()
	defer w.mu.Unlock()
	held := w.nodes[node]
	delete(w.nodes, node)
	return held
}

// Disconnect takes a node out of reach, as a broken network does: its tasks go
// on, but nobody hears of them and the node is told nothing. It counts as having
// missed its heartbeats at once.
func (o *Orchestrator) Disconnect(nodeID string) error {
	if o.runners[nodeID] == nil {
		return fmt.Errorf("disconnect a node: %q is no node of this agent", nodeID)
	}
	if o.loop.away.is(nodeID) {
		return nil
	}
	o.loop.away.begin(nodeID)
	known := o.store.Snapshot().AllocsByNode(nil, nodeID)
	_, err := o.store.Update(func(tx *state.Txn) error {
		node := tx.Node(nil, nodeID)
		if node == nil {
			return fmt.Errorf("%q was purged", nodeID)
		}
		changed := reconcile.NodeStatus(node, reconcile.Unreachable(tx.AllocsByNode(nil, nodeID)), o.planner.Now())
		tx.PutNode(changed)
		o.planner.NodeEvals(tx, changed, decide.TriggerNodeUpdate)
		return nil
	})
	if err != nil {
		return fmt.Errorf("disconnect a node: %w", err)
	}
	o.stopAlone(nodeID, known)
	return nil
}

// stopAlone lets a node that is out of reach stop by itself what may not run
// for long without being heard of. (Nomad: stop_on_client_after.)
func (o *Orchestrator) stopAlone(nodeID string, known []*api.Allocation) {
	for _, a := range known {
		after, ok := reconcile.StopsAfter(a)
		if !ok || reconcile.Terminal(a) {
			continue
		}
		o.loop.running.Go(func() {
			select {
			case <-o.loop.ctx.Done():
				return
			case <-time.After(after):
			}
			if !o.loop.away.is(nodeID) {
				return
			}
			for i, other := range known {
				if other.ID == a.ID {
					stopped := *other
					stopped.DesiredStatus = api.AllocDesiredStatusStop
					known = slices.Clone(known)
					known[i] = &stopped
				}
			}
			o.runners[nodeID].Sync(known)
		})
	}
}

// giveUpNodes counts nodes as down that were out of reach for so long that none of
// their allocations may come back. (Nomad: S7.)
func (l *loop) giveUpNodes(tx *state.Txn, changed []*api.Allocation) {
	for _, a := range changed {
		node := tx.Node(nil, a.NodeID)
		if !reconcile.Terminal(a) || node == nil || !reconcile.Disconnected(node) ||
			reconcile.Awaited(tx.AllocsByNode(nil, node.ID)) {
			continue
		}
		down := reconcile.NodeStatus(node, api.NodeStatusDown, l.Now())
		tx.PutNode(down)
		l.NodeEvals(tx, down, decide.TriggerNodeUpdate)
	}
}

// Reconnect brings a node back into reach: what it has to say is heard, and it
// is told what to run. One that was collected or purged meanwhile registers again.
func (o *Orchestrator) Reconnect(nodeID string) error {
	if !o.loop.away.is(nodeID) {
		return nil
	}
	// Their tasks say so before anything is decided about them.
	o.runners[nodeID].Reconnected(o.unknownOn(nodeID))
	held := o.loop.away.end(nodeID)
	_, err := o.store.Update(func(tx *state.Txn) error {
		node := tx.Node(nil, nodeID)
		if node == nil {
			return o.loop.registerAgain(tx, nodeID)
		}
		back := map[[2]string]bool{}
		for _, a := range tx.AllocsByNode(nil, nodeID) {
			if a.ClientStatus == api.AllocClientStatusUnknown || a.ClientDescription == reconcile.AwayDescription {
				back[[2]string{a.Namespace, a.JobID}] = true
			}
			o.loop.hearAgain(tx, a, held)
		}
		changed := reconcile.NodeStatus(node, api.NodeStatusReady, o.planner.Now())
		tx.PutNode(changed)
		for _, key := range slices.SortedFunc(maps.Keys(back), func(a, b [2]string) int { return slices.Compare(a[:], b[:]) }) {
			tx.PutEval(o.planner.NewEval(tx, key[0], key[1], decide.TriggerReconnect))
		}
		o.planner.NodeEvals(tx, changed, decide.TriggerNodeUpdate)
		return nil
	})
	if err != nil {
		return fmt.Errorf("reconnect a node: %w", err)
	}
	o.loop.lookAt(nodeID)
	return nil
}

// unknownOn are the allocations of a node that may come back with it.
func (o *Orchestrator) unknownOn(nodeID string) (ids []string) {
	for _, a := range o.store.Snapshot().AllocsByNode(nil, nodeID) {
		if a.ClientStatus == api.AllocClientStatusUnknown && a.DesiredStatus == api.AllocDesiredStatusRun {
			ids = append(ids, a.ID)
		}
	}
	return ids
}

// hearAgain takes the last word about an allocation on a node that is back. One
// that nobody has heard of since runs as it did.
func (l *loop) hearAgain(tx *state.Txn, a *api.Allocation, held map[string]runner.Update) {
	if u, ok := held[a.ID]; ok {
		heard := l.takeReport(tx, a, u)
		if a.FollowupEvalID != "" && a.DesiredStatus == api.AllocDesiredStatusRun && reconcile.Terminal(heard) {
			over := *heard
			over.FollowupEvalID = ""
			tx.PutClientAlloc(&over)
			decide.CallOff(tx, a, l.Now())
		}
		return
	}
	if a.ClientStatus != api.AllocClientStatusUnknown {
		return
	}
	running := *a
	running.ClientStatus = api.AllocClientStatusRunning
	running.ModifyTime = l.Now().UnixNano()
	tx.PutClientAlloc(&running)
}

// lookAt has the loop tell a node what to run.
func (l *loop) lookAt(nodeID string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dirty.node(nodeID)
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// heartbeatTimer is the name under which a node's next heartbeat is awaited.
func heartbeatTimer(node string) string { return "heartbeat/" + node }

// beat registers a node again that somebody has purged while it lives. (Nomad.)
func (l *loop) beat(nodeID string) {
	delete(l.timers, heartbeatTimer(nodeID))
	node := l.node(nodeID)
	if node == nil || l.away.is(nodeID) {
		return
	}
	l.update("register a node", heartbeatTimer(nodeID), func(tx *state.Txn) {
		if tx.Node(nil, nodeID) == nil {
			l.putNode(tx, node)
		}
	})
}

// registerAgain registers a node of this process that is no longer known.
func (l *loop) registerAgain(tx *state.Txn, nodeID string) error {
	node := l.node(nodeID)
	if node == nil {
		return fmt.Errorf("%q is no node of this agent", nodeID)
	}
	l.putNode(tx, node)
	return nil
}

func (l *loop) putNode(tx *state.Txn, node *api.Node) {
	tx.PutNode(node)
	l.NodeEvals(tx, node, decide.TriggerNodeUpdate)
}
