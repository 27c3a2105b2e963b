package reconcile

import (
	"cmp"
	"maps"
	"slices"

	"github.com/hashicorp/nomad/api"
)

// candidate is a node that fits, and what an allocation gets there.
type candidate struct {
	node      *api.Node
	resources *api.AllocatedResources
	scores    []score
	score     float64
}

// score is one of the figures that a node is rated by.
type score struct {
	name  string
	value float64
}

// placer knows what is free on each node, with what this decision has changed
// so far.
type placer struct {
	in    Input
	nodes []*api.Node // by name
	byID  map[string]*api.Node
	// usage are copies for the nodes that the decision touched.
	usage map[string]*Usage
	// freed are allocations whose room was given back.
	freed map[string]bool
	// own counts the job's allocations by node and group.
	own map[string]map[string]int
	// pools and verdicts remember what does not change within a decision.
	pools    map[*api.Job]*pool
	verdicts map[verdictKey]string
}

type verdictKey struct {
	group *api.TaskGroup
	node  *api.Node
}

// pool are the nodes that take new allocations of a job.
type pool struct {
	nodes     []*api.Node
	available map[string]int
}

func newPlacer(in Input) *placer {
	p := &placer{
		in: in, byID: map[string]*api.Node{}, usage: map[string]*Usage{}, freed: map[string]bool{},
		own: map[string]map[string]int{}, pools: map[*api.Job]*pool{}, verdicts: map[verdictKey]string{},
	}
	p.nodes = slices.SortedFunc(slices.Values(in.Nodes), func(a, b *api.Node) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
	})
	for _, node := range p.nodes {
		p.byID[node.ID] = node
	}
	for _, a := range in.Allocs {
		if Holds(a) {
			p.countOwn(a, 1)
		}
	}
	return p
}

func (p *placer) countOwn(a *api.Allocation, change int) {
	groups := p.own[a.NodeID]
	if groups == nil {
		groups = map[string]int{}
		p.own[a.NodeID] = groups
	}
	groups[a.TaskGroup] += change
}

// on is the usage of a node. It must not be changed.
func (p *placer) on(id string) *Usage {
	if u := p.usage[id]; u != nil {
		return u
	}
	if u := p.in.Usage(id); u != nil {
		return u
	}
	return &Usage{}
}

// touch is the usage of a node as a copy of this decision's own.
func (p *placer) touch(id string) *Usage {
	u := p.usage[id]
	if u == nil {
		u = p.on(id).clone()
		p.usage[id] = u
	}
	return u
}

// free gives back the room of an allocation; it may be told twice.
func (p *placer) free(a *api.Allocation) {
	if Holds(a) && !p.freed[a.ID] {
		p.freed[a.ID] = true
		p.touch(a.NodeID).Remove(a)
		p.countOwn(a, -1)
	}
}

// restore takes a free back.
func (p *placer) restore(a *api.Allocation) {
	if p.freed[a.ID] {
		delete(p.freed, a.ID)
		p.occupy(a)
	}
}

// occupy takes the room of a new allocation.
func (p *placer) occupy(a *api.Allocation) {
	p.touch(a.NodeID).Add(a)
	p.countOwn(a, 1)
}

// oversubscribes tells whether a task may use more memory than is reserved for it,
// as long as there is some.
func (p *placer) oversubscribes() bool {
	return p.in.Scheduler != nil && p.in.Scheduler.MemoryOversubscriptionEnabled
}

// poolOf lists the nodes that are ready, in the job's datacenters and in its
// node pool, by name.
func (p *placer) poolOf(job *api.Job) *pool {
	if known := p.pools[job]; known != nil {
		return known
	}
	found := &pool{available: map[string]int{}}
	for _, node := range p.nodes {
		if Ready(node) && Targets(job, node) {
			found.nodes = append(found.nodes, node)
			found.available[node.Datacenter]++
		}
	}
	p.pools[job] = found
	return found
}

// infeasible asks once for each group and node.
func (p *placer) infeasible(job *api.Job, group *api.TaskGroup, node *api.Node) string {
	key := verdictKey{group, node}
	why, known := p.verdicts[key]
	if !known {
		why = infeasible(job, group, node)
		p.verdicts[key] = why
	}
	return why
}

// choose picks the best node for a request, or nil and the reasons why there is
// none.
func (p *placer) choose(r request) (*candidate, *api.AllocationMetric) {
	if node := p.preferred(r); node != nil {
		sticky := r
		sticky.node = node
		if chosen, metric := p.chooseFrom(sticky); chosen != nil {
			return chosen, metric
		}
	}
	return p.chooseFrom(r)
}

