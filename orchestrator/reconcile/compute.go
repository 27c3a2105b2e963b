package reconcile

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

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

		filteredOut: map[string]*api.AllocationMetric{},
	}
	for _, node := range in.Nodes {
		c.nodes[node.ID] = node
	}
	c.settleDeployment()
	c.loseStopped()
	switch {
	case in.Job == nil || *in.Job.Stop:
		c.stopAll()
	case everywhere(in.Job):
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
	// settledBy is a copy of the deployment in which an older version took over, if
	// more of it is placed now.
	settledBy *api.Deployment

	updated map[string]*api.Allocation
	placer  *placer
	// exchanges and wanted ask for the allocations of a service or batch job.
	exchanges, wanted []request
	failed            map[string]*api.AllocationMetric
	queued            map[string]int
	// filteredOut are groups that no node can run: nothing waits for that.
	filteredOut map[string]*api.AllocationMetric
	// next is the last evaluation that follows this one by time.
	next string
	out  Changes
}

// loseStopped gives up what was told to stop on a node that is down: nobody
// will ever say that it has stopped. (Nomad: S6.)
func (c *computation) loseStopped() {
	for _, a := range c.in.Allocs {
		running := a.ClientStatus == api.AllocClientStatusRunning || a.ClientStatus == api.AllocClientStatusPending
		if a.DesiredStatus != api.AllocDesiredStatusRun && running && c.nodeLost(a) {
			c.change(a).ClientStatus = api.AllocClientStatusLost
		}
	}
}

// stopAll ends what still runs. (Nomad: the job was stopped or purged.)
func (c *computation) stopAll() {
	for _, a := range c.in.Allocs {
		if !Terminal(a) {
			c.end(a)
		}
	}
}

// end stops an allocation that is not needed, or counts it as lost.
func (c *computation) end(a *api.Allocation) {
	if c.nodeLost(a) {
		c.lose(a)
	} else {
		c.stop(a, descNotNeeded)
	}
	c.desired(a.TaskGroup).Stop++
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

// lose gives up an allocation. (Nomad: S6.)
func (c *computation) lose(a *api.Allocation) {
	c.stop(a, descLost).ClientStatus = api.AllocClientStatusLost
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
	eval.NextEval = cmp.Or(c.next, eval.NextEval)
	if c.in.Job != nil {
		for _, group := range c.in.Job.TaskGroups {
			c.queued[*group.Name] += 0
			c.desired(*group.Name)
		}
	}
	eval.PlanAnnotations = &api.PlanAnnotations{DesiredTGUpdates: out.Desired}
	switch {
	case c.deployment != nil:
		eval.DeploymentID = c.deployment.ID
	case c.in.Deployment != nil && eval.Type == api.JobTypeService:
		// One that is over is named, too. (Nomad.)
		eval.DeploymentID = c.in.Deployment.ID
	}
	if c.deploymentChanged {
		c.deployment.ModifyTime = c.in.Now.UnixNano()
		out.Deployments = append(out.Deployments, c.deployment)
	}
	if c.settledBy != nil {
		out.Deployments = append(out.Deployments, c.settledBy)
	}
	out.Eval = &eval
	c.block(&out)
	return out
}

// block leaves an evaluation behind that waits for capacity, when something
// could not be placed. A job has one at most: it ends when another takes its
// place, and when all was placed. (Nomad: E4.)
func (c *computation) block(out *Changes) {
	waiting := c.in.Blocked
	if waiting != nil && waiting.ID == out.Eval.ID {
		waiting = nil
	}
	if len(c.failed)+len(c.filteredOut) > 0 {
		out.Eval.FailedTGAllocs = maps.Clone(c.failed)
		maps.Copy(out.Eval.FailedTGAllocs, c.filteredOut)
	}
	if len(c.failed) == 0 {
		c.cancelBlocked(out, waiting, fmt.Sprintf(descUnblocked, out.Eval.ID))
		return
	}
	if c.in.Eval.Status == api.EvalStatusBlocked {
		out.Eval.Status, out.Eval.StatusDescription = api.EvalStatusBlocked, descBlockedEval
		return
	}
	blocked := c.newEval(TriggerQueuedAllocs)
	blocked.Status, blocked.StatusDescription = api.EvalStatusBlocked, descBlockedEval
	blocked.PreviousEval = out.Eval.ID
	blocked.FailedTGAllocs = c.failed
	out.Eval.BlockedEval = blocked.ID
	out.Evals = append(out.Evals, blocked)
	c.cancelBlocked(out, waiting, fmt.Sprintf(descBlockedTwice, out.Eval.JobID))
}

// NeedsRoom tells whether a blocked evaluation is tried again once other
// allocations have gone: not when all nodes that were asked are of a wrong kind.
// (Nomad: E4.)
func NeedsRoom(eval *api.Evaluation) bool {
	for _, metric := range eval.FailedTGAllocs {
		if metric.NodesExhausted > 0 || metric.NodesEvaluated == 0 {
			return true
		}
		for why := range metric.ConstraintFiltered {
			if strings.HasPrefix(why, "distinct_") || strings.Contains(why, ".unique.") {
				return true
			}
		}
	}
	return false
}

func (c *computation) cancelBlocked(out *Changes, waiting *api.Evaluation, why string) {
	if waiting == nil {
		return
	}
	cancelled := *waiting
	cancelled.Status, cancelled.StatusDescription = api.EvalStatusCancelled, why
	cancelled.ModifyTime = c.in.Now.UnixNano()
	out.Evals = append(out.Evals, &cancelled)
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
