package placement_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/nomad/api"

	"ostro/placement"
)

func TestReasons(t *testing.T) {
	for _, c := range []struct {
		name   string
		job    api.Job
		metric api.AllocationMetric
		want   []string
	}{
		{"no node", api.Job{}, api.AllocationMetric{}, []string{"no node was eligible"}},
		{"no node anywhere", api.Job{Datacenters: []string{"*"}, NodePool: new("default")}, api.AllocationMetric{}, []string{"no node was eligible"}},
		{"no node where it looks", api.Job{Datacenters: []string{"dc1", "dc2"}, NodePool: new("gpu")}, api.AllocationMetric{},
			[]string{"no node was eligible in datacenter dc1, dc2 of the node pool gpu"}},
		{"an empty datacenter", api.Job{Datacenters: []string{"dc1", "dc2"}}, api.AllocationMetric{NodesAvailable: map[string]int{"dc2": 0, "dc1": 3}},
			[]string{`no node is available in datacenter "dc2"`}},
		{"filtered and exhausted", api.Job{}, api.AllocationMetric{
			NodesEvaluated: 7, ClassFiltered: map[string]int{"b": 1, "a": 1, "big": 2},
			ConstraintFiltered: map[string]int{"${attr.kernel.name} = windows": 2}, DimensionExhausted: map[string]int{"memory": 1, "cpu": 3},
			QuotaExhausted: []string{"memory"},
		}, []string{
			`node class "big" filtered 2 nodes`, `node class "a" filtered 1 node`, `node class "b" filtered 1 node`,
			`constraint "${attr.kernel.name} = windows" filtered 2 nodes`, "cpu exhausted on 3 nodes", "memory exhausted on 1 node", "quota limit reached: memory",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, placement.Reasons(&c.job, &c.metric)); diff != "" {
				t.Error(diff)
			}
		})
	}
}
