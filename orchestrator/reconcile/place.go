package reconcile

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/hashicorp/nomad/api"
)

// request asks for one new allocation.
type request struct {
	group *api.TaskGroup
	job   *api.Job
	name  string
	// previous is the allocation that the new one replaces, or nil.
	previous *api.Allocation
	// stopWhy, when set, says that previous is stopped once its replacement
	// has found a place, and why.
	stopWhy            string
	canary, reschedule bool
	// node restricts the choice to one node (system jobs).
	node *api.Node
}

// place finds a node and makes the allocation. Where none fits it notes why,
// and what was to be replaced stays. It tells whether it placed.
func (c *computation) place(r request) bool {
	name := *r.group.Name
	if r.previous != nil && r.stopWhy != "" {
		c.placer.free(r.previous)
	}
	chosen, metric := c.placer.choose(r)
	if chosen == nil {
		if r.previous != nil && r.stopWhy != "" {
			c.placer.occupy(r.previous)
		}
		c.queued[name]++
		if earlier := c.failed[name]; earlier != nil {
			earlier.CoalescedFailures++
		} else {
			c.failed[name] = metric
		}
		return false
	}
	a := c.newAlloc(r, chosen, metric)
	if r.previous != nil {
		c.replace(r, a)
	}
	c.enlist(a, r.canary)
	c.placer.occupy(a)
	c.out.Place = append(c.out.Place, a)
	return true
}

func (c *computation) newAlloc(r request, chosen *candidate, metric *api.AllocationMetric) *api.Allocation {
	now := c.in.Now.UnixNano()
	return &api.Allocation{
		ID: c.in.NewID(), Namespace: *r.job.Namespace, EvalID: c.in.Eval.ID, Name: r.name,
		NodeID: chosen.node.ID, NodeName: chosen.node.Name, JobID: *r.job.ID, Job: r.job, TaskGroup: *r.group.Name,
		AllocatedResources: chosen.resources, Metrics: metric,
		DesiredStatus: api.AllocDesiredStatusRun, ClientStatus: api.AllocClientStatusPending,
		CreateTime: now, ModifyTime: now,
	}
}

// replace links an allocation and its replacement. (Nomad: S3.)
func (c *computation) replace(r request, a *api.Allocation) {
	a.PreviousAllocation = r.previous.ID
	old := c.change(r.previous)
	old.NextAllocation = a.ID
	if r.stopWhy != "" {
		old.DesiredStatus, old.DesiredDescription = api.AllocDesiredStatusStop, r.stopWhy
	}
	if r.reschedule {
		c.trackReschedule(a, r.previous, r.group.ReschedulePolicy)
	}
}

// candidate is a node that fits, and what an allocation gets there.
type candidate struct {
	node      *api.Node
	resources *api.AllocatedResources
	score     float64
}

// placer knows what is free on each node.
type placer struct {
	in    Input
	usage map[string]*usage
}

func newPlacer(in Input) *placer { return &placer{in: in, usage: map[string]*usage{}} }

// on is the usage of a node, counted when it is first asked for.
func (p *placer) on(node *api.Node) *usage {
	u := p.usage[node.ID]
	if u == nil {
		u = newUsage(node)
		for _, a := range p.in.NodeAllocs(node.ID) {
			if !Terminal(a) {
				u.add(a)
			}
		}
		p.usage[node.ID] = u
	}
	return u
}

func (p *placer) node(id string) *api.Node {
	for _, node := range p.in.Nodes {
		if node.ID == id {
			return node
		}
	}
	return nil
}

func (p *placer) free(a *api.Allocation) {
	if node := p.node(a.NodeID); node != nil {
		p.on(node).remove(a)
	}
}

func (p *placer) occupy(a *api.Allocation) {
	if node := p.node(a.NodeID); node != nil {
		p.on(node).add(a)
	}
}

