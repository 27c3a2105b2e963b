package httpapi

import (
	"fmt"
	"net"
	"slices"

	"github.com/hashicorp/go-memdb"
	"github.com/hashicorp/nomad/api"

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
	stubs := make([]*api.NodeListStub, len(nodes))
	for i, node := range nodes {
		stubs[i] = nodeStub(node)
		if resources {
			stubs[i].NodeResources, stubs[i].ReservedResources = node.NodeResources, node.ReservedResources
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
	return answer{value: node, index: index}, err
}

// nodeAllocs are whole allocations, not stubs. (Nomad.)
func (s *server) nodeAllocs(r *request) (any, error) {
	allocs, index := wait(s, r, func(snap *state.Snapshot, watch memdb.WatchSet) ([]*api.Allocation, uint64) {
		allocs := snap.AllocsByNode(watch, r.id())
		return allocs, listIndex(snap, "allocs", allocs, func(a *api.Allocation) uint64 { return a.ModifyIndex })
	})
	whole := make([]*api.Allocation, len(allocs))
	for i, a := range allocs {
		whole[i] = withResources(a)
	}
	return answer{value: whole, index: index}, nil
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
	reply := api.NodeEligibilityUpdateResponse{EvalIDs: []string{}}
	index, err := s.Store.Update(func(tx *state.Txn) error {
		old := tx.Node(nil, r.id())
		if old == nil {
			return textError("node not found")
		}
		if old.DrainStrategy != nil && req.Eligibility == api.NodeSchedulingEligible {
			return textError("can not set node's scheduling eligibility to eligible while it is draining")
		}
		reply.NodeModifyIndex = tx.Index
		if old.SchedulingEligibility == req.Eligibility {
			reply.NodeModifyIndex = old.ModifyIndex
			return nil
		}
		node := *old
		node.SchedulingEligibility = req.Eligibility
		node.Events = append(slices.Clone(old.Events), &api.NodeEvent{
			Message:   "Node marked as " + req.Eligibility + " for scheduling",
			Subsystem: "Cluster", Timestamp: s.Clock.Now(), CreateIndex: tx.Index,
		})
		tx.PutNode(&node)
		if req.Eligibility == api.NodeSchedulingEligible {
			reply.EvalIDs, reply.EvalCreateIndex = s.evalSystemJobs(tx), tx.Index
		}
		return nil
	})
	return answer{value: reply, index: index}, err
}

// evalSystemJobs asks for a decision about each job that wants to run on every
// node.
func (s *server) evalSystemJobs(tx *state.Txn) []string {
	ids := []string{}
	for _, job := range tx.Jobs(nil, api.AllNamespacesNamespace, "") {
		if *job.Type == api.JobTypeSystem && !*job.Stop {
			eval := s.newEval(tx, *job.Namespace, *job.ID, triggerNodeUpdate)
			tx.PutEval(eval)
			ids = append(ids, eval.ID)
		}
	}
	return ids
}
