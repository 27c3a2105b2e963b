package reconcile

import (
	"slices"

	"github.com/hashicorp/nomad/api"
)

// serviceJob decides about a service or batch job.
func (c *computation) serviceJob() {
	c.eachGroup(func(spec *api.TaskGroup, allocs []*api.Allocation) bool {
		g := &group{computation: c, spec: spec, name: *spec.Name, all: allocs}
		return g.compute()
	})
}

// eachGroup decides group by group, ends what belongs to groups that the job no
// longer has, finds places for what is wanted once all that leaves has made room,
// and completes the deployment when every group is done.
func (c *computation) eachGroup(decide func(*api.TaskGroup, []*api.Allocation) (done bool)) {
	groups := map[string][]*api.Allocation{}
	for _, a := range c.in.Allocs {
		groups[a.TaskGroup] = append(groups[a.TaskGroup], a)
	}
	done := true
	for _, spec := range c.in.Job.TaskGroups {
		done = decide(spec, groups[*spec.Name]) && done
		delete(groups, *spec.Name)
	}
	for name, allocs := range groups {
		c.stopLive(name, allocs)
	}
	c.placeWanted()
	c.completeDeployment(done)
}

// stopLive ends the allocations of a group that the job no longer has, or that
// has a count of 0; those that have ended by themselves are told so, too.
// (Nomad: C1.)
func (c *computation) stopLive(name string, allocs []*api.Allocation) {
	c.desired(name)
	for _, a := range allocs {
		switch {
		case !Terminal(a):
			c.end(a)
		case a.DesiredStatus == api.AllocDesiredStatusRun:
			c.stop(a, descNotNeeded)
			c.desired(name).Stop++
		}
	}
}

// group is the decision about one task group.
type group struct {
	*computation
	spec *api.TaskGroup
	name string
	all  []*api.Allocation

	buckets
	inPlace, destructive []*api.Allocation
	// same run this version already.
	same []*api.Allocation
	// canaries are the live ones of an unpromoted deployment; endedCanaries ask
	// for the replacements of those that are not.
	canaries      []*api.Allocation
	endedCanaries []request
	// taken are the indexes of the names that were given in this decision.
	taken map[int]bool
	// waits says that nothing may be placed yet.
	waits bool
}

// compute decides about the group and tells whether nothing of it is left to do.
func (g *group) compute() bool {
	count := *g.spec.Count
	if count == 0 {
		g.stopLive(g.name, g.all)
		return true
	}
	g.taken = map[int]bool{}
	g.dropForeignCanaries()
	g.buckets = g.classify(g.all)
	g.reconnect()
	g.disconnect()
	g.followUp()
	if g.canarying() {
		g.setCanariesApart()
	}
	g.loseAll()
	g.stopExcess(count)
	g.sortUpdates()

	state := g.groupDeployment(g.name)
	canaries := g.canariesNeeded(state)
	if state == nil {
		g.startDeployment(g.countMissing(count), canaries)
	}
	g.updateInPlace()
	g.wantCanaries(canaries)
	wanted := g.missing(count)
	ready := !g.paused() && !g.deploymentFailed() && !g.canarying()
	g.wantMissing(wanted, ready)
	exchanged := g.exchange(ready, len(wanted))
	g.moveAll()
	d := g.desired(g.name)
	d.Ignore += uint64(len(g.same) + len(g.canaries))
	return exchanged && !g.waits && len(wanted) == 0 && len(g.inPlace) == 0 && canaries == 0 &&
		len(g.migrate) == 0 && len(g.reschedule) == 0 && !g.waitsToReschedule()
}

// dropForeignCanaries stops canaries that nobody will promote, those that have
// ended, too: those of an older deployment, and of one that failed. (Nomad: P7.)
func (g *group) dropForeignCanaries() {
	for _, a := range g.all {
		if a.DesiredStatus != api.AllocDesiredStatusRun || a.DeploymentStatus == nil || !a.DeploymentStatus.Canary {
			continue
		}
		if g.deployment == nil || a.DeploymentID != g.deployment.ID || g.deploymentFailed() {
			g.stop(a, descNotNeeded)
			g.desired(g.name).Stop++
		}
	}
}

// canarying tells whether the group waits for a promotion.
func (g *group) canarying() bool {
	state := g.groupDeployment(g.name)
	return state != nil && state.DesiredCanaries > 0 && !state.Promoted
}

