//go:build linux

package driver

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// connectExec gives the driver of isolated tasks; the test is skipped where there can be none.
func connectExec(t *testing.T, dir string) *Exec {
	t.Helper()
	e, absent := findExec(connect(t, dir))
	if e == nil {
		t.Skip("tasks cannot be isolated here: ", absent)
	}
	probe := isolatedTask(t, filepath.Join(dir, "probe"), "probe", "exit 0")
	if err := e.Start(soon(t), probe); err != nil && strings.Contains(err.Error(), syscall.EPERM.Error()) {
		t.Skip("tasks cannot be isolated here: ", err)
	}
	return e
}

// isolatedTask runs script in a root of its own below dir.
func isolatedTask(t *testing.T, dir, id, script string) Task {
	t.Helper()
	task := scriptTask(t, dir, id, script)
	task.AllocDir = filepath.Join(dir, "alloc")
	for _, d := range []string{task.AllocDir, filepath.Join(task.Dir, "local")} {
		if err := errors.Join(os.MkdirAll(d, 0o777), os.Chmod(d, 0o777)); err != nil {
			t.Fatal(err)
		}
	}
	return task
}

func readLog(t *testing.T, task Task) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(task.Logs.Dir, task.Logs.Name+".stdout.0"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return string(text)
}

// awaitLog waits until the task has written text to its standard output.
func awaitLog(t *testing.T, task Task, text string) {
	t.Helper()
	for ctx := soon(t); !strings.Contains(readLog(t, task), text); {
		if err := pause(ctx, 5*time.Millisecond); err != nil {
			t.Fatalf("%q was not logged", text)
		}
	}
}

// runs takes the task to its end, and gives what it wrote.
func runs(t *testing.T, e *Exec, task Task) (stdout string, exit Exit) {
	t.Helper()
	if err := e.Start(soon(t), task); err != nil {
		t.Fatal(err)
	}
	exit, err := e.Wait(soon(t), task.ID)
	if err != nil {
		t.Fatal(err)
	}
	return readLog(t, task), exit
}

func TestIsolatedTaskSeesItsOwnRoot(t *testing.T) {
	dir := t.TempDir()
	e := connectExec(t, dir)
	task := isolatedTask(t, dir, "a/web/1", `
		echo $$ $(id -un) $HOME $USER $(pwd)
		ls /
		echo shared > /alloc/from-task && echo own > /local/from-task
		cat /etc/passwd > /dev/null && echo reads settings
		touch /etc/x /usr/x /bin/x /proc/sys/kernel/x 2>/dev/null && echo writes to the machine
		mknod /local/disk b 8 0 && cat /local/disk 2>/dev/null && echo reads the disk
		test -e `+dir+` && echo sees the machine
		grep Cap /proc/self/status | sort -u -k2
		exit 7`)
	task.Env = append(task.Env, "USER=root")
	out, exit := runs(t, e, task)
	want := "1 nobody /nonexistent nobody /\n"
	if !strings.HasPrefix(out, want) || exit.Code != 7 {
		t.Errorf("%q, %+v; want %q and exit code 7", out, exit, want)
	}
	for _, name := range []string{"alloc", "bin", "dev", "etc", "local", "proc", "sys", "usr", "reads settings"} {
		if !strings.Contains(out, "\n"+name+"\n") {
			t.Errorf("no %s in %q", name, out)
		}
	}
	for _, not := range []string{"writes to the machine", "reads the disk", "sees the machine"} {
		if strings.Contains(out, not) {
			t.Errorf("the task %s: %q", not, out)
		}
	}
	if caps := "00000000a80405fb"; !strings.Contains(out, caps) || strings.Count(out, "Cap") != 1 { // Nomad's
		t.Errorf("want the capabilities %s everywhere: %q", caps, out)
	}
	for _, file := range []string{"alloc/from-task", "task/local/from-task"} {
		if info, err := os.Stat(filepath.Join(dir, file)); err != nil || info.Sys().(*syscall.Stat_t).Uid == 0 {
			t.Errorf("%s: %v, or it is root's", file, err)
		}
	}
}

