package telemetry

import (
	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator/state"
)

// nodeUse is what runs on a node, and what it was promised.
type nodeUse struct {
	allocs                         map[string]int
	tasks                          map[string]int
	cpu, memory, maxMemory, diskMB int64
}

// nodes counts the allocations and tasks of each node, and what it has left.
func (g *gauges) nodes(snap *state.Snapshot, allocs []*api.Allocation) {
	used := map[string]*nodeUse{}
	for _, a := range allocs {
		if used[a.NodeID] == nil {
			used[a.NodeID] = &nodeUse{allocs: map[string]int{}, tasks: map[string]int{}}
		}
		used[a.NodeID].add(a)
	}
	for _, node := range snap.Nodes(nil) {
		use := used[node.ID]
		if use == nil {
			use = &nodeUse{}
		}
		g.node(node, use)
	}
}

func (u *nodeUse) add(a *api.Allocation) {
	status := a.ClientStatus
	if a.ClientTerminalStatus() {
		status = "terminal"
	}
	u.allocs[status]++
	for _, task := range a.TaskStates {
		u.tasks[task.State]++
	}
	if a.ClientTerminalStatus() || a.AllocatedResources == nil {
		return
	}
	for _, task := range a.AllocatedResources.Tasks {
		u.cpu += task.Cpu.CpuShares
		u.memory += task.Memory.MemoryMB
		u.maxMemory += max(task.Memory.MemoryMaxMB, task.Memory.MemoryMB)
	}
	u.diskMB += a.AllocatedResources.Shared.DiskMB
}

func (g *gauges) node(node *api.Node, use *nodeUse) {
	labels := nodeLabels(node)
	for status, word := range map[string]string{
		api.AllocClientStatusPending: "pending", api.AllocClientStatusRunning: "running", "terminal": "terminal",
	} {
		g.set(float64(use.allocs[status]), labels, "client/allocations/"+word)
	}
	g.set(0, labels, "client/allocations/blocked")
	g.set(0, labels, "client/allocations/migrating")
	for _, status := range []string{"pending", "running", "dead"} {
		g.set(float64(use.tasks[status]), labels, "client/tasks/"+status)
	}
	g.set(float64(use.cpu), labels, "client/allocated/cpu")
	g.set(float64(use.memory), labels, "client/allocated/memory")
	g.set(float64(use.maxMemory), labels, "client/allocated/max_memory")
	g.set(float64(use.diskMB), labels, "client/allocated/disk")
	if all := node.NodeResources; all != nil {
		g.set(float64(all.Cpu.CpuShares-use.cpu), labels, "client/unallocated/cpu")
		g.set(float64(all.Memory.MemoryMB-use.memory), labels, "client/unallocated/memory")
		g.set(float64(all.Disk.DiskMB-use.diskMB), labels, "client/unallocated/disk")
	}
}

// allocations tells what each task that lives was promised. (Nomad: the memory
// is in bytes here.)
func (g *gauges) allocations(allocs []*api.Allocation) {
	for _, a := range allocs {
		if a.ClientTerminalStatus() || a.AllocatedResources == nil {
			continue
		}
		for name, task := range a.AllocatedResources.Tasks {
			labels := taskLabels(a, name)
			g.set(float64(task.Cpu.CpuShares), labels, "client/allocs/cpu/allocated")
			g.set(float64(task.Memory.MemoryMB<<20), labels, "client/allocs/memory/allocated")
		}
	}
}
