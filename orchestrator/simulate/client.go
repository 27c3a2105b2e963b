package simulate

import (
	"maps"
	"time"

	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator/reconcile"
)

// phase is how far the tasks of an allocation are.
type phase int

const (
	waiting phase = iota // for the end of the allocation that it replaces
	running
	ending // told to stop
	over
)

// client is what a node does with one allocation.
type client struct {
	phase phase
	// bad says that it runs the new version in a future where that is bad.
	bad bool
	// serves says that it answers.
	serves  bool
	started time.Time
	// after are the allocations that start when this one has ended.
	after []string
}

// formerClient is an allocation that is there at the beginning.
func formerClient(a *api.Allocation, start time.Time) *client {
	c := &client{phase: running, started: start}
	switch {
	case reconcile.Terminal(a):
		c.phase = over
	case a.DeploymentStatus == nil || a.DeploymentStatus.Healthy == nil || *a.DeploymentStatus.Healthy:
		c.serves = a.ClientStatus == api.AllocClientStatusRunning
	}
	for _, state := range a.TaskStates {
		if !state.StartedAt.IsZero() && (c.started.Equal(start) || state.StartedAt.After(c.started)) {
			c.started = state.StartedAt
		}
	}
	return c
}

// putAlloc stores an allocation as it was decided, and has its node act.
func (w *world) putAlloc(a *api.Allocation) {
	before, stored := w.allocs[a.ID], *a
	stored.ModifyIndex = w.index
	if before == nil {
		stored.CreateIndex = w.index
	}
	w.allocs[a.ID] = &stored
	switch {
	case before == nil:
		w.arrive(&stored)
	case w.clients[a.ID].phase == over:
	case stored.ClientStatus == api.AllocClientStatusLost:
		w.gone(a.ID)
	case stored.DesiredStatus != api.AllocDesiredStatusRun && before.DesiredStatus == api.AllocDesiredStatusRun:
		w.stop(&stored)
	case *stored.Job.Version != *before.Job.Version:
		w.event(Updates, &stored, "")
		w.watchHealth(&stored)
	case stored.DeploymentID != before.DeploymentID:
		w.watchHealth(&stored)
	}
}

// arrive begins a new allocation, unless it has to wait for the one before.
func (w *world) arrive(a *api.Allocation) {
	c := &client{bad: w.future != Good && *a.Job.Version == w.line.Version}
	w.clients[a.ID] = c
	if previous := w.clients[a.PreviousAllocation]; previous != nil && previous.phase != over && w.allocs[a.PreviousAllocation].NodeID == a.NodeID {
		previous.after = append(previous.after, a.ID)
		return
	}
	w.start(a.ID)
}

func (w *world) start(id string) {
	c, changed := w.clients[id], *w.allocs[id]
	if c.phase != waiting {
		return
	}
	c.phase, c.started = running, w.now
	changed.ClientStatus = api.AllocClientStatusRunning
	changed.TaskStates = map[string]*api.TaskState{}
	for _, task := range groupOf(&changed).Tasks {
		changed.TaskStates[task.Name] = &api.TaskState{State: "running", StartedAt: w.now}
	}
	w.allocs[id] = &changed
	w.event(Starts, &changed, "")
	c.serves = !c.bad && changed.DeploymentID == ""
	if c.bad && w.future == Crashes {
		w.crash(&changed)
	}
	w.watchHealth(&changed)
}

func groupOf(a *api.Allocation) *api.TaskGroup {
	if group := a.Job.LookupTaskGroup(a.TaskGroup); group != nil {
		return group
	}
	return &api.TaskGroup{}
}

// crash lets the tasks of an allocation end again and again, until the restart
// policy gives up.
func (w *world) crash(a *api.Allocation) {
	p := restartPolicy(groupOf(a))
	attempts, delay := value(p.Attempts, 0), value(p.Delay, 0)
	for n := range attempts {
		w.at(w.now.Add(time.Duration(n)*delay), func() {
			if w.clients[a.ID].phase == running {
				w.event(Restarts, a, delay.String())
			}
		})
	}
	last := time.Duration(attempts) * delay
	if value(p.Mode, "fail") == "fail" && (attempts == 0 || last < value(p.Interval, 0)) {
		w.at(w.now.Add(last), func() { w.fail(a.ID) })
	}
}

// restartPolicy is that of the first task that has to go on running.
func restartPolicy(g *api.TaskGroup) api.RestartPolicy {
	for _, task := range g.Tasks {
		if task.Lifecycle == nil && task.RestartPolicy != nil {
			return *task.RestartPolicy
		}
	}
	if g.RestartPolicy != nil {
		return *g.RestartPolicy
	}
	return api.RestartPolicy{}
}