// choose picks the best node for a request, or nil and the reasons why there is
// none.
func (p *placer) choose(r request) (*candidate, *api.AllocationMetric) {
	metric := &api.AllocationMetric{
		NodePool: *r.job.NodePool, NodesAvailable: map[string]int{},
		ConstraintFiltered: map[string]int{}, DimensionExhausted: map[string]int{},
		ClassFiltered: map[string]int{}, ClassExhausted: map[string]int{},
	}
	var best *candidate
	for _, node := range p.inPool(r, metric) {
		metric.NodesEvaluated++
		if why := infeasible(r.job, r.group, node); why != "" {
			metric.NodesFiltered++
			metric.ConstraintFiltered[why]++
			continue
		}
		if why := p.distinct(r, node); why != "" {
			metric.NodesFiltered++
			metric.ConstraintFiltered[why]++
			continue
		}
		resources, why := p.on(node).offer(r.group)
		if why != "" {
			metric.NodesExhausted++
			metric.DimensionExhausted[why]++
			continue
		}
		found := &candidate{node: node, resources: resources, score: p.score(r, node)}
		metric.ScoreMetaData = append(metric.ScoreMetaData, &api.NodeScoreMeta{NodeID: node.ID, NormScore: found.score})
		if best == nil || found.score > best.score {
			best = found
		}
	}
	return best, metric
}

// inPool lists the nodes that are ready, in the job's datacenters and in its
// node pool, by name.
func (p *placer) inPool(r request, metric *api.AllocationMetric) []*api.Node {
	var nodes []*api.Node
	for _, node := range p.in.Nodes {
		if !inNodePool(r.job, node) {
			continue
		}
		metric.NodesInPool++
		if !Ready(node) || !inDatacenters(r.job, node) {
			continue
		}
		metric.NodesAvailable[node.Datacenter]++
		if r.node == nil || r.node.ID == node.ID {
			nodes = append(nodes, node)
		}
	}
	slices.SortFunc(nodes, func(a, b *api.Node) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID)) })
	return nodes
}

// score prefers full nodes, and nodes without an allocation of the same group.
// (Nomad: bin-packing and job anti-affinity, averaged.)
func (p *placer) score(r request, node *api.Node) float64 {
	u := p.on(node)
	binpack := u.fullness()
	same := 0
	for _, a := range u.allocs {
		if a.JobID == *r.job.ID && a.Namespace == *r.job.Namespace && a.TaskGroup == *r.group.Name {
			same++
		}
	}
	if same == 0 {
		return binpack
	}
	collision := -float64(same+1) / float64(max(*r.group.Count, 1))
	return (binpack + collision) / 2
}

// fitsInPlace tells whether an allocation can take up a changed group where it
// is: its node is still right for it and has room. (Nomad: U1.)
func (p *placer) fitsInPlace(a *api.Allocation, group *api.TaskGroup) bool {
	node, job := p.node(a.NodeID), p.in.Job
	if node == nil || !inDatacenters(job, node) || !inNodePool(job, node) || infeasible(job, group, node) != "" {
		return false
	}
	p.free(a)
	defer p.occupy(a)
	_, why := p.on(node).offer(group)
	return why == ""
}

// usage is what the allocations on a node hold.
type usage struct {
	node                 *api.Node
	allocs               map[string]*api.Allocation
	cpu, memoryMB, diskM int64
	ports                map[int]int
}

func newUsage(node *api.Node) *usage {
	return &usage{node: node, allocs: map[string]*api.Allocation{}, ports: map[int]int{}}
}

func (u *usage) add(a *api.Allocation) {
	if _, known := u.allocs[a.ID]; !known {
		u.allocs[a.ID] = a
		u.count(a, 1)
	}
}

func (u *usage) remove(a *api.Allocation) {
	if held, known := u.allocs[a.ID]; known {
		delete(u.allocs, a.ID)
		u.count(held, -1)
	}
}

func (u *usage) count(a *api.Allocation, sign int64) {
	if a.AllocatedResources == nil {
		return
	}
	for _, task := range a.AllocatedResources.Tasks {
		u.cpu += sign * task.Cpu.CpuShares
		u.memoryMB += sign * task.Memory.MemoryMB
	}
	u.diskM += sign * a.AllocatedResources.Shared.DiskMB
	for _, port := range a.AllocatedResources.Shared.Ports {
		u.ports[port.Value] += int(sign)
	}
}

