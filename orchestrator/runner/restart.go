package runner

import (
	"fmt"
	"time"

	"github.com/hashicorp/nomad/api"
)

// What Nomad says of its decisions about a task that has ended.
const (
	reasonWithinPolicy  = "Restart within policy"
	reasonNoRestarts    = "Policy allows no restarts"
	reasonUnrecoverable = "Error was unrecoverable"
	reasonDelay         = "Exceeded allowed attempts, applying a delay"
)

// restartPolicy is a task's restart block with its defaults, and whether success is a reason to restart as well.
type restartPolicy struct {
	attempts  int
	interval  time.Duration
	delay     time.Duration
	mode      string // "fail" or "delay"
	onSuccess bool
}

// restartPolicyOf returns the policy of a task (Nomad: S1; a service restarts on success too, batch jobs do not; of the
// tasks with a lifecycle only sidecars do).
func restartPolicyOf(job *api.Job, group *api.TaskGroup, task *api.Task) restartPolicy {
	batch := deref(job.Type) == api.JobTypeBatch || deref(job.Type) == api.JobTypeSysbatch
	p := restartPolicy{attempts: 2, interval: 30 * time.Minute, delay: 15 * time.Second, mode: "fail", onSuccess: !batch}
	if batch {
		p.attempts, p.interval = 3, 24*time.Hour
	}
	for _, block := range []*api.RestartPolicy{group.RestartPolicy, task.RestartPolicy} {
		if block == nil {
			continue
		}
		p.attempts = derefOr(block.Attempts, p.attempts)
		p.interval = derefOr(block.Interval, p.interval)
		p.delay = derefOr(block.Delay, p.delay)
		p.mode = derefOr(block.Mode, p.mode)
	}
	if l := task.Lifecycle; l != nil && l.Hook != "" {
		p.onSuccess = l.Sidecar && l.Hook != api.TaskLifecycleHookPoststop
	}
	return p
}

// restartCount is what a policy remembers between two ends of a task.
type restartCount struct {
	Count int
	Since time.Time // when the interval began
}

// An outcome is how one run of a task went.
type outcome struct {
	successful  bool // it ran and ended well
	unrecovered bool // it could not be started, and never will
}

// A decision is what happens to a task that has ended.
type decision struct {
	restart bool
	failed  bool // not restarted, and for that the task has failed
	delay   time.Duration
	reason  string
}

// next decides what happens after an outcome at now. jitter in [0,1) spreads the delay by up to a quarter.
func (p restartPolicy) next(count restartCount, o outcome, now time.Time, jitter float64) (decision, restartCount) {
	if p.attempts == 0 {
		return decision{failed: !o.successful || p.onSuccess, reason: reasonNoRestarts}, count
	}
	if count.Since.IsZero() || now.After(count.Since.Add(p.interval)) {
		count = restartCount{Since: now}
	}
	count.Count++
	switch {
	case o.unrecovered:
		return decision{failed: true, reason: reasonUnrecoverable}, count
	case o.successful && !p.onSuccess:
		return decision{}, count
	case count.Count <= p.attempts:
		delay := p.delay + time.Duration(jitter*float64(p.delay)/4)
		return decision{restart: true, delay: delay, reason: reasonWithinPolicy}, count
	case p.mode == "fail":
		reason := fmt.Sprintf("Exceeded allowed attempts %d in interval %v and mode is %q", p.attempts, p.interval, p.mode)
		return decision{failed: true, reason: reason}, count
	}
	return decision{restart: true, delay: count.Since.Add(p.interval).Sub(now), reason: reasonDelay}, count
}

func deref[T any](p *T) (zero T) { return derefOr(p, zero) }

func derefOr[T any](p *T, otherwise T) T {
	if p == nil {
		return otherwise
	}
	return *p
}
