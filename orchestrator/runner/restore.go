package runner

import (
	"context"
	"path/filepath"

	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator/driver"
)

// newAlloc takes an allocation in, together with what a former agent has written down of it. runs are the starts of its
// tasks that the driver still knows: if the agent's own notes are lost, they tell what runs.
func newAlloc(r *Runner, want *api.Allocation, runs []driver.Found) *alloc {
	a := &alloc{
		runner:     r,
		id:         want.ID,
		dir:        filepath.Join(allocsDir(r.conf.Dir), want.ID),
		log:        r.log.With("alloc", want.ID),
		tasks:      map[string]*task{},
		checking:   map[string]context.CancelFunc{},
		ownSockets: map[string]bool{},
		changed:    make(chan struct{}, 1),
		ended:      make(chan struct{}),
		gone:       make(chan struct{}),
		want:       want,
	}
	saved, err := loadState(r.conf.Dir, want.ID)
	if err != nil {
		a.log.Error("the state from before is lost", "error", err)
	}
	if len(saved.Tasks) == 0 && len(runs) > 0 {
		saved.Tasks = tasksOfRuns(runs, want.TaskStates)
	}
	a.restored = len(saved.Tasks) > 0
	a.health, a.passed = saved.Health, saved.Passed
	group := a.group()
	if group == nil {
		return a
	}
	for _, spec := range group.Tasks {
		t := &task{alloc: a, name: spec.Name, turn: make(chan struct{}), done: make(chan struct{}), letGo: func() {}}
		t.kill, t.end = context.WithCancel(context.Background())
		if s := saved.Tasks[spec.Name]; s != nil && s.State != nil {
			t.saved = *s
		} else {
			t.saved.State = &api.TaskState{State: statePending}
			addEvent(t.saved.State, eventReceived())
		}
		if s := want.TaskStates[spec.Name]; s != nil && !a.restored && terminal(want.ClientStatus) {
			t.saved.State = new(*s) // of which the files are lost: it must not run again
			t.saved.State.State = stateDead
		}
		a.tasks[spec.Name] = t
		a.names = append(a.names, spec.Name)
	}
	return a
}

// tasksOfRuns makes the notes on tasks anew from the starts that the driver knows and the states as last reported.
func tasksOfRuns(runs []driver.Found, reported map[string]*api.TaskState) map[string]*savedTask {
	tasks := map[string]*savedTask{}
	for _, run := range runs {
		_, name, start := splitRunID(run.ID)
		s := tasks[name]
		if s == nil {
			s = &savedTask{State: &api.TaskState{State: statePending}, SetUp: true, Fetched: true}
			if last := reported[name]; last != nil {
				s.State = new(*last)
			}
			tasks[name] = s
		}
		if start > s.Starts {
			s.Starts, s.Run, s.Driver = start, run.ID, run.Driver
		}
	}
	return tasks
}

func terminal(clientStatus string) bool {
	switch clientStatus {
	case api.AllocClientStatusComplete, api.AllocClientStatusFailed, api.AllocClientStatusLost:
		return true
	}
	return false
}
