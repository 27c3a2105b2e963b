//go:build unix

package driver_test

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"ostro/orchestrator/driver"
)

// open starts a supervisor in a folder of its own and sees to it that nothing is left of it.
func open(t *testing.T, dir string) *driver.RawExec {
	t.Helper()
	d, err := driver.NewRawExec(t.Context(), dir, []string{os.Args[0], "supervise"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func newDir(t *testing.T) string {
	dir := t.TempDir()
	t.Cleanup(func() {
		for _, pid := range processesBelow(t, dir) {
			syscall.Kill(pid, syscall.SIGKILL)
			t.Errorf("process %d is left", pid)
		}
	})
	return dir
}

// processesBelow finds the processes that work in dir: the tasks. The supervisor's own command line names it.
func processesBelow(t *testing.T, dir string) (pids []int) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Skip("needs /proc")
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		cwd, _ := os.Readlink(filepath.Join("/proc", e.Name(), "cwd"))
		if strings.HasPrefix(cwd, dir) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// shell is a task that runs script.
func shell(t *testing.T, dir, id, script string) driver.Task {
	t.Helper()
	task := driver.Task{
		ID:     id,
		Dir:    filepath.Join(dir, "task"),
		Env:    []string{"PATH=/usr/bin:/bin"},
		Config: map[string]any{"command": "/bin/sh", "args": []any{"-c", script}},
		Logs:   driver.Logs{Dir: filepath.Join(dir, "logs"), Name: "web", MaxFiles: 3, MaxFileSize: 1 << 20},
	}
	for _, d := range []string{task.Dir, task.Logs.Dir} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return task
}

func within(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func TestExitCodes(t *testing.T) {
	dir := newDir(t)
	d := open(t, dir)
	for _, tc := range []struct {
		name, script string
		code, signal int
		stdout       string
	}{
		{"success", "echo hello; exit 0", 0, 0, "hello\n"},
		{"failure", "echo bye; exit 3", 3, 0, "bye\n"},
		{"killed", "echo x; kill -9 $$", 137, 9, "x\n"},
		{"interrupted", "kill -INT $$", 130, 2, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			sub := filepath.Join(dir, tc.name)
			if err := d.Start(t.Context(), shell(t, sub, tc.name, tc.script)); err != nil {
				t.Fatal(err)
			}
			exit, err := d.Wait(within(t, 2*time.Minute), tc.name)
			if err != nil {
				t.Fatal(err)
			}
			if exit.Code != tc.code || exit.Signal != tc.signal {
				t.Errorf("exit = %+v, want code %d, signal %d", exit, tc.code, tc.signal)
			}
			out, err := os.ReadFile(filepath.Join(sub, "logs/web.stdout.0"))
			if err != nil && tc.stdout != "" {
				t.Fatal(err)
			}
			if string(out) != tc.stdout {
				t.Errorf("stdout = %q, want %q", out, tc.stdout)
			}
		})
	}
	if err := d.End(within(t, 2*time.Minute)); err != nil {
		t.Fatal(err)
	}
}

// Who may not come to its folder is told which one is in the way.
func TestUserWithoutAWay(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root gives tasks to other users")
	}
	dir := newDir(t)
	d := open(t, dir)
	closed := filepath.Join(dir, "closed")
	task := shell(t, closed, "a/web/1", "id -u")
	task.User = "nobody"
	for at := dir; at != os.TempDir() && at != "/"; at = filepath.Dir(at) {
		if err := os.Chmod(at, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	want := "cannot enter the task's folder: " + closed + " is closed to it (mode 0700)"
	if err := d.Start(t.Context(), task); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%v; want %q", err, want)
	}
	if err := os.Chmod(closed, 0o711); err != nil {
		t.Fatal(err)
	}
	task.ID = "a/web/2"
	if err := d.Start(t.Context(), task); err != nil {
		t.Fatal(err)
	}
	if exit, err := d.Wait(within(t, time.Minute), task.ID); err != nil || !exit.Successful() {
		t.Errorf("%+v, %v", exit, err)
	}
	if err := d.End(within(t, time.Minute)); err != nil {
		t.Fatal(err)
	}
}
