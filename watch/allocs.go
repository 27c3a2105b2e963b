package watch

import (
	"fmt"
	"slices"
	"time"

	"github.com/hashicorp/nomad/api"
)

// defaultMinHealthy is Nomad's min_healthy_time where the job has none.
const defaultMinHealthy = 10 * time.Second

// allocs are the allocations of the target's version. One that was updated in
// place belongs to the version it was updated to.
func (s *Snapshot) allocs(t Target) []*api.AllocationListStub {
	version := t.JobVersion
	if s.Job != nil && s.current(t) {
		version = deref(s.Job.Version)
	}
	var list []*api.AllocationListStub
	for _, a := range s.Allocs {
		if a.JobVersion == version && (s.Job == nil || a.CreateIndex >= deref(s.Job.CreateIndex)) {
			list = append(list, a)
		}
	}
	return list
}

// serving counts the group's allocations that have run for min_healthy_time, and
// reports whether others are on their way there, or still those of an older
// version on their way out.
func (s *Snapshot) serving(t Target, g *api.TaskGroup) (ready int, coming bool) {
	ours := s.allocs(t)
	for _, a := range s.Allocs {
		switch {
		case a.TaskGroup != deref(g.Name) || !isLive(a):
		case !slices.Contains(ours, a) || !s.ready(t, a, g):
			coming = true
		default:
			ready++
		}
	}
	return ready, coming
}

func (s *Snapshot) ready(t Target, a *api.AllocationListStub, g *api.TaskGroup) bool {
	key, running := runningKey(a, g)
	if !running {
		return false
	}
	if t.NoChange && isHealthy(a) {
		return true
	}
	minHealthy := defaultMinHealthy
	if g.Update != nil && g.Update.MinHealthyTime != nil {
		minHealthy = *g.Update.MinHealthyTime
	}
	since, seen := s.RunningSince[key]
	return seen && s.Now.Sub(since) >= minHealthy
}

// expected is how many allocations a group must have at least. A system job has
// one per fitting node, a number that only the scheduler knows.
func (s *Snapshot) expected(g *api.TaskGroup) int {
	count := deref(g.Count)
	if s.everywhere() {
		return min(count, 1)
	}
	return count
}

// wanted is the sum of the job's counts.
func (s *Snapshot) wanted() (n int) {
	for _, g := range s.Job.TaskGroups {
		n += deref(g.Count)
	}
	return n
}

// runningKey reports whether all that should run in an allocation runs, and
// names that run: a restart of any task makes another key.
func runningKey(a *api.AllocationListStub, g *api.TaskGroup) (string, bool) {
	if g == nil || a.ClientStatus != api.AllocClientStatusRunning {
		return "", false
	}
	var started time.Time
	for _, task := range g.Tasks {
		state := a.TaskStates[task.Name]
		if state == nil || !asItShould(task, state) {
			return "", false
		}
		if state.StartedAt.After(started) {
			started = state.StartedAt
		}
	}
	return fmt.Sprintf("%s@%d", a.ID, started.UnixNano()), true
}

// asItShould knows the tasks that end by themselves: prestart and poststart
// tasks that are no sidecars. A poststop task does not run yet.
func asItShould(task *api.Task, state *api.TaskState) bool {
	ended := state.State == "dead" && !state.Failed
	if l := task.Lifecycle; l != nil {
		switch {
		case l.Hook == api.TaskLifecycleHookPoststop:
			return !state.Failed
		case l.Hook == api.TaskLifecycleHookPrestart && !l.Sidecar:
			return ended
		case !l.Sidecar:
			return ended || state.State == "running"
		}
	}
	return state.State == "running"
}

// failedForGood reports whether nothing will come in the allocation's place.
func failedForGood(a *api.AllocationListStub) bool {
	return hasFailed(a) && wantedRunning(a) && a.NextAllocation == "" && a.FollowupEvalID == ""
}

func hasFailed(a *api.AllocationListStub) bool {
	return a.ClientStatus == api.AllocClientStatusFailed || a.ClientStatus == api.AllocClientStatusLost
}

// isLive reports whether the allocation runs, or is about to, and is meant to.
func isLive(a *api.AllocationListStub) bool {
	return wantedRunning(a) &&
		(a.ClientStatus == api.AllocClientStatusPending || a.ClientStatus == api.AllocClientStatusRunning)
}

func wantedRunning(a *api.AllocationListStub) bool {
	return a.DesiredStatus == api.AllocDesiredStatusRun
}

func isHealthy(a *api.AllocationListStub) bool {
	return a.DeploymentStatus != nil && a.DeploymentStatus.Healthy != nil && *a.DeploymentStatus.Healthy
}

func isUnhealthy(a *api.AllocationListStub) bool {
	return a.DeploymentStatus != nil && a.DeploymentStatus.Healthy != nil && !*a.DeploymentStatus.Healthy
}

func isCanary(a *api.AllocationListStub) bool {
	return a.DeploymentStatus != nil && a.DeploymentStatus.Canary
}
