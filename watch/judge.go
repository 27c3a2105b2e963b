package watch

import (
	"fmt"
	"time"

	"github.com/hashicorp/nomad/api"
)

// placementGrace is how long something must stay unplaceable before that is
// believed: two jobs that exchange a port pass through such a moment.
const placementGrace = 2 * time.Second

// Judge decides whether the snapshot is the end, and how it ended. It is pure:
// the same snapshot gives the same verdict. Nothing but a successful deployment
// of the target itself, or allocations of the target that serve where there is
// no deployment, makes it [Successful].
func Judge(s Snapshot) (Verdict, bool) {
	if !s.Lost {
		if v, done := s.judge(s.Target); done {
			return v, true
		}
	}
	if s.Deadline.IsZero() || s.Now.Before(s.Deadline) {
		return Verdict{}, false
	}
	return s.timedOut(), true
}

func (s *Snapshot) timedOut() Verdict {
	v := Verdict{Outcome: Unknown, Deployment: s.deployment(s.Target), Unplaced: s.unplaced()}
	if s.Lost {
		v.Summary = "contact lost, the outcome is unknown"
		return v
	}
	v.Summary = "timed out, the outcome is unknown"
	if v.Deployment != nil {
		v.Summary += fmt.Sprintf(": deployment %s is %s", short(v.Deployment.ID), v.Deployment.Status)
	}
	v.Reasons = reasons(s.suspects(s.Target))
	return v
}

// ruling is what a rule makes of a snapshot.
type ruling int

const (
	pass  ruling = iota // nothing to say, the next rule decides
	hold                // it is too early to say
	final               // the verdict stands
)

type rule func(Target) (Verdict, ruling)

// inOrder asks one rule after the other until one has something to say.
func inOrder(t Target, rules ...rule) (Verdict, bool) {
	for _, r := range rules {
		switch v, is := r(t); is {
		case hold:
			return Verdict{}, false
		case final:
			return v, true
		}
	}
	return Verdict{}, false
}

// judge decides about one job version, the target itself or the one that a
// revert made.
func (s *Snapshot) judge(t Target) (Verdict, bool) {
	if s.Job == nil {
		return Verdict{Outcome: Superseded, Summary: "superseded: the job was purged"}, true
	}
	strategy := t.Strategy
	if strategy == Auto {
		var err error
		if strategy, err = For(s.Job); err != nil {
			return Verdict{Outcome: Unknown, Summary: err.Error()}, true
		}
	}
	switch strategy {
	case Registration:
		return inOrder(t, s.isCurrent, s.isRegistered)
	case Completion:
		return inOrder(t, s.isCurrent, s.isScheduled, s.hasFailures, s.isPlaced, s.hasCompleted)
	}
	if d := s.deployment(t); d != nil {
		v, done := s.judgeDeployment(t, d)
		v.Deployment = d
		return v, done
	}
	// max_parallel or count is 0, or the server makes none for the job's type
	return inOrder(t, s.isCurrent, s.isScheduled, s.hasFailures, s.isPlaced, s.serves(nil), s.runs)
}

func (s *Snapshot) judgeDeployment(t Target, d *api.Deployment) (Verdict, bool) {
	switch d.Status {
	case api.DeploymentStatusSuccessful:
		return inOrder(t, s.hasFailures, s.isPlaced, s.serves(d), successful(d))
	case api.DeploymentStatusFailed:
		return s.judgeFailed(t, d)
	case api.DeploymentStatusCancelled:
		return s.superseded(), true
	}
	return inOrder(t, s.isPlaced, s.hasCanaries(d))
}

func successful(d *api.Deployment) rule {
	return func(Target) (Verdict, ruling) {
		summary := fmt.Sprintf("deployment %s of version %d is successful", short(d.ID), d.JobVersion)
		return Verdict{Outcome: Successful, Summary: summary}, final
	}
}

func (s *Snapshot) superseded() Verdict {
	if deref(s.Job.Stop) {
		return Verdict{Outcome: Superseded, Summary: "superseded: the job was stopped"}
	}
	by := deref(s.Job.Version)
	return Verdict{Outcome: Superseded, Summary: fmt.Sprintf("superseded by version %d", by), SupersededBy: &by}
}

func short(id string) string {
	return id[:min(8, len(id))]
}
