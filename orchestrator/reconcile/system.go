package reconcile

import (
	"cmp"
	"slices"

	"github.com/hashicorp/nomad/api"
)

// systemJob decides about a system or sysbatch job: one allocation of each
// group on each node that can run it, of a sysbatch job as many as the group's
// count says. (Nomad: C9.)
func (c *computation) systemJob() {
	c.eachGroup(func(spec *api.TaskGroup, allocs []*api.Allocation) bool {
		g := &systemGroup{computation: c, spec: spec, name: *spec.Name, byNode: map[string][]*api.Allocation{}}
		for _, a := range allocs {
			g.byNode[a.NodeID] = append(g.byNode[a.NodeID], a)
		}
		g.all = allocs
		return g.compute()
	})
}

// systemGroup is the decision about one group of a system job.
type systemGroup struct {
	*computation
	spec   *api.TaskGroup
	name   string
	all    []*api.Allocation
	byNode map[string][]*api.Allocation

	// same stay as they are, away are out of reach, settled have ended and are
	// the last word about their node.
	same, away, settled, inPlace, destructive []*api.Allocation
	missing                                   []request
	// unfit are nodes that cannot run the group, or have no room.
	unfit int
	// dropped are those that run the group and cannot run its new version.
	dropped int
}

func (g *systemGroup) compute() bool {
	if *g.spec.Count == 0 {
		g.stopLive(g.name, g.all)
		return true
	}
	g.desired(g.name)
	for id, allocs := range g.byNode {
		slices.SortFunc(allocs, func(a, b *api.Allocation) int {
			return cmp.Or(cmp.Compare(a.CreateIndex, b.CreateIndex), cmp.Compare(a.ID, b.ID))
		})
		if g.nodes[id] == nil {
			g.leave(allocs)
		}
	}
	for _, node := range g.placer.nodes {
		g.sortNode(node)
	}
	slices.SortFunc(g.destructive, g.byNodeName)
	if g.groupDeployment(g.name) == nil {
		g.startDeployment()
	}
	canaries := g.canariesWanted()
	g.updateInPlace()
	g.placeMissing()
	exchanged := g.exchange(canaries)
	g.settleTotals()
	g.nowhere()
	g.desired(g.name).Ignore += uint64(len(g.same) + len(g.away) + len(g.settled))
	return exchanged && len(g.missing) == g.unfit && len(g.inPlace) == 0
}

// leave ends allocations on a node that is no more.
func (g *systemGroup) leave(allocs []*api.Allocation) {
	for _, a := range allocs {
		if !Terminal(a) {
			g.lose(a)
			g.desired(g.name).Stop++
		}
	}
}

// sortNode tells what the group needs on one node. What bears another name than
// those that it gives ends: the job's name or the count has changed.
func (g *systemGroup) sortNode(node *api.Node) {
	names := map[string]bool{}
	for i := range *g.spec.Count {
		name := allocName(*g.in.Job.Name, g.name, i)
		names[name] = true
		g.sortName(node, name)
	}
	for _, a := range g.byNode[node.ID] {
		if !Terminal(a) && !names[a.Name] {
			g.end(a)
		}
	}
}

// sortName tells what becomes of the allocation of a name on one node.
func (g *systemGroup) sortName(node *api.Node, name string) {
	var live, last *api.Allocation
	for _, a := range g.byNode[node.ID] {
		if a.Name != name {
			continue
		}
		last = a
		if !Terminal(a) {
			live = a
		}
	}
	switch {
	case live != nil:
		g.sortLive(node, live)
	case !Ready(node) || !Targets(g.in.Job, node):
	case last != nil && g.over(last):
		g.settled = append(g.settled, last)
	default:
		g.missing = append(g.missing, request{
			group: g.spec, job: g.in.Job, name: name, previous: last, node: node,
			canary: g.replacesCanary(last), stop: g.rerun(last), stopWhy: descUpdating,
		})
	}
}

// sortLive tells what becomes of an allocation that runs on a node.
func (g *systemGroup) sortLive(node *api.Node, a *api.Allocation) {
	unknown := a.ClientStatus == api.AllocClientStatusUnknown
	newer := *a.Job.JobModifyIndex != *g.in.Job.JobModifyIndex
	switch {
	case isSet(a.DesiredTransition.Migrate):
		g.stop(a, descTainted)
		g.desired(g.name).Migrate++
	case g.expired(a), node.Status == api.NodeStatusDown:
		g.lose(a)
		g.desired(g.name).Stop++
	case returned(a), unknown && node.Status == api.NodeStatusReady:
		changed := g.change(a)
		changed.ClientStatus, changed.ClientDescription = api.AllocClientStatusRunning, "Tasks are running"
		changed.FollowupEvalID = ""
		g.desired(g.name).Reconnect++
		g.same = append(g.same, a)
	case unknown:
		g.away = append(g.away, a)
	case node.Status == nodeStatusDisconnected && a.ClientStatus == api.AllocClientStatusRunning:
		changed := g.markAway(a)
		changed.FollowupEvalID = g.followUpEval(TriggerMaxDisconnect, g.in.Now.Add(lostAfter(a)), descDisconnectFollowUp).ID
		g.desired(g.name).Disconnect++
	case node.DrainStrategy != nil || node.Drain:
		g.away = append(g.away, a)
	case !Ready(node) && !newer:
		g.away = append(g.away, a)
	case !Ready(node) || !Targets(g.in.Job, node):
		g.stop(a, descNotNeeded)
		g.desired(g.name).Stop++
	case !newer:
		g.same = append(g.same, a)
	case !NeedsExchange(a.Job, g.in.Job, g.name) && g.placer.fitsInPlace(a, g.spec):
		g.inPlace = append(g.inPlace, a)
	default:
		g.destructive = append(g.destructive, a)
	}
}

