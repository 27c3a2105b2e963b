package events

import (
	"reflect"

	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator/state"
)

// cause is what a write was for, by the name that Nomad gives to such a write.
type cause string

// of is the type of an event of a topic. A plan is stored here together with
// its evaluation; Nomad stores them one after the other.
func (c cause) of(topic api.Topic) string {
	if c == "PlanResult" && topic == api.TopicEvaluation {
		return "EvaluationUpdated"
	}
	return string(c)
}

// causes are asked in this order: the first that any change of the write shows
// is the write's.
var causes = []struct {
	name  cause
	shown func(before, after any) bool
}{
	{"JobDeregistered", jobStopped},
	{"JobRegistered", newVersion},
	{"NodeRegistration", func(before, after any) bool { _, ok := after.(*api.Node); return ok && before == nil }},
	{"NodeDeregistration", func(before, after any) bool { _, ok := before.(*api.Node); return ok && after == nil }},
	{"NodeDrain", ofBoth(func(a, b *api.Node) bool { return !reflect.DeepEqual(a.DrainStrategy, b.DrainStrategy) })},
	{"NodeEligibility", ofBoth(func(a, b *api.Node) bool { return a.SchedulingEligibility != b.SchedulingEligibility })},
	{"NodeStreamEvent", ofBoth(func(a, b *api.Node) bool { return true })},
	{"PlanResult", placed},
	{"AllocationUpdateDesiredStatus", ofBoth(func(a, b *api.Allocation) bool { return !reflect.DeepEqual(a.DesiredTransition, b.DesiredTransition) })},
	{"AllocationUpdated", ofBoth(func(a, b *api.Allocation) bool {
		return a.ClientStatus != b.ClientStatus || !reflect.DeepEqual(a.TaskStates, b.TaskStates) || !reflect.DeepEqual(a.NetworkStatus, b.NetworkStatus)
	})},
	{"DeploymentPromotion", ofBoth(promoted)},
	{"DeploymentAllocHealth", ofBoth(func(a, b *api.Allocation) bool { return !reflect.DeepEqual(a.DeploymentStatus, b.DeploymentStatus) })},
	{"DeploymentStatusUpdate", ofBoth(func(a, b *api.Deployment) bool { return true })},
	{"PlanResult", func(before, after any) bool { _, ok := after.(*api.Deployment); return ok && before == nil }},
	{"AllocationUpdated", ofBoth(func(a, b *api.Allocation) bool { return true })},
	{"EvaluationUpdated", func(_, after any) bool { _, ok := after.(*api.Evaluation); return ok }},
	{"JobRegistered", ofBoth(func(a, b *api.Job) bool { return true })},
}

func causeOf(changes state.Changes) cause {
	for _, c := range causes {
		for _, change := range changes {
			if state.IsCurrent(change.Table) && c.shown(change.Before, change.After) {
				return revertOr(changes, c.name)
			}
		}
	}
	return ""
}

// revertOr gives a new version of a job the cause of the failed deployment that
// made it.
func revertOr(changes state.Changes, found cause) cause {
	if found != "JobRegistered" {
		return found
	}
	for _, change := range changes {
		if ofBoth(func(a, b *api.Deployment) bool { return b.Status == api.DeploymentStatusFailed && a.Status != b.Status })(change.Before, change.After) {
			return "DeploymentStatusUpdate"
		}
	}
	return found
}

// ofBoth asks about a row of type T that was changed, not made or removed.
func ofBoth[T any](holds func(before, after *T) bool) func(any, any) bool {
	return func(before, after any) bool {
		a, ok := before.(*T)
		b, both := after.(*T)
		return ok && both && holds(a, b)
	}
}

func jobStopped(before, after any) bool {
	old, ok := before.(*api.Job)
	if ok && after == nil {
		return true
	}
	job, both := after.(*api.Job)
	return ok && both && *job.Stop && !*old.Stop
}

func newVersion(before, after any) bool {
	job, ok := after.(*api.Job)
	if !ok {
		return false
	}
	old, ok := before.(*api.Job)
	return !ok || *old.Version != *job.Version
}

// placed tells whether a plan made an allocation, stopped it or changed it to
// another version in place.
func placed(before, after any) bool {
	alloc, ok := after.(*api.Allocation)
	if !ok {
		return false
	}
	old, ok := before.(*api.Allocation)
	return !ok || old.DesiredStatus != alloc.DesiredStatus || *old.Job.Version != *alloc.Job.Version
}

func promoted(before, after *api.Deployment) bool {
	for name, group := range after.TaskGroups {
		if old := before.TaskGroups[name]; old != nil && group.Promoted && !old.Promoted {
			return true
		}
	}
	return false
}
