package runner

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator/driver"
)

// An alloc decides about one allocation: which task may start, which has to end, and whether it is healthy.
type alloc struct {
	runner *Runner
	id     string
	dir    string
	log    *slog.Logger

	tasks      map[string]*task              // constant after newAlloc
	names      []string                      // of the tasks, in the job's order
	running    sync.WaitGroup                // the tasks' goroutines
	restored   bool                          // it ran before this agent
	killed     bool                          // the end of the tasks is under way; only the loop uses it
	ownSockets map[string]bool               // inodes of listening sockets that are known to be the tasks' own; guarded by mu
	checking   map[string]context.CancelFunc // the checks that are being done, by ID; only the loop uses it
	changed    chan struct{}                 // gets a value when there is something to decide
	ended      chan struct{}                 // closed when all tasks have ended for good
	gone       chan struct{}                 // closed when nothing runs here any more: ended, or let go of

	starting sync.Mutex // held while a task decides to start

	mu        sync.Mutex
	want      *api.Allocation // as Sync gave it
	begun     bool
	revive    bool      // somebody wants all tasks to run again, also those that have ended
	collected bool      // its folder is gone
	killing   bool      // this agent wants it to end
	leaving   time.Time // when the agent began to end and this with it; zero while it has not
	health    savedHealth
	watch     *healthWatch // nil while there is nothing to judge

	checks     map[string]*checkState // by ID
	checkedFor *api.Allocation        // the version that checks is of
	passed     []string               // checks that had passed under the agent before this one
	services   []*registration        // what others may use now; nil while that is not known
	settled    time.Time              // since when Consul has those of its own, and passes them; zero while it does not
}

// group returns the allocation's task group. The caller holds mu or is alone.
func (a *alloc) group() *api.TaskGroup {
	if a.want.Job == nil {
		return nil
	}
	for _, g := range a.want.Job.TaskGroups {
		if deref(g.Name) == a.want.TaskGroup {
			return g
		}
	}
	return nil
}

// spec returns the allocation and the current specification of a task; nil when the job has none of that name.
func (a *alloc) spec(name string) (*api.Allocation, *api.TaskGroup, *api.Task) {
	a.mu.Lock()
	defer a.mu.Unlock()
	group := a.group()
	if group == nil {
		return a.want, nil, nil
	}
	for _, t := range group.Tasks {
		if t.Name == name {
			return a.want, group, t
		}
	}
	return a.want, group, nil
}

func (a *alloc) driver(name string) driver.Driver {
	if d, ok := a.runner.conf.Drivers.Get(name); ok {
		return d
	}
	d, _ := a.runner.conf.Drivers.Get("raw_exec")
	return d // which will say that it does not know the task
}

// state returns a copy of what is known of t.
func (a *alloc) state(t *task) savedTask {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := t.saved
	s.State = new(*s.State)
	return s
}

// idle reports whether no task runs, so that nothing of the allocation's own can hold its ports.
func (a *alloc) idle() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, t := range a.tasks {
		if t.saved.Run != "" {
			return false
		}
	}
	return true
}

// change alters what is known of t, on disk first of all, and has the allocation decided about and reported.
func (a *alloc) change(t *task, f func(*savedTask)) {
	a.mu.Lock()
	f(&t.saved)
	a.save()
	a.mu.Unlock()
	a.poke()
	a.runner.markDirty(a.id)
}

// save writes the state to disk. A full disk must not end tasks, so an error is only told. The caller holds mu.
func (a *alloc) save() {
	s := savedAlloc{Tasks: map[string]*savedTask{}, Health: a.health}
	for name, t := range a.tasks {
		s.Tasks[name] = &t.saved
	}
	for _, check := range a.sortedChecks() {
		if check.passed {
			s.Passed = append(s.Passed, check.id)
		}
	}
	if a.checks == nil {
		s.Passed = a.passed
	}
	if err := saveState(a.runner.conf.Dir, a.id, s); err != nil {
		a.log.Error("a restart of the agent would lose the allocation's state", "error", err)
	}
}

// poke makes the allocation's loop look again.
func (a *alloc) poke() {
	select {
	case a.changed <- struct{}{}:
	default:
	}
}

// begin starts the allocation's goroutine, once. It waits for previous, if that is on this node, without a time limit
// (Nomad).
func (a *alloc) begin(previous *alloc) {
	if a.begun {
		return
	}
	a.begun = true
	if !terminal(a.want.ClientStatus) {
		a.runner.markDirty(a.id)
	}
	a.runner.loops.Go(func() { a.run(a.runner.ctx, previous) })
}

// update takes a new version of the allocation from the scheduler. What is given is never changed, so the same pointer is
// the same version, and a node with many allocations is not woken for one of them.
func (a *alloc) update(want *api.Allocation) {
	a.mu.Lock()
	known := a.want == want
	a.want = want
	a.mu.Unlock()
	if !known {
		a.poke()
	}
}

