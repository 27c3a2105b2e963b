//go:build unix

package driver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// idleEnd is how long a supervisor without tasks and without an agent waits for one of the two.
const idleEnd = 5 * time.Second

// A supervisor starts tasks, watches them and carries their output. One per folder.
type supervisor struct {
	dir string // the node's data folder
	log *slog.Logger

	mu      sync.Mutex
	tasks   map[string]*child // by task ID
	agents  int               // open connections
	ending  bool              // told to end
	changed chan struct{}     // gets a value when one of the above changes
}

// Supervise is the supervising process of the tasks below dir. It returns when it was told to end and no task runs, when
// neither an agent nor a task was there for a few seconds, when ctx ends (tasks go on), and at once without an error
// when another supervisor holds dir.
//
// A supervisor runs its own program once more for an isolated task: that process ends up here, too, and becomes the task.
func Supervise(ctx context.Context, dir string) error {
	if os.Getenv(becomes) != "" {
		return becomeTask()
	}
	home := filepath.Join(dir, "supervisor")
	if err := os.MkdirAll(filepath.Join(home, "tasks"), 0o700); err != nil {
		return fmt.Errorf("supervise %s: %w", dir, err)
	}
	lock, err := lockFile(filepath.Join(home, "lock"))
	if errors.Is(err, errLocked) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("supervise %s: %w", dir, err)
	}
	defer lock.Close()

	s := &supervisor{
		dir:     dir,
		log:     slog.New(slog.NewTextHandler(os.Stderr, nil)),
		tasks:   map[string]*child{},
		changed: make(chan struct{}, 1),
	}
	listener, err := listen(dir)
	if err != nil {
		return fmt.Errorf("supervise %s: %w", dir, err)
	}
	defer removeSocket(listener)
	s.adopt()
	if running, _, _ := s.counts(); running == 0 && agentGone() {
		listener.Close()
		return nil // one that came too late
	}
	return s.serve(ctx, listener)
}

// startedBy is the environment variable that has the process ID of the agent that started a supervisor.
const startedBy = "OSTRO_AGENT_PID"

// agentGone reports whether the agent that has started this supervisor is no more.
func agentGone() bool {
	pid, err := strconv.Atoi(os.Getenv(startedBy))
	return err == nil && pid != os.Getppid()
}

// adopt takes over what an earlier supervisor has left.
func (s *supervisor) adopt() {
	records, err := loadRecords(filepath.Join(s.dir, "supervisor", "tasks"))
	if err != nil {
		s.log.Error("records of tasks are damaged", "error", err)
	}
	for dir, r := range records {
		if r == nil || !s.recover(dir, r) {
			s.abandon(dir)
			continue
		}
		s.tasks[r.ID] = adoptChild(s, dir, r)
	}
}

// recover completes a record that does not say which process it is about. It is false for a task that was not started:
// the earlier supervisor died before the process was there.
func (s *supervisor) recover(dir string, r *record) bool {
	if r.Exit != nil || r.Process != (identity{}) {
		return true
	}
	found := findStarted(r, filepath.Base(dir))
	if !found && !r.damaged {
		return false
	}
	if !found {
		s.clear(dir)
		r.Exit = &Exit{Code: -1, Message: "the record of the task is damaged and its process has gone, so its exit code is not known", At: time.Now()}
	}
	if err := saveRecord(dir, r); err != nil {
		s.log.Error("a task's record cannot be made anew", "error", err)
	}
	s.log.Info("a task's record was completed", "task", r.ID, "running", found)
	return true
}

// abandon ends and forgets a task of which nobody can say what it was, lest it runs beside the one in its place.
func (s *supervisor) abandon(dir string) {
	s.clear(dir)
	if err := os.RemoveAll(dir); err != nil {
		s.log.Error("a task's record cannot be removed", "error", err)
	}
}

// clear ends what is left of a task whose first process has gone.
func (s *supervisor) clear(dir string) {
	key := filepath.Base(dir)
	if err := errors.Join(killAll(identity{}, key), removeCgroup(key)); err != nil {
		s.log.Error("processes of a task are left", "error", err)
	}
}

// serve answers the agent until there is nothing left to do.
func (s *supervisor) serve(ctx context.Context, listener net.Listener) error {
	server := s.httpServer()
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	defer func() {
		// The last calls get their answers; those that would wait for ever do not.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		if server.Shutdown(ctx) != nil {
			server.Close()
		}
	}()

	idle := time.NewTimer(idleEnd)
	defer idle.Stop()
	for {
		running, agents, ending := s.counts()
		if running > 0 || agents > 0 {
			idle.Stop()
		} else {
			idle.Reset(idleEnd)
		}
		if ending && running == 0 {
			return nil
		}
		select {
		case <-s.changed:
		case <-idle.C:
			return nil
		case <-ctx.Done():
			return nil
		case err := <-failed:
			return fmt.Errorf("supervise %s: %w", s.dir, err)
		}
	}
}

func (s *supervisor) counts() (running, agents int, ending bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.tasks {
		if !c.ended() {
			running++
		}
	}
	return running, s.agents, s.ending
}

// poke makes serve look again.
func (s *supervisor) poke() {
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

func (s *supervisor) end() {
	s.mu.Lock()
	s.ending = true
	s.mu.Unlock()
	s.poke()
}

func (s *supervisor) connState(delta int) {
	s.mu.Lock()
	s.agents += delta
	s.mu.Unlock()
	s.poke()
}

// start starts t unless its ID is known.
func (s *supervisor) start(t Task) error {
	s.mu.Lock()
	c, known := s.tasks[t.ID]
	if !known && s.ending {
		s.mu.Unlock()
		return errors.New("the supervisor is ending")
	}
	if !known {
		c = newChild(s, filepath.Join(s.dir, "supervisor", "tasks", taskKey(s.dir, t.ID)), t)
		s.tasks[t.ID] = c
	}
	s.mu.Unlock()
	if !known {
		c.start(t)
		s.poke()
	}
	<-c.started
	return c.startErr()
}

func (s *supervisor) child(id string) (*child, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, ok := s.tasks[id]
	if !ok {
		return nil, ErrUnknownTask
	}
	return c, nil
}

// list gives the IDs of the tasks whose logs are below dir; "" is any.
func (s *supervisor) list(dir string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	ids := make([]string, 0, len(s.tasks))
	for id, c := range s.tasks {
		if below(c.rec.Logs.Dir, dir) {
			ids = append(ids, id)
		}
	}
	return ids
}

// forget drops an ended task.
func (s *supervisor) forget(id string) error {
	c, err := s.child(id)
	if err != nil {
		return nil // repeated
	}
	if !c.ended() {
		return fmt.Errorf("task %s still runs", id)
	}
	if err := os.RemoveAll(c.dir); err != nil {
		return fmt.Errorf("forget task %s: %w", id, err)
	}
	s.mu.Lock()
	delete(s.tasks, id)
	s.mu.Unlock()
	return nil
}

var errLocked = errors.New("locked by another process")

// lockFile takes the exclusive lock of path. It is free again when the process is gone, however it ends.
func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = errLocked
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
