package runner

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/hashicorp/nomad/api"
)

// A healthWatch is the judgement on an allocation that is under way.
type healthWatch struct {
	deploymentID string
	deadline     time.Time
	policy       healthPolicy
}

// healthPolicy is what a group's update block says of health; outside of deployments, its migrate block.
type healthPolicy struct {
	minHealthyTime  time.Duration
	healthyDeadline time.Duration
	checks          bool // the checks of the services count too
	manual          bool // somebody tells the deployment
}

// healthPolicyOf returns the policy of a group with Nomad's defaults.
func healthPolicyOf(group *api.TaskGroup) healthPolicy {
	p := healthPolicy{minHealthyTime: 10 * time.Second, healthyDeadline: 5 * time.Minute, checks: true}
	if u := group.Update; u != nil {
		p.minHealthyTime = derefOr(u.MinHealthyTime, p.minHealthyTime)
		p.healthyDeadline = derefOr(u.HealthyDeadline, p.healthyDeadline)
		p.checks = derefOr(u.HealthCheck, "checks") == "checks"
		p.manual = deref(u.HealthCheck) == "manual"
	}
	return p
}

// A taskHealth is what the judgement looks at of one task.
type taskHealth struct {
	member
	startedAt time.Time
}

// A verdict is what the judgement says for now.
type verdict int

const (
	undecided verdict = iota
	healthy
	unhealthy
)

// judgeTasks judges a group by the states of its tasks (Nomad: H3, task_states). Healthy is a group whose tasks have all run
// without a restart for the minimal time. next is when it can become healthy if nothing changes; zero if it cannot.
func judgeTasks(group []taskHealth, minHealthy time.Duration, now time.Time) (v verdict, next time.Time) {
	var last time.Time // start of the youngest task
	waiting := false
	for _, t := range group {
		ephemeral := t.hook != "" && !t.sidecar
		switch {
		case t.poststop(), t.hook == api.TaskLifecycleHookPoststart && ephemeral && t.done():
			continue
		case t.failed, t.state == stateDead && !(t.hook == api.TaskLifecycleHookPrestart && ephemeral):
			return unhealthy, time.Time{}
		case t.state == statePending:
			waiting = true
		case t.startedAt.After(last):
			last = t.startedAt
		}
	}
	if waiting || last.IsZero() {
		return undecided, time.Time{}
	}
	next = last.Add(minHealthy)
	if now.Before(next) {
		return undecided, next
	}
	return healthy, time.Time{}
}

// whyUnhealthy says what a task has contributed to an unhealthy verdict; "" is nothing. Of one that runs it is always the
// same, whatever keeps the others. (Nomad: H8.)
func whyUnhealthy(t taskHealth, p healthPolicy) string {
	switch {
	case t.poststop():
		return ""
	case t.failed:
		return "Unhealthy because of failed task"
	case t.state == statePending:
		return fmt.Sprintf("Task not running by healthy_deadline of %v", p.healthyDeadline)
	case t.state == stateDead && (t.hook == "" || t.sidecar):
		return "Unhealthy because of dead task"
	case t.state == stateRunning:
		return fmt.Sprintf("Task not running for min_healthy_time of %v by healthy_deadline of %v", p.minHealthyTime, p.healthyDeadline)
	}
	return ""
}

// migratePolicyOf returns how the health of an allocation is judged that is in no deployment, so that a drain knows when
// it may go on. ok is false where nobody asks. (Nomad: services alone migrate.)
func migratePolicyOf(group *api.TaskGroup) (p healthPolicy, ok bool) {
	m := group.Migrate
	if m == nil {
		return p, false
	}
	return healthPolicy{
		minHealthyTime: derefOr(m.MinHealthyTime, 10*time.Second), healthyDeadline: derefOr(m.HealthyDeadline, 5*time.Minute),
		checks: derefOr(m.HealthCheck, "checks") == "checks",
	}, true
}

// never is how long the loop sleeps when nothing follows from the time.
const never = 24 * time.Hour

