package orchestrator

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"

	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator/decide"
	"ostro/orchestrator/driver"
	"ostro/orchestrator/reconcile"
	"ostro/orchestrator/runner"
	"ostro/orchestrator/state"
)

// startNodes registers the client nodes and starts a runner for each.
func (o *Orchestrator) startNodes(ctx context.Context) error {
	known := map[string]*api.Node{}
	for _, node := range o.store.Snapshot().Nodes(nil) {
		known[node.Name] = node
	}
	clients, err := filepath.Abs(filepath.Join(o.conf.DataDir, "client"))
	if err != nil {
		return fmt.Errorf("find the folder of the nodes: %w", err)
	}
	if err := os.MkdirAll(clients, 0o711); err != nil {
		return fmt.Errorf("make the folder of the nodes: %w", err)
	}
	// One process looks after the tasks of all nodes.
	if o.drivers, err = driver.Open(ctx, clients, o.conf.Supervisor); err != nil {
		return err
	}
	found, err := runner.Fingerprint(ctx, o.conf.DataDir, o.drivers)
	if err != nil {
		return fmt.Errorf("look at this machine: %w", err)
	}
	o.findConsul(ctx, found)
	o.conf.Node.describe(found)
	o.found = found
	count := o.conf.Nodes
	if o.conf.ServerOnly {
		count = 0
	}
	for i := range count {
		node := o.describe(i, known[o.nodeName(i)])
		o.nodes[node.ID] = i
		if err := o.startNode(ctx, node, filepath.Join(clients, fmt.Sprint(i))); err != nil {
			return err
		}
	}
	return nil
}

// nodeName is the name of the i-th node.
func (o *Orchestrator) nodeName(i int) string {
	name := o.found.Name
	if i > 0 {
		name = fmt.Sprintf("%s-%d", name, i+1)
	}
	return name
}

// describe makes the node that is registered: what the machine is, and what is
// kept of an earlier start.
func (o *Orchestrator) describe(i int, before *api.Node) *api.Node {
	node, now := *o.found, o.planner.Now()
	node.ID, node.Name = o.planner.NewID(), o.nodeName(i)
	node.Attributes, node.NodeResources = maps.Clone(o.found.Attributes), new(*o.found.NodeResources)
	sharePorts(node.NodeResources, i, o.conf.Nodes)
	node.Datacenter, node.Meta = o.conf.Datacenter, map[string]string{}
	maps.Copy(node.Meta, o.conf.Node.Meta)
	node.HTTPAddr, node.TLSEnabled = cmp.Or(o.conf.Advertise, o.addr), o.conf.TLS != nil
	node.Status, node.SchedulingEligibility = api.NodeStatusReady, api.NodeSchedulingEligible
	node.StatusUpdatedAt = now.Unix()
	event := reconcile.EventRegistered
	if before != nil {
		node.ID = before.ID
		node.SchedulingEligibility = before.SchedulingEligibility
		node.Drain, node.DrainStrategy, node.LastDrain = before.Drain, before.DrainStrategy, before.LastDrain
		node.Events = before.Events
		event = reconcile.EventReregistered
	}
	return reconcile.NodeEvent(&node, event, now)
}

// sharePorts gives each of the nodes of one machine dynamic ports of its own.
func sharePorts(r *api.NodeResources, i, nodes int) {
	share := (r.MaxDynamicPort - r.MinDynamicPort + 1) / nodes
	r.MinDynamicPort += i * share
	if i < nodes-1 {
		r.MaxDynamicPort = r.MinDynamicPort + share - 1
	}
}

func (o *Orchestrator) startNode(ctx context.Context, node *api.Node, dir string) error {
	r, err := runner.New(ctx, runner.Config{
		Dir: dir, Node: node, Drivers: o.drivers, MaxKillTimeout: o.conf.Node.MaxKillTimeout, Fetch: o.conf.Node.Fetch,
		Report: func(updates []runner.Update) { o.report(node.ID, updates) }, Bucket: o.bucket, View: o.view, Consul: o.consul, Now: o.planner.Now, Log: o.conf.Log.With("node", node.Name),
	})
	if err != nil {
		return fmt.Errorf("start the node %s: %w", node.Name, err)
	}
	o.runners[node.ID] = r
	_, err = o.store.Update(func(tx *state.Txn) error {
		before := tx.Node(nil, node.ID)
		tx.RegisterMeta(node)
		tx.PutNode(node)
		if before != nil && before.Status != api.NodeStatusReady {
			o.planner.NodeEvals(tx, node, decide.TriggerNodeUpdate)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("register the node %s: %w", node.Name, err)
	}
	return nil
}

// describeAgain is a node of this process as it registers after it was purged.
func (o *Orchestrator) describeAgain(id string) *api.Node {
	i, ok := o.nodes[id]
	if !ok {
		return nil
	}
	node := o.describe(i, nil)
	node.ID = id
	return node
}

// bucket tells the runners which buckets are served from the own store.
func (o *Orchestrator) bucket(name string) (runner.S3Endpoint, bool) {
	if !o.blobs.HasBucket(name) {
		return runner.S3Endpoint{}, false
	}
	s3 := o.credentials
	return runner.S3Endpoint{URL: s3.Endpoint, AccessKey: s3.AccessKey, SecretKey: s3.SecretKey}, true
}
