package watch

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/nomad/api"
)

// promote promotes the canaries when the options ask for it and all of them are
// healthy. What the server or the check does not allow yet is tried again.
func (w *watcher) promote(ctx context.Context, s *Snapshot) error {
	if w.opts.Promote != PromoteHealthy || s.Now.Sub(w.start) < w.opts.PromoteAfter {
		return nil
	}
	for _, t := range s.targets() {
		d := s.deployment(t)
		if d == nil || d.Status != api.DeploymentStatusRunning || !s.canariesReady(d) || !w.checked(ctx) {
			continue
		}
		err := bounded(ctx, func(ctx context.Context) error {
			_, _, err := w.client.Deployments().PromoteAll(d.ID, w.writeOptions(ctx))
			return err
		})
		if hopeless(err) {
			return fmt.Errorf("promote deployment %s: %w", short(d.ID), err)
		}
		if err == nil {
			w.say(EventAction, "canary healthy, deployment %s promoted", short(d.ID))
		}
	}
	return nil
}

// bounded makes a request that should be answered at once.
func bounded(ctx context.Context, request func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	return request(ctx)
}

// checked reports whether the URL that guards a promotion answers 2xx, and tells
// each new reason why it does not.
func (w *watcher) checked(ctx context.Context) bool {
	if w.opts.PromoteCheck == "" {
		return true
	}
	problem := probe(ctx, w.opts.PromoteCheck)
	if problem != "" && problem != w.unchecked {
		w.say(EventWaiting, "the promotion of the canary waits for %s: %s", w.opts.PromoteCheck, problem)
	}
	w.unchecked = problem
	return problem == ""
}

// probe says what is wrong with the answer of a URL, "" when it is 2xx.
func probe(ctx context.Context, url string) string {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err.Error()
	}
	reply, err := http.DefaultClient.Do(request)
	if err != nil {
		return err.Error()
	}
	reply.Body.Close()
	if reply.StatusCode/100 != 2 {
		return reply.Status
	}
	return ""
}

// revert registers the last stable version again after a failed deployment, when
// the options ask for it and the server has not done so. It reports whether
// there is something left to watch; otherwise it returns the final verdict.
func (w *watcher) revert(ctx context.Context, v Verdict) (Verdict, bool) {
	d := v.Deployment
	if !w.opts.RevertOnFailure || w.target.NoChange || w.reverted != nil || v.Outcome != Failed || time.Now().After(w.last.Deadline) {
		return v, false
	}
	if d == nil || d.Status != api.DeploymentStatusFailed || strings.Contains(d.StatusDescription, " - ") {
		return v, false // nothing that a revert mends, or the server has looked for a version itself
	}
	from := d.JobVersion
	if deref(w.last.Job.Version) != from {
		return v, w.adopt(from) // somebody else's version, or our own whose answer was lost
	}
	stable, err := w.lastStable(ctx, from)
	if err == nil && stable == nil {
		v.Summary += "; there is no stable version to revert to"
		return v, false
	}
	if err == nil {
		w.revertTo, w.reverting = deref(stable.Version), true
		w.say(EventAction, "reverting to version %d", w.revertTo)
		err = bounded(ctx, func(ctx context.Context) error {
			_, _, err := w.client.Jobs().Revert(w.target.JobID, w.revertTo, &from, w.writeOptions(ctx), "", "")
			return err
		})
	}
	if refused(err) {
		v.Summary += fmt.Sprintf("; the revert was refused: %v", err)
		return v, false
	}
	w.contact(err)
	w.rest(ctx, minPause)
	return v, true
}

// adopt takes the version after the failed one for the revert that this watch
// has asked for, if it has.
func (w *watcher) adopt(from uint64) bool {
	job := w.last.Job
	if !w.reverting || deref(job.Version) != from+1 {
		return false
	}
	w.reverted = &Revert{From: from, To: w.revertTo, Target: Target{
		Namespace: w.target.Namespace, Region: w.target.Region, JobID: w.target.JobID,
		JobVersion: from + 1, JobModifyIndex: deref(job.JobModifyIndex), Strategy: Rollout,
	}}
	return true
}

// lastStable is the newest version before the given one that was healthy and is
// no stop, nil when there is none.
func (w *watcher) lastStable(ctx context.Context, before uint64) (*api.Job, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	versions, _, _, err := w.client.Jobs().Versions(w.target.JobID, false, w.options(ctx, 0))
	if err != nil {
		return nil, fmt.Errorf("read versions of job %s: %w", w.target.JobID, err)
	}
	var newest *api.Job
	for _, job := range versions {
		if deref(job.Stable) && !deref(job.Stop) && deref(job.Version) < before && (newest == nil || deref(job.Version) > deref(newest.Version)) {
			newest = job
		}
	}
	return newest, nil
}

// refused reports whether a write was turned down, as opposed to lost on the
// way. Nomad answers both with status 500.
func refused(err error) bool {
	if status(err) != http.StatusInternalServerError {
		return hopeless(err)
	}
	passing := []string{"leader", "Not ready", "EOF", "connection", "timeout"}
	return !slices.ContainsFunc(passing, func(s string) bool { return strings.Contains(err.Error(), s) })
}

func (w *watcher) writeOptions(ctx context.Context) *api.WriteOptions {
	return (&api.WriteOptions{Namespace: w.target.Namespace, Region: w.target.Region}).WithContext(ctx)
}
