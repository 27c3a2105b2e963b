package runner

import (
	"fmt"
	"slices"
	"strings"
)

// cores are the processors that the task has for itself, as many as its job asks for. The scheduler counts them; which
// ones they are is decided here, at the first start, and holds until the task has ended.
func (t *task) cores() []int {
	_, _, spec := t.alloc.spec(t.name)
	if spec == nil || spec.Resources == nil || deref(spec.Resources.Cores) == 0 {
		return nil
	}
	r := t.alloc.runner
	r.mu.Lock()
	defer r.mu.Unlock()
	taken := map[int]bool{}
	for _, a := range r.allocs {
		for _, core := range a.pinned() {
			taken[core] = true
		}
	}
	a := t.alloc
	a.mu.Lock()
	defer a.mu.Unlock()
	if t.saved.Cores == nil && r.conf.Node.NodeResources != nil {
		for _, core := range r.conf.Node.NodeResources.Cpu.ReservableCpuCores {
			if len(t.saved.Cores) < *spec.Resources.Cores && !taken[int(core)] {
				t.saved.Cores = append(t.saved.Cores, int(core))
			}
		}
		a.save()
	}
	return t.saved.Cores
}

// Cores are the processors that tasks of an allocation have for themselves, by task. (Nomad: ReservedCores.)
func (r *Runner) Cores(allocID string) map[string][]int {
	a, err := r.lookup(allocID)
	if err != nil {
		return nil // it is gone, and its processors are free
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	cores := map[string][]int{}
	for _, t := range a.tasks {
		cores[t.name] = slices.Clone(t.saved.Cores)
	}
	return cores
}

// pinned are the processors that the allocation's tasks have for themselves while they live.
func (a *alloc) pinned() (cores []int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, t := range a.tasks {
		if t.saved.State.State != stateDead {
			cores = append(cores, t.saved.Cores...)
		}
	}
	return cores
}

// coreList writes processors as Linux does: "0-2,5".
func coreList(cores []int) string {
	cores = slices.Sorted(slices.Values(cores))
	var parts []string
	for i := 0; i < len(cores); {
		last := i
		for last+1 < len(cores) && cores[last+1] == cores[last]+1 {
			last++
		}
		part := fmt.Sprint(cores[i])
		if last > i {
			part += fmt.Sprintf("-%d", cores[last])
		}
		parts = append(parts, part)
		i = last + 1
	}
	return strings.Join(parts, ",")
}
