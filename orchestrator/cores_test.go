package orchestrator_test

import (
	"slices"
	"testing"

	"ostro/orchestrator"
	"ostro/orchestrator/orchestratortest"
)

// TestAllocationNamesItsProcessors reads which processor a task has for itself.
func TestAllocationNamesItsProcessors(t *testing.T) {
	a := orchestratortest.Start(t, orchestrator.Config{})
	job := shellJob("service", "pinned", 1, "exec sleep 1000")
	job.TaskGroups[0].Tasks[0].Resources.Cores, job.TaskGroups[0].Tasks[0].Resources.CPU = new(1), nil
	register(t, a, job)
	deployment(t, a, "pinned", 0, "successful")
	register(t, a, shellJob("service", "free", 1, "exec sleep 1000"))
	deployment(t, a, "free", 0, "successful")
	cores := reservedCores(t, a, "pinned")
	all := readNode(t, a, nodeIDs(t, a)[0]).NodeResources.Cpu.ReservableCpuCores
	if len(cores) != 1 || !slices.Contains(all, cores[0]) {
		t.Errorf("the processors %v are reserved, not one of %v", cores, all)
	}
	if cores := reservedCores(t, a, "free"); len(cores) != 0 {
		t.Errorf("the processors %v are reserved for a task that asks for none", cores)
	}
}

// reservedCores reads the processors of a job's task, of which the client library
// knows nothing.
func reservedCores(t *testing.T, a *orchestratortest.Agent, jobID string) []uint16 {
	t.Helper()
	var alloc struct {
		AllocatedResources struct {
			Tasks map[string]struct {
				Cpu struct{ ReservedCores []uint16 }
			}
		}
	}
	if _, err := a.Client.Raw().Query("/v1/allocation/"+running(t, a, jobID)[0].ID, &alloc, nil); err != nil {
		t.Fatal(err)
	}
	for _, task := range alloc.AllocatedResources.Tasks {
		return task.Cpu.ReservedCores
	}
	t.Fatalf("the allocation of %s has no task", jobID)
	return nil
}
