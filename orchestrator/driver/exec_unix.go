//go:build unix

package driver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
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
	cmd, err := beside(ctx, t, args)
	if err != nil {
		return Output{}, err
	}
	var out head
	cmd.Stdout, cmd.Stderr = &out, &out
	code, err := result(ctx, args, cmd.Run())
	return Output{Code: code, Text: out}, err
}

// Talk implements [Talker].
func (r *RawExec) Talk(ctx context.Context, t Task, s Session) (int, error) {
	cmd, err := beside(ctx, t, s.Args)
	if err != nil {
		return 0, err
	}
	if s.TTY {
		return talkOnTerminal(ctx, cmd, s)
	}
	cmd.Stdout, cmd.Stderr = s.Stdout, s.Stderr
	// Not cmd.Stdin: the program's end does not wait for somebody to type.
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return 0, fmt.Errorf("run %s: %w", s.Args[0], err)
	}
	if err := cmd.Start(); err != nil {
		return 0, fmt.Errorf("run %s: %w", s.Args[0], err)
	}
	go func() {
		io.Copy(stdin, s.Stdin)
		stdin.Close()
	}()
	return result(ctx, s.Args, cmd.Wait())
}

// talkOnTerminal runs a program on a terminal of its own.
func talkOnTerminal(ctx context.Context, cmd *exec.Cmd, s Session) (int, error) {
	cmd.SysProcAttr.Setctty = true
	terminal, err := pty.Start(cmd)
	if err != nil {
		return 0, fmt.Errorf("run %s: %w", s.Args[0], err)
	}
	defer terminal.Close()
	ended := make(chan struct{})
	defer close(ended)
	go func() {
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

// beside is a program in the surroundings of a task. When ctx ends, it and all that it started are killed.
func beside(ctx context.Context, t Task, args []string) (*exec.Cmd, error) {
	path, err := findCommand(t.Dir, args[0], t.Env)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, path, args[1:]...)
	cmd.Env, cmd.Dir = t.Env, t.Dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if t.User != "" {
		if cmd.SysProcAttr.Credential, err = credential(t.User); err != nil {
			return nil, err
		}
	}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	return cmd, nil
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