// run is the allocation's goroutine.
func (a *alloc) run(ctx context.Context, previous *alloc) {
	defer close(a.gone)
	if !a.awaitPrevious(ctx, previous) {
		return
	}
	if err := makeAllocDir(a.dir); err != nil {
		a.fail(err)
		return
	}
	defer a.running.Wait()
	for _, name := range a.names {
		a.startTask(ctx, a.tasks[name])
	}
	checks, stopChecks := context.WithCancel(ctx)
	defer stopChecks()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		a.reviveTasks(ctx)
		wait, ended := a.decide(checks)
		if ended || ctx.Err() != nil {
			break
		}
		timer.Reset(wait)
		select {
		case <-a.changed:
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	if ctx.Err() == nil {
		close(a.ended)
	}
}

// startTask starts the goroutine of a task. Only the allocation's loop calls it.
func (a *alloc) startTask(ctx context.Context, t *task) {
	a.running.Go(func() {
		t.run(ctx)
		a.poke()
	})
}

// awaitPrevious waits until the allocation that this one replaces has ended. It is false when this one must not start.
func (a *alloc) awaitPrevious(ctx context.Context, previous *alloc) bool {
	if previous == nil || a.restored {
		return true
	}
	for {
		select {
		case <-previous.ended:
			return true
		case <-ctx.Done():
			return false
		case <-a.changed:
			if a.stopWanted() {
				return true // the tasks see that they are killed before they start
			}
		}
	}
}

func (a *alloc) stopWanted() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.stopping()
}

// fail ends an allocation whose folders cannot be made.
func (a *alloc) fail(err error) {
	for _, name := range a.names {
		t := a.tasks[name]
		a.change(t, func(s *savedTask) {
			addEvent(s.State, eventSetupFailure(fmt.Errorf("failed to setup alloc: %w", err)))
			s.State.State, s.State.FinishedAt = stateDead, a.now().UTC()
		})
		close(t.done)
	}
	close(a.ended)
}

func (a *alloc) now() time.Time { return a.runner.conf.Now() }

// members are the tasks as the lifecycle sees them. The caller holds mu.
func (a *alloc) members() []member {
	group := a.group()
	var all []member
	for _, name := range a.names {
		s := a.tasks[name].saved.State
		m := member{name: name, state: s.State, failed: s.Failed}
		if group != nil {
			i := slices.IndexFunc(group.Tasks, func(t *api.Task) bool { return t.Name == name })
			if i >= 0 {
				m.leader = group.Tasks[i].Leader
				if l := group.Tasks[i].Lifecycle; l != nil {
					m.hook, m.sidecar = l.Hook, l.Sidecar
				}
			}
		}
		all = append(all, m)
	}
	return all
}

// decide looks at the states of all tasks and does what follows from them. It returns how long nothing follows from the
// time alone, and whether the allocation has ended.
func (a *alloc) decide(ctx context.Context) (time.Duration, bool) {
	ended := a.tasksDone() // asked first: what is decided below is about final states then
	a.watchChecks(ctx)
	a.mu.Lock()
	stop := a.stopping()
	group := a.members()
	for _, name := range mayStart(group, stop || a.killed) {
		if t := a.tasks[name]; !t.turnGiven {
			t.turnGiven, t.turnSince = true, a.now()
			close(t.turn)
		}
	}
	wait := a.judge(group, a.now())
	a.refreshServices()
	a.mu.Unlock()
	wait = min(wait, a.hurry(group, a.now()))

	reason, culprit := mustEnd(group)
	switch {
	case stop:
		a.beginKill(ctx, nil)
	case reason == siblingFailed:
		a.beginKill(ctx, func() *api.TaskEvent { return eventSiblingFailed(culprit) })
	case reason == leaderDead:
		a.beginKill(ctx, eventLeaderDead)
	case reason == mainsDead:
		a.beginKill(ctx, eventMainsDead)
	}
	return wait, ended
}

func (a *alloc) tasksDone() bool {
	for _, t := range a.tasks {
		if !isClosed(t.done) {
			return false
		}
	}
	return true
}

// report is the client's side of the allocation as it is now.
func (a *alloc) report() Update {
	a.mu.Lock()
	defer a.mu.Unlock()
	u := Update{AllocID: a.id, TaskStates: make(map[string]*api.TaskState, len(a.tasks))}
	for name, t := range a.tasks {
		u.TaskStates[name] = new(*t.saved.State)
	}
	u.ClientStatus, u.ClientDescription = clientStatus(a.members())
	if len(a.names) == 0 {
		u.ClientStatus, u.ClientDescription = api.AllocClientStatusFailed, "the job has no such task group"
	}
	u.Services = a.catalogue()
	u.NetworkStatus = &api.AllocNetworkStatus{}
	if h := a.health; h.Healthy != nil && h.DeploymentID == a.want.DeploymentID {
		u.DeploymentID = h.DeploymentID
		u.DeploymentStatus = &api.AllocDeploymentStatus{Healthy: h.Healthy, Timestamp: h.Timestamp}
	}
	return u
}
