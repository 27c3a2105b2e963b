package reconcile

import (
	"slices"
	"time"

	"github.com/hashicorp/nomad/api"
)

// nodeStatusDisconnected is the status of a node that is out of reach and may
// come back. (Nomad: S7.)
const nodeStatusDisconnected = "disconnected"

// Disconnected tells whether a node is out of reach and may come back.
func Disconnected(node *api.Node) bool { return node.Status == nodeStatusDisconnected }

// Unreachable is the status of a node that has missed its heartbeats: it is
// disconnected while an allocation on it may come back, else down.
// (Nomad: S7.)
func Unreachable(allocs []*api.Allocation) string {
	for _, a := range allocs {
		if !Terminal(a) && a.ClientStatus == api.AllocClientStatusRunning && lostAfter(a) > 0 {
			return nodeStatusDisconnected
		}
	}
	return api.NodeStatusDown
}

// Awaited tells whether one of the allocations of a node that is out of reach may
// come back: also one about which that has yet to be decided.
func Awaited(allocs []*api.Allocation) bool {
	return Unreachable(allocs) == nodeStatusDisconnected || slices.ContainsFunc(allocs, func(a *api.Allocation) bool {
		return !Terminal(a) && a.ClientStatus == api.AllocClientStatusUnknown
	})
}

// AwayDescription marks an allocation as out of reach. It stays until a
// decision has reconnected the allocation, whatever its node says of it before.
const AwayDescription = "alloc is unknown since its node is disconnected"

// Settled tells whether nothing is to be decided about an allocation that is back
// in reach: it is not to run, or has done what it had to do.
func Settled(a *api.Allocation) bool {
	return a.DesiredStatus != api.AllocDesiredStatusRun || ended(a) && a.ClientStatus != api.AllocClientStatusFailed
}

// returned tells whether the node of an allocation that was out of reach has
// reported it again, and nothing has been decided about it since.
func returned(a *api.Allocation) bool {
	return a.ClientDescription == AwayDescription && a.ClientStatus != api.AllocClientStatusUnknown &&
		a.ClientStatus != api.AllocClientStatusLost
}

func disconnectOf(a *api.Allocation) *api.DisconnectStrategy {
	if group := a.Job.LookupTaskGroup(a.TaskGroup); group != nil {
		return group.Disconnect
	}
	return nil
}

// lostAfter is for how long an allocation may be out of reach, 0 for not at all.
func lostAfter(a *api.Allocation) time.Duration {
	if d := disconnectOf(a); d != nil && d.LostAfter != nil {
		return *d.LostAfter
	}
	return 0
}

// replaceAway tells whether an allocation is replaced while it is out of reach.
func replaceAway(a *api.Allocation) bool {
	d := disconnectOf(a)
	return d == nil || d.Replace == nil || *d.Replace
}

// StopsAfter is for how long a node that is out of reach lets an allocation
// run, if that is limited. (Nomad: stop_on_client_after.)
func StopsAfter(a *api.Allocation) (time.Duration, bool) {
	d := disconnectOf(a)
	if d == nil || d.StopOnClientAfter == nil || *d.StopOnClientAfter == 0 {
		return 0, false
	}
	return *d.StopOnClientAfter, true
}

// awaySince is when an allocation went out of reach: with its node.
func (c *computation) awaySince(a *api.Allocation) time.Time {
	if node := c.nodes[a.NodeID]; node != nil && node.StatusUpdatedAt > 0 {
		return c.in.at(time.Unix(node.StatusUpdatedAt, 0).UnixNano())
	}
	return c.in.at(a.ModifyTime)
}

// expired tells whether an allocation has been out of reach for too long.
func (c *computation) expired(a *api.Allocation) bool {
	if a.ClientStatus != api.AllocClientStatusUnknown {
		return false
	}
	node := c.nodes[a.NodeID]
	if node == nil {
		return true
	}
	if node.Status == api.NodeStatusReady {
		return false
	}
	return !c.awaySince(a).Add(lostAfter(a)).After(c.in.Now)
}

// disconnect marks allocations as unknown, and looks at them again when they
// are to be replaced, or count as lost. (Nomad: S7.)
func (g *group) disconnect() {
	if g.canarying() {
		g.dropDisconnected()
	}
	for _, a := range g.disconnecting {
		changed := g.markAway(a)
		g.desired(g.name).Disconnect++
		expiry := g.followUpEval(TriggerMaxDisconnect, g.in.Now.Add(lostAfter(a)), descDisconnectFollowUp)
		at, ok := RescheduleAt(a, g.in.Now, g.in.At)
		switch {
		case !ok, !replaceAway(a), g.decidedByDeployment(a):
			changed.FollowupEvalID = expiry.ID
			g.keep = append(g.keep, a)
		case at.After(g.in.Now.Add(soon)):
			changed.FollowupEvalID = g.followUpEval(TriggerReschedule, at, descReschedulingFollowUp).ID
			g.keep = append(g.keep, a)
			g.desired(g.name).RescheduleLater++
		default:
			changed.FollowupEvalID = expiry.ID
			g.reschedule = append(g.reschedule, a)
			g.desired(g.name).RescheduleNow++
		}
	}
	slices.SortFunc(g.keep, byName)
	slices.SortFunc(g.reschedule, byName)
}

// dropDisconnected gives up canaries that go out of reach: others take their
// place at once. (Nomad.)
func (g *group) dropDisconnected() {
	var canaries []*api.Allocation
	g.disconnecting, canaries = g.splitCanaries(g.disconnecting)
	for _, a := range canaries {
		g.markAway(a)
		g.stop(a, descNotNeeded)
		g.desired(g.name).Stop++
	}
}

