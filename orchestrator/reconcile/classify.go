package reconcile

import (
	"slices"
	"time"

	"github.com/hashicorp/nomad/api"
)

// buckets are the live allocations of a group by what is to become of them,
// each in the order of their names.
type buckets struct {
	// keep count towards the group's count: they run, or they failed and are
	// not (or not yet) to be replaced.
	keep []*api.Allocation
	// migrate leave a node that is drained.
	migrate []*api.Allocation
	// lost were on a node that is down.
	lost []*api.Allocation
	// reschedule failed and are to be replaced now.
	reschedule []*api.Allocation
	// later failed and are to be replaced at a later time; they are kept, too.
	later map[*api.Allocation]time.Time
}

// bucket names a fate.
type bucket int

const (
	bucketIgnore bucket = iota
	bucketKeep
	bucketMigrate
	bucketLost
	bucketReschedule
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
	batch := *g.in.Job.Type == api.JobTypeBatch
	return []rule{
		{"batch, ended in another version", func(a *api.Allocation) bool {
			return batch && ended(a) && !sameVersion(a, g.in.Job)
		}, bucketIgnore},
		{"batch, succeeded", func(a *api.Allocation) bool {
			return batch && a.ClientStatus == api.AllocClientStatusComplete
		}, bucketKeep},
		{"told to stop", func(a *api.Allocation) bool { return a.DesiredStatus != api.AllocDesiredStatusRun }, bucketIgnore},
		{"told to stop just now", g.stoppedNow, bucketIgnore},
		{"lost, not replaced", func(a *api.Allocation) bool {
			return a.ClientStatus == api.AllocClientStatusLost && a.NextAllocation == ""
		}, bucketLost},
		{"ended", func(a *api.Allocation) bool { return ended(a) && a.ClientStatus != api.AllocClientStatusFailed }, bucketIgnore},
		{"replaced", func(a *api.Allocation) bool { return ended(a) && a.NextAllocation != "" }, bucketIgnore},
		{"failed, may be replaced", g.replaceNow, bucketReschedule},
		{"failed, stays", ended, bucketKeep},
		{"node down", g.nodeLost, bucketLost},
		{"node drained", func(a *api.Allocation) bool {
			return a.DesiredTransition.Migrate != nil && *a.DesiredTransition.Migrate
		}, bucketMigrate},
		{"runs", func(*api.Allocation) bool { return true }, bucketKeep},
	}
}

func (g *group) classify(allocs []*api.Allocation) buckets {
	rules := g.rules()
	b := buckets{later: map[*api.Allocation]time.Time{}}
	for _, a := range slices.SortedFunc(slices.Values(allocs), byName) {
		i := slices.IndexFunc(rules, func(r rule) bool { return r.when(a) })
		switch rules[i].fate {
		case bucketKeep:
			b.keep = append(b.keep, a)
			if at, ok := g.replaceLater(a); ok {
				b.later[a] = at
			}
		case bucketMigrate:
			b.migrate = append(b.migrate, a)
		case bucketLost:
			b.lost = append(b.lost, a)
		case bucketReschedule:
			b.reschedule = append(b.reschedule, a)
		}
	}
	return b
}

func (g *group) stoppedNow(a *api.Allocation) bool {
	changed, ok := g.updated[a.ID]
	return ok && changed.DesiredStatus != api.AllocDesiredStatusRun
}
