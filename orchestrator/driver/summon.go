//go:build unix

package driver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// connectTime is how long a new supervisor may take until it answers.
const connectTime = time.Minute

// leftTasks reports whether there may be tasks of dir: a supervisor lives, or one has left records.
func leftTasks(dir string) (bool, error) {
	home := filepath.Join(dir, "supervisor")
	records, err := os.ReadDir(filepath.Join(home, "tasks"))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil // which a supervisor makes before all else
	}
	if err != nil {
		return false, fmt.Errorf("look for tasks of an earlier start: %w", err)
	}
	if len(records) > 0 {
		return true, nil
	}
	lock, err := lockFile(filepath.Join(home, "lock"))
	if errors.Is(err, errLocked) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("look for the supervisor of an earlier start: %w", err)
	}
	return false, lock.Close()
}

// A supervising process is one that this agent has started, until it has ended.
type supervising struct {
	process *os.Process
	ended   <-chan struct{}
	failure error // why it ended, if it did so of itself and not because another one is there; set before ended is closed
}

// endLatecomers ends what was started beside another supervisor and has not come to see that yet. The caller has the
// lock, so none of them looks after a task.
func (d *RawExec) endLatecomers() {
	d.starting.Lock()
	defer d.starting.Unlock()
	for _, s := range d.started {
		s.process.Kill() // it may have ended
		<-s.ended
	}
	d.started = nil
}

// ensure makes sure that a supervisor answers.
func (d *RawExec) ensure(ctx context.Context) error {
	d.starting.Lock()
	defer d.starting.Unlock()
	ctx, cancel := context.WithTimeout(ctx, connectTime)
	defer cancel()
	for {
		_, err := d.post(ctx, "/list", request{})
		if err != nil && ctx.Err() == nil {
			err = d.summon(ctx)
		}
		if err == nil {
			d.need()
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("start the supervisor: no answer within %v (see %s): %w", connectTime, d.logPath(), err)
		}
		if !errors.Is(err, errSupervisorEnded) {
			return fmt.Errorf("start the supervisor: %w", err)
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return fmt.Errorf("start the supervisor: it does not run (see %s): %w", d.logPath(), err)
		}
	}
}

// errSupervisorEnded is about one that came while another was about to end and held the lock still, or was killed.
var errSupervisorEnded = errors.New("the supervisor has ended")

// summon starts a supervisor and returns when one answers.
func (d *RawExec) summon(ctx context.Context) error {
	s, err := d.startSupervisor()
	if err != nil {
		return err
	}
	for {
		if _, err := d.post(ctx, "/list", request{}); err == nil {
			return nil
		}
		if closed(s.ended) {
			return cmp.Or(s.failure, errSupervisorEnded)
		}
		if err := pause(ctx, 5*time.Millisecond); err != nil {
			return err
		}
	}
}

func (d *RawExec) logPath() string { return filepath.Join(d.dir, "supervisor", "log") }

// startSupervisor runs the supervisor's command in a session of its own, with none of this process's streams.
func (d *RawExec) startSupervisor() (*supervising, error) {
	if len(d.argv) == 0 {
		return nil, errors.New("no command line for it is configured")
	}
	if err := os.MkdirAll(filepath.Join(d.dir, "supervisor"), 0o700); err != nil {
		return nil, err
	}
	log, err := os.OpenFile(d.logPath(), os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	logged, err := log.Seek(0, io.SeekEnd)
	cmd := exec.Command(runnable(d.argv[0]), append(d.argv[1:len(d.argv):len(d.argv)], d.dir)...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Dir = "/"
	// Tasks may run as the same user and could read the supervisor's environment: it gets none of the agent's secrets.
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), startedBy + "=" + strconv.Itoa(os.Getpid())}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return nil, errors.Join(err, log.Close())
	}
	ended := make(chan struct{})
	s := &supervising{process: cmd.Process, ended: ended}
	go func() {
		defer close(ended)
		defer log.Close()
		s.failure = failureOf(cmd.Wait(), io.NewSectionReader(log, logged, maxLastWords))
	}()
	d.started = slices.DeleteFunc(d.started, func(s *supervising) bool { return closed(s.ended) })
	d.started = append(d.started, s)
	return s, nil
}

// maxLastWords is more than a supervisor says that cannot do its work.
const maxLastWords = 4 << 10

// failureOf is why a supervisor could not do its work, in its own words. One that was killed may do it the next time.
func failureOf(err error, words io.Reader) error {
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok || !exit.Exited() {
		return nil
	}
	said, _ := io.ReadAll(words)
	if text := strings.TrimSpace(string(said)); text != "" {
		return errors.New(text)
	}
	return fmt.Errorf("it ended with %w", err)
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// runnable returns what to run for name. The file of this very program may have been removed, as "go run" does: Linux
// still has it.
func runnable(name string) string {
	self, err := os.Executable()
	if err != nil || self != name {
		return name
	}
	if _, err := os.Stat(name); errors.Is(err, fs.ErrNotExist) && runtime.GOOS == "linux" {
		return "/proc/self/exe"
	}
	return name
}
