package orchestrator

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator/driver"
	"ostro/orchestrator/runner"
	"ostro/orchestrator/state"
)

// startNodes registers the client nodes and starts a runner for each.
func (o *Orchestrator) startNodes(ctx context.Context) error {
	known := map[string]*api.Node{}
	for _, node := range o.store.Snapshot().Nodes(nil) {
		known[node.Name] = node
	}
	found, err := runner.Fingerprint(ctx, o.conf.DataDir)
	if err != nil {
		return fmt.Errorf("look at this machine: %w", err)
	}
	clients, err := filepath.Abs(filepath.Join(o.conf.DataDir, "client"))
	if err != nil {
		return fmt.Errorf("find the folder of the nodes: %w", err)
	}
	if err := os.MkdirAll(clients, 0o711); err != nil {
		return fmt.Errorf("make the folder of the nodes: %w", err)
	}
	// One process looks after the tasks of all nodes.
	if o.raw, err = driver.NewRawExec(ctx, clients, o.conf.Supervisor); err != nil {
		return err
	}
	hostname := found.Attributes["unique.hostname"]
	for i := range o.conf.Nodes {
		name := hostname
		if i > 0 {
			name = fmt.Sprintf("%s-%d", hostname, i+1)
		}
		node := o.describe(found, name, known[name])
		if err := o.startNode(ctx, node, filepath.Join(clients, fmt.Sprint(i))); err != nil {
			return err
		}
	}
	return nil
}

// describe makes the node that is registered: what the machine is, and what is
// kept of an earlier start.
func (o *Orchestrator) describe(found *api.Node, name string, before *api.Node) *api.Node {
	node := *found
	node.ID, node.Name = uuid.NewString(), name
	node.Attributes = maps.Clone(found.Attributes)
	node.Datacenter, node.NodePool = o.conf.Datacenter, api.NodePoolDefault
	node.HTTPAddr = o.addr
	node.Status, node.SchedulingEligibility = api.NodeStatusReady, api.NodeSchedulingEligible
	node.StatusUpdatedAt = time.Now().Unix()
	event := &api.NodeEvent{Message: "Node registered", Subsystem: "Cluster", Timestamp: time.Now()}
	if before != nil {
		node.ID = before.ID
		node.SchedulingEligibility = before.SchedulingEligibility
		node.Drain, node.DrainStrategy, node.LastDrain = before.Drain, before.DrainStrategy, before.LastDrain
		node.Events, node.Meta = before.Events, before.Meta
		event.Message = "Node re-registered"
	}
	node.Events = append(slices.Clone(node.Events), event)
	if n := len(node.Events); n > 10 {
		node.Events = node.Events[n-10:]
	}
	return &node
}

func (o *Orchestrator) startNode(ctx context.Context, node *api.Node, dir string) error {
	r, err := runner.New(ctx, runner.Config{
		Dir: dir, Node: node, Raw: o.raw,
		Report: o.loop.report, Bucket: o.bucket, Log: o.conf.Log.With("node", node.Name),
	})
	if err != nil {
		return fmt.Errorf("start the node %s: %w", node.Name, err)
	}
	o.runners[node.ID] = r
	_, err = o.store.Update(func(tx *state.Txn) error {
		tx.PutNode(node)
		return nil
	})
	if err != nil {
		return fmt.Errorf("register the node %s: %w", node.Name, err)
	}
	return nil
}

// bucket tells the runners which buckets are served from the own store.
func (o *Orchestrator) bucket(name string) (runner.S3Endpoint, bool) {
	if !o.blobs.HasBucket(name) {
		return runner.S3Endpoint{}, false
	}
	s3 := o.credentials
	return runner.S3Endpoint{URL: s3.Endpoint, AccessKey: s3.AccessKey, SecretKey: s3.SecretKey}, true
}
