package runner

import (
	"context"
	"fmt"

	"ostro/orchestrator/driver"
)

// Session is a program that somebody talks to, Size that of its terminal.
type (
	Session = driver.Session
	Size    = driver.Size
)

// Talk runs a program in a running task of an allocation, and gives its exit code. task "" is the only one. The errors
// are in Nomad's words.
func (r *Runner) Talk(ctx context.Context, allocID, task string, s Session) (int, error) {
	t, err := r.talkTo(allocID, task)
	if err != nil {
		return 0, err
	}
	run, talker, err := t.talker()
	if err != nil {
		return 0, err
	}
	return talker.Talk(ctx, run, s)
}

func (r *Runner) talkTo(allocID, name string) (*task, error) {
	a, err := r.lookup(allocID)
	if err != nil {
		return nil, err
	}
	if name == "" && len(a.names) == 1 {
		name = a.names[0]
	}
	t, ok := a.tasks[name]
	if !ok {
		return nil, refusal(fmt.Sprintf("unknown task name %q", name))
	}
	return t, nil
}

// talker is the task as it runs, and the driver that lets people talk in it.
func (t *task) talker() (driver.Task, driver.Talker, error) {
	s := t.alloc.state(t)
	if s.State.State != stateRunning || s.Run == "" {
		return driver.Task{}, nil, refusal(fmt.Sprintf("task %q is not running.", t.name))
	}
	talker, ok := t.alloc.driver(s.Driver).(driver.Talker)
	if !ok {
		return driver.Task{}, nil, fmt.Errorf("the driver %s cannot run a program in a task", s.Driver)
	}
	run, err := t.driverTask(s.Run)
	return run, talker, err
}
