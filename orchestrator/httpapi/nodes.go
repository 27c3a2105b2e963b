package httpapi

import (
	"cmp"
	"fmt"
	"net"
	"net/http"
	"slices"

	"github.com/hashicorp/go-memdb"
	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator/decide"
	"ostro/orchestrator/reconcile"
	"ostro/orchestrator/state"
)

func (s *server) listNodes(r *request) (any, error) {
	if err := checkPrefix("node lookup failed: index error: ", r.prefix); err != nil {
		return nil, err
	}
	return s.nodeList(r, func(snap *state.Snapshot, watch memdb.WatchSet) []*api.Node {
		return slices.DeleteFunc(snap.Nodes(watch), func(n *api.Node) bool { return !hasIDPrefix(n.ID, r.prefix) })
	})
}

// nodeList answers with the stubs of nodes.
func (s *server) nodeList(r *request, read func(*state.Snapshot, memdb.WatchSet) []*api.Node) (any, error) {
	nodes, index := wait(s, r, func(snap *state.Snapshot, watch memdb.WatchSet) ([]*api.Node, uint64) {
		return read(snap, watch), snap.TableIndex("nodes")
	})
	nodes, next, err := page(r, nodes, func(n *api.Node) key { return nameKey(n.ID) })
	if err != nil {
		return nil, err
	}
	resources := r.query.Get("resources") == "true"
	stubs := make([]listedNode, len(nodes))
	for i, node := range nodes {
		stubs[i] = listedNode{NodeListStub: nodeStub(node), HostVolumes: node.HostVolumes}
		if resources {
			stubs[i].NodeResources, stubs[i].ReservedResources = resourcesOf(node), reservedOf(node)
		}
		if r.query.Get("os") == "true" {
			stubs[i].Attributes = map[string]string{"os.name": node.Attributes["os.name"]}
		}
	}
	return answer{value: stubs, index: index, next: next}, nil
}

func nodeStub(node *api.Node) *api.NodeListStub {
	host, _, _ := net.SplitHostPort(node.HTTPAddr)
	return &api.NodeListStub{
		Address: host, ID: node.ID, Datacenter: node.Datacenter, Name: node.Name, NodeClass: node.NodeClass,
		NodePool: node.NodePool, Version: node.Attributes["nomad.version"], Drain: node.Drain,
		SchedulingEligibility: node.SchedulingEligibility, Status: node.Status, StatusDescription: node.StatusDescription,
		Drivers: node.Drivers, LastDrain: node.LastDrain, CreateIndex: node.CreateIndex, ModifyIndex: node.ModifyIndex,
	}
}

func (s *server) readNode(r *request) (any, error) {
	if err := checkID("node lookup failed: index error: ", r.id()); err != nil {
		return nil, err
	}
	node, index, err := one(s, r, "nodes", "node not found", func(snap *state.Snapshot, watch memdb.WatchSet) (*api.Node, uint64) {
		node := snap.Node(watch, r.id())
		if node == nil {
			return nil, 0
		}
		return node, node.ModifyIndex
	})
	if err != nil {
		return nil, err
	}
	return answer{value: nodeAnswer{node, resourcesOf(node), reservedOf(node)}, index: index}, nil
}

// nodeAllocs are whole allocations, not stubs. (Nomad.)
func (s *server) nodeAllocs(r *request) (any, error) {
	allocs, index := wait(s, r, func(snap *state.Snapshot, watch memdb.WatchSet) ([]*api.Allocation, uint64) {
		allocs := snap.AllocsByNode(watch, r.id())
		return allocs, listIndex(snap, "allocs", allocs, func(a *api.Allocation) uint64 { return a.ModifyIndex })
	})
	whole := make([]*allocReply, len(allocs))
	for i, a := range allocs {
		whole[i] = s.allocAnswer(a)
	}
	return answer{value: whole, index: index}, nil
}

// changeNode applies a change to a node. The evaluations that follow are part of the same write.
func (s *server) changeNode(id string, change func(tx *state.Txn, node *api.Node) error) (uint64, error) {
	if err := checkID("node lookup failed: index error: ", id); err != nil {
		return 0, err
	}
	return s.Store.Update(func(tx *state.Txn) error {
		node := tx.Node(nil, id)
		if node == nil {
			return textError("node not found")
		}
		return change(tx, node)
	})
}

