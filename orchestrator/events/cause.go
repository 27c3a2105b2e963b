package events

import (
	"reflect"
	"slices"

	"github.com/hashicorp/go-memdb"
	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator/state"
)

// cause is what a write was for, by the name that Nomad gives to such a write.
type cause string

// causes are asked in this order: the first that any change of the write shows
// is the write's.
var causes = []struct {
	name  cause
	shown func(before, after any) bool
}{
	{"JobDeregistered", jobStopped},
	{"JobRegistered", newVersion},
	{"PlanResult", ofBoth(func(a, b *api.Evaluation) bool { return a.Status != b.Status })},
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
	{"DeploymentAllocHealth", ofBoth(func(a, b *api.Allocation) bool {
		return !reflect.DeepEqual(a.DeploymentStatus, b.DeploymentStatus) && a.AllocModifyIndex != b.AllocModifyIndex
	})},
	{"AllocationUpdated", ofBoth(func(a, b *api.Allocation) bool { return !reflect.DeepEqual(a.DeploymentStatus, b.DeploymentStatus) })},
	{"DeploymentStatusUpdate", ofBoth(func(a, b *api.Deployment) bool { return true })},
	{"PlanResult", func(before, after any) bool { _, ok := after.(*api.Deployment); return ok && before == nil }},
	{"AllocationUpdated", ofBoth(func(a, b *api.Allocation) bool { return true })},
	{"EvaluationUpdated", func(_, after any) bool { _, ok := after.(*api.Evaluation); return ok }},
	{"JobRegistered", ofBoth(func(a, b *api.Job) bool { return true })},
}

// causeOf tells what a write was for. What an evaluation decides is a plan, unless
// it decides nothing; and a new version that a failed deployment makes is part of
// its end.
func causeOf(changes state.Changes) cause {
	found := firstOf(changes)
	switch {
	case found == "PlanResult" && !holds(changes, ofAny[api.Allocation]) && !holds(changes, ofAny[api.Deployment]):
		return "EvaluationUpdated"
	case found == "JobRegistered" && holds(changes, ofBoth(failed)):
		return "DeploymentStatusUpdate"
	}
	return found
}

func firstOf(changes state.Changes) cause {
	for _, c := range causes {
		if holds(changes, c.shown) {
			return c.name
		}
	}
	return ""
}

// holds tells whether any change of a write shows something.
func holds(changes state.Changes, shown func(before, after any) bool) bool {
	return slices.ContainsFunc(changes, func(change memdb.Change) bool {
		return state.IsCurrent(change.Table) && shown(change.Before, change.After)
	})
}

// ofAny tells whether a row is of type T.
func ofAny[T any](before, after any) bool {
	_, was := before.(*T)
	_, is := after.(*T)
	return was || is
}

func failed(before, after *api.Deployment) bool {
	return after.Status == api.DeploymentStatusFailed && before.Status != after.Status
}

// typed is an event of a row under its type.
type typed struct {
	name cause
	row  any
}

// types are the events that Nomad makes of one row, which it writes more often
// than this does: a plan is stored, and then its evaluation; what a node tells is,
// and then what follows for the deployment.
func (c cause) types(changes state.Changes, before, after any) []typed {
	switch row := after.(type) {
	case *api.Evaluation:
		return c.evaluation(changes, before, row)
	case *api.Deployment:
		if old, ok := before.(*api.Deployment); ok && c == "AllocationUpdated" && old.Status != row.Status {
			counted := *row
			counted.Status, counted.StatusDescription = old.Status, old.StatusDescription
			return []typed{{c, &counted}, {"DeploymentStatusUpdate", row}}
		}
	case *api.Job:
		switch {
		case !holds(changes, ofBoth(failed)):
		case newVersion(before, after):
			return []typed{{"DeploymentStatusUpdate", row}}
		default:
			return nil // Its status follows with the evaluation.
		}
	}
	return []typed{{c, after}}
}

func (c cause) evaluation(changes state.Changes, before any, row *api.Evaluation) []typed {
	old, known := before.(*api.Evaluation)
	switch {
	case c == "PlanResult" && known && old.Status == api.EvalStatusPending:
		planned := *old
		planned.ModifyIndex = row.ModifyIndex
		return []typed{{c, &planned}, {"EvaluationUpdated", row}}
	case c == "PlanResult", c == "JobRegistered" && row.TriggeredBy == "job-scaling":
		return []typed{{"EvaluationUpdated", row}}
	case c == "AllocationUpdated" && row.TriggeredBy == "deployment-watcher" && holds(changes, ofBoth(failed)):
		return []typed{{"DeploymentStatusUpdate", row}}
	case c == "AllocationUpdated" && row.TriggeredBy == "deployment-watcher":
		return []typed{{"AllocationUpdateDesiredStatus", row}}
	}
	return []typed{{c, row}}
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