// setCanariesApart takes the canaries out of the buckets: they stand beside the
// count. Those that ended are replaced by canaries, and those that have to move
// are stopped.
func (g *group) setCanariesApart() {
	var lost, failed, moving []*api.Allocation
	g.keep, g.canaries = g.splitCanaries(g.keep)
	g.lost, lost = g.splitCanaries(g.lost)
	g.reschedule, failed = g.splitCanaries(g.reschedule)
	g.migrate, moving = g.splitCanaries(g.migrate)
	again := func(a *api.Allocation, why string) request {
		return request{group: g.spec, job: g.in.Job, name: a.Name, previous: a, canary: true, stop: true, stopWhy: why}
	}
	for _, a := range lost {
		if !ended(a) {
			g.lose(a)
		}
		g.endedCanaries = append(g.endedCanaries, again(a, descLost))
	}
	for _, a := range failed {
		r := again(a, descReplaced)
		r.reschedule = true
		g.endedCanaries = append(g.endedCanaries, r)
	}
	for _, a := range moving {
		g.stop(a, descMigrating)
	}
}

func (g *group) splitCanaries(allocs []*api.Allocation) (rest, canaries []*api.Allocation) {
	for _, a := range allocs {
		if slices.Contains(g.groupDeployment(g.name).PlacedCanaries, a.ID) {
			canaries = append(canaries, a)
		} else {
			rest = append(rest, a)
		}
	}
	return rest, canaries
}

// loseAll counts what is lost as lost, and finds out what of it is to be
// replaced. (Nomad: S6.)
func (g *group) loseAll() {
	if until := g.waitsForStop(); !until.IsZero() {
		g.waits = true
		if slices.ContainsFunc(g.lost, func(a *api.Allocation) bool { return !ended(a) }) {
			g.followUpEval(TriggerAllocFailure, until, descReschedulingFollowUp)
		}
	}
	for _, a := range g.lost {
		if a.ClientStatus != api.AllocClientStatusLost || a.DesiredStatus == api.AllocDesiredStatusRun {
			g.lose(a)
			g.desired(g.name).Stop++
		}
	}
	g.lost = slices.DeleteFunc(g.lost, func(a *api.Allocation) bool { return a.NextAllocation != "" })
}

// stopExcess ends allocations above the count: first the older namesakes of
// promoted canaries, then those on their way to another node, then the highest
// indexes. What is out of reach cannot be stopped. (Nomad: P6.)
func (g *group) stopExcess(count int) {
	excess := len(g.migrate) + len(g.reschedule) - count
	for _, a := range g.keep {
		if inReach(a) {
			excess++
		}
	}
	take := func(list *[]*api.Allocation, when func(*api.Allocation) bool) {
		for i := len(*list) - 1; i >= 0 && excess > 0; i-- {
			a := (*list)[i]
			if !when(a) {
				continue
			}
			g.stop(a, descNotNeeded)
			g.desired(g.name).Stop++
			*list = slices.Delete(*list, i, i+1)
			excess--
		}
	}
	take(&g.keep, g.namesakeOfCanary)
	take(&g.migrate, inReach)
	take(&g.reschedule, inReach)
	take(&g.keep, inReach)
}

func inReach(a *api.Allocation) bool { return a.ClientStatus != api.AllocClientStatusUnknown }

func (g *group) namesakeOfCanary(a *api.Allocation) bool {
	state := g.groupDeployment(g.name)
	if state == nil || !state.Promoted || slices.Contains(state.PlacedCanaries, a.ID) {
		return false
	}
	return slices.ContainsFunc(g.keep, func(other *api.Allocation) bool {
		return other.Name == a.Name && slices.Contains(state.PlacedCanaries, other.ID)
	})
}

// sortUpdates tells which of the kept allocations run another version, and
// whether they can go on running while they take up this one. (Nomad: U1.)
func (g *group) sortUpdates() {
	for _, a := range g.keep {
		switch {
		case *a.Job.JobModifyIndex == *g.in.Job.JobModifyIndex:
			g.same = append(g.same, a)
		case NeedsExchange(a.Job, g.in.Job, g.name):
			g.destructive = append(g.destructive, a)
		case ended(a):
			// A failed allocation that may not be rescheduled stays: the new
			// version changes nothing for its tasks.
			g.same = append(g.same, a)
		case g.placer.fitsInPlace(a, g.spec):
			g.inPlace = append(g.inPlace, a)
		default:
			g.destructive = append(g.destructive, a)
		}
	}
}

