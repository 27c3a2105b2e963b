package runner

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator/driver"
)

// A task carries out one task of an allocation, from the wait for its turn to its end for good.
type task struct {
	alloc *alloc
	name  string

	// began is when this agent saw it start, zero if an earlier one did. StartedAt does not tell
	// how much time has passed since then, once the clock is set.
	began time.Time

	kill context.Context // ends when the task has to end for good
	end  context.CancelFunc
	done chan struct{} // closed when the task has ended for good or is let go of

	keeping bool   // its templates are rendered again when something changes; only the task's goroutine uses it
	letGo   func() // ends that

	// Guarded by alloc.mu.
	saved      savedTask
	turn       chan struct{} // closed by the allocation when the task may start
	turnGiven  bool
	turnSince  time.Time
	measured   sample // what it had used when somebody asked last
	restarting bool   // somebody wants a restart, whatever the policy says
	failing    bool   // somebody wants a restart, which counts as a failure
	templates  *templates
}

// run lives until the task has ended for good, or ctx ends: then it leaves everything as it is for the next agent.
func (t *task) run(ctx context.Context) {
	defer close(t.done)
	defer func() { t.letGo(); t.keeping = false }()
	if t.alloc.state(t).State.State == stateDead {
		return
	}
	for t.await(ctx) {
		o, killed := t.once(ctx)
		if ctx.Err() != nil {
			return
		}
		delay, again := t.decide(o, killed)
		if !again {
			break
		}
		select {
		case <-time.After(delay):
			continue
		case <-t.kill.Done():
		case <-ctx.Done():
			return
		}
		break
	}
	t.finish(ctx)
}

// await waits for the task's turn. It is false when the task must not start any more.
func (t *task) await(ctx context.Context) bool {
	if t.alloc.state(t).Run != "" {
		return true // it has started before
	}
	t.alloc.mu.Lock()
	turn := t.turn
	t.alloc.mu.Unlock()
	select {
	case <-turn:
	case <-t.kill.Done():
	case <-ctx.Done():
	}
	return ctx.Err() == nil && t.kill.Err() == nil
}

// newTurn makes the task wait for its turn before its next start. The caller holds alloc.mu.
func (t *task) newTurn() { t.turn, t.turnGiven = make(chan struct{}), false }

// finish marks the task as dead.
func (t *task) finish(ctx context.Context) {
	if ctx.Err() != nil {
		return
	}
	t.alloc.change(t, func(s *savedTask) {
		s.State.State = stateDead
		if s.State.FinishedAt.IsZero() {
			s.State.FinishedAt = t.alloc.now().UTC()
		}
	})
}

// once takes the task through one start to its end. A task that runs already, from before this agent, is taken up.
func (t *task) once(ctx context.Context) (o outcome, killed bool) {
	s := t.alloc.state(t)
	if s.Run == "" || !t.known(ctx, s) {
		if err := t.start(ctx); err != nil {
			return outcome{unrecovered: !driver.IsRecoverable(err)}, t.kill.Err() != nil
		}
	} else if s.State.State != stateRunning {
		t.alloc.change(t, t.setRunning) // the former agent died between the start and its note
	}
	t.keepTemplates(ctx)
	exit, killed := t.wait(ctx)
	if ctx.Err() != nil {
		return outcome{}, false
	}
	var run, driverName string
	t.alloc.change(t, func(s *savedTask) {
		run, driverName = s.Run, s.Driver
		s.Run, s.Driver = "", ""
		addEvent(s.State, eventTerminated(exit))
		if killed {
			addEvent(s.State, eventKilled())
		}
	})
	if err := t.alloc.driver(driverName).Forget(ctx, run); err != nil {
		t.alloc.log.Error("an ended task cannot be forgotten", "task", t.name, "error", err)
	}
	return outcome{successful: exit.Successful()}, killed
}

// known reports whether the driver has the run that was decided before this agent started. It has not, for example,
// when the agent died just before the start.
func (t *task) known(ctx context.Context, s savedTask) bool {
	ids, err := t.alloc.driver(s.Driver).List(ctx, t.alloc.runner.conf.Dir)
	if err != nil {
		return true // the wait asks again until it gets an answer
	}
	for _, id := range ids {
		if id == s.Run {
			return true
		}
	}
	return false
}

func (t *task) setRunning(s *savedTask) {
	s.State.State = stateRunning
	t.began = t.alloc.now()
	s.State.StartedAt = t.began.UTC()
	addEvent(s.State, eventStarted())
}

