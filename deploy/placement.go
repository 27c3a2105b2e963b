package deploy

import (
	"maps"
	"slices"

	"github.com/hashicorp/nomad/api"

	"ostro/placement"
)

// GroupFailure says why the scheduler finds no node for part of a group.
type GroupFailure struct {
	Group   string
	Count   int      // allocations that cannot be placed
	Reasons []string // in words, one reason each
	Metric  *api.AllocationMetric
}

// failures puts the scheduler's placement metrics into words, ordered by group.
func failures(job *api.Job, failed map[string]*api.AllocationMetric) []GroupFailure {
	var list []GroupFailure
	for _, group := range slices.Sorted(maps.Keys(failed)) {
		m := failed[group]
		list = append(list, GroupFailure{Group: group, Count: m.CoalescedFailures + 1, Reasons: placement.Reasons(job, m), Metric: m})
	}
	return list
}