// setEligibility lets a node take new allocations, or not. (Nomad.)
func (s *server) setEligibility(r *request) (any, error) {
	req := api.NodeUpdateEligibilityRequest{}
	if err := decode(r, &req); err != nil {
		return nil, err
	}
	switch req.Eligibility {
	case api.NodeSchedulingEligible, api.NodeSchedulingIneligible:
	default:
		return nil, fmt.Errorf("invalid scheduling eligibility %q", req.Eligibility)
	}
	reply := drainReply{}
	index, err := s.changeNode(cmp.Or(req.NodeID, r.id()), func(tx *state.Txn, node *api.Node) error {
		if node.DrainStrategy != nil && req.Eligibility == api.NodeSchedulingEligible {
			return textError("can not set node's scheduling eligibility to eligible while it is draining")
		}
		reply.NodeModifyIndex = node.ModifyIndex
		if node.SchedulingEligibility == req.Eligibility {
			return nil
		}
		changed := reconcile.NodeEligibility(node, req.Eligibility, s.Clock.Now())
		tx.PutNode(changed)
		reply.NodeModifyIndex = tx.Index
		if req.Eligibility == api.NodeSchedulingEligible {
			reply.EvalIDs, reply.EvalCreateIndex = s.Clock.NodeEvals(tx, changed, decide.TriggerNodeUpdate), tx.Index
		}
		return nil
	})
	reply.Index = index
	return answer{value: reply, index: index}, err
}

// drainReply is the answer to a change of a node's drain or eligibility. (Nomad.)
type drainReply struct {
	NodeModifyIndex, EvalCreateIndex, Index uint64
	EvalIDs                                 []string
}

// setDrain begins, changes or ends the drain of a node. What leaves the node is
// decided by the loop. (Nomad: S5.)
func (s *server) setDrain(r *request) (any, error) {
	req := api.NodeUpdateDrainRequest{}
	if err := decode(r, &req); err != nil {
		return nil, err
	}
	reply := drainReply{EvalIDs: []string{}}
	index, err := s.changeNode(r.id(), func(tx *state.Txn, node *api.Node) error {
		changed := reconcile.SetDrain(node, req.DrainSpec, req.MarkEligible, req.Meta, s.Clock.Now())
		tx.PutNode(changed)
		reply.NodeModifyIndex, reply.Index = tx.Index, tx.Index
		if reconcile.Ready(changed) && !reconcile.Ready(node) {
			reply.EvalIDs, reply.EvalCreateIndex = s.Clock.NodeEvals(tx, changed, decide.TriggerNodeUpdate), tx.Index
		}
		return nil
	})
	return answer{value: reply, index: index}, err
}

// nodeReply is the answer of what makes evaluations for a node. (Nomad.)
type nodeReply struct {
	EvalIDs                                 []string
	EvalCreateIndex, NodeModifyIndex, Index uint64
	HeartbeatTTL                            int64
}

// purgeNode forgets a node: what it runs is lost. One that is alive comes back
// with its next heartbeat. (Nomad.)
func (s *server) purgeNode(r *request) (any, error) {
	reply := nodeReply{}
	index, err := s.changeNode(r.id(), func(tx *state.Txn, node *api.Node) error {
		tx.DeleteNode(node)
		reply.EvalIDs = s.Clock.NodeEvals(tx, node, decide.TriggerNodeUpdate)
		reply.NodeModifyIndex, reply.EvalCreateIndex, reply.Index = tx.Index, tx.Index, tx.Index
		return nil
	})
	return answer{value: reply, index: index}, err
}

// evaluateNode asks for decisions about the jobs of a node. (Nomad.)
func (s *server) evaluateNode(r *request) (any, error) {
	reply := nodeReply{}
	index, err := s.changeNode(r.id(), func(tx *state.Txn, node *api.Node) error {
		reply.EvalIDs = s.Clock.NodeEvals(tx, node, decide.TriggerNodeUpdate)
		if len(reply.EvalIDs) > 0 {
			reply.EvalCreateIndex, reply.Index = tx.Index, tx.Index
		}
		return nil
	})
	return answer{value: reply, index: index}, err
}

// reach takes a node out of reach of the server, or brings it back. (Nomad has no such
// request: there one cuts a cable, or stops the agent of the node.)
func (s *server) reach(change func(nodeID string) error) handler {
	return func(r *request) (any, error) {
		if s.Runner(r.id()) == nil {
			return nil, fail(http.StatusNotFound, "node not found")
		}
		if err := change(r.id()); err != nil {
			return nil, err
		}
		index := s.Store.Snapshot().TableIndex("nodes")
		return answer{value: nodeReply{NodeModifyIndex: index, Index: index}, index: index}, nil
	}
}