func TestMachineSeesNothingOfTheRoot(t *testing.T) {
	dir := t.TempDir()
	e := connectExec(t, dir)
	task := isolatedTask(t, dir, "a/web/1", "echo up; exec sleep 1000")
	if err := e.Start(soon(t), task); err != nil {
		t.Fatal(err)
	}
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil || bytes.Contains(mounts, []byte(dir)) {
		t.Errorf("%v, or the machine has mounts of the task:\n%s", err, mounts)
	}
	if entries, err := os.ReadDir(filepath.Join(task.Dir, "usr")); err != nil || len(entries) != 0 {
		t.Errorf("usr in the task's folder: %v, %v", entries, err)
	}
	if err := e.Stop(soon(t), task.ID, "", 0); err != nil {
		t.Fatal(err)
	}
	if exit, err := e.Wait(soon(t), task.ID); err != nil || exit.Signal != 9 {
		t.Errorf("%+v, %v", exit, err)
	}
	for _, home := range cgroupOf(taskKey(dir, task.ID)).Dirs {
		if _, err := os.Stat(home); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is left: %v", home, err)
		}
	}
	if err := os.RemoveAll(task.Dir); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat("/usr/bin/env"); err != nil {
		t.Fatal(err)
	}
}

func TestMemoryIsLimited(t *testing.T) {
	dir := t.TempDir()
	e := connectExec(t, dir)
	if e.unlimited != "" {
		t.Skip("there are no limits here: ", e.unlimited)
	}
	task := isolatedTask(t, dir, "a/web/1", `awk 'BEGIN { s = "xxxxxxxxxxxxxxxx"; for (i = 0; i < 26; i++) s = s s; print length(s) }'`)
	task.Resources = Resources{CPU: 100, MemoryMB: 32}
	if _, exit := runs(t, e, task); exit.Successful() || !exit.OOMKilled || exit.Code != 137 {
		t.Errorf("a gigabyte in 32 megabytes: %+v", exit)
	}
	task.ID, task.Resources = "a/web/2", Resources{CPU: 100, MemoryMB: 32, MemoryMaxMB: 64}
	task.Config["args"] = []any{"-c", "cat /proc/self/cgroup"}
	out, exit := runs(t, e, task)
	if !strings.Contains(out, "/"+cgroupParent+"/"+taskKey(dir, task.ID)) || exit.OOMKilled || !exit.Successful() {
		t.Errorf("%q, %+v", out, exit)
	}
}

func TestLimitsOfATask(t *testing.T) {
	dir := t.TempDir()
	e := connectExec(t, dir)
	if e.unlimited != "" {
		t.Skip("there are no limits here: ", e.unlimited)
	}
	task := isolatedTask(t, dir, "a/web/1", "exec sleep 1000")
	task.Resources = Resources{CPU: 500, MemoryMB: 32, MemoryMaxMB: 64}
	if err := e.Start(soon(t), task); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"memory.limit_in_bytes": "67108864", "memory.soft_limit_in_bytes": "33554432", "cpu.shares": "500"}
	if cgroupVersion() == 2 {
		want = map[string]string{"memory.max": "67108864", "memory.low": "33554432", "cpu.weight": "19"}
	}
	group := cgroupOf(taskKey(dir, task.ID))
	for name, value := range want {
		got := ""
		for _, dir := range group.Dirs {
			if text, err := os.ReadFile(filepath.Join(dir, name)); err == nil {
				got = strings.TrimSpace(string(text))
			}
		}
		if got != value {
			t.Errorf("%s is %q, not %s", name, got, value)
		}
	}
	if pids := group.pids(); len(pids) == 0 {
		t.Error("nothing is in the group")
	}
	if err := e.Stop(soon(t), task.ID, "", 0); err != nil {
		t.Error(err)
	}
}

func TestIsolatedTaskOutlivesItsSupervisor(t *testing.T) {
	dir := t.TempDir()
	e := connectExec(t, dir)
	task := isolatedTask(t, dir, "a/web/1", `(setsid env -i sh -c 'trap "" TERM INT; exec sleep 1000' &) ; trap 'echo bye; exit 5' INT; echo up; while :; do sleep 0.1; done`)
	if err := e.Start(soon(t), task); err != nil {
		t.Fatal(err)
	}
	awaitLog(t, task, "up\n")
	killSupervisor(t, dir)
	if err := e.Start(soon(t), task); err != nil { // again: it runs already
		t.Fatal(err)
	}
	pids, err := e.processes(soon(t), task.ID)
	if err != nil || len(pids) == 0 {
		t.Fatalf("%v, %v", pids, err)
	}
	if err := e.Stop(soon(t), task.ID, "SIGINT", time.Minute); err != nil {
		t.Fatal(err)
	}
	if exit, err := e.Wait(soon(t), task.ID); err != nil || exit.Code != 5 && exit.Message == "" {
		t.Errorf("%+v, %v", exit, err)
	}
	if out := readLog(t, task); out != "up\nbye\n" {
		t.Errorf("%q", out)
	}
	for _, pid := range pids {
		if p, err := readProcess(pid); err == nil && !p.zombie {
			t.Errorf("process %d is left", pid)
		}
	}
}

