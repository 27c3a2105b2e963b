package reconcile

import (
	"cmp"
	"slices"

	"github.com/hashicorp/nomad/api"
)

// canarying tells whether the group waits for a promotion. The canaries of a
// system job replace what runs on their nodes.
func (g *systemGroup) canarying() bool {
	state := g.groupDeployment(g.name)
	return state != nil && state.DesiredCanaries > 0 && !state.Promoted
}

// canariesWanted is how many canaries are still to be placed, and notes how
// many there are to be: a percentage of the nodes that change, rounded up, and
// max_parallel at most. (Nomad: C9.)
func (g *systemGroup) canariesWanted() int {
	u := strategy(g.in.Job, g.spec)
	state := g.groupDeployment(g.name)
	if u == nil || u.Canary == nil || *u.Canary == 0 || state == nil || state.Promoted || *g.in.Job.Version == 0 || !active(g.deployment) {
		return 0
	}
	there := len(g.placedCanaries(state))
	for _, w := range g.missing {
		if w.canary {
			there++
		}
	}
	changing := there
	for _, a := range g.destructive {
		if g.placer.infeasible(g.in.Job, g.spec, g.nodes[a.NodeID]) == "" {
			changing++
		}
	}
	if changing == there {
		return 0
	}
	wanted := min((*u.Canary*changing+99)/100, *u.MaxParallel)
	if wanted != state.DesiredCanaries {
		state.DesiredCanaries = wanted
		g.deployment.StatusDescription = runningDescription(g.deployment, g.in.Job)
		g.deploymentChanged = true
	}
	return max(wanted-there, 0)
}

// placedCanaries are the canaries that run, or are the last word about their node.
func (g *systemGroup) placedCanaries(state *api.DeploymentState) []*api.Allocation {
	return slices.DeleteFunc(slices.Concat(g.same, g.settled), func(a *api.Allocation) bool {
		return !slices.Contains(state.PlacedCanaries, a.ID)
	})
}

// replacesCanary tells whether an ended allocation was a canary that nobody has
// promoted.
func (g *systemGroup) replacesCanary(last *api.Allocation) bool {
	state := g.groupDeployment(g.name)
	return last != nil && state != nil && !state.Promoted && slices.Contains(state.PlacedCanaries, last.ID)
}

// byNodeName orders nodes by name, so that the same ones are chosen each time.
func (g *systemGroup) byNodeName(a, b *api.Allocation) int {
	return cmp.Or(cmp.Compare(a.NodeName, b.NodeName), cmp.Compare(a.NodeID, b.NodeID))
}

// settleTotals notes on how many nodes the group is to run: nodes come and go
// while a deployment is under way. (Nomad: C9.)
func (g *systemGroup) settleTotals() {
	state := g.groupDeployment(g.name)
	if state == nil || !active(g.deployment) {
		return
	}
	total := len(g.same) + len(g.inPlace) + len(g.destructive) + len(g.missing) - g.unfit - g.dropped + len(g.settled)
	if total != state.DesiredTotal {
		state.DesiredTotal = total
		g.deploymentChanged = true
	}
}
