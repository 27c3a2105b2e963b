package reconcile

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/hashicorp/nomad/api"
)

// soon is how much too early a replacement may be. (Nomad: S2, due within one
// second is due now.)
const soon = time.Second

// keptEvents is how many replacements the tracker of an allocation remembers
// when the policy is unlimited: enough to count any sensible series of delays.
const keptEvents = 16

// The outcomes of the last attempt to replace an allocation. (Nomad.)
const lastPlaced, lastNoPlacement = "ok", "no placement"

// rescheduleFailed tells whether the last attempt to replace an allocation
// found no place.
func rescheduleFailed(a *api.Allocation) bool {
	return a.RescheduleTracker != nil && a.RescheduleTracker.LastReschedule == lastNoPlacement
}

// decidedByDeployment tells whether an allocation is replaced only when its
// deployment says so. (Nomad: W4.)
func (g *group) decidedByDeployment(a *api.Allocation) bool {
	return g.groupDeployment(a.TaskGroup) != nil && active(g.deployment) && a.DeploymentID == g.deployment.ID &&
		!isSet(a.DesiredTransition.Reschedule)
}

// replaceNow tells whether an allocation that failed, or is out of reach, is to
// be replaced at once.
func (g *group) replaceNow(a *api.Allocation) bool {
	away := a.ClientStatus == api.AllocClientStatusUnknown
	if a.ClientStatus != api.AllocClientStatusFailed && !(away && replaceAway(a)) || a.DesiredStatus != api.AllocDesiredStatusRun {
		return false
	}
	if g.decidedByDeployment(a) {
		return false
	}
	if isSet(a.DesiredTransition.ForceReschedule) && ended(a) {
		return true
	}
	at, ok := RescheduleAt(a, g.in.Now, g.in.At)
	if !ok {
		return false
	}
	// A follow-up evaluation that was waited for has come due.
	if a.FollowupEvalID != "" && a.FollowupEvalID == g.in.Eval.ID {
		return true
	}
	return !at.After(g.in.Now.Add(soon))
}

// replaceLater tells when a failed allocation is to be replaced, if later.
func (g *group) replaceLater(a *api.Allocation) (time.Time, bool) {
	if a.ClientStatus != api.AllocClientStatusFailed || a.DesiredStatus != api.AllocDesiredStatusRun || a.NextAllocation != "" {
		return time.Time{}, false
	}
	if g.decidedByDeployment(a) {
		return time.Time{}, false
	}
	at, ok := RescheduleAt(a, g.in.Now, g.in.At)
	return at, ok && at.After(g.in.Now.Add(soon))
}

// batchWindow is how far apart replacements may be to share an evaluation.
// (Nomad: S2.)
const batchWindow = 5 * time.Second

// followUp makes the evaluations that replace failed allocations later, one for
// those that are due at about the same time.
func (g *group) followUp() {
	waiting := slices.SortedFunc(maps.Keys(g.later), func(a, b *api.Allocation) int {
		return cmp.Or(g.later[a].Compare(g.later[b]), byName(a, b))
	})
	waiting = slices.DeleteFunc(waiting, func(a *api.Allocation) bool {
		return g.stoppedNow(a) || a.FollowupEvalID != "" && a.FollowupEvalID != g.in.Eval.ID
	})
	var eval *api.Evaluation
	for _, a := range waiting {
		if eval == nil || g.later[a].Sub(eval.WaitUntil) >= batchWindow {
			eval = g.followUpEval(TriggerReschedule, g.later[a], descReschedulingFollowUp)
		}
		g.change(a).FollowupEvalID = eval.ID
		g.desired(g.name).RescheduleLater++
	}
}

// followUpEval asks for a decision at a later time.
func (c *computation) followUpEval(trigger string, at time.Time, why string) *api.Evaluation {
	eval := c.newEval(trigger)
	// From now on, as time passes: the clock may be set meanwhile.
	eval.WaitUntil, eval.StatusDescription = c.in.Now.Add(at.Sub(c.in.Now)), why
	eval.PreviousEval = c.in.Eval.ID
	c.next = eval.ID
	c.out.Evals = append(c.out.Evals, eval)
	return eval
}

// waitsToReschedule tells whether an allocation that stays is to be replaced
// later.
func (g *group) waitsToReschedule() bool {
	for a := range g.later {
		if !g.stoppedNow(a) {
			return true
		}
	}
	return false
}

