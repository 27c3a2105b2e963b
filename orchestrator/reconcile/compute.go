package reconcile

import (
	"cmp"
	"slices"

	"github.com/hashicorp/nomad/api"
)

// Compute decides what one evaluation of a job changes. Applied to its own
// result it changes nothing.
func Compute(in Input) Changes {
	c := &computation{
		in:      in,
		nodes:   map[string]*api.Node{},
		updated: map[string]*api.Allocation{},
		placer:  newPlacer(in),
		out:     Changes{Desired: map[string]*api.DesiredUpdates{}},
		failed:  map[string]*api.AllocationMetric{},
		queued:  map[string]int{},
	}
	for _, node := range in.Nodes {
		c.nodes[node.ID] = node
	}
	c.settleDeployment()
	switch {
	case in.Job == nil || *in.Job.Stop:
		c.stopAll()
	case *in.Job.Type == api.JobTypeSystem || *in.Job.Type == api.JobTypeSysbatch:
		c.systemJob()
	default:
		c.serviceJob()
	}
	return c.finish()
}

// computation is one run of Compute: its input, and what it has decided so far.
type computation struct {
	in    Input
	nodes map[string]*api.Node

	// deployment is a copy of the deployment of this version, or nil.
	deployment *api.Deployment
	// deploymentChanged says that the copy differs from what is stored.
	deploymentChanged bool

	updated map[string]*api.Allocation
	placer  *placer
	failed  map[string]*api.AllocationMetric
	queued  map[string]int
	out     Changes
}

// stopAll ends what still runs. (Nomad: the job was stopped or purged.)
func (c *computation) stopAll() {
	for _, a := range c.in.Allocs {
		if Terminal(a) {
			continue
		}
		if c.nodeLost(a) {
			c.lose(a)
		} else {
			c.stop(a, descNotNeeded)
		}
		c.desired(a.TaskGroup).Stop++
	}
}

func (c *computation) desired(group string) *api.DesiredUpdates {
	d := c.out.Desired[group]
	if d == nil {
		d = &api.DesiredUpdates{}
		c.out.Desired[group] = d
	}
	return d
}

// change gives the copy of an allocation that is to be written.
func (c *computation) change(a *api.Allocation) *api.Allocation {
	if copied, ok := c.updated[a.ID]; ok {
		return copied
	}
	copied := *a
	c.updated[a.ID] = &copied
	return &copied
}

func (c *computation) stop(a *api.Allocation, why string) *api.Allocation {
	changed := c.change(a)
	changed.DesiredStatus = api.AllocDesiredStatusStop
	changed.DesiredDescription = why
	c.placer.free(a)
	return changed
}

// giveUp counts an allocation as lost. It goes on asking for a replacement until
// it has one. (Nomad: S6.)
func (c *computation) giveUp(a *api.Allocation) {
	if a.ClientStatus != api.AllocClientStatusLost {
		c.change(a).ClientStatus = api.AllocClientStatusLost
	}
	c.placer.free(a)
}

// lose gives up an allocation that needs no replacement.
func (c *computation) lose(a *api.Allocation) *api.Allocation {
	changed := c.stop(a, descLost)
	changed.ClientStatus = api.AllocClientStatusLost
	return changed
}

func (c *computation) nodeLost(a *api.Allocation) bool {
	node := c.nodes[a.NodeID]
	return node == nil || node.Status == api.NodeStatusDown
}

// finish closes the evaluation and puts everything into a fixed order.
func (c *computation) finish() Changes {
	out := c.out
	for _, a := range c.updated {
		out.Update = append(out.Update, a)
	}
	slices.SortFunc(out.Update, byName)
	eval := *c.in.Eval
	eval.Status, eval.StatusDescription = api.EvalStatusComplete, ""
	eval.FailedTGAllocs, eval.QueuedAllocations = nil, c.queued
	if c.deployment != nil {
		eval.DeploymentID = c.deployment.ID
		if c.deploymentChanged {
			c.deployment.ModifyTime = c.in.Now.UnixNano()
			out.Deployments = append(out.Deployments, c.deployment)
		}
	}
	out.Eval = &eval
	c.block(&out)
	return out
}

// block leaves an evaluation behind that waits for capacity, when something
// could not be placed, and ends the one that waited when all was placed.
// (Nomad: E4.)
func (c *computation) block(out *Changes) {
	waiting := c.in.Blocked
	if waiting != nil && waiting.ID == out.Eval.ID {
		waiting = nil
	}
	if len(c.failed) == 0 {
		if waiting != nil {
			ended := *waiting
			ended.Status = api.EvalStatusCancelled
			ended.StatusDescription = "all allocations of the job are placed"
			ended.ModifyTime = c.in.Now.UnixNano()
			out.Evals = append(out.Evals, &ended)
		}
		return
	}
	out.Eval.FailedTGAllocs = c.failed
	switch {
	case out.Eval.TriggeredBy == TriggerQueuedAllocs:
		out.Eval.Status = api.EvalStatusBlocked
		out.Eval.StatusDescription = descBlockedEval
	case waiting != nil:
		out.Eval.BlockedEval = waiting.ID
	default:
		blocked := c.newEval(TriggerQueuedAllocs)
		blocked.Status, blocked.StatusDescription = api.EvalStatusBlocked, descBlockedEval
		blocked.PreviousEval = out.Eval.ID
		blocked.FailedTGAllocs = c.failed
		out.Eval.BlockedEval = blocked.ID
		out.Evals = append(out.Evals, blocked)
	}
}

func (c *computation) newEval(trigger string) *api.Evaluation {
	e := c.in.Eval
	now := c.in.Now.UnixNano()
	return &api.Evaluation{
		ID: c.in.NewID(), Namespace: e.Namespace, JobID: e.JobID, Type: e.Type, Priority: e.Priority,
		TriggeredBy: trigger, JobModifyIndex: e.JobModifyIndex, Status: api.EvalStatusPending,
		CreateTime: now, ModifyTime: now,
	}
}

// byName orders allocations by their index within the job, older ones first.
func byName(a, b *api.Allocation) int {
	return cmp.Or(cmp.Compare(a.TaskGroup, b.TaskGroup), cmp.Compare(nameIndex(a.Name), nameIndex(b.Name)),
		cmp.Compare(a.CreateIndex, b.CreateIndex), cmp.Compare(a.ID, b.ID))
}