// canariesNeeded is how many canaries are still to be placed. (Nomad: P4.)
func (g *group) canariesNeeded(state *api.DeploymentState) int {
	u := strategy(g.in.Job, g.spec)
	if u == nil || *u.Canary == 0 || len(g.destructive)+len(g.endedCanaries) == 0 || g.paused() || g.deploymentFailed() {
		return 0
	}
	if state == nil {
		return *u.Canary
	}
	if state.Promoted {
		return 0
	}
	return max(state.DesiredCanaries-len(g.canaries), 0)
}

// startDeployment makes the group part of a deployment when this version is
// new to it, or nothing of it is meant to run any more. (Nomad: C2.)
func (g *group) startDeployment(missing, canaries int) {
	u := strategy(g.in.Job, g.spec)
	updates := len(g.inPlace) + len(g.destructive)
	total := updates + missing
	if u == nil || total == 0 || g.deploymentFailed() {
		return
	}
	runs := slices.ContainsFunc(g.all, func(a *api.Allocation) bool {
		return a.DesiredStatus == api.AllocDesiredStatusRun && sameVersion(a, g.in.Job)
	})
	if runs && updates == 0 {
		return
	}
	g.joinDeployment(g.name, newGroupDeployment(u, total, canaries))
}

func (g *group) updateInPlace() {
	for _, a := range g.inPlace {
		changed := g.change(a)
		changed.Job = g.in.Job
		changed.DesiredDescription = ""
		changed.EvalID = g.in.Eval.ID
		changed.DeploymentStatus, changed.DeploymentID = nil, ""
		g.enlist(changed, false)
		g.desired(g.name).InPlaceUpdate++
	}
}

// wantCanaries asks for new allocations beside the old ones, under the names of
// those that they are to replace.
func (g *group) wantCanaries(n int) {
	wanted := g.endedCanaries[:min(n, len(g.endedCanaries))]
	for _, name := range g.canaryNames(n-len(wanted), wanted) {
		wanted = append(wanted, request{group: g.spec, job: g.in.Job, name: name, canary: true})
	}
	g.desired(g.name).Canary += uint64(len(wanted))
	g.wanted = append(g.wanted, wanted...)
}

// canaryNames are names for n canaries: of old allocations, then free ones. No
// other canary bears them.
func (g *group) canaryNames(n int, wanted []request) []string {
	borne := map[int]bool{}
	for _, a := range g.canaries {
		borne[nameIndex(a.Name)] = true
	}
	for _, w := range wanted {
		borne[nameIndex(w.name)] = true
	}
	var indexes []int
	for _, a := range slices.SortedFunc(slices.Values(g.destructive), byName) {
		if index := nameIndex(a.Name); len(indexes) < n && !borne[index] {
			borne[index] = true
			indexes = append(indexes, index)
		}
	}
	indexes = append(indexes, freeNames(n-len(indexes), borne, g.keep)...)
	names := make([]string, len(indexes))
	for i, index := range indexes {
		names[i] = allocName(*g.in.Job.ID, g.name, index)
	}
	return names
}

// exchange replaces old allocations by new ones, in the order of their names
// and as many at a time as the update strategy lets it, less those that are
// placed anyway. One that is out of reach is not replaced where the group has its
// count without it. It tells whether none is left. (Nomad: P1, P2.)
func (g *group) exchange(ready bool, placed int) bool {
	old := slices.SortedFunc(slices.Values(g.destructive), byName)
	n := 0
	if ready {
		n = min(len(old), max(g.limit(strategy(g.in.Job, g.spec), g.keep, g.canarying())-placed, 0))
	}
	there := placed + len(g.migrate)
	for _, a := range g.keep {
		if inReach(a) {
			there++
		}
	}
	for _, a := range old[:n] {
		g.desired(g.name).DestructiveUpdate++
		if !inReach(a) && there >= *g.spec.Count {
			g.stop(a, descUpdating) // others have its place
			continue
		}
		if !inReach(a) {
			there++
		}
		g.exchanges = append(g.exchanges, request{group: g.spec, job: g.in.Job, name: g.nameLike(a), previous: a, stop: true, stopWhy: descUpdating})
	}
	g.desired(g.name).Ignore += uint64(len(old) - n)
	return len(old) == 0
}