func (u *usage) fullness() float64 {
	total := u.node.NodeResources
	if total == nil || total.Cpu.CpuShares == 0 || total.Memory.MemoryMB == 0 {
		return 0
	}
	return (float64(u.cpu)/float64(total.Cpu.CpuShares) + float64(u.memoryMB)/float64(total.Memory.MemoryMB)) / 2
}

// offer is what a group gets on the node, or the dimension that is exhausted.
func (u *usage) offer(group *api.TaskGroup) (*api.AllocatedResources, string) {
	offered := &api.AllocatedResources{Tasks: map[string]*api.AllocatedTaskResources{}}
	var cpu, memory int64
	for _, task := range group.Tasks {
		r := &api.AllocatedTaskResources{}
		r.Cpu.CpuShares = int64(*task.Resources.CPU)
		r.Memory.MemoryMB = int64(*task.Resources.MemoryMB)
		if task.Resources.MemoryMaxMB != nil {
			r.Memory.MemoryMaxMB = int64(*task.Resources.MemoryMaxMB)
		}
		cpu, memory = cpu+r.Cpu.CpuShares, memory+r.Memory.MemoryMB
		offered.Tasks[task.Name] = r
	}
	if group.EphemeralDisk != nil {
		offered.Shared.DiskMB = int64(*group.EphemeralDisk.SizeMB)
	}
	total := u.node.NodeResources
	switch {
	case u.cpu+cpu > total.Cpu.CpuShares:
		return nil, "cpu"
	case u.memoryMB+memory > total.Memory.MemoryMB:
		return nil, "memory"
	case u.diskM+offered.Shared.DiskMB > total.Disk.DiskMB:
		return nil, "disk"
	}
	if why := u.offerPorts(group, &offered.Shared); why != "" {
		return nil, why
	}
	return offered, ""
}

// The range of dynamic ports of a node that names none. (Nomad: N2.)
const minDynamicPort, maxDynamicPort = 20000, 32000

func (u *usage) offerPorts(group *api.TaskGroup, shared *api.AllocatedSharedResources) string {
	if len(group.Networks) == 0 {
		return ""
	}
	asked := group.Networks[0]
	network := &api.NetworkResource{Mode: asked.Mode, IP: hostIP(u.node), DNS: asked.DNS, Hostname: asked.Hostname}
	taken := maps.Clone(u.ports)
	for _, port := range asked.ReservedPorts {
		if taken[port.Value] > 0 && !port.IgnoreCollision {
			return fmt.Sprintf("network: reserved port collision %s=%d", port.Label, port.Value)
		}
		taken[port.Value]++
		network.ReservedPorts = append(network.ReservedPorts, port)
		shared.Ports = append(shared.Ports, mapping(port, network.IP))
	}
	next := dynamicStart(u.node)
	for _, port := range asked.DynamicPorts {
		for taken[next] > 0 {
			next++
		}
		if next > dynamicEnd(u.node) {
			return "network: dynamic port selection failed"
		}
		port.Value = next
		taken[next]++
		if port.To == -1 {
			port.To = next
		}
		network.DynamicPorts = append(network.DynamicPorts, port)
		shared.Ports = append(shared.Ports, mapping(port, network.IP))
	}
	shared.Networks = []*api.NetworkResource{network}
	return ""
}

func mapping(port api.Port, ip string) api.PortMapping {
	return api.PortMapping{Label: port.Label, Value: port.Value, To: port.To, HostIP: ip}
}

func hostIP(node *api.Node) string {
	if node.NodeResources != nil {
		for _, network := range node.NodeResources.Networks {
			if network.IP != "" {
				return network.IP
			}
		}
	}
	return ""
}

func dynamicStart(node *api.Node) int {
	if n := node.NodeResources.MinDynamicPort; n > 0 {
		return n
	}
	return minDynamicPort
}

func dynamicEnd(node *api.Node) int {
	if n := node.NodeResources.MaxDynamicPort; n > 0 {
		return n
	}
	return maxDynamicPort
}
