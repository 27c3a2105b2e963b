//go:build linux

package driver

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// An agent without tasks has no supervisor, and knows that there are none.
func TestNoSupervisorWithoutTasks(t *testing.T) {
	dir := t.TempDir()
	d := connect(t, dir)
	if ids, err := d.List(soon(t), ""); err != nil || len(ids) != 0 {
		t.Errorf("%v, %v", ids, err)
	}
	_, waited := d.Wait(soon(t), "a/web/1")
	_, listed := d.processes(soon(t), "a/web/1")
	for what, err := range map[string]error{
		"wait": waited, "signal": d.Signal(soon(t), "a/web/1", "SIGHUP"), "stop": d.Stop(soon(t), "a/web/1", "", 0), "processes": listed,
	} {
		if !errors.Is(err, ErrUnknownTask) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := errors.Join(d.Forget(soon(t), "a/web/1"), connect(t, dir).End(soon(t))); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "supervisor")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a supervisor was started: %v", err)
	}
	if err := d.Start(soon(t), scriptTask(t, dir, "a/web/1", "exit 3")); err != nil {
		t.Fatal(err)
	}
	if exit, err := d.Wait(soon(t), "a/web/1"); err != nil || exit.Code != 3 {
		t.Errorf("%+v, %v", exit, err)
	}
	if n := len(d.started); n != 1 {
		t.Errorf("%d supervisors were started, not 1", n)
	}
}

// An agent that starts takes up the supervisor that lives, and has one at once for what a dead one has left.
func TestSupervisorOfAnEarlierAgent(t *testing.T) {
	lives, dead, ended := t.TempDir(), t.TempDir(), t.TempDir()
	earlier, err := NewRawExec(t.Context(), lives, []string{os.Args[0], "supervise"})
	if err != nil {
		t.Fatal(err)
	}
	defer earlier.Close()
	if err := earlier.ensure(soon(t)); err != nil {
		t.Fatal(err)
	}
	leave(t, dead, record{ID: "a/web/1", Exit: &Exit{Code: 3}})
	<-leaveIdle(t, ended).ended
	for dir, want := range map[string]bool{lives: true, dead: true, ended: false} {
		if d := connect(t, dir); closed(d.needed) != want {
			t.Errorf("%s: it has a supervisor: %v", dir, !want)
		}
	}
}

// The end of an agent is that of a supervisor, too, which has not come up yet.
func TestEndWhileSupervisorComesUp(t *testing.T) {
	dir := t.TempDir()
	d, err := NewRawExec(t.Context(), dir, []string{os.Args[0], "supervise"})
	if err != nil {
		t.Fatal(err)
	}
	s, err := d.startSupervisor()
	if err != nil {
		t.Fatal(err)
	}
	if err := d.End(soon(t)); err != nil {
		t.Error(err)
	}
	select {
	case <-s.ended:
	case <-soon(t).Done():
		t.Error("the supervisor lives on")
	}
}

// A supervisor that cannot do its work says why, to the task that needs it, and the next start has another one.
func TestSupervisorThatCannotStart(t *testing.T) {
	dir := t.TempDir()
	d := connect(t, dir)
	task := scriptTask(t, dir, "a/web/1", "exit 3")
	for _, tc := range []struct {
		argv []string
		want string
	}{
		{[]string{"/bin/sh", "-c", "echo no luck today >&2; exit 4"}, "start the supervisor: no luck today"},
		{[]string{"/bin/sh", "-c", "exit 4"}, "start the supervisor: it ended with exit status 4"},
		{[]string{"/nope"}, "start the supervisor: fork/exec /nope: no such file or directory"},
	} {
		good := d.argv
		d.argv = tc.argv
		err := d.Start(soon(t), task)
		if err == nil || err.Error() != tc.want || !IsRecoverable(err) {
			t.Errorf("error %v; want %s", err, tc.want)
		}
		if err := d.Stop(soon(t), task.ID, "", 0); !errors.Is(err, ErrUnknownTask) {
			t.Errorf("stop: %v", err)
		}
		d.argv = good
	}
	if err := d.Start(soon(t), task); err != nil {
		t.Fatal(err)
	}
	if exit, err := d.Wait(soon(t), task.ID); err != nil || exit.Code != 3 || strings.Contains(exit.Message, "known") {
		t.Errorf("%+v, %v", exit, err)
	}
}
