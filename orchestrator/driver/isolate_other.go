//go:build unix && !linux

package driver

import (
	"errors"
	"os/exec"
)

// becomes is the environment variable that would tell a process to become an isolated task.
const becomes = "OSTRO_BECOMES_TASK"

var errNotLinux = errors.New("tasks are isolated on Linux only")

func becomeTask() error { return errNotLinux }

func newEntrance(Task, string) (*launch, error) { return nil, errNotLinux }

func oomKilled(string) bool { return false }

func forksRefused(string) bool { return false }

func removeCgroup(string) error { return nil }

func (r *RawExec) inside(Task, *record, *exec.Cmd) (start func() error, err error) {
	return nil, errNotLinux
}
