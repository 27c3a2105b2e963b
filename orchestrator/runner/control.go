package runner

import (
	"context"
	"errors"
)

// A refusal is an error in Nomad's own words: clients show them, and scripts look for them.
type refusal string

func (r refusal) Error() string { return string(r) }

// Restart ends one task, or every running one when task is "", and has it started again at once, whatever its policy.
func (r *Runner) Restart(ctx context.Context, allocID, task string) error {
	a, err := r.lookup(allocID)
	if err != nil {
		return err
	}
	if a.stopWanted() || isClosed(a.ended) {
		return refusal("restart of an alloc that should not run")
	}
	if task != "" {
		t, ok := a.tasks[task]
		if !ok {
			return refusal("Could not find task runner for task: " + task)
		}
		return t.restart(ctx, "User requested task to restart")
	}
	var errs []error
	for _, name := range a.names {
		t := a.tasks[name]
		if a.state(t).State.State == stateRunning {
			errs = append(errs, t.restart(ctx, "User requested running tasks to restart"))
		}
	}
	return errors.Join(errs...)
}

func (t *task) restart(ctx context.Context, reason string) error {
	s := t.alloc.state(t)
	if s.State.State != stateRunning || s.Run == "" {
		return refusal("Task not running")
	}
	t.alloc.change(t, func(s *savedTask) {
		addEvent(s.State, eventRestartSignal(reason))
		t.restarting = true
	})
	signal, timeout := t.killConfig()
	return t.alloc.driver(s.Driver).Stop(ctx, s.Run, signal, timeout)
}

// Signal sends a signal ("SIGHUP") to one task, or to every running one when task is "".
func (r *Runner) Signal(ctx context.Context, allocID, task, signal string) error {
	a, err := r.lookup(allocID)
	if err != nil {
		return err
	}
	names := a.names
	if task != "" {
		names = []string{task}
	}
	var errs []error
	for _, name := range names {
		t, ok := a.tasks[name]
		if !ok {
			return refusal("Could not find task runner for task: " + name)
		}
		s := a.state(t)
		if s.State.State != stateRunning || s.Run == "" {
			if task != "" {
				errs = append(errs, refusal("Task not running"))
			}
			continue
		}
		a.change(t, func(s *savedTask) { addEvent(s.State, eventSignaling(signal, "User requested task to be signaled")) })
		errs = append(errs, a.driver(s.Driver).Signal(ctx, s.Run, signal))
	}
	return errors.Join(errs...)
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
