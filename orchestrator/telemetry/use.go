package telemetry

import (
	"slices"

	"github.com/hashicorp/go-metrics"
	"github.com/hashicorp/nomad/api"
)

// Use is what was measured: what machines use, by the ID of their node, and what
// tasks use, by the ID of their allocation.
type Use struct {
	Hosts  map[string]*api.HostStats
	Allocs map[string]*api.AllocResourceUsage
}

// hosts tells what machines use. (Nomad: the names; of the disks, there is the one
// that holds the node's data.)
func (g *gauges) hosts(nodes []*api.Node, hosts map[string]*api.HostStats) {
	for _, node := range nodes {
		host := hosts[node.ID]
		if host == nil {
			continue
		}
		labels := nodeLabels(node)
		g.set(float64(host.Uptime), labels, "client/uptime")
		if m := host.Memory; m != nil {
			g.set(float64(m.Total), labels, "client/host/memory/total")
			g.set(float64(m.Available), labels, "client/host/memory/available")
			g.set(float64(m.Used), labels, "client/host/memory/used")
			g.set(float64(m.Free), labels, "client/host/memory/free")
		}
		for _, c := range host.CPU {
			of := append(slices.Clone(labels), label("cpu", c.CPU))
			g.set(100-c.Idle, of, "client/host/cpu/total_percent")
			g.set(c.User, of, "client/host/cpu/user")
			g.set(c.Idle, of, "client/host/cpu/idle")
			g.set(c.System, of, "client/host/cpu/system")
		}
		for _, d := range host.DiskStats {
			of := append(slices.Clone(labels), label("disk", d.Device))
			g.set(float64(d.Size), of, "client/host/disk/size")
			g.set(float64(d.Used), of, "client/host/disk/used")
			g.set(float64(d.Available), of, "client/host/disk/available")
			g.set(d.UsedPercent, of, "client/host/disk/used_percent")
			g.set(d.InodesUsedPercent, of, "client/host/disk/inodes_percent")
		}
	}
}

// tasks tells what tasks use. (Nomad: memory in bytes, the share of a processor in
// percent.)
func (g *gauges) tasks(allocs []*api.Allocation, used map[string]*api.AllocResourceUsage) {
	for _, a := range allocs {
		use := used[a.ID]
		if use == nil {
			continue
		}
		for name, task := range use.Tasks {
			labels := taskLabels(a, name)
			if m := task.ResourceUsage.MemoryStats; m != nil {
				g.set(float64(m.RSS), labels, "client/allocs/memory/rss")
				g.set(float64(m.Usage), labels, "client/allocs/memory/usage")
			}
			if c := task.ResourceUsage.CpuStats; c != nil {
				g.set(c.Percent, labels, "client/allocs/cpu/total_percent")
				g.set(c.SystemMode, labels, "client/allocs/cpu/system")
				g.set(c.UserMode, labels, "client/allocs/cpu/user")
				g.set(c.TotalTicks, labels, "client/allocs/cpu/total_ticks")
			}
		}
	}
}

// Count counts what has happened to the tasks of an allocation. (Nomad: the names;
// each is a counter.) A nil Telemetry counts nothing.
func (t *Telemetry) Count(before, after *api.Allocation) {
	if t == nil {
		return
	}
	for name, now := range after.TaskStates {
		was := before.TaskStates[name]
		if was == nil {
			was = &api.TaskState{}
		}
		labels := taskLabels(after, name)
		if now.State == "running" && was.State != "running" {
			t.metrics.IncrCounterWithLabels([]string{"client", "allocs", "running"}, 1, labels)
		}
		if now.State == "dead" && was.State != "dead" {
			how := "complete"
			if now.Failed {
				how = "failed"
			}
			t.metrics.IncrCounterWithLabels([]string{"client", "allocs", how}, 1, labels)
		}
		if more := now.Restarts - was.Restarts; now.Restarts > was.Restarts {
			t.metrics.IncrCounterWithLabels([]string{"client", "allocs", "restart"}, float32(more), labels)
		}
	}
}

// taskLabels are those of a task. (Nomad.)
func taskLabels(a *api.Allocation, task string) []metrics.Label {
	return []metrics.Label{
		label("job", a.JobID), label("task_group", a.TaskGroup), label("alloc_id", a.ID), label("task", task), label("namespace", a.Namespace),
	}
}

// nodeLabels are those of a node. (Nomad.)
func nodeLabels(node *api.Node) []metrics.Label {
	class := node.NodeClass
	if class == "" {
		class = "none"
	}
	return []metrics.Label{
		label("node_id", node.ID), label("datacenter", node.Datacenter), label("node_class", class), label("node_pool", node.NodePool),
		label("node_status", node.Status), label("node_scheduling_eligibility", node.SchedulingEligibility),
	}
}
