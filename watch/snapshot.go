package watch

import (
	"slices"
	"time"

	"github.com/hashicorp/nomad/api"

	"ostro/placement"
)

// Snapshot is all that a verdict is made of: the job's objects as the server had
// them at one moment, and what only the watcher knows.
type Snapshot struct {
	Now      time.Time
	Deadline time.Time // when the watch gives up
	Lost     bool      // the server does not answer; the rest is as it was last seen

	Target   Target
	Promote  string        // as in Options
	Capacity time.Duration // as Options.WaitForCapacity
	Reverted *Revert       // what the watch itself registered again, if it did

	Job         *api.Job // nil when the server has no such job
	Evals       []*api.Evaluation
	Deployments []*api.Deployment
	Allocs      []*api.AllocationListStub

	UnplacedSince time.Time            // since when something could not be placed, zero when nothing
	RunningSince  map[string]time.Time // per allocation: since when the watcher sees all its tasks run
}

// Revert is an older version that was registered again as a new one.
type Revert struct {
	Target        // the new version
	From   uint64 // the version that failed
	To     uint64 // the version whose specification it has
}

// observe carries over from the previous snapshot what takes time to see. Times
// are the watcher's own, so that clocks of servers and nodes do not matter.
func (s *Snapshot) observe(previous *Snapshot) {
	if previous == nil {
		previous = &Snapshot{}
	}
	switch {
	case s.scheduling():
		s.UnplacedSince = previous.UnplacedSince // not known to be placed yet
	case len(s.unplaced()) > 0:
		s.UnplacedSince = firstOf(previous.UnplacedSince, s.Now)
	}
	s.RunningSince = make(map[string]time.Time)
	for _, a := range s.Allocs {
		if key, running := runningKey(a, group(s.Job, a.TaskGroup)); running {
			s.RunningSince[key] = firstOf(previous.RunningSince[key], s.Now)
		}
	}
}

func firstOf(t, otherwise time.Time) time.Time {
	if t.IsZero() {
		return otherwise
	}
	return t
}

func group(job *api.Job, name string) *api.TaskGroup {
	if job != nil {
		for _, g := range job.TaskGroups {
			if deref(g.Name) == name {
				return g
			}
		}
	}
	return nil
}

// unplaced is what the scheduler's last look at the job could not place. System
// jobs leave out nodes that do not fit, silently where none does: there a group
// counts when it has no allocation at all.
func (s *Snapshot) unplaced() []Unplaced {
	last := s.lastLook()
	if last == nil {
		return nil
	}
	var list []Unplaced
	for _, g := range s.Job.TaskGroups {
		name := deref(g.Name)
		m, failed := last.FailedTGAllocs[name]
		switch {
		case !s.everywhere() && failed:
			list = append(list, Unplaced{Group: name, Count: m.CoalescedFailures + 1, Reasons: placement.Reasons(s.Job, m)})
		case s.everywhere() && s.expected(g) > 0 && !s.placed(name):
			why := []string{"no node fits"}
			if failed {
				why = placement.Reasons(s.Job, m)
			}
			list = append(list, Unplaced{Group: name, Count: 1, Reasons: why})
		}
	}
	return list
}

// lastLook is the evaluation in which the scheduler last looked at the job, nil
// while it is about to look again.
func (s *Snapshot) lastLook() *api.Evaluation {
	if s.Job == nil || deref(s.Job.Stop) || s.scheduling() {
		return nil
	}
	var last *api.Evaluation
	for _, e := range s.Evals {
		if isComplete(e) && (last == nil || e.ModifyIndex > last.ModifyIndex) {
			last = e
		}
	}
	return last
}

// placed reports whether the group has any allocation of the current version.
func (s *Snapshot) placed(group string) bool {
	return slices.ContainsFunc(s.Allocs, func(a *api.AllocationListStub) bool {
		return a.TaskGroup == group && a.JobVersion == deref(s.Job.Version)
	})
}

// everywhere reports whether the job runs on every node that fits.
func (s *Snapshot) everywhere() bool {
	kind := deref(s.Job.Type)
	return kind == api.JobTypeSystem || kind == api.JobTypeSysbatch
}

// current reports whether the server's job is the target's version.
func (s *Snapshot) current(t Target) bool {
	if t.JobModifyIndex != 0 {
		return deref(s.Job.JobModifyIndex) == t.JobModifyIndex
	}
	return deref(s.Job.Version) == t.JobVersion
}

// deployment is the target's: the one made for the specification that the
// target registered. There is at most one per job version.
func (s *Snapshot) deployment(t Target) *api.Deployment {
	for _, d := range s.Deployments {
		if s.Job != nil && d.JobCreateIndex != deref(s.Job.CreateIndex) {
			continue // of an earlier job of the same name
		}
		if t.JobModifyIndex != 0 && d.JobSpecModifyIndex != 0 {
			if d.JobSpecModifyIndex == t.JobModifyIndex {
				return d
			}
		} else if d.JobVersion == t.JobVersion {
			return d
		}
	}
	return nil
}

// evals are the evaluations since the target was registered: its own, those
// that follow from it, and those of what happened to its allocations.
func (s *Snapshot) evals(t Target) []*api.Evaluation {
	var list []*api.Evaluation
	for _, e := range s.Evals {
		if e.ID == t.EvalID || e.CreateIndex >= t.JobModifyIndex {
			list = append(list, e)
		}
	}
	return list
}

// scheduling reports whether the scheduler is about to look at the job. An
// evaluation that waits for its time is not about to, unless it continues a
// rolling update (Nomad: system jobs before 1.11).
func (s *Snapshot) scheduling() bool {
	return slices.ContainsFunc(s.Evals, func(e *api.Evaluation) bool {
		return e.Status == api.EvalStatusPending &&
			(e.TriggeredBy == "rolling-update" || e.Wait == 0 && e.WaitUntil.IsZero())
	})
}

func isWaiting(e *api.Evaluation) bool {
	return e.Status == api.EvalStatusPending || e.Status == api.EvalStatusBlocked
}

func isComplete(e *api.Evaluation) bool { return e.Status == api.EvalStatusComplete }

// canariesReady reports whether a promotion is possible and still to be made.
func (s *Snapshot) canariesReady(d *api.Deployment) bool {
	waiting := false
	for name, g := range d.TaskGroups {
		if g.DesiredCanaries == 0 || g.Promoted {
			continue
		}
		waiting = true
		healthy := 0
		for _, a := range s.Allocs {
			if a.TaskGroup == name && a.JobVersion == d.JobVersion && isCanary(a) && isHealthy(a) && isLive(a) {
				healthy++
			}
		}
		if healthy < g.DesiredCanaries {
			return false
		}
	}
	return waiting
}
