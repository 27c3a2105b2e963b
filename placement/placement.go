// Package placement puts into words why the scheduler finds no node for a task group.
package placement

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/nomad/api"
)

// Reasons names what stood in the way of a placement, one reason each: nothing to look
// at, constraints that filtered nodes, resources that were used up; of each kind the
// one that concerns most nodes first. The job says where it looks for nodes.
func Reasons(job *api.Job, m *api.AllocationMetric) []string {
	var why []string
	for _, dc := range slices.Sorted(maps.Keys(m.NodesAvailable)) {
		if m.NodesAvailable[dc] == 0 {
			why = append(why, fmt.Sprintf("no node is available in datacenter %q", dc))
		}
	}
	if m.NodesEvaluated == 0 && len(why) == 0 {
		why = append(why, noneEligible(job))
	}
	count := func(format string, m map[string]int) {
		for _, key := range byCount(m) {
			why = append(why, fmt.Sprintf(format, key, nodes(m[key])))
		}
	}
	count("node class %q filtered %s", m.ClassFiltered)
	count("constraint %q filtered %s", m.ConstraintFiltered)
	count("%s exhausted on %s", m.DimensionExhausted)
	for _, quota := range m.QuotaExhausted {
		why = append(why, "quota limit reached: "+quota)
	}
	return why
}

// noneEligible says where a job looks for nodes, in vain.
func noneEligible(job *api.Job) string {
	why := "no node was eligible"
	if !slices.Contains(job.Datacenters, "*") && len(job.Datacenters) > 0 {
		why += fmt.Sprintf(" in datacenter %s", strings.Join(job.Datacenters, ", "))
	}
	if pool := job.NodePool; pool != nil && *pool != "" && *pool != api.NodePoolDefault && *pool != api.NodePoolAll {
		why += fmt.Sprintf(" of the node pool %s", *pool)
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
