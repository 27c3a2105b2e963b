package jobdiff

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"

	"github.com/hashicorp/nomad/api"
)

// The types of a difference. (Nomad.)
const (
	None    = "None"
	Added   = "Added"
	Deleted = "Deleted"
	Edited  = "Edited"
)

// Jobs compares two canonical jobs; old is nil for a new job, new for one that
// goes away. With contextual, a changed block shows its unchanged values too.
func Jobs(old, new *api.Job, contextual bool) (*api.JobDiff, error) {
	d := &api.JobDiff{Type: None}
	c := comparison{contextual}
	switch {
	case old == nil && new == nil:
		return d, nil
	case old == nil:
		d.Type, d.ID = Added, *new.ID
	case new == nil:
		d.Type, d.ID = Deleted, *old.ID
	case *old.ID != *new.ID:
		return nil, fmt.Errorf("can not diff jobs with different IDs: %q and %q", *old.ID, *new.ID)
	default:
		d.ID = *new.ID
	}
	before, after := layoutJob(old), layoutJob(new)
	d.Fields = fieldDiffs(before.values(), after.values(), false)
	d.Objects = c.parts(before, after)
	d.TaskGroups = c.groups(groupsOf(old), groupsOf(new))
	if d.Type == None && changed(d) {
		d.Type = Edited
	}
	return d, nil
}

func changed(d *api.JobDiff) bool {
	return len(d.Fields) > 0 ||
		slices.ContainsFunc(d.Objects, func(o *api.ObjectDiff) bool { return o.Type != None }) ||
		slices.ContainsFunc(d.TaskGroups, func(g *api.TaskGroupDiff) bool { return g.Type != None })
}

func groupsOf(job *api.Job) []*api.TaskGroup {
	if job == nil {
		return nil
	}
	return job.TaskGroups
}

// pairs matches the elements of two lists by name, in the order of the names.
// An element without a counterpart is paired with nil.
func pairs[T any](old, new []*T, name func(*T) string) [][2]*T {
	byName := map[string]*[2]*T{}
	for side, list := range [2][]*T{old, new} {
		for _, item := range list {
			pair := byName[name(item)]
			if pair == nil {
				pair = &[2]*T{}
				byName[name(item)] = pair
			}
			pair[side] = item
		}
	}
	var out [][2]*T
	for _, pair := range byName {
		out = append(out, *pair)
	}
	slices.SortFunc(out, func(a, b [2]*T) int {
		return cmp.Compare(name(cmp.Or(a[0], a[1])), name(cmp.Or(b[0], b[1])))
	})
	return out
}

// changeType is the type of a change of something that is compared as a whole.
func changeType[T any](old, new *T) string {
	switch {
	case old == nil:
		return Added
	case new == nil:
		return Deleted
	case reflect.DeepEqual(old, new):
		return None
	}
	return Edited
}

func (c comparison) groups(old, new []*api.TaskGroup) []*api.TaskGroupDiff {
	var diffs []*api.TaskGroupDiff
	for _, pair := range pairs(old, new, func(g *api.TaskGroup) string { return *g.Name }) {
		diffs = append(diffs, c.group(pair[0], pair[1]))
	}
	return diffs
}

func (c comparison) group(old, new *api.TaskGroup) *api.TaskGroupDiff {
	before, after := layoutGroup(old), layoutGroup(new)
	if old != nil && new != nil {
		// Nomad shows it only where the group is on both sides.
		before.fields["ShutdownDelay"], after.fields["ShutdownDelay"] = text(old.ShutdownDelay), text(new.ShutdownDelay)
	}
	d := &api.TaskGroupDiff{
		Type: changeType(old, new), Name: *cmp.Or(new, old).Name,
		Fields: fieldDiffs(before.values(), after.values(), false), Objects: c.parts(before, after),
	}
	for _, pair := range pairs(tasksOf(old), tasksOf(new), func(t *api.Task) string { return t.Name }) {
		d.Tasks = append(d.Tasks, c.task(pair[0], pair[1]))
	}
	return d
}

func tasksOf(group *api.TaskGroup) []*api.Task {
	if group == nil {
		return nil
	}
	return group.Tasks
}

func (c comparison) task(old, new *api.Task) *api.TaskDiff {
	before, after := layoutTask(old), layoutTask(new)
	return &api.TaskDiff{
		Type: changeType(old, new), Name: cmp.Or(new, old).Name,
		Fields: fieldDiffs(before.values(), after.values(), false), Objects: c.parts(before, after),
	}
}
