package reconcile

import (
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/nomad/api"
)

// The range of dynamic ports of a node that names none. (Nomad: N2.)
const minDynamicPort, maxDynamicPort = 20000, 32000

// offer is what a group gets on a node, or the dimension that is exhausted, in
// Nomad's words. With oversubscribe, memory_max is kept.
func offer(node *api.Node, used *Usage, group *api.TaskGroup, oversubscribe bool) (*api.AllocatedResources, string) {
	o := offering{node: node, used: used, oversubscribe: oversubscribe}
	offered := &api.AllocatedResources{Tasks: make(map[string]*api.AllocatedTaskResources, len(group.Tasks))}
	if why := o.groupNetwork(group, &offered.Shared); why != "" {
		return nil, why
	}
	for _, task := range group.Tasks {
		r, why := o.task(task)
		if why != "" {
			return nil, why
		}
		offered.Tasks[task.Name] = r
	}
	if group.EphemeralDisk != nil {
		offered.Shared.DiskMB = int64(*group.EphemeralDisk.SizeMB)
	}
	total := capacityOf(node)
	switch {
	case used.cpu+o.cpu > total.cpu:
		return nil, "cpu"
	case used.memoryMB+o.memoryMB > total.memoryMB:
		return nil, "memory"
	case used.diskMB+offered.Shared.DiskMB > total.diskMB:
		return nil, "disk"
	}
	return offered, ""
}

// offering is one offer under way: what it has given so far.
type offering struct {
	node          *api.Node
	used          *Usage
	oversubscribe bool
	cpu, memoryMB int64
	cores         int
	given         map[int]bool
	next          int
}

// capacity is what a node has to give away, without what is reserved.
type capacity struct{ cpu, memoryMB, diskMB int64 }

func capacityOf(node *api.Node) capacity {
	total := capacity{node.NodeResources.Cpu.CpuShares, node.NodeResources.Memory.MemoryMB, node.NodeResources.Disk.DiskMB}
	if r := node.ReservedResources; r != nil {
		total.cpu -= int64(r.Cpu.CpuShares)
		total.memoryMB -= int64(r.Memory.MemoryMB)
		total.diskMB -= int64(r.Disk.DiskMB)
	}
	return total
}

// task gives a task its resources.
func (o *offering) task(task *api.Task) (*api.AllocatedTaskResources, string) {
	ask := task.Resources
	r := &api.AllocatedTaskResources{}
	r.Cpu.CpuShares = int64(*ask.CPU)
	r.Memory.MemoryMB = int64(*ask.MemoryMB)
	if ask.SecretsMB != nil {
		r.Memory.MemoryMB += int64(*ask.SecretsMB)
	}
	if o.oversubscribe {
		r.Memory.MemoryMaxMB = memoryMax(ask)
	}
	if ask.Cores != nil && *ask.Cores > 0 {
		if !o.reserveCores(*ask.Cores, r) {
			return nil, "cores"
		}
	}
	if len(ask.Networks) > 0 {
		network, why := o.taskNetwork(ask.Networks[0])
		if why != "" {
			return nil, why
		}
		r.Networks = []*api.NetworkResource{network}
	}
	o.cpu, o.memoryMB = o.cpu+r.Cpu.CpuShares, o.memoryMB+r.Memory.MemoryMB
	return r, ""
}

// memoryMax is how much memory a task may use, with its secrets; -1 is as much as
// there is, and 0 what is reserved for it. (Nomad.)
func memoryMax(ask *api.Resources) int64 {
	if ask.MemoryMaxMB == nil {
		return 0
	}
	most := int64(*ask.MemoryMaxMB)
	if most > 0 && ask.SecretsMB != nil {
		most += int64(*ask.SecretsMB)
	}
	return most
}

// reserveCores gives whole cores, and the shares of the processor that they
// stand for.
func (o *offering) reserveCores(n int, r *api.AllocatedTaskResources) bool {
	cpu := o.node.NodeResources.Cpu
	all := len(cpu.ReservableCpuCores)
	if o.used.cores+int64(o.cores+n) > int64(all) {
		return false
	}
	o.cores += n
	r.Cpu.CpuShares = cpu.CpuShares / int64(all) * int64(n)
	return true
}

