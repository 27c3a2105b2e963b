//go:build unix

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// agentLock is held by the one agent of a user that others find. The kernel
// lets go of it when the agent ends, however it ends. It is a record lock, so
// that others can ask for it without taking it.
type agentLock struct{ file *os.File }

// takeAgentLock gives nil when another agent holds the lock.
func takeAgentLock(dir string) (*agentLock, error) {
	file, err := openAgentLock(dir)
	if err != nil {
		return nil, err
	}
	err = unix.FcntlFlock(file.Fd(), unix.F_SETLK, &unix.Flock_t{Type: unix.F_WRLCK})
	if err == nil {
		return &agentLock{file}, nil
	}
	file.Close()
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES) {
		return nil, nil
	}
	return nil, fmt.Errorf("take the agent's lock: %w", err)
}

func openAgentLock(dir string) (*os.File, error) {
	file, err := os.OpenFile(filepath.Join(dir, "agent.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the agent's lock: %w", err)
	}
	return file, nil
}

func (l *agentLock) release() { l.file.Close() }

// agentLockHolder gives the process that holds the lock, 0 when none does. A
// holder that this process cannot see, in another PID namespace, is -1.
func agentLockHolder(dir string) (pid int, err error) {
	if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	file, err := openAgentLock(dir)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	lock := unix.Flock_t{Type: unix.F_WRLCK}
	if err := unix.FcntlFlock(file.Fd(), unix.F_GETLK, &lock); err != nil {
		return 0, fmt.Errorf("look at the agent's lock: %w", err)
	}
	switch {
	case lock.Type == unix.F_UNLCK:
		return 0, nil
	case lock.Pid == 0:
		return -1, nil
	}
	return int(lock.Pid), nil
}

// detach puts a command into a session of its own, so that it outlives this
// process and its terminal.
func detach(command *exec.Cmd) { command.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }

func terminate(pid int) error { return unix.Kill(pid, unix.SIGTERM) }
