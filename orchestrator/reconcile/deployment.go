package reconcile

import (
	"maps"
	"slices"

	"github.com/hashicorp/nomad/api"
)

// settleDeployment takes up the deployment of the job's current version, and
// cancels one that is about another. (Nomad: C6.)
func (c *computation) settleDeployment() {
	stored := c.in.Deployment
	if stored == nil {
		return
	}
	job := c.in.Job
	stopped := job == nil || *job.Stop
	ours := !stopped && stored.JobVersion == *job.Version && stored.JobCreateIndex == *job.CreateIndex
	switch {
	case active(stored) && stopped:
		c.cancel(stored, descCancelStopped)
	case active(stored) && !ours:
		c.cancel(stored, descCancelNewer)
	case ours && stored.Status != api.DeploymentStatusSuccessful:
		c.deployment = CopyDeployment(stored)
	}
}

func (c *computation) cancel(stored *api.Deployment, why string) {
	d := CopyDeployment(stored)
	d.Status, d.StatusDescription = api.DeploymentStatusCancelled, why
	d.ModifyTime = c.in.Now.UnixNano()
	c.out.Deployments = append(c.out.Deployments, d)
}

// CopyDeployment gives a copy whose groups can be changed.
func CopyDeployment(d *api.Deployment) *api.Deployment {
	copied := *d
	copied.TaskGroups = maps.Clone(d.TaskGroups)
	for name, group := range copied.TaskGroups {
		g := *group
		copied.TaskGroups[name] = &g
	}
	return &copied
}

func active(d *api.Deployment) bool {
	return d.Status == api.DeploymentStatusRunning || d.Status == api.DeploymentStatusPaused
}

func (c *computation) paused() bool {
	return c.deployment != nil && c.deployment.Status == api.DeploymentStatusPaused
}

func (c *computation) deploymentFailed() bool {
	return c.deployment != nil && c.deployment.Status == api.DeploymentStatusFailed
}

// groupDeployment is the state of a group in the deployment, or nil.
func (c *computation) groupDeployment(group string) *api.DeploymentState {
	if c.deployment == nil {
		return nil
	}
	return c.deployment.TaskGroups[group]
}

// joinDeployment adds a group to the deployment, which it makes if it is the
// first. (Nomad: C3.)
func (c *computation) joinDeployment(group string, state *api.DeploymentState) {
	if c.deployment == nil {
		job, now := c.in.Job, c.in.Now.UnixNano()
		c.deployment = &api.Deployment{
			ID: c.in.NewID(), Namespace: *job.Namespace, JobID: *job.ID,
			JobVersion: *job.Version, JobModifyIndex: *job.ModifyIndex,
			JobSpecModifyIndex: *job.JobModifyIndex, JobCreateIndex: *job.CreateIndex,
			TaskGroups: map[string]*api.DeploymentState{},
			Status:     api.DeploymentStatusRunning, StatusDescription: descRunning,
			CreateTime: now,
		}
	}
	c.deployment.TaskGroups[group] = state
	c.deployment.StatusDescription = runningDescription(c.deployment, c.in.Job)
	c.deploymentChanged = true
}

// runningDescription tells whether somebody has to promote. (Nomad: C5.)
func runningDescription(d *api.Deployment, job *api.Job) string {
	needed, auto := false, true
	for name, state := range d.TaskGroups {
		if state.DesiredCanaries == 0 || state.Promoted {
			continue
		}
		needed = true
		group := job.LookupTaskGroup(name)
		auto = auto && group != nil && group.Update != nil && *group.Update.AutoPromote
	}
	switch {
	case !needed:
		return descRunning
	case auto:
		return descAutoPromotion
	default:
		return descNeedsPromotion
	}
}

// strategy is how a group is updated; nil when it has no deployments.
// (Nomad: D2, C2, C8; max_parallel 0 turns deployments off.)
func strategy(job *api.Job, group *api.TaskGroup) *api.UpdateStrategy {
	if *job.Type != api.JobTypeService && *job.Type != api.JobTypeSystem {
		return nil
	}
	if group.Update == nil || group.Update.MaxParallel == nil || *group.Update.MaxParallel == 0 {
		return nil
	}
	return group.Update
}

