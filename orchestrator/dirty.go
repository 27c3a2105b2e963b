package orchestrator

import (
	"maps"

	"github.com/hashicorp/go-memdb"
	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator/reconcile"
	"ostro/orchestrator/state"
)

// dirty is what changed since the loop last looked.
type dirty struct {
	evals, deployments map[string]bool
	// nodes are those that are to be told of their allocations: of the ones that
	// are named, or of all where none is.
	nodes map[string]map[string]bool
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
		evals: map[string]bool{}, deployments: map[string]bool{}, nodes: map[string]map[string]bool{}, periodic: map[jobName]bool{},
		drains: map[string]bool{}, purged: map[string]bool{}, heartbeats: map[string]bool{},
	}
}

func (t dirty) empty() bool {
	return len(t.evals) == 0 && len(t.deployments) == 0 && len(t.nodes) == 0 && len(t.periodic) == 0 &&
		len(t.drains) == 0 && len(t.purged) == 0 && len(t.heartbeats) == 0 && !t.capacity && !t.world
}

// node notes that a node is to be told of all its allocations.
func (t dirty) node(id string) { t.nodes[id] = map[string]bool{} }

// alloc notes that a node is to be told of one of its allocations.
func (t dirty) alloc(a *api.Allocation) {
	some, known := t.nodes[a.NodeID]
	switch {
	case !known:
		t.nodes[a.NodeID] = map[string]bool{a.ID: true}
	case len(some) > 0:
		some[a.ID] = true
	}
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
		// The node is told that its last word about an allocation has been heard, too.
		over := before != nil && before.ClientStatus != after.ClientStatus && after.ClientTerminalStatus()
		if before == nil || before.AllocModifyIndex != after.AllocModifyIndex || over {
			l.dirty.alloc(after)
		}
		if before != nil && reconcile.Terminal(after) && !reconcile.Terminal(before) {
			l.dirty.capacity = true
		}
	case *api.Job:
		l.notePeriodic(after)
	case nil:
		switch gone := change.Before.(type) {
		case *api.Allocation:
			l.dirty.alloc(gone)
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
