package deploy

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/nomad/api"
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
		list = append(list, GroupFailure{Group: group, Count: m.CoalescedFailures + 1, Reasons: placementReasons(job, m), Metric: m})
	}
	return list
}

// placementReasons names what stood in the way: nothing to look at, constraints
// that filtered nodes, resources that were used up.
func placementReasons(job *api.Job, m *api.AllocationMetric) []string {
	var why []string
	for _, dc := range slices.Sorted(maps.Keys(m.NodesAvailable)) {
		if m.NodesAvailable[dc] == 0 {
			why = append(why, fmt.Sprintf("no node is available in datacenter %q", dc))
		}
	}
	if m.NodesEvaluated == 0 && len(why) == 0 {
		why = append(why, noneEligible(job))
	}
	for _, class := range slices.Sorted(maps.Keys(m.ClassFiltered)) {
		why = append(why, fmt.Sprintf("node class %q filtered %s", class, nodes(m.ClassFiltered[class])))
	}
	for _, c := range byCount(m.ConstraintFiltered) {
		why = append(why, fmt.Sprintf("constraint %q filtered %s", c, nodes(m.ConstraintFiltered[c])))
	}
	for _, d := range byCount(m.DimensionExhausted) {
		why = append(why, fmt.Sprintf("%s exhausted on %s", d, nodes(m.DimensionExhausted[d])))
	}
	for _, q := range m.QuotaExhausted {
		why = append(why, fmt.Sprintf("quota limit reached: %s", q))
	}
	return why
}

// noneEligible says where a job looks for nodes, in vain.
func noneEligible(job *api.Job) string {
	why := "no node was eligible"
	if !slices.Contains(job.Datacenters, "*") && len(job.Datacenters) > 0 {
		why += fmt.Sprintf(" in datacenter %s", strings.Join(job.Datacenters, ", "))
	}
	if pool := deref(job.NodePool); pool != "" && pool != api.NodePoolDefault && pool != api.NodePoolAll {
		why += fmt.Sprintf(" of the node pool %s", pool)
	}
	return why
}

// byCount orders the keys by falling count, then by name.
func byCount(m map[string]int) []string {
	return slices.SortedFunc(maps.Keys(m), func(a, b string) int {
		return cmp.Or(cmp.Compare(m[b], m[a]), cmp.Compare(a, b))
	})
}

func nodes(n int) string {
	if n == 1 {
		return "1 node"
	}
	return fmt.Sprintf("%d nodes", n)
}
