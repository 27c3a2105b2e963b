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
	"slices"
	"syscall"
	"time"

	"github.com/creack/pty"
)

var (
	_ Execer = (*RawExec)(nil)
	_ Talker = (*RawExec)(nil)
)

// Exec implements [Execer].
func (r *RawExec) Exec(ctx context.Context, t Task, args []string) (Output, error) {
	cmd, start, err := r.beside(ctx, t, args)
	if err != nil {
		return Output{}, err
	}
	var out head
	cmd.Stdout, cmd.Stderr = &out, &out
	if err = start(); err == nil {
		err = cmd.Wait()
	}
	code, err := result(ctx, args, err)
	return Output{Code: code, Text: out}, err
}

// Talk implements [Talker].
func (r *RawExec) Talk(ctx context.Context, t Task, s Session) (int, error) {
	if s.TTY && lookupEnv(t.Env, "TERM") == "" {
		t.Env = append(slices.Clone(t.Env), "TERM=xterm") // as Docker does, or no program finds its way on it
	}
	cmd, start, err := r.beside(ctx, t, s.Args)
	if err != nil {
		return 0, err
	}
	if s.TTY {
		return talkOnTerminal(ctx, cmd, start, s)
	}
	cmd.Stdout, cmd.Stderr = s.Stdout, s.Stderr
	// Not cmd.Stdin: the program's end does not wait for somebody to type.
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return 0, fmt.Errorf("run %s: %w", s.Args[0], err)
	}
	if err := start(); err != nil {
		return 0, fmt.Errorf("run %s: %w", s.Args[0], err)
	}
	go func() {
		io.Copy(stdin, s.Stdin)
		stdin.Close()
	}()
	return result(ctx, s.Args, cmd.Wait())
}

// talkOnTerminal runs a program on a terminal of its own.
func talkOnTerminal(ctx context.Context, cmd *exec.Cmd, start func() error, s Session) (int, error) {
	terminal, its, err := pty.Open()
	if err != nil {
		return 0, fmt.Errorf("run %s: %w", s.Args[0], err)
	}
	defer terminal.Close()
	cmd.Stdin, cmd.Stdout, cmd.Stderr = its, its, its
	cmd.SysProcAttr.Setctty = true
	err = start()
	its.Close()
	if err != nil {
		return 0, fmt.Errorf("run %s: %w", s.Args[0], err)
	}
	ended, resized := make(chan struct{}), make(chan struct{})
	defer func() {
		close(ended)
		<-resized // before the terminal is closed
	}()
	go func() {
		defer close(resized)
		for {
			select {
			case size, ok := <-s.Sizes:
				if !ok {
					return
				}
				pty.Setsize(terminal, &pty.Winsize{Rows: size.Rows, Cols: size.Columns})
			case <-ended:
				return
			}
		}
	}()
	go io.Copy(terminal, s.Stdin)
	written := make(chan struct{})
	go func() {
		defer close(written)
		io.Copy(s.Stdout, terminal) // ends with an error when nobody holds the other end any more (Linux: EIO)
	}()
	err = cmd.Wait()
	select {
	case <-written:
	case <-time.After(time.Second): // a process that it left behind holds the terminal
	}
	return result(ctx, s.Args, err)
}

// beside is a program in the surroundings of a task, and what starts it. When ctx ends, it and all that it started are
// killed.
func (r *RawExec) beside(ctx context.Context, t Task, args []string) (cmd *exec.Cmd, start func() error, err error) {
	cmd = exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Err = nil // the command is not looked for on the agent's own PATH
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	rec, err := r.record(t.ID)
	if err != nil {
		return nil, nil, err // beside whom? Outside an isolated task it could do more than the task may
	}
	if rec.Isolated {
		start, err = r.inside(t, rec, cmd)
		return cmd, start, err
	}
	if cmd.Path, err = findCommand(t.Dir, args[0], t.Env); err != nil {
		return nil, nil, missingProgram(err)
	}
	cmd.Env, cmd.Dir = t.Env, t.Dir
	if t.User != "" {
		if cmd.SysProcAttr.Credential, err = credential(t.User); err != nil {
			return nil, nil, err
		}
	}
	return cmd, cmd.Start, nil
}

// missingProgram gives an error about a command that is nowhere Nomad's words for this case.
func missingProgram(err error) error {
	name, ok := errors.AsType[missingCommand](err)
	switch {
	case !ok:
		return err
	case filepath.IsAbs(string(name)):
		err = &os.PathError{Op: "fork/exec", Path: string(name), Err: syscall.ENOENT}
	default:
		err = &exec.Error{Name: string(name), Err: exec.ErrNotFound}
	}
	return fmt.Errorf("rpc error: code = Unknown desc = failed to start command: %w", err)
}

// record is what the supervisor has on disk of a task that runs.
func (r *RawExec) record(id string) (*record, error) {
	key := taskKey(r.dir, id)
	rec, err := loadRecord(filepath.Join(r.dir, "supervisor", "tasks", key))
	if rec != nil && (rec.Process != (identity{}) || findStarted(rec, key)) {
		return rec, nil
	}
	return nil, errors.Join(fmt.Errorf("task %s has no process", id), err)
}

// result is the exit code of a program that has ended.
func result(ctx context.Context, args []string, err error) (int, error) {
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && ctx.Err() == nil {
		if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
			return 128 + int(status.Signal()), nil
		}
		return exit.ExitCode(), nil
	}
	if err != nil {
		return 0, fmt.Errorf("run %s: %w", args[0], errors.Join(ctx.Err(), err))
	}
	return 0, nil
}