// rerun tells whether a sysbatch task runs again because there is a newer version. (Nomad: that is an update of the
// allocation, though it has ended.)
func (g *systemGroup) rerun(last *api.Allocation) bool {
	return last != nil && *g.in.Job.Type == api.JobTypeSysbatch
}

// over tells whether the last, ended allocation of a node settles the matter: a sysbatch task that ran this version,
// however it ended.
func (g *systemGroup) over(last *api.Allocation) bool {
	return sameVersion(last, g.in.Job) && *g.in.Job.Type == api.JobTypeSysbatch
}

// startDeployment makes the group part of a deployment when this version is
// new to it. (Nomad: C2, C9.)
func (g *systemGroup) startDeployment() {
	u := strategy(g.in.Job, g.spec)
	updates := len(g.inPlace) + len(g.destructive)
	total := updates + len(g.missing)
	if u == nil || g.deploymentFailed() || g.paused() {
		return
	}
	if g.in.Deployment != nil && g.deployment == nil && g.in.Deployment.JobVersion == *g.in.Job.Version &&
		g.in.Deployment.JobCreateIndex == *g.in.Job.CreateIndex {
		return
	}
	ran := slices.ContainsFunc(g.all, func(a *api.Allocation) bool { return sameVersion(a, g.in.Job) })
	if ran && updates == 0 || total == 0 && len(g.placer.poolOf(g.in.Job).nodes) == 0 {
		return
	}
	state := newGroupDeployment(u, total, 0)
	if state.ProgressDeadline > 0 {
		state.RequireProgressBy = g.in.Now.Add(state.ProgressDeadline) // also where nothing is placed (Nomad)
	}
	g.joinDeployment(g.name, state)
}

func (g *systemGroup) updateInPlace() {
	for _, a := range g.inPlace {
		changed := g.change(a)
		changed.Job, changed.EvalID = g.in.Job, g.in.Eval.ID
		changed.DesiredDescription = ""
		changed.DeploymentStatus, changed.DeploymentID = nil, ""
		g.enlist(changed, false)
		g.desired(g.name).InPlaceUpdate++
	}
}

// placeMissing starts the group on nodes that do not run it. That one of them
// is not right for it is no failure, unless none is. (Nomad: C9.)
func (g *systemGroup) placeMissing() {
	for _, w := range g.missing {
		if why := g.placer.infeasible(w.job, w.group, w.node); why != "" {
			g.unfit++
			continue
		}
		if !g.place(w) {
			g.unfit++
			continue
		}
		g.desired(g.name).Place++
	}
}

// nowhere notes why no node takes the group, if none does. (Nomad: a system job that matches
// no node is successful with 0 of 0, and its evaluation says why.)
func (g *systemGroup) nowhere() {
	runs := len(g.same) + len(g.away) + len(g.settled) + len(g.inPlace) + len(g.destructive) + len(g.missing) - g.unfit - g.dropped
	if runs > 0 {
		return
	}
	_, metric := g.placer.choose(request{group: g.spec, job: g.in.Job})
	if g.failed[g.name] == nil && metric.NodesFiltered > 0 {
		// It tells about the nodes alone, not about the pool. (Nomad.)
		metric.NodePool, metric.NodesInPool, metric.NodesAvailable = "", 0, nil
		g.filteredOut[g.name] = metric
	}
}

// unsettled are the allocations that hold up others: those that live, and those that were never healthy.
func (g *systemGroup) unsettled() []*api.Allocation {
	return slices.DeleteFunc(slices.Clone(g.all), func(a *api.Allocation) bool { return Terminal(a) && !unhealthy(a) })
}

// exchange replaces old allocations: as canaries while those are wanted, then
// as many nodes at a time as the update strategy lets it. Where the new version
// does not fit the old one ends. It tells whether none is left.
func (g *systemGroup) exchange(canaries int) bool {
	n := 0
	asCanary := g.canarying()
	switch {
	case g.paused() || g.deploymentFailed():
	case asCanary:
		n = min(len(g.destructive), canaries)
	default:
		n = min(len(g.destructive), g.limit(strategy(g.in.Job, g.spec), g.unsettled(), false))
	}
	left := 0
	for i, a := range g.destructive {
		node := g.nodes[a.NodeID]
		switch {
		case g.placer.infeasible(g.in.Job, g.spec, node) != "":
			g.stop(a, descUpdating)
			g.desired(g.name).DestructiveUpdate++
			g.dropped++
			n++
		case i >= n:
			// A plan tells about every node that is to change. (Nomad.)
			g.desired(g.name).DestructiveUpdate++
			left++
		default:
			g.desired(g.name).DestructiveUpdate++
			if asCanary {
				g.desired(g.name).Canary++
			}
			if !g.place(request{
				group: g.spec, job: g.in.Job, name: a.Name, previous: a, stop: true, stopWhy: descUpdating, node: node, canary: asCanary,
			}) {
				left++
			}
		}
	}
	return left == 0
}
