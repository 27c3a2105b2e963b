package runner

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/hashicorp/nomad/api"
)

// beginKill ends the tasks that live, once. why is added to their events.
func (a *alloc) beginKill(ctx context.Context, why func() *api.TaskEvent) {
	if a.killed {
		return
	}
	a.killed = true
	a.runner.loops.Go(func() { a.killTasks(ctx, why) })
}

// killTasks ends the leader, then the other tasks, then the sidecars (Nomad: L3). Poststop tasks run after that.
func (a *alloc) killTasks(ctx context.Context, why func() *api.TaskEvent) {
	a.mu.Lock()
	var waves [3][]*task
	neverStarted := true
	for _, t := range a.tasks {
		neverStarted = neverStarted && t.saved.Starts == 0
	}
	for _, m := range a.members() {
		t := a.tasks[m.name]
		switch {
		case m.poststop():
			continue
		case m.leader:
			waves[0] = append(waves[0], t)
		case m.sidecar:
			waves[2] = append(waves[2], t)
		default:
			waves[1] = append(waves[1], t)
		}
	}
	a.mu.Unlock()
	a.hideServices(ctx)
	if neverStarted {
		waves[1] = slices.Collect(maps.Values(a.tasks)) // poststop tasks clean up after others, and there was none
	}
	a.groupDelay(ctx)
	if why != nil {
		for _, t := range slices.Concat(waves[:]...) {
			a.eventIfAlive(t, why())
		}
	}
	for i, wave := range waves {
		for _, t := range wave {
			timeout := t.killTimeout()
			if bereft := bereftBy(waves[:i]); why == nil && bereft != nil {
				a.eventIfAlive(t, bereft)
				a.eventIfAlive(t, eventKilling(timeout)) // once for that, and once for the stop (Nomad)
			}
			a.eventIfAlive(t, eventKilling(timeout))
			t.end()
		}
		for _, t := range wave {
			select {
			case <-t.done:
			case <-ctx.Done():
				return
			}
		}
	}
}

// bereftBy tells what the end of the earlier waves is to a task of the next: of the leader, or of all but the sidecars.
func bereftBy(waves [][]*task) *api.TaskEvent {
	switch {
	case len(waves) > 0 && len(waves[0]) > 0:
		return eventLeaderDead()
	case len(waves) > 1 && len(waves[1]) > 0:
		return eventMainsDead()
	}
	return nil
}

// hideServices takes what is about to end out of the catalogues, and returns when nobody can find it there any more.
func (a *alloc) hideServices(ctx context.Context) {
	a.mu.Lock()
	before := len(a.services)
	a.refreshServices()
	hidden := len(a.services) < before
	a.mu.Unlock()
	if hidden {
		a.runner.flush(ctx, a.id)
	}
}

// groupDelay waits for the group's shutdown_delay, so that others can turn to other instances first.
func (a *alloc) groupDelay(ctx context.Context) {
	a.mu.Lock()
	group := a.group()
	skip := deref(a.want.DesiredTransition.NoShutdownDelay)
	a.mu.Unlock()
	if group != nil && group.ShutdownDelay != nil && !skip {
		sleep(ctx, *group.ShutdownDelay) // cut short when all tasks have ended
	}
}

func (a *alloc) eventIfAlive(t *task, e *api.TaskEvent) {
	if a.state(t).State.State != stateDead {
		a.change(t, func(s *savedTask) { addEvent(s.State, e) })
	}
}

// stopAll ends all tasks and waits until they have ended or ctx ends.
func (a *alloc) stopAll(ctx context.Context) {
	a.mu.Lock()
	a.killing = true
	a.mu.Unlock()
	a.poke()
	select {
	case <-a.gone:
	case <-ctx.Done():
	}
}

// leave is stopAll for the end of the agent itself, which no task may put off for ever.
func (a *alloc) leave(ctx context.Context) {
	a.mu.Lock()
	a.leaving = a.now()
	a.mu.Unlock()
	a.stopAll(ctx)
}

// hurry ends the poststop tasks of an agent that is leaving once they have had their kill_timeout. It returns how long
// the next one may take.
func (a *alloc) hurry(group []member, now time.Time) time.Duration {
	wait := never
	for _, m := range group {
		t := a.tasks[m.name]
		timeout := t.killTimeout()
		a.mu.Lock()
		since := t.turnSince
		if a.leaving.After(since) {
			since = a.leaving
		}
		hurried := !a.leaving.IsZero() && m.poststop() && t.turnGiven && m.state != stateDead && t.kill.Err() == nil
		a.mu.Unlock()
		if !hurried {
			continue
		}
		if left := since.Add(timeout).Sub(now); left > 0 {
			wait = min(wait, left)
			continue
		}
		a.eventIfAlive(t, eventKilling(timeout))
		t.end()
	}
	return wait
}

// destroy ends all tasks and removes what is on disk.
func (a *alloc) destroy() {
	a.stopAll(a.runner.ctx)
	select {
	case <-a.ended:
	default:
		return // let go of
	}
	if err := removeAlloc(a.runner.conf.Dir, a.id); err != nil {
		a.log.Error("the allocation's folder is left", "error", err)
	}
}
