//go:build linux

package driver

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A supervisor that finds the record of a task damaged takes its process up all the same; it starts none again, and
// says so of one that has gone meanwhile.
func TestDamagedRecord(t *testing.T) {
	torn := func(data []byte) []byte { return data[:len(data)/2] }
	damages := map[string]func([]byte) []byte{
		"whole": func(data []byte) []byte { return data },
		"torn":  torn,
		"empty": func([]byte) []byte { return nil },
		"flipped": func(data []byte) []byte {
			at := bytes.Index(data, []byte(`"PID":`)) + len(`"PID":`)
			data[at] ^= 1 // another digit
			return data
		},
		"without its checksum": func(data []byte) []byte { line, _, _ := bytes.Cut(data, []byte("\n")); return line },
	}
	dir := t.TempDir()
	first, err := NewRawExec(t.Context(), dir, []string{os.Args[0], "supervise"})
	if err != nil {
		t.Fatal(err)
	}
	script := "trap 'exit 7' TERM; echo up; while :; do sleep 0.02; done"
	tasks := map[string]Task{}
	for name := range damages {
		tasks[name] = scriptTask(t, filepath.Join(dir, name), name, script)
	}
	tasks["gone"], damages["gone"] = scriptTask(t, filepath.Join(dir, "gone"), "gone", "echo up; exit 3"), torn
	for _, task := range tasks {
		if err := first.Start(soon(t), task); err != nil {
			t.Fatal(err)
		}
		awaitLog(t, task, "up\n")
	}
	if _, err := first.Wait(soon(t), "gone"); err != nil {
		t.Fatal(err)
	}
	pids := map[string]int{}
	for name := range tasks {
		list, err := first.processes(soon(t), name)
		if err != nil {
			t.Fatal(err)
		}
		if pids[name] = leader(list); pids[name] == 0 && name != "gone" {
			t.Fatalf("%s does not run", name)
		}
	}
	kill(t, first)
	for name, damage := range damages {
		path := filepath.Join(dir, "supervisor", "tasks", taskKey(dir, name), recordFile)
		data, err := os.ReadFile(path)
		if err == nil {
			err = os.WriteFile(path, damage(data), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}

	d := connect(t, dir)
	for name := range tasks {
		if name == "gone" {
			exit, err := d.Wait(soon(t), name)
			if err != nil || exit.Code != -1 || !strings.Contains(exit.Message, "the record of the task is damaged") {
				t.Errorf("%s: %+v, %v", name, exit, err)
			}
			continue
		}
		list, err := d.processes(soon(t), name)
		if got := leader(list); err != nil || got != pids[name] {
			t.Errorf("%s: process %d, %v; want %d", name, got, err, pids[name])
		}
		if err := d.Stop(soon(t), name, "SIGTERM", time.Minute); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if exit, err := d.Wait(soon(t), name); err != nil || exit.Code != 7 {
			t.Errorf("%s: %+v, %v", name, exit, err)
		}
	}
}

// A task of which nothing can be read is ended: its agent starts it again, and would have it twice.
func TestLostRecord(t *testing.T) {
	dir := t.TempDir()
	first, err := NewRawExec(t.Context(), dir, []string{os.Args[0], "supervise"})
	if err != nil {
		t.Fatal(err)
	}
	task := scriptTask(t, dir, "a/web/1", "echo up; (setsid sleep 1000 &) ; exec sleep 1000")
	if err := first.Start(soon(t), task); err != nil {
		t.Fatal(err)
	}
	awaitLog(t, task, "up\n")
	kill(t, first)
	home := filepath.Join(dir, "supervisor", "tasks", taskKey(dir, task.ID))
	for _, name := range []string{recordFile, decisionFile} {
		if err := os.Truncate(filepath.Join(home, name), 3); err != nil {
			t.Fatal(err)
		}
	}
	d := connect(t, dir)
	if _, err := d.Wait(soon(t), task.ID); !errors.Is(err, ErrUnknownTask) {
		t.Errorf("error %v", err)
	}
	if left, err := processesOf(identity{}, taskKey(dir, task.ID)); err != nil || len(left) != 0 {
		t.Errorf("processes %v are left, %v", left, err)
	}
	if _, err := os.Stat(home); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("its folder is left: %v", err)
	}
}

// A program for an isolated task runs in it or not at all, also when the record of the task is damaged.
func TestProgramWithoutRecord(t *testing.T) {
	dir := t.TempDir()
	e := connectExec(t, dir)
	task := isolatedTask(t, dir, "a/web/1", "echo up; exec sleep 1000")
	if err := e.Start(soon(t), task); err != nil {
		t.Fatal(err)
	}
	awaitLog(t, task, "up\n")
	home := filepath.Join(dir, "supervisor", "tasks", taskKey(dir, task.ID))
	if err := os.Truncate(filepath.Join(home, recordFile), 10); err != nil {
		t.Fatal(err)
	}
	if out, err := e.Exec(soon(t), task, []string{"id", "-un"}); err != nil || string(out.Text) != "nobody\n" {
		t.Errorf("%q, %v", out.Text, err)
	}
	if err := os.Remove(filepath.Join(home, decisionFile)); err != nil {
		t.Fatal(err)
	}
	if out, err := e.Exec(soon(t), task, []string{"id", "-un"}); err == nil {
		t.Errorf("it ran as %q", out.Text)
	}
}

// leader is the first process of a task, 0 when it has gone.
func leader(pids []int) int {
	for _, pid := range pids {
		if p, err := readProcess(pid); err == nil && p.session == pid {
			return pid
		}
	}
	return 0
}

// kill ends an agent and its supervisor as a crash does.
func kill(t *testing.T, d *RawExec) {
	t.Helper()
	s := d.started[len(d.started)-1]
	if err := errors.Join(d.Close(), s.process.Kill()); err != nil {
		t.Fatal(err)
	}
	<-s.ended
}
