package httpapi

import (
	"github.com/hashicorp/nomad/api"
)

// withResources adds the older forms in which an allocation tells its
// resources: the command line still reads them. The stored allocation stays as
// it is. (Nomad.)
func withResources(a *api.Allocation) *api.Allocation {
	if a == nil || a.AllocatedResources == nil || a.Resources != nil {
		return a
	}
	whole := *a
	shared := a.AllocatedResources.Shared
	whole.TaskResources = map[string]*api.Resources{}
	total := resources(0, 0, 0, int(shared.DiskMB), shared.Networks)
	for name, task := range a.AllocatedResources.Tasks {
		cpu, memory, most := int(task.Cpu.CpuShares), int(task.Memory.MemoryMB), int(task.Memory.MemoryMaxMB)
		whole.TaskResources[name] = resources(cpu, memory, most, 0, task.Networks)
		*total.CPU += cpu
		*total.MemoryMB += memory
		*total.MemoryMaxMB += max(memory, most)
	}
	whole.Resources = total
	return &whole
}

func resources(cpu, memory, most, disk int, networks []*api.NetworkResource) *api.Resources {
	return &api.Resources{
		CPU: &cpu, MemoryMB: &memory, MemoryMaxMB: &most, DiskMB: &disk, Networks: networks,
		Cores: new(0), IOPS: new(0), SecretsMB: new(0),
	}
}
