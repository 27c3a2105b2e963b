//go:build unix

package driver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// drainTime is how long the supervisor reads on after a task's end when something still holds its output open.
const drainTime = 2 * time.Second

// A child is one start of one task.
type child struct {
	sup *supervisor
	dir string

	rec record // Process, Failed and Exit are set before started or done are closed, and constant afterwards

	started chan struct{} // closed once the start has worked or failed
	done    chan struct{} // closed once the task has ended and its exit is on disk
	logs    sync.WaitGroup
	pipes   []*os.File // the supervisor's reading ends
}

func newChild(s *supervisor, dir string, t Task) *child {
	return &child{
		sup:     s,
		dir:     dir,
		rec:     record{ID: t.ID, Logs: t.Logs, Started: time.Now(), Isolated: t.Isolation != nil},
		started: make(chan struct{}),
		done:    make(chan struct{}),
	}
}

// key is the child's marker.
func (c *child) key() string { return filepath.Base(c.dir) }

// start runs the task's command. The record is on disk before the process is, so that no process can be forgotten.
func (c *child) start(t Task) {
	cmd, err := c.launch(t)
	if err != nil {
		c.rec.Failed = err.Error()
		c.rec.Exit = &Exit{Code: -1, Message: err.Error(), At: time.Now()}
		c.save()
		close(c.started)
		c.finishLogs()
		close(c.done)
		return
	}
	close(c.started)
	go func() {
		err := cmd.Wait()
		c.finish(exitOf(cmd.ProcessState, err))
	}()
}

func (c *child) launch(t Task) (*exec.Cmd, error) {
	l, err := newLaunch(t, c.key())
	if err != nil {
		return nil, err
	}
	defer l.close()
	if err := os.MkdirAll(c.dir, 0o700); err != nil {
		return nil, err
	}
	if err := saveDecision(c.dir, &c.rec); err != nil {
		return nil, err
	}
	stdout, err := c.openOutput("stdout", l.user)
	if err != nil {
		return nil, err
	}
	defer stdout.Close()
	stderr, err := c.openOutput("stderr", l.user)
	if err != nil {
		return nil, err
	}
	defer stderr.Close()
	l.cmd.Stdout, l.cmd.Stderr = stdout, stderr
	if err := startOn(l.cmd, t.Resources.Cores); err != nil {
		return nil, startError(l.cmd, err)
	}
	// The process may be gone already; it is not waited for yet, so its pid is still its own.
	err = l.begun(l.cmd.Process.Pid)
	if err == nil {
		c.rec.Process, err = identify(l.cmd.Process.Pid)
	}
	if err == nil {
		err = saveRecord(c.dir, &c.rec)
	}
	if err == nil {
		err = l.begin()
	}
	if err != nil {
		err = errors.Join(err, killAll(identity{PID: l.cmd.Process.Pid}, c.key()))
		l.cmd.Wait() // of which the end is our doing
		return nil, errors.Join(err, removeCgroup(c.key()))
	}
	return l.cmd, nil
}

// openOutput makes the named pipe of one stream, begins to carry it to the log files, and returns the task's end. That
// end reads too: so the pipe outlives the supervisor, and the task never gets SIGPIPE.
func (c *child) openOutput(stream string, owner *syscall.Credential) (*os.File, error) {
	if c.rec.Logs.Disabled {
		return os.OpenFile(os.DevNull, os.O_RDWR, 0)
	}
	path := filepath.Join(c.dir, stream)
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		return nil, fmt.Errorf("make the pipe of %s: %w", stream, err)
	}
	if owner != nil {
		if err := os.Chown(path, int(owner.Uid), int(owner.Gid)); err != nil {
			return nil, fmt.Errorf("make the pipe of %s: %w", stream, err)
		}
	}
	fd, err := syscall.Open(path, syscall.O_RDWR|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open the pipe of %s: %w", stream, err)
	}
	if err := c.carry(stream); err != nil {
		return nil, errors.Join(err, syscall.Close(fd))
	}
	return os.NewFile(uintptr(fd), path), nil
}

// carry copies one stream's pipe to its log files until every process that writes to it is gone.
func (c *child) carry(stream string) error {
	pipe, err := os.OpenFile(filepath.Join(c.dir, stream), os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return fmt.Errorf("read the pipe of %s: %w", stream, err)
	}
	c.pipes = append(c.pipes, pipe)
	w := newRotator(c.rec.Logs, stream)
	_ = w.open() // The file of a task that says nothing is there, too (Nomad). What fails now is tried again.
	c.logs.Go(func() {
		buf := make([]byte, 64<<10)
		_, err := io.CopyBuffer(struct{ io.Writer }{w}, struct{ io.Reader }{pipe}, buf)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			drain(w, pipe, buf)
		}
		w.Close()
	})
	return nil
}

