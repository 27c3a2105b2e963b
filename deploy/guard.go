package deploy

import (
	"reflect"

	"github.com/hashicorp/nomad/api"
)

// sameChange reports whether two plans would change the same. What the scheduler
// makes of it may differ.
func sameChange(a, b *PlanResult) bool {
	return reflect.DeepEqual(withoutOutlook(a.JobDiff), withoutOutlook(b.JobDiff))
}

func withoutOutlook(d *api.JobDiff) *api.JobDiff {
	if d == nil {
		return nil
	}
	bare := *d
	bare.Fields = bareFields(d.Fields)
	bare.TaskGroups = nil
	for _, g := range d.TaskGroups {
		group := *g
		group.Updates, group.Fields, group.Tasks = nil, bareFields(g.Fields), nil
		for _, t := range g.Tasks {
			task := *t
			task.Annotations = nil
			group.Tasks = append(group.Tasks, &task)
		}
		bare.TaskGroups = append(bare.TaskGroups, &group)
	}
	return &bare
}

func bareFields(list []*api.FieldDiff) []*api.FieldDiff {
	var bare []*api.FieldDiff
	for _, f := range list {
		field := *f
		field.Annotations = nil
		bare = append(bare, &field)
	}
	return bare
}