// judge watches the health of an allocation, and writes the verdict down once for each of its deployments (Nomad: H2, H5). It returns
// when to look again. The caller holds mu.
func (a *alloc) judge(group []member, now time.Time) time.Duration {
	id := a.want.DeploymentID
	spec := a.group()
	if spec == nil || a.health.DeploymentID == id && a.health.Healthy != nil {
		return never
	}
	if a.watch == nil || a.watch.deploymentID != id {
		p, ok := healthPolicyOf(spec), spec.Update == nil || derefOr(spec.Update.MaxParallel, 1) > 0
		if id == "" {
			p, ok = migratePolicyOf(spec)
		}
		if !ok {
			return never
		}
		a.watch = &healthWatch{deploymentID: id, policy: p, deadline: now.Add(p.healthyDeadline)}
		a.settled = time.Time{}
		a.runner.consulChanged() // which is asked now
	}
	if s := a.want.DeploymentStatus; s != nil && s.Healthy != nil && a.health.DeploymentID != id {
		return never // somebody has told the deployment
	}
	tasks := make([]taskHealth, len(group))
	for i, m := range group {
		t := a.tasks[m.name]
		tasks[i] = taskHealth{member: m, startedAt: t.saved.State.StartedAt}
		if !t.began.IsZero() {
			tasks[i].startedAt = t.began
		}
	}
	w := a.watch
	v, next := judgeTasks(tasks, w.policy.minHealthyTime, now)
	if w.policy.checks && v != unhealthy {
		v, next = a.withChecks(v, next, now)
	}
	status, _ := clientStatus(group)
	switch {
	case status == api.AllocClientStatusFailed:
		a.setVerdict(nil, false, now) // its own events say why
		return never
	case w.policy.manual || a.stopping():
		return never
	case v == undecided && !now.Before(w.deadline):
		v = unhealthy
	case v == unhealthy: // before the deadline those are at fault that have ended
		tasks = slices.DeleteFunc(tasks, func(t taskHealth) bool { return !t.failed && t.state != stateDead })
	}
	if v == undecided {
		if next.IsZero() || next.After(w.deadline) {
			next = w.deadline
		}
		return max(next.Sub(now), 0)
	}
	a.setVerdict(tasks, v == healthy, now)
	return never
}

// withChecks lets the checks have their say: they have to pass for the minimal time, too (Nomad: H4). The caller holds mu.
func (a *alloc) withChecks(v verdict, next, now time.Time) (verdict, time.Time) {
	passing, since := judgeChecks(a.sortedChecks())
	if a.usesConsul() {
		passing = passing && !a.settled.IsZero()
		if a.settled.After(since) {
			since = a.settled
		}
	}
	if !passing {
		return undecided, time.Time{}
	}
	if until := since.Add(a.watch.policy.minHealthyTime); !since.IsZero() && now.Before(until) {
		if v == undecided && (next.IsZero() || next.After(until)) {
			return v, next
		}
		return undecided, until
	}
	return v, next
}

// stopping reports whether the allocation is to end: this agent ends it, the scheduler stops it, or the scheduler has
// given it up as lost and may have replaced it. The caller holds mu.
func (a *alloc) stopping() bool {
	switch {
	case a.killing, a.want.ClientStatus == api.AllocClientStatusLost:
		return true
	}
	return a.want.DesiredStatus == api.AllocDesiredStatusStop || a.want.DesiredStatus == api.AllocDesiredStatusEvict
}

// setVerdict writes the verdict down and tells the tasks at fault. The caller holds mu.
func (a *alloc) setVerdict(tasks []taskHealth, isHealthy bool, now time.Time) {
	a.health = savedHealth{DeploymentID: a.watch.deploymentID, Healthy: &isHealthy, Timestamp: now.UTC()}
	if !isHealthy && a.watch.deploymentID != "" {
		for _, t := range tasks {
			why := whyUnhealthy(t, a.watch.policy)
			if t.state == stateRunning && a.watch.policy.checks {
				// Nomad does not name what fails.
				why = cmp.Or(whyChecks(a.sortedChecks(), t.name, t.hook == ""), a.whyUnsettled(), why)
			}
			if why != "" {
				addEvent(a.tasks[t.name].saved.State, eventMessage("Alloc Unhealthy", why))
			}
		}
	}
	a.watch = nil
	a.save()
	a.runner.markDirty(a.id)
}