// wait waits for the task's end, and brings it about when the task is killed.
func (t *task) wait(ctx context.Context) (exit driver.Exit, killed bool) {
	s := t.alloc.state(t)
	d := t.alloc.driver(s.Driver)
	ended := make(chan driver.Exit, 1)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		for {
			exit, err := d.Wait(ctx, s.Run)
			if errors.Is(err, driver.ErrUnknownTask) {
				exit, err = driver.Exit{Code: -1, Message: "the driver does not know the task any more", At: t.alloc.now()}, nil
			}
			if err == nil {
				ended <- exit
				return
			}
			if sleep(ctx, driverRetry) != nil {
				return
			}
		}
	}()
	select {
	case exit := <-ended:
		return exit, false
	case <-ctx.Done():
		return driver.Exit{}, false
	case <-t.kill.Done():
	}
	if exit, ok := t.shutdownDelay(ctx, ended); ok {
		return exit, false
	}
	signal, timeout := t.killSignal(), t.killTimeout()
	for {
		var retry <-chan time.Time
		if err := d.Stop(ctx, s.Run, signal, timeout); err != nil {
			t.alloc.log.Error("a task cannot be stopped, it is tried again", "task", t.name, "error", err)
			signal = "" // the driver's own, lest the job's is the trouble
			retry = time.After(driverRetry)
		}
		select {
		case exit := <-ended:
			return exit, true
		case <-ctx.Done():
			return driver.Exit{}, false
		case <-retry:
		}
	}
}

// shutdownDelay keeps a killed task running for its shutdown_delay. It is true when the task ended meanwhile.
func (t *task) shutdownDelay(ctx context.Context, ended <-chan driver.Exit) (driver.Exit, bool) {
	alloc, _, spec := t.alloc.spec(t.name)
	if spec == nil || spec.ShutdownDelay == 0 {
		return driver.Exit{}, false
	}
	delay := spec.ShutdownDelay
	if deref(alloc.DesiredTransition.NoShutdownDelay) {
		t.alloc.change(t, func(s *savedTask) { addEvent(s.State, eventSkippingShutdownDelay(delay)) })
		return driver.Exit{}, false
	}
	t.alloc.change(t, func(s *savedTask) { addEvent(s.State, eventShutdownDelay(delay)) })
	select {
	case exit := <-ended:
		return exit, true
	case <-ctx.Done():
	case <-time.After(delay):
	}
	return driver.Exit{}, false
}

// killSignal is the signal that asks the task to end; "" is the driver's own.
func (t *task) killSignal() string {
	_, _, spec := t.alloc.spec(t.name)
	if spec == nil || spec.KillSignal == "" {
		return ""
	}
	return t.env().replace(spec.KillSignal)
}

// killTimeout is how long the task may take to end.
func (t *task) killTimeout() time.Duration {
	timeout := 5 * time.Second
	if _, _, spec := t.alloc.spec(t.name); spec != nil {
		timeout = derefOr(spec.KillTimeout, timeout)
	}
	return min(timeout, t.alloc.runner.conf.MaxKillTimeout)
}

// decide applies the restart policy.
func (t *task) decide(o outcome, killed bool) (delay time.Duration, again bool) {
	alloc, group, spec := t.alloc.spec(t.name)
	if killed || t.kill.Err() != nil || spec == nil {
		return 0, false
	}
	policy := restartPolicyOf(alloc.Job, group, spec)
	t.alloc.change(t, func(s *savedTask) {
		var d decision
		if t.restarting {
			d = decision{restart: true}
		} else {
			o.successful = o.successful && !t.failing
			d, s.Restart = policy.next(s.Restart, o, t.alloc.now(), rand.Float64())
		}
		t.restarting, t.failing = false, false
		switch {
		case d.restart:
			addEvent(s.State, eventRestarting(d.reason, d.delay))
			s.State.State = statePending
			s.State.Restarts++
			s.State.LastRestart = t.alloc.now().UTC()
		case d.failed:
			addEvent(s.State, eventNotRestarting(d.reason))
			s.State.Failed = true
			s.State.State = stateDead
			s.State.FinishedAt = t.alloc.now().UTC()
		}
		delay, again = d.delay, d.restart
	})
	return delay, again
}

// addEvent appends e; of more than ten the oldest go (Nomad). States that were handed out keep their own list.
func addEvent(s *api.TaskState, e *api.TaskEvent) {
	events := append(s.Events[:len(s.Events):len(s.Events)], e)
	s.Events = events[max(0, len(events)-maxEvents):]
	s.Failed = s.Failed || e.FailsTask
}
