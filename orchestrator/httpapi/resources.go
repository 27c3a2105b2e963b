package httpapi

import (
	"slices"

	"github.com/hashicorp/nomad/api"
)

// allocReply is a whole allocation, with its resources in the older forms too:
// the command line still reads them. (Nomad.)
type allocReply struct {
	*api.Allocation
	AllocatedResources *allocatedResources
	// SharedResources is what its tasks have in common.
	SharedResources *api.Resources
}

type allocatedResources struct {
	Shared         api.AllocatedSharedResources
	Tasks          map[string]*taskResources
	TaskLifecycles map[string]*api.TaskLifecycle // null for a main task
}

type taskResources struct {
	*api.AllocatedTaskResources
	Cpu cpuResources
}

type cpuResources struct {
	CpuShares int64
	// ReservedCores are the processors that the task has for itself; none before
	// its first start.
	ReservedCores []int
}

// allocAnswer makes a reply of an allocation, which stays as it is.
func (s *server) allocAnswer(a *api.Allocation) *allocReply {
	reply := &allocReply{Allocation: withResources(a), AllocatedResources: s.allocated(a)}
	if a.AllocatedResources != nil {
		shared := a.AllocatedResources.Shared
		reply.SharedResources = resources(0, 0, 0, int(shared.DiskMB), shared.Networks)
	}
	return reply
}

// allocated is what an allocation has, with what only its node knows.
func (s *server) allocated(a *api.Allocation) *allocatedResources {
	if a.AllocatedResources == nil {
		return nil
	}
	tasks := a.AllocatedResources.Tasks
	all := &allocatedResources{
		Shared: a.AllocatedResources.Shared, Tasks: make(map[string]*taskResources, len(tasks)), TaskLifecycles: make(map[string]*api.TaskLifecycle, len(tasks)),
	}
	for name, task := range tasks {
		all.Tasks[name] = &taskResources{task, cpuResources{CpuShares: task.Cpu.CpuShares}}
		all.TaskLifecycles[name] = nil
	}
	group := a.GetTaskGroup()
	if group == nil {
		return all
	}
	cores := s.cores(a, group)
	for _, task := range group.Tasks {
		if given := all.Tasks[task.Name]; given != nil {
			given.Cpu.ReservedCores = cores[task.Name]
			all.TaskLifecycles[task.Name] = task.Lifecycle
		}
	}
	return all
}

// cores are the processors that tasks have for themselves, by task. The node of
// an allocation is asked only if its job asks for some.
func (s *server) cores(a *api.Allocation, group *api.TaskGroup) map[string][]int {
	asks := func(task *api.Task) bool {
		return task.Resources != nil && task.Resources.Cores != nil && *task.Resources.Cores > 0
	}
	if !slices.ContainsFunc(group.Tasks, asks) {
		return nil
	}
	node := s.Runner(a.NodeID)
	if node == nil {
		return nil
	}
	return node.Cores(a.ID)
}

// withResources adds the older forms in which an allocation tells its
// resources. The stored allocation stays as it is. (Nomad.)
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