// markAway marks one allocation as out of reach.
func (c *computation) markAway(a *api.Allocation) *api.Allocation {
	changed := c.change(a)
	changed.ClientStatus, changed.ClientDescription = api.AllocClientStatusUnknown, AwayDescription
	return changed
}

// reconnect decides between allocations that are back and their replacements.
// (Nomad: S7.)
func (g *group) reconnect() {
	for _, a := range g.reconnecting {
		switch {
		case a.ClientStatus == api.AllocClientStatusFailed:
			g.drop(a, descRescheduled)
		case isSet(a.DesiredTransition.Migrate) || isSet(a.DesiredTransition.Reschedule) ||
			isSet(a.DesiredTransition.ForceReschedule) || !sameVersion(a, g.in.Job) || !g.preferred(a):
			g.drop(a, descNotNeeded)
		default:
			g.dropReplacements(a)
			changed := g.change(a)
			if changed.ClientStatus == api.AllocClientStatusUnknown {
				changed.ClientStatus = api.AllocClientStatusRunning
			}
			changed.ClientDescription, changed.FollowupEvalID = "Tasks are running", ""
			g.desired(g.name).Reconnect++
			g.keep = append(g.keep, a)
		}
	}
	slices.SortFunc(g.keep, byName)
}

func (g *group) drop(a *api.Allocation, why string) {
	changed := g.stop(a, why)
	if changed.ClientStatus == api.AllocClientStatusUnknown {
		changed.ClientStatus = api.AllocClientStatusRunning
	}
	changed.ClientDescription = ""
	g.desired(g.name).Stop++
}

// replacements are the live ones of those that followed an allocation.
func (g *group) replacements(a *api.Allocation) []*api.Allocation {
	var live []*api.Allocation
	for next := a.NextAllocation; next != ""; {
		i := slices.IndexFunc(g.all, func(o *api.Allocation) bool { return o.ID == next })
		if i < 0 {
			break
		}
		if g.all[i].DesiredStatus == api.AllocDesiredStatusRun && !g.stoppedNow(g.all[i]) {
			live = append(live, g.all[i])
		}
		next = g.all[i].NextAllocation
	}
	return live
}

// preferred tells whether an allocation that is back is to be kept rather than
// each of its replacements.
func (g *group) preferred(a *api.Allocation) bool {
	return !slices.ContainsFunc(g.replacements(a), func(r *api.Allocation) bool {
		return *r.Job.Version > *a.Job.Version || !g.prefersOriginal(a, r)
	})
}

func (g *group) prefersOriginal(a, replacement *api.Allocation) bool {
	strategy := api.ReconcileOptionBestScore
	if d := g.spec.Disconnect; d != nil && d.Reconcile != nil {
		strategy = *d.Reconcile
	}
	switch strategy {
	case api.ReconcileOptionKeepOriginal:
		return true
	case api.ReconcileOptionKeepReplacement:
		return false
	case api.ReconcileOptionLongestRunning:
		since, than := runningSince(a), runningSince(replacement)
		if !since.IsZero() || !than.IsZero() {
			return !since.IsZero() && (than.IsZero() || since.Before(than))
		}
	}
	better := bestScore(replacement) > bestScore(a)
	return !better || replacement.ClientStatus != api.AllocClientStatusRunning && a.ClientStatus == api.AllocClientStatusRunning
}

// runningSince is when the leader, or else the first of the tasks, was started.
func runningSince(a *api.Allocation) time.Time {
	var first time.Time
	group := a.Job.LookupTaskGroup(a.TaskGroup)
	for _, task := range group.Tasks {
		state := a.TaskStates[task.Name]
		if state == nil {
			continue
		}
		if task.Leader {
			return state.StartedAt
		}
		if !state.StartedAt.IsZero() && (first.IsZero() || state.StartedAt.Before(first)) {
			first = state.StartedAt
		}
	}
	return first
}

func bestScore(a *api.Allocation) float64 {
	if a.Metrics == nil || len(a.Metrics.ScoreMetaData) == 0 {
		return -2 // less than any score
	}
	return a.Metrics.ScoreMetaData[0].NormScore
}

func (g *group) dropReplacements(a *api.Allocation) {
	for _, r := range g.replacements(a) {
		g.stop(r, descReconnected)
		g.desired(g.name).Stop++
		without := func(list []*api.Allocation) []*api.Allocation {
			return slices.DeleteFunc(list, func(o *api.Allocation) bool { return o.ID == r.ID })
		}
		g.keep, g.migrate, g.lost = without(g.keep), without(g.migrate), without(g.lost)
		g.reschedule, g.disconnecting = without(g.reschedule), without(g.disconnecting)
	}
}

// waitsForStop tells until when nothing of the group may be placed, because a
// node that is out of reach may still run a lost allocation of it.
// (Nomad: stop_on_client_after.)
func (g *group) waitsForStop() (until time.Time) {
	for _, a := range g.all {
		after, ok := StopsAfter(a)
		if !ok || g.nodes[a.NodeID] == nil || g.nodes[a.NodeID].Status == api.NodeStatusReady {
			continue
		}
		lost := slices.ContainsFunc(g.lost, func(o *api.Allocation) bool { return o.ID == a.ID })
		if !lost && (a.ClientStatus != api.AllocClientStatusLost || a.NextAllocation != "") {
			continue
		}
		at := g.awaySince(a).Add(after + longestKill(a))
		if at.After(g.in.Now) && at.After(until) {
			until = at
		}
	}
	return until
}

// longestKill is the longest that a task of an allocation may take to end.
func longestKill(a *api.Allocation) time.Duration {
	kill := 5 * time.Second
	for _, task := range a.Job.LookupTaskGroup(a.TaskGroup).Tasks {
		if task.KillTimeout != nil {
			kill = max(kill, *task.KillTimeout)
		}
	}
	return kill
}
