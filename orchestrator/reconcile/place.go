package reconcile

import (
	"slices"

	"github.com/hashicorp/nomad/api"
)

// request asks for one new allocation.
type request struct {
	group *api.TaskGroup
	job   *api.Job
	name  string
	// previous is the allocation that the new one replaces, or nil.
	previous *api.Allocation
	// stop says that previous is stopped once its replacement has found a place,
	// and stopWhy why.
	stop               bool
	stopWhy            string
	canary, reschedule bool
	// node restricts the choice to one node (system jobs).
	node *api.Node
}

// placeWanted finds places for all groups together: first for what takes the
// place of an older version. (Nomad: F0.)
func (c *computation) placeWanted() {
	for _, r := range slices.Concat(c.exchanges, c.wanted) {
		c.place(r)
	}
}

// place finds a node and makes the allocation. Where none fits it notes why,
// and what was to be replaced stays. It tells whether it placed.
func (c *computation) place(r request) bool {
	if earlier := c.failed[*r.group.Name]; earlier != nil && r.node == nil {
		// What found no place once finds none now. (Nomad.)
		c.unplaced(r, earlier)
		return false
	}
	if r.stop {
		c.placer.free(r.previous)
	}
	chosen, metric := c.placer.choose(r)
	if chosen == nil {
		if r.stop {
			c.placer.restore(r.previous)
		}
		c.unplaced(r, metric)
		return false
	}
	a := c.newAlloc(r, chosen, metric)
	if r.previous != nil {
		c.replace(r, a)
	}
	if r.job == c.in.Job {
		c.enlist(a, r.canary)
	} else {
		c.enlistSettled(a)
	}
	c.placer.occupy(a)
	c.out.Place = append(c.out.Place, a)
	return true
}

// unplaced notes that a request found no place. One that was to replace a
// failed allocation is not forgotten. (Nomad: S3.)
func (c *computation) unplaced(r request, metric *api.AllocationMetric) {
	name := *r.group.Name
	c.queued[name]++
	if earlier := c.failed[name]; earlier != nil {
		earlier.CoalescedFailures++
		metric = earlier
	} else {
		c.failed[name] = metric
	}
	lacking(metric, r.group)
	if r.reschedule && !rescheduleFailed(r.previous) {
		tracker := api.RescheduleTracker{}
		if had := r.previous.RescheduleTracker; had != nil {
			tracker = *had
		}
		tracker.LastReschedule = lastNoPlacement
		c.change(r.previous).RescheduleTracker = &tracker
	}
}

func (c *computation) newAlloc(r request, chosen *candidate, metric *api.AllocationMetric) *api.Allocation {
	now := c.in.Now.UnixNano()
	return &api.Allocation{
		ID: c.in.NewID(), Namespace: *r.job.Namespace, EvalID: c.in.Eval.ID, Name: r.name,
		NodeID: chosen.node.ID, NodeName: chosen.node.Name, JobID: *r.job.ID, Job: r.job, TaskGroup: *r.group.Name,
		AllocatedResources: chosen.resources, Metrics: metric,
		DesiredStatus: api.AllocDesiredStatusRun, ClientStatus: api.AllocClientStatusPending,
		CreateTime: now, ModifyTime: now,
	}
}

// replace links an allocation and its replacement. (Nomad: S3.)
func (c *computation) replace(r request, a *api.Allocation) {
	a.PreviousAllocation = r.previous.ID
	old := c.change(r.previous)
	old.NextAllocation = a.ID
	if r.stop {
		old.DesiredStatus, old.DesiredDescription = api.AllocDesiredStatusStop, r.stopWhy
	}
	if r.reschedule {
		c.trackReschedule(a, r.previous)
	}
}
