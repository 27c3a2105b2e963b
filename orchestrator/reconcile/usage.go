package reconcile

import (
	"maps"

	"github.com/hashicorp/nomad/api"
)

// Usage is what the allocations on one node hold: sums, never a list, so that
// it costs the same however many they are. The zero value is an empty node.
type Usage struct {
	cpu, memoryMB, diskMB, cores int64
	// ports counts who holds each; two may share a port that says so.
	ports map[int]int
	// lastPort is the dynamic port that was given last. The next one is looked
	// for after it, so that a port comes back into use as late as possible.
	lastPort int
}

// Add counts an allocation.
func (u *Usage) Add(a *api.Allocation) { u.count(a, 1) }

// Remove takes back what Add counted.
func (u *Usage) Remove(a *api.Allocation) { u.count(a, -1) }

func (u *Usage) clone() *Usage {
	copied := *u
	copied.ports = maps.Clone(u.ports)
	return &copied
}

func (u *Usage) count(a *api.Allocation, sign int) {
	if a.AllocatedResources == nil {
		return
	}
	u.cores += int64(sign * coresOf(a))
	for _, task := range a.AllocatedResources.Tasks {
		u.cpu += int64(sign) * task.Cpu.CpuShares
		u.memoryMB += int64(sign) * task.Memory.MemoryMB
		for _, network := range task.Networks {
			for _, port := range network.ReservedPorts {
				u.port(port.Value, sign)
			}
			for _, port := range network.DynamicPorts {
				u.lastPort = port.Value
				u.port(port.Value, sign)
			}
		}
	}
	u.diskMB += int64(sign) * a.AllocatedResources.Shared.DiskMB
	for _, network := range a.AllocatedResources.Shared.Networks {
		for _, port := range network.DynamicPorts {
			u.lastPort = port.Value
		}
	}
	for _, port := range a.AllocatedResources.Shared.Ports {
		u.port(port.Value, sign)
	}
}

// port changes a count and drops it at 0, so that equal usages are equal maps.
func (u *Usage) port(value, sign int) {
	if u.ports == nil {
		u.ports = map[int]int{}
	}
	if u.ports[value] += sign; u.ports[value] == 0 {
		delete(u.ports, value)
	}
}

// coresOf is how many whole cores an allocation holds. The API has no field for
// them, so its job tells.
func coresOf(a *api.Allocation) (n int) {
	if a.Job == nil {
		return 0
	}
	group := a.Job.LookupTaskGroup(a.TaskGroup)
	if group == nil {
		return 0
	}
	for _, task := range group.Tasks {
		if task.Resources != nil && task.Resources.Cores != nil {
			n += *task.Resources.Cores
		}
	}
	return n
}

// Holds tells whether an allocation counts towards the usage of its node.
func Holds(a *api.Allocation) bool { return !Terminal(a) }

// Equal tells whether the same is held on two nodes.
func (u *Usage) Equal(o *Usage) bool {
	return u.cpu == o.cpu && u.memoryMB == o.memoryMB && u.diskMB == o.diskMB && u.cores == o.cores && maps.Equal(u.ports, o.ports)
}
