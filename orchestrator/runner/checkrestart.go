package runner

import (
	"context"
	"fmt"
	"time"

	"github.com/hashicorp/nomad/api"
)

// A checkRestart watches over one check for its check_restart block, from each start of its task on.
type checkRestart struct {
	graceUntil     time.Time
	unhealthySince time.Time // zero while it is healthy
}

// due reports whether the task has to be restarted, after a result at now (Nomad: it was unhealthy for
// interval × (limit - 1), the time of grace aside).
func (r *checkRestart) due(spec api.ServiceCheck, status string, now time.Time) bool {
	block := spec.CheckRestart
	switch {
	case block == nil || block.Limit == 0:
		return false
	case status == checkSuccess, status == checkWarning && block.IgnoreWarnings:
		r.unhealthySince = time.Time{}
		return false
	case now.Before(r.graceUntil):
		return false
	case r.unhealthySince.IsZero():
		r.unhealthySince = now
	}
	limit := spec.Interval * time.Duration(block.Limit-1)
	// Half an interval is for checks that come a little early: the count of results is what the limit means.
	return now.Sub(r.unhealthySince) >= limit-min(spec.Interval/2, limit/2)
}

func newCheckRestart(spec api.ServiceCheck, start time.Time) checkRestart {
	r := checkRestart{}
	if spec.CheckRestart != nil {
		r.graceUntil = start.Add(derefOr(spec.CheckRestart.Grace, time.Second))
	}
	return r
}

// restartFor restarts the task of a check, or the running tasks of the group, because of the check.
func (a *alloc) restartFor(ctx context.Context, c check) {
	for _, name := range a.names {
		if c.task != "" && c.task != name {
			continue
		}
		event := eventRestartSignal(fmt.Sprintf("healthcheck: check %q unhealthy", c.spec.Name))
		if err := a.tasks[name].restart(ctx, event, true); err != nil && err != errNotRunning && ctx.Err() == nil {
			a.log.Error("a task with a failing check is not restarted", "task", name, "error", err)
		}
	}
}
