package decide

import (
	"slices"
	"time"

	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator/reconcile"
	"ostro/orchestrator/state"
)

// Ages are how long what has ended is kept.
type Ages struct{ Evals, BatchEvals, Jobs, Deployments, Nodes time.Duration }

// DefaultAges are Nomad's. (2.14.) The zero value collects at once.
func DefaultAges() Ages {
	return Ages{Evals: time.Hour, BatchEvals: 24 * time.Hour, Jobs: 4 * time.Hour, Deployments: time.Hour, Nodes: 24 * time.Hour}
}

// Collect removes the jobs, evaluations, allocations, deployments and nodes
// that have ended, are old enough, and are needed for no decision any more.
func (clock Clock) Collect(tx *state.Txn, ages Ages) {
	c := collection{tx: tx, clock: clock, now: clock.Now(), ages: ages}
	c.jobs()
	tx.Remove(c.found)
	c.found = state.Garbage{}
	c.evals()
	tx.Remove(c.found)
	c.found = state.Garbage{}
	c.deployments()
	c.nodes()
	tx.Remove(c.found)
}

// collection gathers garbage, which it does not change.
type collection struct {
	tx    *state.Txn
	clock Clock
	now   time.Time
	ages  Ages
	found state.Garbage
}

// old tells whether a moment in Unix nanoseconds is at least so long ago.
func (c *collection) old(at int64, age time.Duration) bool {
	return age == 0 || !c.clock.at(at).After(c.now.Add(-age))
}

// jobs gathers dead jobs whose evaluations are over. (Nomad: a batch job that
// has ended and any job that was stopped, except those with a tagged version.)
func (c *collection) jobs() {
	for _, job := range c.tx.Jobs(nil, api.AllNamespacesNamespace, "") {
		collectable := *job.Stop || *job.Type == api.JobTypeBatch || *job.Type == api.JobTypeSysbatch
		if *job.Status != state.JobDead || !collectable || !c.old(*job.SubmitTime, c.ages.Jobs) || c.tagged(job) {
			continue
		}
		if c.settled(job) {
			c.found.Jobs = append(c.found.Jobs, job)
			c.found.Evals = append(c.found.Evals, c.tx.EvalsByJob(nil, *job.Namespace, *job.ID)...)
		}
	}
}

func (c *collection) tagged(job *api.Job) bool {
	return slices.ContainsFunc(c.tx.Versions(nil, *job.Namespace, *job.ID), func(v *api.Job) bool { return v.VersionTag != nil })
}

// settled tells whether nothing of a job has happened for a while.
func (c *collection) settled(job *api.Job) bool {
	for _, eval := range c.tx.EvalsByJob(nil, *job.Namespace, *job.ID) {
		if !ended(eval) || !c.old(eval.ModifyTime, c.ages.Jobs) {
			return false
		}
	}
	for _, a := range c.tx.AllocsByJob(nil, *job.Namespace, *job.ID) {
		if !c.spent(a, job, c.ages.Jobs) {
			return false
		}
	}
	return true
}

func ended(eval *api.Evaluation) bool {
	return eval.Status != api.EvalStatusPending && eval.Status != api.EvalStatusBlocked
}

// evals gathers evaluations that are over, and of what they placed that which
// is over, too. An evaluation stays as long as one of its allocations does.
func (c *collection) evals() {
	placed := map[string][]*api.Allocation{}
	for _, a := range c.tx.Allocs(nil) {
		placed[a.EvalID] = append(placed[a.EvalID], a)
	}
	for _, eval := range c.tx.Evals(nil) {
		c.eval(eval, placed[eval.ID])
		delete(placed, eval.ID)
	}
	for _, orphans := range placed {
		for _, a := range orphans {
			if job := c.tx.Job(nil, a.Namespace, a.JobID); c.spent(a, job, c.ages.Evals) && !c.needed(a, job) {
				c.found.Allocs = append(c.found.Allocs, a)
			}
		}
	}
}

func (c *collection) eval(eval *api.Evaluation, allocs []*api.Allocation) {
	age := c.ages.Evals
	if eval.Type == api.JobTypeBatch {
		age = c.ages.BatchEvals
	}
	if !ended(eval) || !c.old(eval.ModifyTime, age) {
		return
	}
	job, kept := c.tx.Job(nil, eval.Namespace, eval.JobID), false
	for _, a := range allocs {
		if c.spent(a, job, age) && !c.needed(a, job) {
			c.found.Allocs = append(c.found.Allocs, a)
		} else {
			kept = true
		}
	}
	if !kept {
		c.found.Evals = append(c.found.Evals, eval)
	}
}

// needed tells whether a batch job would run again without an allocation that
// has ended: the newest of a job that was not stopped. (Nomad.)
func (c *collection) needed(a *api.Allocation, job *api.Job) bool {
	if job == nil || *job.Stop || *job.Type != api.JobTypeBatch && *job.Type != api.JobTypeSysbatch {
		return false
	}
	return a.CreateIndex >= *job.JobModifyIndex
}

// spent tells whether an allocation has ended, is old enough, and is no longer
// needed to count the attempts of its successors. (Nomad.)
func (c *collection) spent(a *api.Allocation, job *api.Job, age time.Duration) bool {
	if !reconcile.Terminal(a) || !c.old(a.ModifyTime, age) || a.ClientStatus == api.AllocClientStatusRunning {
		return false
	}
	if job == nil || *job.Stop || *job.Status == state.JobDead || a.DesiredStatus == api.AllocDesiredStatusStop ||
		a.ClientStatus != api.AllocClientStatusFailed || a.NextAllocation != "" {
		return true
	}
	group := job.LookupTaskGroup(a.TaskGroup)
	if group == nil || group.ReschedulePolicy == nil {
		return true
	}
	policy := group.ReschedulePolicy
	switch {
	case *policy.Unlimited:
		return false
	case *policy.Attempts == 0:
		return true
	case a.RescheduleTracker == nil || len(a.RescheduleTracker.Events) == 0:
		return false
	}
	last := a.RescheduleTracker.Events[len(a.RescheduleTracker.Events)-1]
	return c.now.Sub(c.clock.at(last.RescheduleTime)) > *policy.Interval
}

// deployments gathers those that are over and whose allocations are.
func (c *collection) deployments() {
	for _, d := range c.tx.Deployments(nil) {
		if state.Active(d) || !c.old(d.ModifyTime, c.ages.Deployments) {
			continue
		}
		if !slices.ContainsFunc(c.tx.AllocsByDeployment(nil, d.ID), live) {
			c.found.Deployments = append(c.found.Deployments, d)
		}
	}
}

func live(a *api.Allocation) bool { return !reconcile.Terminal(a) }

// nodes gathers those that are down and run nothing.
func (c *collection) nodes() {
	for _, node := range c.tx.Nodes(nil) {
		down := node.Status == api.NodeStatusDown && c.old(time.Unix(node.StatusUpdatedAt, 0).UnixNano(), c.ages.Nodes)
		if down && !slices.ContainsFunc(c.tx.AllocsByNode(nil, node.ID), live) {
			c.found.Nodes = append(c.found.Nodes, node)
		}
	}
}
