package reconcile

import (
	"cmp"
	"slices"

	"github.com/hashicorp/nomad/api"
)

// systemJob decides about a system or sysbatch job: one allocation of each
// group on each node that can run it. (Nomad: C9.)
func (c *computation) systemJob() {
	c.eachGroup(func(spec *api.TaskGroup, allocs []*api.Allocation) bool {
		g := &systemGroup{computation: c, spec: spec, name: *spec.Name, all: allocs}
		return g.compute()
	})
}

// systemGroup is the decision about one group of a system job.
type systemGroup struct {
	*computation
	spec *api.TaskGroup
	name string
	all  []*api.Allocation

	same, inPlace, destructive []*api.Allocation
	missing                    []request
}

func (g *systemGroup) compute() bool {
	if *g.spec.Count == 0 {
		g.stopLive(g.name, g.all)
		return true
	}
	placeable := g.leaveNodes()
	for _, node := range placeable {
		g.sortNode(node)
	}
	if len(placeable) == 0 {
		g.nowhere()
	}
	if g.groupDeployment(g.name) == nil {
		g.startDeployment()
	}
	for _, a := range g.inPlace {
		changed := g.change(a)
		changed.Job, changed.EvalID = g.in.Job, g.in.Eval.ID
		changed.DesiredDescription = descInPlace
		changed.DeploymentStatus, changed.DeploymentID = nil, ""
		g.enlist(changed, false)
		g.desired(g.name).InPlaceUpdate++
	}
	placed := g.placeMissing()
	g.exchange()
	g.desired(g.name).Ignore += uint64(len(g.same))
	return placed && len(g.missing) == 0 && len(g.destructive) == 0 && len(g.inPlace) == 0
}

// leaveNodes ends allocations on nodes that are gone, drained or no longer
// fit, and lists the nodes that the group belongs on, by name.
func (g *systemGroup) leaveNodes() []*api.Node {
	var nodes []*api.Node
	for _, node := range g.in.Nodes {
		fits := inNodePool(g.in.Job, node) && inDatacenters(g.in.Job, node) && infeasible(g.in.Job, g.spec, node) == ""
		if fits && Ready(node) {
			nodes = append(nodes, node)
		}
		for _, a := range g.on(node.ID) {
			switch {
			case Terminal(a):
			case g.nodeLost(a):
				g.lose(a)
			case a.DesiredTransition.Migrate != nil && *a.DesiredTransition.Migrate:
				g.stop(a, descTainted)
				g.desired(g.name).Stop++
			case !fits:
				g.stop(a, descNotNeeded)
				g.desired(g.name).Stop++
			case !Ready(node):
				// An ineligible node keeps what it runs.
				g.desired(g.name).Ignore++
			}
		}
	}
	slices.SortFunc(nodes, func(a, b *api.Node) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID)) })
	return nodes
}

func (g *systemGroup) on(nodeID string) []*api.Allocation {
	var allocs []*api.Allocation
	for _, a := range g.all {
		if a.NodeID == nodeID {
			allocs = append(allocs, a)
		}
	}
	slices.SortFunc(allocs, func(a, b *api.Allocation) int { return cmp.Compare(a.CreateIndex, b.CreateIndex) })
	return allocs
}

// sortNode tells what the group needs on one node.
func (g *systemGroup) sortNode(node *api.Node) {
	var live, last *api.Allocation
	for _, a := range g.on(node.ID) {
		last = a
		if !Terminal(a) {
			live = a
		}
	}
	switch {
	case live != nil && *live.Job.JobModifyIndex == *g.in.Job.JobModifyIndex:
		g.same = append(g.same, live)
	case live != nil && !NeedsExchange(live.Job, g.in.Job, g.name) && g.placer.fitsInPlace(live, g.spec):
		g.inPlace = append(g.inPlace, live)
	case live != nil:
		g.destructive = append(g.destructive, live)
	case last != nil && g.over(last):
		g.same = append(g.same, last)
	default:
		g.missing = append(g.missing, request{
			group: g.spec, job: g.in.Job, name: allocName(*g.in.Job.ID, g.name, 0), previous: last, node: node,
		})
	}
}

// over tells whether the last, ended allocation of a node settles the matter:
// a sysbatch task that ran this version to its end, and one that failed before
// it was ever healthy: about that its deployment decides.
func (g *systemGroup) over(last *api.Allocation) bool {
	if !sameVersion(last, g.in.Job) || last.DesiredStatus != api.AllocDesiredStatusRun {
		return false
	}
	if *g.in.Job.Type == api.JobTypeSysbatch {
		return last.ClientStatus == api.AllocClientStatusComplete || last.ClientStatus == api.AllocClientStatusFailed
	}
	return g.deployment != nil && last.DeploymentID == g.deployment.ID && last.ClientStatus == api.AllocClientStatusFailed && unhealthy(last)
}

// nowhere notes why no node takes the group. (Nomad: a system job that matches
// no node is successful with 0 of 0, and its evaluation says why.)
func (g *systemGroup) nowhere() {
	_, metric := g.placer.choose(request{group: g.spec, job: g.in.Job})
	g.failed[g.name] = metric
	g.queued[g.name] = 0
}

// startDeployment makes the group part of a deployment when this version is
// new to it. (Nomad: C2, C9.)
func (g *systemGroup) startDeployment() {
	u := strategy(g.in.Job, g.spec)
	updates := len(g.inPlace) + len(g.destructive)
	total := updates + len(g.missing)
	if u == nil || g.deploymentFailed() {
		return
	}
	ran := slices.ContainsFunc(g.all, func(a *api.Allocation) bool { return sameVersion(a, g.in.Job) })
	if ran && updates == 0 || total == 0 && g.in.Deployment != nil && g.in.Deployment.JobVersion == *g.in.Job.Version {
		return
	}
	g.joinDeployment(g.name, newGroupDeployment(u, total, 0))
}

func (g *systemGroup) placeMissing() bool {
	ok := true
	for _, w := range g.missing {
		if (g.paused() || g.deploymentFailed()) && !(w.previous != nil && w.previous.ClientStatus == api.AllocClientStatusLost) {
			ok = false
			continue
		}
		g.desired(g.name).Place++
		placed := g.place(w)
		ok = ok && placed
	}
	return ok
}

// exchange replaces old allocations, as many nodes at a time as the update
// strategy lets it.
func (g *systemGroup) exchange() {
	n := 0
	if !g.paused() && !g.deploymentFailed() {
		n = min(len(g.destructive), g.limit(strategy(g.in.Job, g.spec), slices.Concat(g.same, g.inPlace, g.destructive), false))
	}
	for _, a := range g.destructive[:n] {
		g.desired(g.name).DestructiveUpdate++
		g.place(request{group: g.spec, job: g.in.Job, name: a.Name, previous: a, stopWhy: descUpdating, node: g.nodes[a.NodeID]})
	}
	g.desired(g.name).Ignore += uint64(len(g.destructive) - n)
}
