package reconcile

import (
	"cmp"
	"slices"
	"time"

	"github.com/hashicorp/nomad/api"
)

// buckets are the allocations of a group by what is to become of them, each in
// the order of their names.
type buckets struct {
	// keep count towards the group's count: they run, or they failed and are
	// not (or not yet) to be replaced.
	keep []*api.Allocation
	// away are replaced ones on a node that is out of reach: they may come back.
	away []*api.Allocation
	// migrate leave a node that is drained, or were told to move.
	migrate []*api.Allocation
	// lost were on a node that is down, and have no replacement; newest first.
	lost []*api.Allocation
	// reschedule failed, or are out of reach, and are to be replaced now.
	reschedule []*api.Allocation
	// disconnecting are on a node that has just gone out of reach.
	disconnecting []*api.Allocation
	// reconnecting are on a node that has come back.
	reconnecting []*api.Allocation
	// later are to be replaced at a later time; they are kept, too.
	later map[*api.Allocation]time.Time
}

// bucket names a fate.
type bucket int

const (
	// bucketDrop is no part of anything any more.
	bucketDrop bucket = iota
	bucketIgnore
	bucketKeep
	bucketAway
	bucketMigrate
	bucketLost
	bucketReschedule
	bucketDisconnect
	bucketReconnect
)

// rule gives the fate of the allocations that it applies to.
type rule struct {
	name string
	when func(*api.Allocation) bool
	fate bucket
}

// rules are asked in order, and the first that applies decides. Their names
// stand in README.md.
func (g *group) rules() []rule {
	return slices.Concat(g.batchRules(), g.endRules(), g.nodeRules())
}

// batchRules are about the work of a batch job, which is done once.
func (g *group) batchRules() []rule {
	if *g.in.Job.Type != api.JobTypeBatch {
		return nil
	}
	return []rule{
		{"batch, ended in another version", func(a *api.Allocation) bool {
			return Terminal(a) && !sameVersion(a, g.in.Job)
		}, bucketIgnore},
		{"batch, drained", func(a *api.Allocation) bool {
			return a.DesiredStatus != api.AllocDesiredStatusRun && isSet(a.DesiredTransition.MigrateDisablePlacement)
		}, bucketKeep},
		{"batch, succeeded", ranSuccessfully, bucketKeep},
	}
}

// endRules are about allocations that ended, by an order or by themselves.
func (g *group) endRules() []rule {
	return []rule{
		{"lost, not replaced", func(a *api.Allocation) bool {
			return a.ClientStatus == api.AllocClientStatusLost && a.NextAllocation == "" &&
				(a.DesiredStatus == api.AllocDesiredStatusRun || a.DesiredDescription == descLost)
		}, bucketLost},
		{"told to stop", func(a *api.Allocation) bool { return a.DesiredStatus != api.AllocDesiredStatusRun }, bucketDrop},
		{"told to stop just now", g.stoppedNow, bucketDrop},
		{"failed out of reach", func(a *api.Allocation) bool {
			return returned(a) && a.ClientStatus == api.AllocClientStatusFailed
		}, bucketReconnect},
		{"ended", func(a *api.Allocation) bool { return ended(a) && a.ClientStatus != api.AllocClientStatusFailed }, bucketDrop},
		{"replaced", func(a *api.Allocation) bool { return ended(a) && a.NextAllocation != "" }, bucketDrop},
		{"failed, may be replaced", func(a *api.Allocation) bool { return ended(a) && g.replaceNow(a) }, bucketReschedule},
		{"failed, stays", ended, bucketKeep},
	}
}