func value[T any](p *T, otherwise T) T {
	if p == nil {
		return otherwise
	}
	return *p
}

// watchHealth judges an allocation of a deployment in due time.
func (w *world) watchHealth(a *api.Allocation) {
	c, u := w.clients[a.ID], groupOf(a).Update
	if a.DeploymentID == "" || c.phase != running || u == nil {
		return
	}
	id, deadline := a.DeploymentID, w.now.Add(value(u.HealthyDeadline, 5*time.Minute))
	healthyAt := c.started.Add(value(u.MinHealthyTime, 10*time.Second))
	if healthyAt.Before(w.now) {
		healthyAt = w.now
	}
	if c.bad || healthyAt.After(deadline) {
		w.at(deadline, func() { w.judge(a.ID, id, false) })
		return
	}
	w.at(healthyAt, func() { w.judge(a.ID, id, true) })
}

// judge reports the health of an allocation, once for each deployment.
func (w *world) judge(id, deploymentID string, healthy bool) {
	before, c := w.allocs[id], w.clients[id]
	if c.phase != running || before.DeploymentID != deploymentID || before.DesiredStatus != api.AllocDesiredStatusRun {
		return
	}
	if s := before.DeploymentStatus; s != nil && s.Healthy != nil {
		return
	}
	after := *before
	after.DeploymentStatus = w.verdict(before, healthy)
	w.allocs[id] = &after
	c.serves = healthy
	if healthy {
		w.event(Healthy, &after, "")
	} else {
		w.event(Unhealthy, &after, "")
	}
	w.count(before, &after)
}

func (w *world) verdict(a *api.Allocation, healthy bool) *api.AllocDeploymentStatus {
	status := &api.AllocDeploymentStatus{Healthy: &healthy, Timestamp: w.now}
	if a.DeploymentStatus != nil {
		status.Canary = a.DeploymentStatus.Canary
	}
	return status
}

// count brings the deployment's counters up to date, and asks for its next step.
func (w *world) count(before, after *api.Allocation) {
	stored := w.deployment()
	if !active(stored) || stored.ID != after.DeploymentID {
		return
	}
	d := reconcile.CopyDeployment(stored)
	reconcile.Count(d, before, after)
	w.deployments[len(w.deployments)-1] = d
	w.progress()
	if w.deployment().ID == d.ID && active(w.deployment()) {
		w.ask(reconcile.TriggerDeploymentWatcher)
	}
}

// fail ends an allocation whose tasks have failed for good.
func (w *world) fail(id string) {
	before, c := w.allocs[id], w.clients[id]
	if c.phase != running {
		return
	}
	c.phase, c.serves = over, false
	after := *before
	after.ClientStatus = api.AllocClientStatusFailed
	after.TaskStates = maps.Clone(before.TaskStates)
	for name, state := range after.TaskStates {
		ended := *state
		ended.State, ended.Failed, ended.FinishedAt = "dead", true, w.now
		after.TaskStates[name] = &ended
	}
	unjudged := before.DeploymentID != "" && (before.DeploymentStatus == nil || before.DeploymentStatus.Healthy == nil)
	if unjudged {
		after.DeploymentStatus = w.verdict(before, false)
	}
	w.allocs[id] = &after
	w.event(Fails, &after, "")
	switch {
	case unjudged:
		w.count(before, &after)
	case reconcile.CanReschedule(&after, w.now, nil):
		w.ask("alloc-failure")
	}
	w.follow(c)
}

// stop ends an allocation that is not wanted any more.
func (w *world) stop(a *api.Allocation) {
	c := w.clients[a.ID]
	if c.phase == waiting {
		w.gone(a.ID)
		return
	}
	w.event(Stops, a, "")
	c.phase, c.serves = ending, false
	g := groupOf(a)
	delay := value(g.ShutdownDelay, 0)
	longest := time.Duration(0)
	for _, task := range g.Tasks {
		longest = max(longest, task.ShutdownDelay)
	}
	w.at(w.now.Add(delay+longest), func() { w.gone(a.ID) })
}

// gone is the end of an allocation that was stopped or lost.
func (w *world) gone(id string) {
	c := w.clients[id]
	if c.phase == over {
		return
	}
	c.phase, c.serves = over, false
	if changed := *w.allocs[id]; changed.ClientStatus != api.AllocClientStatusLost {
		changed.ClientStatus = api.AllocClientStatusComplete
		w.allocs[id] = &changed
	}
	w.follow(c)
}

// follow starts what has waited for an allocation's end.
func (w *world) follow(c *client) {
	for _, id := range c.after {
		if w.allocs[id].DesiredStatus == api.AllocDesiredStatusRun {
			w.start(id)
		}
	}
	c.after = nil
	w.freed()
}
