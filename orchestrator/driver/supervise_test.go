//go:build linux

package driver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// innocent starts a process in a session of its own which has nothing to do with any task.
func innocent(t *testing.T, env ...string) (pid int) {
	t.Helper()
	cmd := exec.Command("/bin/sleep", "1000")
	cmd.Env = append(os.Environ(), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { defer close(ended); cmd.Wait() }()
	t.Cleanup(func() { cmd.Process.Kill(); <-ended })
	return cmd.Process.Pid
}

// leave writes the record of a task that an earlier supervisor has left.
func leave(t *testing.T, dir string, r record) {
	t.Helper()
	r.Logs.Disabled = true
	path := filepath.Join(dir, "supervisor", "tasks", taskKey(dir, r.ID))
	if err := errors.Join(os.MkdirAll(path, 0o700), saveRecord(path, &r)); err != nil {
		t.Fatal(err)
	}
}

func connect(t *testing.T, dir string) *RawExec {
	t.Helper()
	d, err := NewRawExec(t.Context(), dir, []string{os.Args[0], "supervise"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
		defer cancel()
		ids, err := d.List(ctx, "")
		for _, id := range ids {
			err = errors.Join(err, d.Stop(ctx, id, "", 0))
		}
		if err := errors.Join(err, d.End(ctx)); err != nil {
			t.Error(err)
		}
	})
	return d
}

// leaveIdle has a supervisor of dir that has no task, and no agent any more.
func leaveIdle(t *testing.T, dir string) *supervising {
	t.Helper()
	d, err := NewRawExec(t.Context(), dir, []string{os.Args[0], "supervise"})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(d.ensure(soon(t)), d.Close()); err != nil {
		t.Fatal(err)
	}
	return d.started[0]
}

func soon(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func TestOtherProcessesAreLeftAlone(t *testing.T) {
	boot, err := bootID()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	afterReboot, reused := innocent(t), innocent(t)
	leave(t, dir, record{ID: "a/web/1", Process: identity{PID: afterReboot, StartTime: 1, BootID: "another boot"}})
	leave(t, dir, record{ID: "b/web/1", Process: identity{PID: reused, StartTime: 1, BootID: boot}})
	d := connect(t, dir)
	for _, id := range []string{"a/web/1", "b/web/1"} {
		if err := d.Stop(soon(t), id, "", 0); err != nil {
			t.Error(err)
		}
		exit, err := d.Wait(soon(t), id)
		if err != nil || exit.Code != -1 || !strings.Contains(exit.Message, "not known") {
			t.Errorf("%s: %+v, %v", id, exit, err)
		}
	}
	for _, pid := range []int{afterReboot, reused} {
		if p, err := readProcess(pid); err != nil || p.zombie {
			t.Errorf("process %d was killed", pid)
		}
	}
}

func TestStartWithoutRecord(t *testing.T) {
	dir := t.TempDir()
	leave(t, dir, record{ID: "never/web/1"})
	leave(t, dir, record{ID: "started/web/1"})
	orphan := innocent(t, marker(taskKey(dir, "started/web/1")))
	d := connect(t, dir)
	if _, err := d.Wait(soon(t), "never/web/1"); !errors.Is(err, ErrUnknownTask) {
		t.Errorf("error %v", err)
	}
	if err := d.Signal(soon(t), "started/web/1", "SIGTERM"); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Wait(soon(t), "started/web/1"); err != nil {
		t.Fatal(err)
	}
	if p, err := readProcess(orphan); err == nil && !p.zombie {
		t.Error("the process was not adopted")
	}
}

// task runs script in /bin/sh below dir.
func scriptTask(t *testing.T, dir, id, script string) Task {
	t.Helper()
	task := Task{
		ID: id, Dir: filepath.Join(dir, "task"), Env: []string{"PATH=/usr/bin:/bin"},
		Config: map[string]any{"command": "sh", "args": []any{"-c", script}},
		Logs:   Logs{Dir: filepath.Join(dir, "logs"), Name: "web", MaxFiles: 3, MaxFileSize: 1 << 20},
	}
	if err := errors.Join(os.MkdirAll(task.Dir, 0o777), os.MkdirAll(task.Logs.Dir, 0o755)); err != nil {
		t.Fatal(err)
	}
	return task
}

func TestStartTwiceIsOnce(t *testing.T) {
	dir := t.TempDir()
	d := connect(t, dir)
	task := scriptTask(t, dir, "a/web/1", "echo up; exec sleep 1000")
	for range 3 {
		if err := d.Start(soon(t), task); err != nil {
			t.Fatal(err)
		}
	}
	log := filepath.Join(task.Logs.Dir, "web.stdout.0")
	for ctx := soon(t); ; {
		if out, err := os.ReadFile(log); err == nil && len(out) > 0 {
			break
		}
		if err := pause(ctx, 5*time.Millisecond); err != nil {
			t.Fatal("nothing was logged")
		}
	}
	if err := d.Stop(soon(t), task.ID, "SIGTERM", time.Minute); err != nil {
		t.Fatal(err)
	}
	if err := d.Start(soon(t), task); err != nil {
		t.Fatal(err)
	}
	exit, err := d.Wait(soon(t), task.ID)
	if err != nil || exit.Signal != int(syscall.SIGTERM) {
		t.Errorf("%+v, %v", exit, err)
	}
	if out, err := os.ReadFile(log); err != nil || string(out) != "up\n" {
		t.Errorf("%q, %v", out, err)
	}
	if err := errors.Join(d.Forget(soon(t), task.ID), d.Forget(soon(t), task.ID)); err != nil {
		t.Error(err)
	}
	if ids, err := d.List(t.Context(), ""); err != nil || len(ids) != 0 {
		t.Errorf("%v, %v", ids, err)
	}
}

func TestDescendantsEndWithTheirTask(t *testing.T) {
	dir := t.TempDir()
	d := connect(t, dir)
	script := `sleep 1000 & (setsid sleep 1000 &) ; (env -i setsid sh -c 'echo still here; exec sleep 1000' &) ; (env -i sh -c 'exec sleep 1000' &); exit 0`
	if err := d.Start(soon(t), scriptTask(t, dir, "a/web/1", script)); err != nil {
		t.Fatal(err)
	}
	if exit, err := d.Wait(soon(t), "a/web/1"); err != nil || !exit.Successful() {
		t.Errorf("%+v, %v", exit, err)
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		cwd, _ := os.Readlink("/proc/" + e.Name() + "/cwd")
		if !strings.HasPrefix(cwd, dir) {
			continue
		}
		// One that gave up both its session and its environment cannot be found without cgroups.
		environ, _ := os.ReadFile("/proc/" + e.Name() + "/environ")
		if len(environ) > 0 && strings.Contains(string(environ), markerName) {
			t.Errorf("process %s is left", e.Name())
		}
		var pid int
		fmt.Sscan(e.Name(), &pid)
		syscall.Kill(pid, syscall.SIGKILL)
	}
}

func TestSupervisorsExcludeEachOther(t *testing.T) {
	dir := t.TempDir()
	d := connect(t, dir)
	if err := d.ensure(soon(t)); err != nil {
		t.Fatal(err)
	}
	if err := Supervise(soon(t), dir); err != nil {
		t.Errorf("a second supervisor: %v", err)
	}
}

func TestLongPath(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("long/", 30))
	d := connect(t, dir)
	if err := d.Start(soon(t), scriptTask(t, dir, "a/web/1", "exit 4")); err != nil {
		t.Fatal(err)
	}
	if exit, err := d.Wait(soon(t), "a/web/1"); err != nil || exit.Code != 4 {
		t.Errorf("%+v, %v", exit, err)
	}
}

func TestIdleSupervisorEnds(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	leaveIdle(t, dir)
	for ctx := soon(t); ; {
		lock, err := lockFile(filepath.Join(dir, "supervisor", "lock"))
		if err == nil {
			lock.Close()
			return
		}
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			t.Fatal("the supervisor lives on")
		}
	}
}

