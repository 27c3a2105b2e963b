package watch

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/nomad/api"
)

// isCurrent ends the judging of a version that another has taken the place of
// before it had a deployment.
func (s *Snapshot) isCurrent(t Target) (Verdict, ruling) {
	switch {
	case !s.current(t) && deref(s.Job.JobModifyIndex) > t.JobModifyIndex:
		return s.superseded(), final
	case !s.current(t):
		return Verdict{}, hold
	case deref(s.Job.Stop):
		return Verdict{Outcome: NothingRuns, Summary: "the job is stopped: nothing runs"}, final
	}
	return Verdict{}, pass
}

// isRegistered is all that a job can reach that waits for launches.
func (s *Snapshot) isRegistered(Target) (Verdict, ruling) {
	return Verdict{Outcome: Successful, Summary: "registered; it runs when it is launched"}, final
}

// isScheduled waits for the scheduler, and ends the judging when it gave up.
func (s *Snapshot) isScheduled(t Target) (Verdict, ruling) {
	evals := s.evals(t)
	switch {
	case s.scheduling():
		return Verdict{}, hold
	case len(evals) == 0 && t.NoChange:
		return Verdict{}, pass // its evaluations are long forgotten
	case len(evals) == 0:
		return Verdict{}, hold
	}
	last := slices.MaxFunc(evals, func(a, b *api.Evaluation) int { return cmp.Compare(a.ModifyIndex, b.ModifyIndex) })
	switch failed := last.Status == api.EvalStatusFailed; {
	case failed && slices.ContainsFunc(evals, isWaiting):
		return Verdict{}, hold // it tries again
	case !failed && !slices.ContainsFunc(evals, isComplete):
		return Verdict{}, hold
	case !failed:
		return Verdict{}, pass
	}
	return Verdict{Outcome: Failed, Summary: fmt.Sprintf("evaluation %s failed: %s", short(last.ID), last.StatusDescription)}, final
}

// hasFailures looks for allocations that failed for good, which an evaluation
// that is under way may still replace.
func (s *Snapshot) hasFailures(t Target) (Verdict, ruling) {
	failed := slices.DeleteFunc(s.allocs(t), func(a *api.AllocationListStub) bool { return !failedForGood(a) })
	switch {
	case len(failed) == 0:
		return Verdict{}, pass
	case s.scheduling():
		return Verdict{}, hold
	}
	return Verdict{
		Outcome: Failed,
		Summary: fmt.Sprintf("%d allocation(s) of version %d failed for good", len(failed), t.JobVersion),
		Reasons: reasons(failed),
	}, final
}

// isPlaced looks for groups without a node, which may wait for one. What a newer
// version finds no place for says nothing about this one.
func (s *Snapshot) isPlaced(t Target) (Verdict, ruling) {
	unplaced := s.unplaced()
	switch {
	case len(unplaced) == 0, !s.current(t):
		return Verdict{}, pass
	case s.Now.Sub(s.UnplacedSince) < max(s.Capacity, placementGrace):
		return Verdict{}, hold
	}
	groups := make([]string, len(unplaced))
	for i, u := range unplaced {
		groups[i] = fmt.Sprintf("group %s: %s", u.Group, strings.Join(u.Reasons, ", "))
	}
	return Verdict{Outcome: Unplaceable, Summary: "cannot be placed; " + strings.Join(groups, "; "), Unplaced: unplaced}, final
}

// serves asks whether the groups serve that the deployment does not answer for:
// those that are no part of it, and all of them when it is over since long. A
// group that does not, while nothing is on its way, never will.
func (s *Snapshot) serves(d *api.Deployment) rule {
	return func(t Target) (Verdict, ruling) {
		if !s.current(t) {
			return Verdict{}, pass
		}
		for _, g := range s.Job.TaskGroups {
			if d != nil && d.TaskGroups[deref(g.Name)] != nil && !t.NoChange {
				continue
			}
			ready, coming := s.serving(t, g)
			want := s.expected(g)
			switch {
			case coming || s.scheduling():
				return Verdict{}, hold
			case ready >= want:
			case slices.ContainsFunc(s.Evals, isWaiting):
				return Verdict{}, hold
			default:
				return Verdict{
					Outcome: Failed,
					Summary: fmt.Sprintf("group %s: %d of %d allocation(s) run, and no more are to come", deref(g.Name), ready, want),
					Reasons: reasons(s.suspectsIn(t, g)),
				}, final
			}
		}
		return Verdict{}, pass
	}
}

// runs says so, after all groups were found to serve.
func (s *Snapshot) runs(t Target) (Verdict, ruling) {
	if s.wanted() == 0 {
		return Verdict{Outcome: Successful, Summary: "nothing runs, as every count is 0"}, final
	}
	return Verdict{Outcome: Successful, Summary: fmt.Sprintf("version %d runs", t.JobVersion)}, final
}

// hasCompleted waits for the ends of a batch run's allocations.
func (s *Snapshot) hasCompleted(t Target) (Verdict, ruling) {
	allocs := s.allocs(t)
	if t.NoChange && len(allocs) == 0 && deref(s.Job.Status) == "dead" && s.wanted() > 0 {
		return Verdict{Outcome: Unknown, Summary: "the run is over, and the server has forgotten its allocations"}, final
	}
	for _, g := range s.Job.TaskGroups {
		complete := 0
		for _, a := range allocs {
			switch {
			case a.TaskGroup != deref(g.Name):
			case a.ClientStatus == api.AllocClientStatusComplete:
				complete++
			case wantedRunning(a) && a.NextAllocation == "":
				return Verdict{}, hold
			}
		}
		if complete < s.expected(g) {
			return Verdict{}, hold
		}
	}
	return Verdict{Outcome: Successful, Summary: fmt.Sprintf("%d allocation(s) completed", len(allocs))}, final
}

// hasCanaries ends the watch at a canary that waits for its promotion, where it
// was to end there.
func (s *Snapshot) hasCanaries(d *api.Deployment) rule {
	return func(Target) (Verdict, ruling) {
		if s.Promote != PromoteDetach || !s.canariesReady(d) {
			return Verdict{}, hold
		}
		summary := fmt.Sprintf("every canary of deployment %s is healthy and waits for promotion", short(d.ID))
		return Verdict{Outcome: ReadyForPromotion, Summary: summary}, final
	}
}
