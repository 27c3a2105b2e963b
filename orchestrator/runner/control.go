package runner

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/nomad/api"
)

// A refusal is an error in Nomad's own words: clients show them, and scripts look for them.
type refusal string

func (r refusal) Error() string { return string(r) }

// Restart ends one task, or every running one when task is "", and has it started again at once, whatever its policy.
// With all, the tasks that have ended run again too, in the order of their lifecycle.
func (r *Runner) Restart(ctx context.Context, allocID, task string, all bool) error {
	a, err := r.lookup(allocID)
	if err != nil {
		return err
	}
	if task != "" {
		t, ok := a.tasks[task]
		switch {
		case !ok:
			return refusal("Could not find task runner for task: " + task)
		case a.stopWanted():
			return errNotRunning
		}
		return t.restart(ctx, eventRestartSignal("User requested task to restart"), false)
	}
	if a.stopWanted() || isClosed(a.ended) {
		return refusal("restart of an alloc that should not run")
	}
	if all {
		a.mu.Lock()
		a.revive = true
		a.mu.Unlock()
		a.poke()
		return nil
	}
	var errs []error
	for _, name := range a.names {
		t := a.tasks[name]
		if a.state(t).State.State == stateRunning {
			errs = append(errs, t.restart(ctx, eventRestartSignal("User requested running tasks to restart"), false))
		}
	}
	return errors.Join(errs...)
}

// Reconnected tells the tasks of allocations that their node is heard of again.
func (r *Runner) Reconnected(allocIDs []string) {
	for _, id := range allocIDs {
		a, err := r.lookup(id)
		if err != nil {
			continue // it is gone meanwhile
		}
		for _, name := range a.names {
			a.change(a.tasks[name], func(s *savedTask) { addEvent(s.State, eventReconnected()) })
		}
	}
}

// reviveTasks has all tasks run again, if somebody wants that and the allocation is not at its end. Poststop tasks wait
// for that end. Only the allocation's loop calls it.
func (a *alloc) reviveTasks(ctx context.Context) {
	a.mu.Lock()
	wanted := a.revive && !a.killed && !a.stopping()
	a.revive = false
	var live, dead []*task
	for _, m := range a.members() {
		switch t := a.tasks[m.name]; {
		case !wanted, m.poststop():
		case isClosed(t.done):
			dead = append(dead, t)
		default:
			live = append(live, t)
		}
	}
	a.mu.Unlock()
	if len(live) == 0 {
		return // it has ended, or is about to
	}
	const reason = "User requested all tasks to restart"
	for _, t := range dead {
		t.done = make(chan struct{})
		a.change(t, func(s *savedTask) {
			addEvent(s.State, eventRestartSignal(reason))
			addEvent(s.State, eventRestarting("", 0))
			s.State.Restarts++
			s.State.LastRestart, s.State.FinishedAt = a.now().UTC(), time.Time{}
			s.State.State, s.State.Failed = statePending, false
			t.newTurn()
		})
		a.startTask(ctx, t)
	}
	for _, t := range live {
		a.mu.Lock()
		t.newTurn()
		a.mu.Unlock()
		a.running.Go(func() {
			if err := t.restart(ctx, eventRestartSignal(reason), false); err != nil {
				a.log.Info("a task is not restarted", "task", t.name, "reason", err)
			}
		})
	}
}

// restart ends the task's run and has it started again: at once, or when it counts as a failure by the restart policy.
func (t *task) restart(ctx context.Context, why *api.TaskEvent, failure bool) error {
	s := t.alloc.state(t)
	if s.State.State != stateRunning || s.Run == "" {
		return errNotRunning
	}
	t.alloc.change(t, func(s *savedTask) {
		addEvent(s.State, why)
		t.restarting, t.failing = !failure, failure
	})
	t.alloc.hideServices(ctx)
	signal, timeout := t.killSignal(), t.killTimeout()
	return t.alloc.driver(s.Driver).Stop(ctx, s.Run, signal, timeout)
}

// Signal sends a signal ("SIGHUP") to one task, or to every running one when task is "".
func (r *Runner) Signal(ctx context.Context, allocID, task, signal string) error {
	a, err := r.lookup(allocID)
	if err != nil {
		return err
	}
	if task != "" {
		t, ok := a.tasks[task]
		if !ok {
			return refusal("Task not found")
		}
		return t.signal(ctx, signal, eventSignaling(signal))
	}
	var errs []error
	for _, name := range a.names {
		if err := a.tasks[name].signal(ctx, signal, eventSignaling(signal)); err != nil {
			//lint:ignore ST1005 Nomad's words
			errs = append(errs, fmt.Errorf("Failed to signal task: %s, err: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

// errNotRunning is what Nomad says of a task that does not run.
const errNotRunning = refusal("Task not running")

// signal sends a signal to the task and tells it with e.
func (t *task) signal(ctx context.Context, signal string, e *api.TaskEvent) error {
	s := t.alloc.state(t)
	if s.State.State != stateRunning || s.Run == "" {
		return errNotRunning
	}
	// It is told first, as the task may end of it at once.
	t.alloc.change(t, func(s *savedTask) { addEvent(s.State, e) })
	return t.alloc.driver(s.Driver).Signal(ctx, s.Run, signal)
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