// drain copies what a pipe holds right now. On a busy machine the deadline of finishLogs can pass before the reader
// has had its turn, and what the task wrote last is what explains its end.
func drain(w io.Writer, pipe *os.File, buf []byte) {
	raw, err := pipe.SyscallConn()
	if err != nil || pipe.SetReadDeadline(time.Time{}) != nil {
		return
	}
	for {
		n := 0
		err := raw.Read(func(fd uintptr) bool {
			n, _ = syscall.Read(int(fd), buf)
			return true // does not wait for more
		})
		if err != nil || n <= 0 {
			return
		}
		if _, err := w.Write(buf[:n]); err != nil {
			return
		}
	}
}

func (c *child) finishLogs() {
	for _, p := range c.pipes {
		p.SetReadDeadline(time.Now().Add(drainTime))
	}
	c.logs.Wait()
	for _, p := range c.pipes {
		p.Close()
	}
}

// finish kills what the task has left behind, stores its last output, and records its end.
func (c *child) finish(exit Exit) {
	if err := killAll(c.rec.Process, c.key()); err != nil {
		c.sup.log.Error("processes of an ended task are left", "task", c.rec.ID, "error", err)
	}
	c.finishLogs()
	if c.rec.Isolated {
		if exit.OOMKilled = oomKilled(c.key()); exit.OOMKilled {
			exit.Message = "OOM Killed"
		} else if !exit.Successful() && forksRefused(c.key()) {
			exit.Message = "the task wanted more processes than it may have"
		}
		if err := removeCgroup(c.key()); err != nil {
			c.sup.log.Error("the cgroup of an ended task is left", "task", c.rec.ID, "error", err)
		}
	}
	c.rec.Exit = &exit
	c.save()
	close(c.done)
	c.sup.poke()
}

// save writes the record. A full disk must not keep the agent from learning of an exit, so an error is only told.
func (c *child) save() {
	if err := saveRecord(c.dir, &c.rec); err != nil {
		c.sup.log.Error("an exit is not on disk", "error", err)
	}
}

func (c *child) ended() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

func (c *child) startErr() error {
	if c.rec.Failed == "" {
		return nil
	}
	return errors.New(c.rec.Failed)
}

func (c *child) wait(ctx context.Context) (Exit, error) {
	select {
	case <-c.done:
		return *c.rec.Exit, nil
	case <-ctx.Done():
		return Exit{}, ctx.Err()
	}
}

// signal sends sig to the task's first process. To one that has ended it is no error.
func (c *child) signal(sig syscall.Signal) error {
	<-c.started
	if c.ended() || !c.rec.Process.alive() {
		return nil
	}
	if err := syscall.Kill(c.rec.Process.PID, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("signal task %s: %w", c.rec.ID, err)
	}
	return nil
}

// stop asks the task to end and kills it after timeout.
func (c *child) stop(sig syscall.Signal, timeout time.Duration) error {
	if err := c.signal(sig); err != nil {
		return err
	}
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case <-c.done:
		return nil
	case <-timer.C:
	}
	if err := killAll(c.rec.Process, c.key()); err != nil {
		return err
	}
	<-c.done
	return nil
}

// exitOf translates what the system says of an ended process.
func exitOf(state *os.ProcessState, err error) Exit {
	exit := Exit{At: time.Now()}
	if state == nil {
		exit.Code, exit.Message = -1, fmt.Sprintf("waiting for the process failed: %v", err)
		return exit
	}
	return statusExit(state.Sys().(syscall.WaitStatus), exit.At)
}

func statusExit(status syscall.WaitStatus, at time.Time) Exit {
	if status.Signaled() {
		return Exit{Code: 128 + int(status.Signal()), Signal: int(status.Signal()), At: at}
	}
	return Exit{Code: status.ExitStatus(), At: at}
}

// adoptChild takes over a task of an earlier supervisor from its record.
func adoptChild(s *supervisor, dir string, r *record) *child {
	c := &child{sup: s, dir: dir, rec: *r, started: make(chan struct{}), done: make(chan struct{})}
	close(c.started)
	if r.Exit != nil {
		close(c.done)
		return c
	}
	for _, stream := range []string{"stdout", "stderr"} {
		if r.Logs.Disabled {
			break
		}
		if err := c.carry(stream); err != nil {
			s.log.Error("the output of a task is lost", "task", r.ID, "error", err)
		}
	}
	go func() { c.finish(waitAdopted(c.rec.Process)) }()
	return c
}