// groupNetwork gives the ports of the group's network.
func (o *offering) groupNetwork(group *api.TaskGroup, shared *api.AllocatedSharedResources) string {
	if len(group.Networks) == 0 {
		return ""
	}
	network, why := o.network(group.Networks[0])
	if why != "" {
		return why
	}
	for _, port := range slices.Concat(network.ReservedPorts, network.DynamicPorts) {
		shared.Ports = append(shared.Ports, api.PortMapping{
			Label: port.Label, Value: port.Value, To: port.To, HostIP: network.IP,
		})
	}
	shared.Networks = []*api.NetworkResource{network}
	return ""
}

func (o *offering) taskNetwork(ask *api.NetworkResource) (*api.NetworkResource, string) {
	network, why := o.network(ask)
	if network != nil {
		network.MBits = ask.MBits
	}
	return network, why
}

// network gives fixed ports where they are free, and dynamic ones from the
// node's range.
func (o *offering) network(ask *api.NetworkResource) (*api.NetworkResource, string) {
	if o.given == nil {
		o.given = map[int]bool{}
	}
	given := &api.NetworkResource{Mode: ask.Mode, IP: hostIP(o.node), DNS: ask.DNS, Hostname: ask.Hostname}
	for _, port := range ask.ReservedPorts {
		if o.taken(port.Value) && !port.IgnoreCollision {
			return nil, fmt.Sprintf("network: reserved port collision %s=%d", port.Label, port.Value)
		}
		o.given[port.Value] = true
		given.ReservedPorts = append(given.ReservedPorts, port)
	}
	for _, port := range ask.DynamicPorts {
		value, ok := o.dynamicPort()
		if !ok {
			return nil, "network: dynamic port selection failed"
		}
		if port.Value = value; port.To == -1 {
			port.To = value
		}
		o.given[value] = true
		given.DynamicPorts = append(given.DynamicPorts, port)
	}
	return given, ""
}

func (o *offering) taken(port int) bool {
	return o.used.ports[port] > 0 || o.given[port] || reservedPort(o.node, port)
}

// reservedPort tells whether the node keeps a port for itself: its list is
// like "22,8500-8600".
func reservedPort(node *api.Node, port int) bool {
	if node.ReservedResources == nil {
		return false
	}
	for part := range strings.SplitSeq(node.ReservedResources.Networks.ReservedHostPorts, ",") {
		first, last, isRange := strings.Cut(strings.TrimSpace(part), "-")
		if !isRange {
			last = first
		}
		low, err := strconv.Atoi(first)
		high, err2 := strconv.Atoi(last)
		if err == nil && err2 == nil && low <= port && port <= high {
			return true
		}
	}
	return false
}

// dynamicPort goes round the node's range, from the port that was given last. The
// first is anywhere in it, so that the agents of one machine do not all give the
// same ports.
func (o *offering) dynamicPort() (int, bool) {
	low, high := dynamicPorts(o.node)
	switch {
	case o.next > 0:
	case o.used.lastPort > 0:
		o.next = o.used.lastPort + 1
	default:
		sum := fnv.New32a()
		sum.Write([]byte(o.node.ID))
		o.next = low + int(sum.Sum32()%uint32(high-low+1))
	}
	for range high - low + 1 {
		if o.next < low || o.next > high {
			o.next = low
		}
		port := o.next
		o.next++
		if !o.taken(port) {
			return port, true
		}
	}
	return 0, false
}

func dynamicPorts(node *api.Node) (low, high int) {
	low, high = node.NodeResources.MinDynamicPort, node.NodeResources.MaxDynamicPort
	if low == 0 {
		low = minDynamicPort
	}
	if high == 0 {
		high = maxDynamicPort
	}
	return low, high
}

func hostIP(node *api.Node) string {
	for _, network := range node.NodeResources.Networks {
		if network.IP != "" {
			return network.IP
		}
	}
	return ""
}
