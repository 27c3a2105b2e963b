package orchestrator

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"ostro/orchestrator/decide"
	"ostro/orchestrator/state"
)

// jobName names a job.
type jobName struct{ namespace, id string }

func (n jobName) compare(o jobName) int {
	return cmp.Or(cmp.Compare(n.namespace, o.namespace), cmp.Compare(n.id, o.id))
}

// launch is when a periodic job is due, and when to look at it again: later
// than that only after a write that failed.
type launch struct{ at, try time.Time }

const (
	// launchCheck is how long the loop sleeps at most while jobs wait for their
	// time: the clock may be set meanwhile.
	launchCheck = 30 * time.Second
	launchRetry = time.Second
)

// catchUp launches, once, each periodic job that was due while nobody ran.
// (Nomad: R18.)
func (l *loop) catchUp() {
	snap, now := l.store.Snapshot(), l.Now()
	for _, job := range snap.Jobs(nil, "*", "") {
		if decide.Launches(job) && decide.MissedLaunch(snap, job, now) {
			l.launch(jobName{*job.Namespace, *job.ID}, now)
		}
	}
}

// schedule finds out when a job is to be launched next, if it is one that time
// launches.
func (l *loop) schedule(name jobName) {
	delete(l.launches, name)
	job := l.store.Snapshot().Job(nil, name.namespace, name.id)
	if !decide.Launches(job) {
		return
	}
	next, err := decide.NextLaunch(job, l.Now())
	if err != nil {
		l.log.Error("cannot launch a periodic job", "job", name.id, "error", err)
	} else if !next.IsZero() {
		l.launches[name] = launch{next, next}
	}
}

// launchDue launches the periodic jobs whose time has come. What a sleeping
// machine missed of one is one launch.
func (l *loop) launchDue() {
	now := l.Now()
	for _, name := range slices.SortedFunc(maps.Keys(l.launches), jobName.compare) {
		if due := l.launches[name]; !due.try.After(now) {
			l.launch(name, due.at)
		}
	}
}

// launch makes the child of a periodic job and says when the next one is due.
func (l *loop) launch(name jobName, at time.Time) {
	_, err := l.store.Update(func(tx *state.Txn) error {
		job := tx.Job(nil, name.namespace, name.id)
		if !decide.Launches(job) || *job.Periodic.ProhibitOverlap && decide.HasLiveChild(&tx.Snapshot, job) {
			return nil
		}
		if !decide.Launched(&tx.Snapshot, job, at) {
			l.Launch(tx, job, at)
		}
		return nil
	})
	if err != nil {
		l.log.Error("cannot launch a periodic job", "job", name.id, "error", err)
		l.launches[name] = launch{at, l.Now().Add(launchRetry)}
		return
	}
	l.schedule(name)
}
