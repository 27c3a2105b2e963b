package jobdiff

import (
	"slices"
	"strconv"

	"github.com/hashicorp/nomad/api"
)

// The annotations of a plan. (Nomad: A2.)
const (
	forcesCreate      = "forces create"
	forcesDestroy     = "forces destroy"
	forcesInPlace     = "forces in-place update"
	forcesDestructive = "forces create/destroy update"
)

// Annotate writes into a difference what the plan does about it: how many
// allocations of each group change and how, and what each change calls for.
// (Nomad: A1.)
func Annotate(d *api.JobDiff, desired map[string]*api.DesiredUpdates) {
	for _, group := range d.TaskGroups {
		if counts := desired[group.Name]; counts != nil {
			group.Updates = updates(counts)
		}
		annotateCount(group)
		for _, task := range group.Tasks {
			if task.Type != None {
				task.Annotations = append(task.Annotations, annotation(task, group))
			}
		}
	}
}

func updates(counts *api.DesiredUpdates) map[string]uint64 {
	out := map[string]uint64{}
	for name, n := range map[string]uint64{
		"ignore": counts.Ignore, "create": counts.Place, "migrate": counts.Migrate, "destroy": counts.Stop,
		"canary": counts.Canary, "in-place update": counts.InPlaceUpdate, "create/destroy update": counts.DestructiveUpdate,
	} {
		if n != 0 {
			out[name] = n
		}
	}
	return out
}

func annotateCount(group *api.TaskGroupDiff) {
	i := slices.IndexFunc(group.Fields, func(f *api.FieldDiff) bool { return f.Name == "Count" })
	if i < 0 {
		return
	}
	count := group.Fields[i]
	// What is not there counts as 0.
	old, _ := strconv.Atoi(count.Old)
	new, _ := strconv.Atoi(count.New)
	switch {
	case old < new:
		count.Annotations = append(count.Annotations, forcesCreate)
	case old > new:
		count.Annotations = append(count.Annotations, forcesDestroy)
	}
}

func annotation(task *api.TaskDiff, group *api.TaskGroupDiff) string {
	switch {
	case group.Type == Added && task.Type == Added:
		return forcesCreate
	case group.Type == Deleted && task.Type == Deleted:
		return forcesDestroy
	case destructive(task):
		return forcesDestructive
	}
	return forcesInPlace
}

// destructive tells whether a change of a task ends its allocations. It goes by
// the names of what changed, so it is coarser than the scheduler. (Nomad.)
func destructive(task *api.TaskDiff) bool {
	field := func(f *api.FieldDiff) bool { return f.Name != "KillTimeout" }
	object := func(o *api.ObjectDiff) bool {
		switch o.Name {
		case "Service", "Constraint", "Affinity", "Spread":
			return false
		case "LogConfig":
			return slices.ContainsFunc(o.Fields, func(f *api.FieldDiff) bool { return f.Name == "Disabled" })
		}
		return true
	}
	return slices.ContainsFunc(task.Fields, field) || slices.ContainsFunc(task.Objects, object)
}
