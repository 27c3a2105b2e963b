package watch

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/nomad/api"
)

// judgeFailed follows a failed deployment to what came in its place.
func (s *Snapshot) judgeFailed(t Target, d *api.Deployment) (Verdict, bool) {
	failed := Verdict{
		Outcome: Failed,
		Summary: fmt.Sprintf("deployment %s of version %d failed: %s", short(d.ID), d.JobVersion, cause(d)),
		Reasons: reasons(s.suspects(t)),
	}
	to, back := s.rollback(d)
	if back == nil {
		if strings.Contains(d.StatusDescription, "no stable job version") {
			failed.Summary += "; there is no stable version to revert to"
		}
		failed.Summary += s.goingOn(d)
		return failed, true
	}
	if deref(s.Job.Version) < back.JobVersion {
		return Verdict{}, false // the reverted job is not here yet
	}
	if deref(s.Job.Version) == back.JobVersion && deref(s.Job.Stop) {
		failed.Outcome = NothingRuns
		failed.Summary += fmt.Sprintf("; reverted to version %d, which is stopped: nothing runs", to)
		return failed, true
	}
	then, done := s.judge(*back)
	if !done {
		return Verdict{}, false
	}
	return afterRevert(failed, to, then, s.Job), true
}

// afterRevert joins the verdict about a failed deployment with that about its
// revert.
func afterRevert(failed Verdict, to uint64, then Verdict, job *api.Job) Verdict {
	v := failed
	v.Rollback = then.Deployment
	switch then.Outcome {
	case Successful:
		v.Outcome, v.RevertedTo, v.RevertedJob = Reverted, &to, job
		v.Summary += fmt.Sprintf("; reverted to version %d", to)
		return v
	case Reverted:
		v.Outcome, v.RevertedTo, v.RevertedJob = Reverted, then.RevertedTo, then.RevertedJob
	case NothingRuns:
		v.Outcome = NothingRuns
	case Superseded:
		v.SupersededBy = then.SupersededBy
	}
	v.Summary += fmt.Sprintf("; the revert to version %d did not succeed: %s", to, then.Summary)
	v.Reasons = append(v.Reasons, then.Reasons...)
	v.Unplaced = then.Unplaced
	return v
}

// rollback names the version that a failed deployment returns to and the target
// which that makes, nil when nothing is reverted. Nomad registers the old
// specification as the next version, in the write that fails the deployment.
func (s *Snapshot) rollback(d *api.Deployment) (to uint64, back *Target) {
	if s.Reverted != nil && s.Reverted.From == d.JobVersion {
		return s.Reverted.To, &s.Reverted.Target
	}
	_, after, found := strings.Cut(d.StatusDescription, " - rolling back to job version ")
	if !found {
		return 0, nil
	}
	if _, err := fmt.Sscanf(after, "%d", &to); err != nil {
		return 0, nil
	}
	back = &Target{Namespace: d.Namespace, JobID: d.JobID, JobVersion: d.JobVersion + 1, Strategy: Rollout}
	if deref(s.Job.Version) == back.JobVersion {
		back.JobModifyIndex = deref(s.Job.JobModifyIndex)
	}
	return to, back
}

// cause is what Nomad says of a failed deployment, without what it did then.
func cause(d *api.Deployment) string {
	text, _, _ := strings.Cut(d.StatusDescription, " - ")
	if text == "" {
		return d.Status
	}
	return strings.ToLower(text[:1]) + text[1:]
}

// goingOn says which older versions still run beside a failed deployment.
func (s *Snapshot) goingOn(d *api.Deployment) string {
	running := map[uint64]int{}
	for _, a := range s.Allocs {
		if isLive(a) && a.ClientStatus == api.AllocClientStatusRunning && a.JobVersion < d.JobVersion && a.CreateIndex >= deref(s.Job.CreateIndex) {
			running[a.JobVersion]++
		}
	}
	var text string
	for _, version := range slices.Backward(slices.Sorted(maps.Keys(running))) {
		text += fmt.Sprintf("; version %d goes on running with %d allocation(s)", version, running[version])
	}
	return text
}
