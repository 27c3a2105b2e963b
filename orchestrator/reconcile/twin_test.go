package reconcile

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"testing"

	"github.com/hashicorp/nomad/api"
	"pgregory.net/rapid"
)

// TestPlacementTwin compares the choice of a node with that of a twin, which
// counts every allocation anew for every node.
func TestPlacementTwin(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(rt)
		for i := range rapid.IntRange(1, 6).Draw(rt, "nodes") {
			w.node([]string{fmt.Sprintf("n%d", i), "rack=r" + strconv.Itoa(rapid.IntRange(1, 3).Draw(rt, "rack")),
				"memory=" + strconv.Itoa(rapid.SampledFrom([]int{150, 400, 4000}).Draw(rt, "memory"))})
		}
		w.register([]string{"other", "count=3"})
		other := w.versions[0]
		w.versions = nil
		w.register(randomPlacement(rt))
		job := w.versions[0]
		for i := range rapid.IntRange(0, 8).Draw(rt, "allocations") {
			owner := rapid.SampledFrom([]*api.Job{job, other}).Draw(rt, "owner")
			node := rapid.SampledFrom(w.nodes).Draw(rt, "node")
			w.allocs[fmt.Sprint(i)] = &api.Allocation{
				ID: fmt.Sprint(i), Namespace: "default", JobID: *owner.ID, Job: owner, TaskGroup: "g", NodeID: node.ID,
				DesiredStatus: rapid.SampledFrom([]string{"run", "run", "stop"}).Draw(rt, "desired"), ClientStatus: "running",
				AllocatedResources: held(owner),
			}
		}
		request := request{group: job.TaskGroups[0], job: job}
		if rapid.Bool().Draw(rt, "replaces") && len(w.allocs) > 0 {
			previous := *rapid.SampledFrom(w.sorted()).Draw(rt, "previous")
			previous.ClientStatus = api.AllocClientStatusFailed
			request.previous = &previous
		}
		compareWithTwin(rt, w, request)
	})
}

func randomPlacement(rt *rapid.T) []string {
	args := []string{"web", fmt.Sprintf("count=%d", rapid.IntRange(1, 6).Draw(rt, "count"))}
	for _, option := range []string{"distinct_hosts", "distinct_rack=2", "spread", "spread=r1:60", "affinity=r2", "port=80", "kernel=linux", "memory=140"} {
		if rapid.IntRange(0, 3).Draw(rt, option) == 0 {
			args = append(args, option)
		}
	}
	return args
}

// held is what an allocation of a job holds on its node.
func held(job *api.Job) *api.AllocatedResources {
	r := &api.AllocatedResources{Tasks: map[string]*api.AllocatedTaskResources{}}
	group := job.TaskGroups[0]
	for _, task := range group.Tasks {
		r.Tasks[task.Name] = &api.AllocatedTaskResources{
			Cpu: api.AllocatedCpuResources{CpuShares: int64(*task.Resources.CPU)}, Memory: api.AllocatedMemoryResources{MemoryMB: int64(*task.Resources.MemoryMB)},
		}
	}
	for _, network := range group.Networks {
		for _, port := range network.ReservedPorts {
			r.Shared.Ports = append(r.Shared.Ports, api.PortMapping{Label: port.Label, Value: port.Value})
		}
	}
	r.Shared.DiskMB = int64(*group.EphemeralDisk.SizeMB)
	return r
}

func compareWithTwin(rt *rapid.T, w *world, r request) {
	eval := &api.Evaluation{ID: "e", JobID: *r.job.ID}
	in := w.input(eval)
	in.Allocs = slices.DeleteFunc(in.Allocs, func(a *api.Allocation) bool { return a.JobID != *r.job.ID })
	chosen, metric := newPlacer(in).choose(r)
	twin := twin{w: w, r: r}
	best, score, fit := "", math.Inf(-1), 0
	for _, node := range w.nodes {
		if !twin.fits(node) {
			continue
		}
		fit++
		if s := twin.score(node); s > score+1e-9 {
			best, score = node.ID, s
		}
	}
	switch {
	case fit == 0 && chosen != nil:
		rt.Fatalf("chose %s, and the twin finds no place", chosen.node.ID)
	case fit == 0:
	case chosen == nil:
		rt.Fatalf("found no place (%v, %v), and the twin finds %s", metric.ConstraintFiltered, metric.DimensionExhausted, best)
	case math.Abs(chosen.score-score) > 1e-9:
		rt.Fatalf("chose %s with %f, and the twin %s with %f", chosen.node.ID, chosen.score, best, score)
	}
	if n := metric.NodesEvaluated - metric.NodesFiltered - metric.NodesExhausted; n != fit {
		rt.Fatalf("says that %d nodes fit, and the twin that %d do", n, fit)
	}
}