// nodeRules are about allocations that run, as far as one knows. (Nomad: S5 to
// S7.)
func (g *group) nodeRules() []rule {
	unknown := func(a *api.Allocation) bool { return a.ClientStatus == api.AllocClientStatusUnknown }
	gone := func(a *api.Allocation) bool { return g.nodes[a.NodeID] == nil }
	down := func(a *api.Allocation) bool { return g.nodes[a.NodeID].Status == api.NodeStatusDown }
	outOfReach := func(a *api.Allocation) bool { return !gone(a) && g.nodes[a.NodeID].Status == nodeStatusDisconnected }
	return []rule{
		{"out of reach for too long", g.expired, bucketLost},
		{"out of reach, replaced", func(a *api.Allocation) bool {
			return (outOfReach(a) || !gone(a) && down(a)) && unknown(a) && a.NextAllocation != ""
		}, bucketAway},
		{"out of reach, may be replaced", func(a *api.Allocation) bool {
			return outOfReach(a) && unknown(a) && g.replaceNow(a)
		}, bucketReschedule},
		{"out of reach", func(a *api.Allocation) bool { return outOfReach(a) && unknown(a) }, bucketKeep},
		{"goes out of reach before it ran, or may not", func(a *api.Allocation) bool {
			return outOfReach(a) && (a.ClientStatus == api.AllocClientStatusPending || lostAfter(a) == 0)
		}, bucketLost},
		{"goes out of reach", outOfReach, bucketDisconnect},
		{"told to move", func(a *api.Allocation) bool { return isSet(a.DesiredTransition.Migrate) }, bucketMigrate},
		{"node gone", gone, bucketLost},
		{"node down, not to be replaced", func(a *api.Allocation) bool {
			return down(a) && !replaceAway(a) && unknown(a)
		}, bucketKeep},
		{"node goes down, not to be replaced", func(a *api.Allocation) bool {
			return down(a) && !replaceAway(a) && a.ClientStatus == api.AllocClientStatusRunning
		}, bucketDisconnect},
		{"node down", down, bucketLost},
		{"back in reach", func(a *api.Allocation) bool { return unknown(a) || returned(a) }, bucketReconnect},
		{"runs", func(*api.Allocation) bool { return true }, bucketKeep},
	}
}

func (g *group) classify(allocs []*api.Allocation) buckets {
	rules := g.rules()
	b := buckets{later: map[*api.Allocation]time.Time{}}
	for _, a := range slices.SortedFunc(slices.Values(allocs), byName) {
		i := slices.IndexFunc(rules, func(r rule) bool { return r.when(a) })
		switch rules[i].fate {
		case bucketIgnore:
			g.desired(g.name).Ignore++
		case bucketKeep:
			b.keep = append(b.keep, a)
			if at, ok := g.replaceLater(a); ok {
				b.later[a] = at
			}
		case bucketAway:
			b.away = append(b.away, a)
		case bucketMigrate:
			b.migrate = append(b.migrate, a)
		case bucketLost:
			b.lost = append(b.lost, a)
		case bucketReschedule:
			b.reschedule = append(b.reschedule, a)
		case bucketDisconnect:
			b.disconnecting = append(b.disconnecting, a)
		case bucketReconnect:
			b.reconnecting = append(b.reconnecting, a)
		}
	}
	slices.SortFunc(b.lost, func(a, b *api.Allocation) int {
		return cmp.Or(cmp.Compare(b.CreateIndex, a.CreateIndex), byName(a, b))
	})
	return b
}

func (g *group) stoppedNow(a *api.Allocation) bool {
	changed, ok := g.updated[a.ID]
	return ok && changed.DesiredStatus != api.AllocDesiredStatusRun
}

func isSet(flag *bool) bool { return flag != nil && *flag }

// ranSuccessfully tells whether every task of an allocation ended well.
func ranSuccessfully(a *api.Allocation) bool {
	if len(a.TaskStates) == 0 {
		return a.ClientStatus == api.AllocClientStatusComplete && a.DesiredStatus == api.AllocDesiredStatusRun
	}
	for _, state := range a.TaskStates {
		if state.State != "dead" || state.Failed {
			return false
		}
	}
	return a.ClientStatus == api.AllocClientStatusComplete
}