// preferred is the node that holds the data of a group's sticky disk.
// (Nomad: not after a change of the datacenters or the pool.)
func (p *placer) preferred(r request) *api.Node {
	disk := r.group.EphemeralDisk
	if r.previous == nil || r.node != nil || disk == nil || !*disk.Sticky && !*disk.Migrate {
		return nil
	}
	node := p.byID[r.previous.NodeID]
	if node == nil || !Ready(node) || *r.previous.Job.NodePool != *r.job.NodePool ||
		!slices.Equal(r.previous.Job.Datacenters, r.job.Datacenters) {
		return nil
	}
	return node
}

func (p *placer) chooseFrom(r request) (*candidate, *api.AllocationMetric) {
	pool := p.poolOf(r.job)
	metric := &api.AllocationMetric{NodePool: *r.job.NodePool, NodesInPool: len(pool.nodes), NodesAvailable: pool.available}
	nodes := pool.nodes
	if r.node != nil {
		nodes = []*api.Node{r.node}
	}
	distinct := p.distinct(r)
	scorer := p.scorer(r)
	var best *candidate
	var top []*candidate
	for _, node := range nodes {
		metric.NodesEvaluated++
		why := p.infeasible(r.job, r.group, node)
		if why == "" {
			why = distinct(node)
		}
		if why != "" {
			filtered(metric, node, why)
			continue
		}
		resources, why := offer(node, p.on(node.ID), r.group, p.oversubscribes())
		if why != "" {
			exhausted(metric, node, why)
			continue
		}
		found := &candidate{node: node, resources: resources}
		scorer(found)
		top = append(top, found)
		if best == nil || found.score > best.score {
			best = found
		}
	}
	metric.ScoreMetaData = scoreMeta(top)
	return best, metric
}

// fitsInPlace tells whether an allocation can take up a changed group where it
// is: its node is still right for it and has room. (Nomad: U1.)
func (p *placer) fitsInPlace(a *api.Allocation, group *api.TaskGroup) bool {
	node, job := p.byID[a.NodeID], p.in.Job
	if node == nil || !Targets(job, node) || p.infeasible(job, group, node) != "" {
		return false
	}
	used := p.on(a.NodeID)
	if Holds(a) && !p.freed[a.ID] {
		used = used.clone()
		used.Remove(a)
	}
	_, why := offer(node, used, group, p.oversubscribes())
	return why == ""
}

// filtered notes a node that is not right, whatever is free on it.
func filtered(m *api.AllocationMetric, node *api.Node, why string) {
	m.NodesFiltered++
	m.ClassFiltered = tallyClass(m.ClassFiltered, node)
	m.ConstraintFiltered = tally(m.ConstraintFiltered, why)
}

// exhausted notes a node that has no room.
func exhausted(m *api.AllocationMetric, node *api.Node, dimension string) {
	m.NodesExhausted++
	m.ClassExhausted = tallyClass(m.ClassExhausted, node)
	m.DimensionExhausted = tally(m.DimensionExhausted, dimension)
}

func tallyClass(counts map[string]int, node *api.Node) map[string]int {
	if node.NodeClass == "" {
		return counts
	}
	return tally(counts, node.NodeClass)
}

func tally(counts map[string]int, key string) map[string]int {
	if counts == nil {
		counts = map[string]int{}
	}
	counts[key]++
	return counts
}

// lacking adds to a metric what the tasks of a group lack. (Nomad.)
func lacking(m *api.AllocationMetric, group *api.TaskGroup) {
	if m.DimensionExhausted == nil {
		return
	}
	resources := maps.Clone(m.ResourcesExhausted)
	if resources == nil {
		resources = map[string]*api.Resources{}
	}
	for _, task := range group.Tasks {
		sum := noResources()
		if had := resources[task.Name]; had != nil {
			sum = *had
		}
		if m.DimensionExhausted["memory"] > 0 {
			sum.MemoryMB = new(*sum.MemoryMB + *task.Resources.MemoryMB)
		}
		if m.DimensionExhausted["cpu"] > 0 {
			sum.CPU = new(*sum.CPU + *task.Resources.CPU)
		}
		resources[task.Name] = &sum
	}
	m.ResourcesExhausted = resources
}

// noResources has every number, as they go over the wire.
func noResources() api.Resources {
	return api.Resources{
		CPU: new(0), Cores: new(0), MemoryMB: new(0), MemoryMaxMB: new(0), DiskMB: new(0), IOPS: new(0), SecretsMB: new(0),
	}
}