func TestCommandIsFound(t *testing.T) {
	dir, path := t.TempDir(), t.TempDir()
	for name, mode := range map[string]os.FileMode{
		"local/both": 0o755, "both": 0o755, "root": 0o755, "local/bin/unzipped": 0o600,
	} {
		file := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, nil, mode)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(path, "onpath"), nil, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"both":               filepath.Join(dir, "local/both"),
		"root":               filepath.Join(dir, "root"),
		"local/bin/unzipped": filepath.Join(dir, "local/bin/unzipped"),
		"onpath":             filepath.Join(path, "onpath"),
		"/bin/sh":            "/bin/sh",
		"nope":               "",
		"../nope":            "",
		"local":              "",
	} {
		got, err := findCommand(dir, name, []string{"PATH=relative:" + path})
		if got != want || (err != nil) != (want == "") {
			t.Errorf("%s: %q, %v; want %q", name, got, err, want)
		}
	}
	if info, err := os.Stat(filepath.Join(dir, "local/bin/unzipped")); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

func TestUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root to start a task as another user")
	}
	dir := t.TempDir()
	for d := dir; d != "/tmp" && d != "/"; d = filepath.Dir(d) {
		os.Chmod(d, 0o755)
	}
	d := connect(t, dir)
	task := scriptTask(t, dir, "a/web/1", "id -un; echo again > /dev/stderr")
	task.User = "nobody"
	if err := d.Start(soon(t), task); err != nil {
		t.Fatal(err)
	}
	if exit, err := d.Wait(soon(t), task.ID); err != nil || !exit.Successful() {
		t.Errorf("%+v, %v", exit, err)
	}
	for name, want := range map[string]string{"web.stdout.0": "nobody\n", "web.stderr.0": "again\n"} {
		if out, err := os.ReadFile(filepath.Join(task.Logs.Dir, name)); err != nil || string(out) != want {
			t.Errorf("%s: %q, %v", name, out, err)
		}
	}
	task.ID, task.User = "a/web/2", "no such user"
	if err := d.Start(soon(t), task); err == nil || !strings.Contains(err.Error(), "not known on this machine") {
		t.Errorf("error %v", err)
	}
}

