package driver

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"

	"golang.org/x/sys/unix"
)

// inside is a program in an isolated task, with what the task may do and no more.
func (r *RawExec) inside(t Task, rec *record, cmd *exec.Cmd) (start func() error, err error) {
	t, who, err := asUser(t)
	if err != nil {
		return nil, err
	}
	isolation, err := decodeExec(t.Config, t.User)
	if err != nil {
		return nil, err
	}
	key := taskKey(r.dir, t.ID)
	cmd.Env, cmd.Dir = append(t.Env, marker(key)), filepath.Join("/", isolation.WorkDir)
	cmd.SysProcAttr.Credential = &who
	if who.Uid != 0 {
		cmd.SysProcAttr.AmbientCaps = capabilityNumbers(isolation.Capabilities)
	}
	return func() error {
		err := withNamespaces(rec.Process, isolation, func() error {
			if cmd.Path, err = findInside(cmd.Args[0]); err != nil {
				return err
			}
			if err := boundTo(isolation.Capabilities); err != nil {
				return fmt.Errorf("give up what the task must not do: %w", err)
			}
			return cmd.Start()
		})
		if err != nil {
			return err
		}
		if err := cgroupOf(key).add(cmd.Process.Pid); err != nil { // not from inside, where no cgroup is seen
			return errors.Join(err, cmd.Process.Kill(), cmd.Wait())
		}
		return nil
	}, nil
}

// withNamespaces calls f on a thread that is in the namespaces of a task, in which the processes that f starts are, and
// that ends with f.
func withNamespaces(of identity, i Isolation, f func() error) error {
	fd, err := unix.PidfdOpen(of.PID, 0)
	if err != nil {
		return fmt.Errorf("find the task's process: %w", err)
	}
	defer unix.Close(fd)
	if !of.alive() { // looked at after the open: from here on fd is that process and no other
		return fmt.Errorf("find the task's process: %w", os.ErrProcessDone)
	}
	done := make(chan error, 1)
	go onOwnThread(func() {
		err := unix.Unshare(unix.CLONE_FS) // threads that share their root cannot change it
		if err == nil {
			err = unix.Setns(fd, int(i.namespaces()))
		}
		if err != nil {
			done <- fmt.Errorf("enter the task's namespaces: %w", err)
			return
		}
		done <- f()
	})
	return <-done
}

// onOwnThread calls f on a thread that ends with it. The first one cannot end, and is what /proc/self shows, so it is
// kept out of it.
func onOwnThread(f func()) {
	runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
	if unix.Gettid() != unix.Getpid() {
		f()
		return
	}
	defer runtime.UnlockOSThread()
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		f()
	}()
	<-done
}
