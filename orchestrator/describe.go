package orchestrator

import (
	"slices"
	"strconv"
	"time"

	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator/runner"
)

// Node is what the client nodes say of themselves beyond what the machine is. A
// field that is zero leaves what was found.
type Node struct {
	// Name is that of the first node, and the server's; further nodes get a number
	// behind it.
	Name, Class, Pool string
	// Meta, when not empty, takes the place of what was set through the API.
	Meta map[string]string
	// CPU in MHz, and the rest in MiB, are what there is in all.
	CPU, MemoryMB, DiskMB int
	// Reserved is kept for others.
	Reserved *api.NodeReservedResources
	// The range of dynamic ports, both included.
	MinDynamicPort, MaxDynamicPort int
	MaxKillTimeout                 time.Duration
	HostVolumes                    map[string]*api.HostVolumeInfo
	// Fetch bounds the downloads of artifacts.
	Fetch runner.FetchLimits
	// Drivers, when not empty, are the only ones; DeniedDrivers are none.
	Drivers, DeniedDrivers []string
}

// describe puts n over what was found on this machine.
func (n Node) describe(found *api.Node) {
	found.NodePool = api.NodePoolDefault
	setText(&found.Name, n.Name)
	setText(&found.NodeClass, n.Class)
	setText(&found.NodePool, n.Pool)
	resources := found.NodeResources
	if n.CPU > 0 {
		resources.Cpu.CpuShares = int64(n.CPU)
		found.Attributes["cpu.totalcompute"], found.Attributes["cpu.usablecompute"] = strconv.Itoa(n.CPU), strconv.Itoa(n.CPU)
	}
	if n.MemoryMB > 0 {
		resources.Memory.MemoryMB = int64(n.MemoryMB)
		found.Attributes["memory.totalbytes"] = strconv.FormatInt(int64(n.MemoryMB)<<20, 10)
	}
	if n.DiskMB > 0 {
		resources.Disk.DiskMB = int64(n.DiskMB)
	}
	if n.MinDynamicPort > 0 {
		resources.MinDynamicPort = n.MinDynamicPort
	}
	if n.MaxDynamicPort > 0 {
		resources.MaxDynamicPort = n.MaxDynamicPort
	}
	if n.Reserved != nil {
		found.ReservedResources = n.Reserved
	}
	if n.HostVolumes != nil {
		found.HostVolumes = n.HostVolumes
	}
	n.dropDrivers(found)
}

func (n Node) dropDrivers(found *api.Node) {
	for name := range found.Drivers {
		if slices.Contains(n.DeniedDrivers, name) || len(n.Drivers) > 0 && !slices.Contains(n.Drivers, name) {
			delete(found.Drivers, name)
			delete(found.Attributes, "driver."+name)
		}
	}
}

func setText(into *string, text string) {
	if text != "" {
		*into = text
	}
}