func TestRawExecConfig(t *testing.T) {
	for _, tc := range []struct {
		config map[string]any
		err    string
	}{
		{map[string]any{"command": "x", "args": []any{"a", 1, true, 2.5}}, ""},
		{map[string]any{}, `Missing required argument: The argument "command" is required, but no definition was found.`},
		{map[string]any{"command": "x", "comand": "y"}, `Invalid label: No argument or block type is named "comand".`},
		{map[string]any{"command": "x", "args": "y"}, `Incorrect attribute value type: Inappropriate value for attribute "args": list of string required, but have string.`},
		{map[string]any{"command": map[string]any{}}, `attribute "command": string required, but have object.`},
		{map[string]any{"command": "x", "work_dir": "local"}, "failed driver config validation: work_dir must be an absolute path"},
		{map[string]any{"command": "x", "oom_score_adj": -1}, "failed driver config validation: oom_score_adj must not be negative"},
	} {
		c, err := decodeRawExec(tc.config)
		if tc.err == "" && (err != nil || strings.Join(c.Args, " ") != "a 1 true 2.5") || tc.err != "" && (err == nil || !strings.Contains(err.Error(), tc.err)) {
			t.Errorf("%v: %+v, %v", tc.config, c, err)
		}
	}
}

func TestRawExecSettings(t *testing.T) {
	dir := t.TempDir()
	d := connect(t, dir)
	task := scriptTask(t, dir, "a/web/1", `while [ "$(cat /proc/self/oom_score_adj)" != 100 ]; do sleep 0.01; done; echo $A-$SECRET_A-$SECRET_B; pwd`)
	task.Env = append(task.Env, "A=a", "SECRET_A=a", "SECRET_B=b")
	task.Config["oom_score_adj"], task.Config["denied_envvars"], task.Config["work_dir"] = 100, []any{"SECRET_*"}, "/"
	if err := d.Start(soon(t), task); err != nil {
		t.Fatal(err)
	}
	exit, err := d.Wait(soon(t), task.ID)
	if out := readLog(t, task); err != nil || !exit.Successful() || out != "a--\n/\n" {
		t.Errorf("%q, %+v, %v", out, exit, err)
	}
}

func TestNodesDoNotShareTasks(t *testing.T) {
	var nodes []*RawExec
	for range 2 {
		dir := t.TempDir()
		d := connect(t, dir)
		if err := d.Start(soon(t), scriptTask(t, dir, "a/web/1", "exec sleep 1000")); err != nil {
			t.Fatal(err)
		}
		nodes = append(nodes, d)
	}
	if err := nodes[0].Stop(soon(t), "a/web/1", "", 0); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if exit, err := nodes[1].Wait(ctx, "a/web/1"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the other node's task has ended too: %+v, %v", exit, err)
	}
}

// A supervisor that comes when its agent has gone, and finds nothing to look after, does not wait for another one.
func TestSupervisorThatComesTooLate(t *testing.T) {
	t.Setenv(startedBy, "1")
	took := time.Hour
	for range 5 { // one of them has a machine that is not busy
		began := time.Now()
		if err := Supervise(t.Context(), t.TempDir()); err != nil {
			t.Fatal(err)
		}
		took = min(took, time.Since(began))
	}
	if took >= idleEnd {
		t.Errorf("it waited: %v", took)
	}
}

// The end of a supervisor whose folder was removed leaves the socket of its successor in place.
func TestFolderRemoved(t *testing.T) {
	dir := t.TempDir()
	old := leaveIdle(t, dir)
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	next := connect(t, dir)
	<-old.ended // it was idle
	next.http.CloseIdleConnections()
	task := scriptTask(t, dir, "a/web/1", "exit 3")
	if err := next.Start(soon(t), task); err != nil {
		t.Fatal(err)
	}
	if exit, err := next.Wait(soon(t), task.ID); err != nil || exit.Code != 3 {
		t.Errorf("%+v, %v", exit, err)
	}
	if n := len(next.started); n != 1 {
		t.Errorf("%d supervisors were started, not 1", n)
	}
}

// TestLogsOfASilentTask has both files there from the start, for whoever reads them.
func TestLogsOfASilentTask(t *testing.T) {
	dir := t.TempDir()
	d := connect(t, dir)
	task := scriptTask(t, dir, "a/web/1", "exit 0")
	if err := d.Start(soon(t), task); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"web.stdout.0", "web.stderr.0"} {
		if info, err := os.Stat(filepath.Join(task.Logs.Dir, name)); err != nil || info.Size() != 0 {
			t.Errorf("%s: %+v, %v", name, info, err)
		}
	}
}
