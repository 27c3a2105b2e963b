//go:build linux

package httpapi

import (
	"strconv"
	"testing"

	"github.com/hashicorp/nomad/api"
)

func TestUsage(t *testing.T) {
	client, alloc := running(t)
	used, err := client.Allocations().Stats(alloc, nil)
	if err != nil {
		t.Fatal(err)
	}
	task := used.Tasks["t"]
	if task == nil || task.ResourceUsage.MemoryStats.RSS == 0 || task.ResourceUsage.MemoryStats.RSS != used.ResourceUsage.MemoryStats.RSS {
		t.Errorf("the shell uses %+v of %+v", task, used.ResourceUsage.MemoryStats)
	}
	var processes uint64
	for pid, own := range task.Pids {
		if _, err := strconv.Atoi(pid); err != nil || own.CpuStats == nil {
			t.Errorf("process %q: %+v", pid, own)
		}
		processes += own.MemoryStats.RSS
	}
	if processes != task.ResourceUsage.MemoryStats.RSS {
		t.Errorf("the processes use %d bytes, the task %d", processes, task.ResourceUsage.MemoryStats.RSS)
	}
	host, err := client.Nodes().Stats(alloc.NodeID, nil)
	if err != nil {
		t.Fatal(err)
	}
	if host.Memory.Total == 0 || host.Uptime == 0 || len(host.CPU) == 0 || host.DiskStats[0].Size == 0 {
		t.Errorf("this machine: %+v", host)
	}
	if _, err := client.Allocations().Stats(&api.Allocation{ID: node1}, nil); err == nil {
		t.Error("an allocation that is not there is measured")
	}
}