// CanReschedule tells whether its policy lets a failed allocation be replaced
// at all, now or later. What at is stands at [Input].
func CanReschedule(a *api.Allocation, now time.Time, at func(nanos int64) time.Time) bool {
	_, ok := RescheduleAt(a, now, at)
	return ok
}

// policyOf is the reschedule policy of the version that an allocation runs, or nil.
func policyOf(a *api.Allocation) *api.ReschedulePolicy {
	if group := a.Job.LookupTaskGroup(a.TaskGroup); group != nil {
		return group.ReschedulePolicy
	}
	return nil
}

// RescheduleAt tells when its policy lets a failed allocation be replaced. What at
// is stands at [Input]. (Nomad: S2.)
func RescheduleAt(a *api.Allocation, now time.Time, at func(nanos int64) time.Time) (time.Time, bool) {
	in := Input{Now: now, At: at}
	policy := policyOf(a)
	if policy == nil || *a.Job.Type == api.JobTypeSystem || *a.Job.Type == api.JobTypeSysbatch {
		return time.Time{}, false
	}
	if !*policy.Unlimited {
		if *policy.Attempts == 0 || in.attemptsWithin(a, *policy.Interval) >= *policy.Attempts {
			return time.Time{}, false
		}
	}
	return in.failedAt(a, now).Add(in.rescheduleDelay(a, policy)), true
}

func (in Input) attemptsWithin(a *api.Allocation, interval time.Duration) int {
	n := 0
	for _, e := range rescheduleEvents(a) {
		if in.Now.Sub(in.at(e.RescheduleTime)) < interval {
			n++
		}
	}
	return n
}

func rescheduleEvents(a *api.Allocation) []*api.RescheduleEvent {
	if a.RescheduleTracker == nil {
		return nil
	}
	return a.RescheduleTracker.Events
}

// failedAt is when the last task of an allocation ended; never later than now, also
// where the clock was set back since.
func (in Input) failedAt(a *api.Allocation, unknown time.Time) time.Time {
	var last time.Time
	for _, state := range a.TaskStates {
		if state.FinishedAt.After(last) {
			last = state.FinishedAt
		}
	}
	switch {
	case !last.IsZero():
		last = in.at(last.UnixNano())
	case a.ModifyTime == 0:
		return unknown
	default:
		last = in.at(a.ModifyTime)
	}
	if last.After(in.Now) {
		return in.Now
	}
	return last
}

// rescheduleDelay is how long a failed allocation waits for its replacement.
// It grows with the attempts, and starts again when one lived longer than the
// greatest delay. (Nomad: S2.) An event bears no delay on the wire, so the
// series is counted again from the events.
func (in Input) rescheduleDelay(a *api.Allocation, policy *api.ReschedulePolicy) time.Duration {
	base, ceiling := *policy.Delay, *policy.MaxDelay
	if *policy.DelayFunction == "constant" {
		return base
	}
	events := rescheduleEvents(a)
	var before time.Duration
	delay := base
	for i, e := range events {
		born := in.at(e.RescheduleTime)
		died := in.failedAt(a, born)
		if i+1 < len(events) {
			died = in.at(events[i+1].RescheduleTime).Add(-delay)
		}
		next := delay * 2
		if *policy.DelayFunction == "fibonacci" {
			next = delay + max(before, base*time.Duration(min(i, 1)))
		}
		before = delay
		switch {
		case next <= ceiling:
			delay = next
		case died.Sub(born) > ceiling:
			before, delay = 0, base
		default:
			delay = ceiling
		}
	}
	return delay
}

// trackReschedule gives the replacement of a failed allocation its history: as far
// as it is needed to count attempts or delays.
func (c *computation) trackReschedule(a, previous *api.Allocation) {
	events := slices.Clone(rescheduleEvents(previous))
	switch policy := policyOf(previous); {
	case policy == nil:
	case !*policy.Unlimited:
		events = slices.DeleteFunc(events, func(e *api.RescheduleEvent) bool {
			return c.in.Now.Sub(c.in.at(e.RescheduleTime)) > *policy.Interval
		})
	case len(events) >= keptEvents:
		events = events[len(events)-keptEvents+1:]
	}
	a.RescheduleTracker = &api.RescheduleTracker{LastReschedule: lastPlaced, Events: append(events, &api.RescheduleEvent{
		RescheduleTime: c.in.Now.UnixNano(), PrevAllocID: previous.ID, PrevNodeID: previous.NodeID,
	})}
}