func newGroupDeployment(u *api.UpdateStrategy, total, canaries int) *api.DeploymentState {
	return &api.DeploymentState{
		AutoRevert: *u.AutoRevert, ProgressDeadline: *u.ProgressDeadline,
		DesiredTotal: total, DesiredCanaries: canaries,
	}
}

// enlist makes an allocation part of the deployment. It counts if its group
// takes part. (Nomad: W1, C10, the deadline starts with the first placement.)
func (c *computation) enlist(a *api.Allocation, canary bool) {
	if c.deployment == nil || !active(c.deployment) {
		return
	}
	a.DeploymentID = c.deployment.ID
	state := c.groupDeployment(a.TaskGroup)
	if state == nil {
		return
	}
	state.PlacedAllocs++
	if canary {
		a.DeploymentStatus = &api.AllocDeploymentStatus{Canary: true}
		state.PlacedCanaries = append(state.PlacedCanaries[:len(state.PlacedCanaries):len(state.PlacedCanaries)], a.ID)
	}
	if state.RequireProgressBy.IsZero() && state.ProgressDeadline > 0 {
		state.RequireProgressBy = c.in.Now.Add(state.ProgressDeadline)
	}
	c.deploymentChanged = true
}

// enlistSettled makes an allocation of an older version part of the deployment in
// which that took over. (Nomad: P7.)
func (c *computation) enlistSettled(a *api.Allocation) {
	by := c.in.SettledBy
	if by == nil || by.JobVersion != *a.Job.Version || by.JobCreateIndex != *a.Job.CreateIndex {
		return
	}
	if c.settledBy == nil {
		c.settledBy = CopyDeployment(by)
	}
	a.DeploymentID = by.ID
	if state := c.settledBy.TaskGroups[a.TaskGroup]; state != nil {
		state.PlacedAllocs++
	}
}

// limit is how many allocations of a group may be exchanged now. live are the
// group's allocations. (Nomad: P1.)
func (c *computation) limit(u *api.UpdateStrategy, live []*api.Allocation, canarying bool) int {
	if u == nil {
		return len(live)
	}
	room := *u.MaxParallel
	if c.deployment == nil {
		return room
	}
	if !active(c.deployment) || c.paused() || canarying {
		return 0
	}
	for _, a := range live {
		switch {
		case a.DeploymentID != c.deployment.ID || healthy(a):
		case unhealthy(a):
			return 0
		default:
			room--
		}
	}
	return max(room, 0)
}

// completeDeployment ends the deployment when every group is done.
// (Nomad: C7.)
func (c *computation) completeDeployment(groupsDone bool) {
	if !groupsDone || c.deployment == nil || !active(c.deployment) {
		return
	}
	for _, state := range c.deployment.TaskGroups {
		if state.DesiredCanaries > 0 && !state.Promoted || state.HealthyAllocs < max(state.DesiredTotal, state.DesiredCanaries) {
			return
		}
	}
	if c.unproven() {
		return
	}
	c.deployment.Status, c.deployment.StatusDescription = api.DeploymentStatusSuccessful, descSuccessful
	c.deploymentChanged = true
	c.out.Stable = true
}

// unproven tells whether an allocation of the deployment has yet to become
// healthy. Nodes that join on the way bring more of them than were desired in
// the beginning.
func (c *computation) unproven() bool {
	if len(c.out.Place) > 0 {
		return true
	}
	return slices.ContainsFunc(c.in.Allocs, func(a *api.Allocation) bool {
		if changed, ok := c.updated[a.ID]; ok {
			a = changed
		}
		counts := a.DeploymentID == c.deployment.ID && c.groupDeployment(a.TaskGroup) != nil
		return counts && !Terminal(a) && !healthy(a)
	})
}
