//go:build unix && !linux

package driver

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"syscall"
	"time"

	"github.com/shirou/gopsutil/v4/host"
	gopsutil "github.com/shirou/gopsutil/v4/process"
)

// identify returns the identity of the process that has pid now.
func identify(pid int) (identity, error) {
	boot, err := host.BootTime()
	if err != nil {
		return identity{}, fmt.Errorf("identify process %d: %w", pid, err)
	}
	p, err := gopsutil.NewProcess(int32(pid))
	if err != nil {
		return identity{}, fmt.Errorf("identify process %d: %w", pid, err)
	}
	created, err := p.CreateTime()
	if err != nil {
		return identity{}, fmt.Errorf("identify process %d: %w", pid, err)
	}
	return identity{PID: pid, StartTime: uint64(created), BootID: strconv.FormatUint(boot, 10)}, nil
}

// alive reports whether the process itself, not another one with its pid, still runs.
func (i identity) alive() bool {
	now, err := identify(i.PID)
	return err == nil && i.PID != 0 && now == i
}

// killAll kills the process group of a task. Processes that made a group of their own stay: unlike Linux the system
// has no table of what belongs together.
func killAll(i identity, key string) error {
	if i.PID == 0 {
		return nil
	}
	if err := syscall.Kill(-i.PID, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) && !errors.Is(err, syscall.EPERM) {
		return fmt.Errorf("kill the processes of task %s: %w", key, err)
	}
	return nil
}

// processesOf lists the processes of a task: the process group of its first one.
func processesOf(i identity, _ string) ([]int, error) {
	all, err := gopsutil.Pids()
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, pid := range all {
		if group, err := syscall.Getpgid(int(pid)); err == nil && group == i.PID {
			pids = append(pids, int(pid))
		}
	}
	return pids, nil
}

// setOOMScore does nothing: there is no such thing.
func setOOMScore(int, int64) error { return nil }

// findStarted completes the record of a task whose supervisor died just after the start. It reports whether there is a
// process.
func findStarted(r *record, key string) bool {
	all, err := gopsutil.ProcessesWithContext(context.Background())
	if err != nil {
		return false
	}
	for _, p := range all {
		env, err := p.Environ()
		if err != nil {
			continue
		}
		for _, kv := range env {
			if kv == marker(key) {
				r.Process, err = identify(int(p.Pid))
				return err == nil
			}
		}
	}
	return false
}

// waitAdopted waits for the end of a process that is not a child of this one.
func waitAdopted(i identity) Exit {
	for i.alive() {
		time.Sleep(200 * time.Millisecond)
	}
	return Exit{Code: -1, Message: "the task ended while its supervisor was not running, so its exit code is not known", At: time.Now()}
}