func killSupervisor(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		line, _ := os.ReadFile("/proc/" + entry.Name() + "/cmdline")
		if pid, err := strconv.Atoi(entry.Name()); err == nil && bytes.HasSuffix(line, []byte("\x00supervise\x00"+dir+"\x00")) {
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			return
		}
	}
	t.Fatal("there is no supervisor")
}

func TestProgramInIsolatedTask(t *testing.T) {
	dir := t.TempDir()
	e := connectExec(t, dir)
	task := isolatedTask(t, dir, "a/web/1", "echo here > /local/own; echo up; exec sleep 1000")
	task.Resources = Resources{CPU: 100, MemoryMB: 64}
	if err := e.Start(soon(t), task); err != nil {
		t.Fatal(err)
	}
	awaitLog(t, task, "up\n")
	script := `cat /local/own; id -un; test "$(readlink /proc/1/root)" = /; grep CapBnd /proc/self/status; pwd; exit 3`
	for range 10 { // on whatever thread it comes
		out, err := e.Exec(soon(t), task, []string{"sh", "-c", script})
		want := "here\nnobody\nCapBnd:\t00000000a80405fb\n/\n"
		if err != nil || out.Code != 3 || string(out.Text) != want {
			t.Fatalf("%d, %q, %v; want 3, %q", out.Code, out.Text, err, want)
		}
	}
	if e.unlimited == "" {
		out, err := e.Exec(soon(t), task, []string{"sh", "-c", "sleep 0.2; cat /proc/self/cgroup"})
		if err != nil || !strings.Contains(string(out.Text), taskKey(dir, task.ID)) {
			t.Errorf("%q, %v", out.Text, err)
		}
	}
	if _, err := e.Exec(soon(t), task, []string{"nope"}); err == nil || !strings.Contains(err.Error(), "file nope not found under path") {
		t.Errorf("%v", err)
	}
	var out bytes.Buffer
	code, err := e.Talk(soon(t), task, Session{Args: []string{"sh", "-c", "test -t 0 && id -u; echo $TERM; exit 4"}, Stdin: strings.NewReader(""), Stdout: &out, TTY: true})
	if err != nil || code != 4 || out.String() != "65534\r\nxterm\r\n" {
		t.Errorf("on a terminal: %d, %q, %v", code, out.String(), err)
	}
	if _, err := os.Stat(dir); err != nil { // this process itself is where it was
		t.Error(err)
	}
}

func TestIsolatedTaskThatCannotStart(t *testing.T) {
	dir := t.TempDir()
	e := connectExec(t, dir)
	outside := t.TempDir()
	for name, tc := range map[string]struct {
		config map[string]any
		user   string
		link   string // a link in the task's folder that leads out
		err    string
	}{
		"command": {config: map[string]any{"command": "nope"}, err: "file nope not found under path"},
		"mode":    {config: map[string]any{"command": "sh", "pid_mode": "x"}, err: `pid_mode must be "private" or "host", got "x"`},
		"folder":  {config: map[string]any{"command": "sh", "work_dir": "local"}, err: `work_dir must be absolute but got relative path "local"`},
		"caps":    {config: map[string]any{"command": "sh", "cap_add": []any{"net_raw"}}, err: "driver does not allow the following capabilities: net_raw"},
		"unknown": {config: map[string]any{"command": "sh", "cap_add": []any{"x"}}, err: "not supported by system: x"},
		"key":     {config: map[string]any{"command": "sh", "x": 1}, err: `No argument or block type is named "x"`},
		"user":    {config: map[string]any{"command": "sh"}, user: "no such user", err: "not known on this machine"},
		"link":    {config: map[string]any{"command": "sh"}, link: "usr", err: "make the task's root"},
	} {
		t.Run(name, func(t *testing.T) {
			sub := filepath.Join(dir, name)
			task := isolatedTask(t, sub, name, "")
			task.Config, task.User = tc.config, tc.user
			if tc.link != "" {
				if err := os.Symlink(outside, filepath.Join(task.Dir, tc.link)); err != nil {
					t.Fatal(err)
				}
			}
			if err := e.Start(soon(t), task); err == nil || !strings.Contains(err.Error(), tc.err) {
				t.Errorf("%v; want %q", err, tc.err)
			}
		})
	}
}