// nameLike is the name of the replacement of an allocation: the same one,
// unless another allocation bears it already.
func (g *group) nameLike(a *api.Allocation) string {
	index := nameIndex(a.Name)
	shared := slices.ContainsFunc(slices.Concat(g.same, g.inPlace), func(other *api.Allocation) bool { return other.Name == a.Name })
	if !shared && !g.taken[index] {
		g.taken[index] = true
		return a.Name
	}
	return g.freshNames(1)[0]
}

// freshNames gives names that no allocation of the group bears.
func (g *group) freshNames(n int) []string {
	var names []string
	for _, index := range freeNames(n, g.taken, g.keep, g.migrate, g.reschedule, g.lost) {
		g.taken[index] = true
		names = append(names, allocName(*g.in.Job.ID, g.name, index))
	}
	return names
}

// moveAll moves allocations off nodes that are drained, and those that somebody
// stopped; those for which there is no other place, too. The work of a batch
// job is not begun anew for a drain; and one that is to be rescheduled waits as
// a failed one does. (Nomad: S5.)
func (g *group) moveAll() {
	for _, a := range g.migrate {
		g.desired(g.name).Migrate++
		batch := *g.in.Job.Type == api.JobTypeBatch
		switch {
		case batch && isSet(a.DesiredTransition.MigrateDisablePlacement):
			g.stop(a, descMigrating)
		case batch && isSet(a.DesiredTransition.Reschedule):
			g.stop(a, descMigrating)
			if at, ok := RescheduleAt(a, g.in.Now, g.in.At); ok {
				g.change(a).FollowupEvalID = g.followUpEval(TriggerReschedule, at, descReschedulingFollowUp).ID
			}
		default:
			r := g.replacement(a, descMigrating)
			r.stop = false
			g.stop(a, descMigrating)
			g.wanted = append(g.wanted, r)
		}
	}
}

// replacement asks for a new allocation in the place of one that leaves. While a
// new version is not promoted, it runs the version that took over last.
// (Nomad: P7.)
func (g *group) replacement(previous *api.Allocation, stopWhy string) request {
	r := request{group: g.spec, job: g.in.Job, name: g.nameLike(previous), previous: previous, stop: true, stopWhy: stopWhy}
	if !g.canarying() {
		return r
	}
	job := previous.Job
	if settled := g.in.Settled; settled != nil && *settled.CreateIndex == *job.CreateIndex && *settled.Version >= *job.Version {
		job = settled
	}
	if old := job.LookupTaskGroup(g.name); old != nil {
		r.group, r.job = old, job
	}
	return r
}

// countMissing is how many allocations missing lists.
func (g *group) countMissing(count int) int {
	if g.waits {
		return 0
	}
	there := len(g.keep) + len(g.migrate) + len(g.reschedule)
	return len(g.reschedule) + max(count-there, 0)
}

// missing lists what is to be placed so that the group has its count: the
// replacements of failed and lost allocations, and new ones under free names.
func (g *group) missing(count int) []request {
	if g.waits {
		return nil
	}
	var wanted []request
	for _, a := range g.reschedule {
		w := g.replacement(a, descReplaced)
		w.reschedule = true
		w.stop = a.ClientStatus != api.AllocClientStatusUnknown
		wanted = append(wanted, w)
	}
	there := len(g.keep) + len(g.migrate) + len(wanted)
	for _, a := range g.lost[:max(min(len(g.lost), count-there), 0)] {
		wanted = append(wanted, g.replacement(a, descLost))
		there++
	}
	for _, name := range g.freshNames(max(count-there, 0)) {
		wanted = append(wanted, request{group: g.spec, job: g.in.Job, name: name})
	}
	return wanted
}

// wantMissing asks for what is missing. While a deployment is paused, failed or
// unpromoted only what was lost, or failed outside of it, is replaced.
func (g *group) wantMissing(wanted []request, ready bool) {
	for _, w := range wanted {
		if !ready && (w.previous == nil || w.reschedule && g.deploymentFailed() && w.previous.DeploymentID == g.deployment.ID) {
			continue
		}
		g.desired(g.name).Place++
		if w.reschedule && w.stop {
			g.desired(g.name).Stop++
		}
		g.wanted = append(g.wanted, w)
	}
}
