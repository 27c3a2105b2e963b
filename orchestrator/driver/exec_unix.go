//go:build unix

package driver

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"syscall"
	"time"
)

var _ Execer = (*RawExec)(nil)

// Exec implements [Execer].
func (r *RawExec) Exec(ctx context.Context, t Task, args []string) (Output, error) {
	path, err := findCommand(t.Dir, args[0], t.Env)
	if err != nil {
		return Output{}, err
	}
	cmd := exec.CommandContext(ctx, path, args[1:]...)
	cmd.Env, cmd.Dir = t.Env, t.Dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if t.User != "" {
		if cmd.SysProcAttr.Credential, err = credential(t.User); err != nil {
			return Output{}, err
		}
	}
	var out head
	cmd.Stdout, cmd.Stderr = &out, &out
	// What the program has started goes with it: the whole session.
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	err = cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && ctx.Err() == nil {
		return Output{Code: exit.ExitCode(), Text: out}, nil
	}
	if err != nil {
		return Output{Text: out}, fmt.Errorf("run %s: %w", args[0], errors.Join(ctx.Err(), err))
	}
	return Output{Text: out}, nil
}