// twin is the slow way to rate a node, straight from the rules F1 to F10.
type twin struct {
	w *world
	r request
}

// on lists the live allocations for which where holds.
func (t twin) on(where func(*api.Allocation) bool) (list []*api.Allocation) {
	for _, a := range t.w.allocs {
		if a.DesiredStatus == "run" && where(a) {
			list = append(list, a)
		}
	}
	return list
}

func (t twin) ours(a *api.Allocation) bool { return a.JobID == *t.r.job.ID }

// inRack lists the job's own allocations on the nodes of a rack.
func (t twin) inRack(rack string) int {
	return len(t.on(func(a *api.Allocation) bool { return t.ours(a) && t.rackOf(a.NodeID) == rack }))
}

func (t twin) rackOf(nodeID string) string {
	i := slices.IndexFunc(t.w.nodes, func(n *api.Node) bool { return n.ID == nodeID })
	return t.w.nodes[i].Meta["rack"]
}

func (t twin) fits(node *api.Node) bool {
	here := t.on(func(a *api.Allocation) bool { return a.NodeID == node.ID })
	memory := int64(*t.r.group.Tasks[0].Resources.MemoryMB)
	for _, a := range here {
		memory += a.AllocatedResources.Tasks["t"].Memory.MemoryMB
		if len(t.r.group.Networks) > 0 && len(a.AllocatedResources.Shared.Ports) > 0 {
			return false
		}
	}
	for _, c := range t.r.group.Constraints {
		switch c.Operand {
		case api.ConstraintDistinctHosts:
			if slices.ContainsFunc(here, t.ours) {
				return false
			}
		case api.ConstraintDistinctProperty:
			if t.inRack(node.Meta["rack"]) >= 2 {
				return false
			}
		}
	}
	return memory <= node.NodeResources.Memory.MemoryMB
}

func (t twin) score(node *api.Node) float64 {
	cpu, memory, same := 100.0, float64(*t.r.group.Tasks[0].Resources.MemoryMB), 0
	for _, a := range t.on(func(a *api.Allocation) bool { return a.NodeID == node.ID }) {
		cpu += float64(a.AllocatedResources.Tasks["t"].Cpu.CpuShares)
		memory += float64(a.AllocatedResources.Tasks["t"].Memory.MemoryMB)
		if t.ours(a) {
			same++
		}
	}
	total := node.NodeResources
	fit := 20 - math.Pow(10, 1-cpu/float64(total.Cpu.CpuShares)) - math.Pow(10, 1-memory/float64(total.Memory.MemoryMB))
	scores := []float64{min(max(fit, 0), 18) / 18}
	count := float64(*t.r.group.Count)
	if same > 0 {
		scores = append(scores, -float64(same+1)/count)
	}
	if t.r.previous != nil && t.r.previous.NodeID == node.ID {
		scores = append(scores, -1)
	}
	if len(t.r.group.Affinities) > 0 {
		scores = append(scores, 0)
		if node.Meta["rack"] == "r2" {
			scores[len(scores)-1] = 1
		}
	}
	if boost := t.spread(node.Meta["rack"], count); boost != 0 {
		scores = append(scores, boost)
	}
	sum := 0.0
	for _, s := range scores {
		sum += s
	}
	return sum / float64(len(scores))
}

func (t twin) spread(rack string, count float64) float64 {
	if len(t.r.group.Spreads) == 0 {
		return 0
	}
	if len(t.r.group.Spreads[0].SpreadTarget) > 0 {
		want, used := 0.6*count, t.inRack("r1")
		if rack != "r1" {
			want, used = 0.4*count, t.inRack("r2")+t.inRack("r3")
		}
		return (want - float64(used+1)) / want
	}
	least, most := 0, 0
	for _, r := range []string{"r1", "r2", "r3"} {
		if n := t.inRack(r); n > 0 && (least == 0 || n < least) {
			least = n
		}
		most = max(most, t.inRack(r))
	}
	have := t.inRack(rack)
	switch {
	case most == 0:
		return 0
	case have != least:
		return float64(least-have) / float64(least)
	case least == most:
		return -1
	}
	return float64(most-least) / float64(least)
}
