//go:build linux

package driver

import (
	"os"
	"testing"
	"time"
)

// In a task with limits a fork bomb stays within its own.
func TestForkBombWithLimits(t *testing.T) {
	dir := t.TempDir()
	e := connectExec(t, dir)
	if e.unlimited != "" {
		t.Skip("there are no limits here: ", e.unlimited)
	}
	e.most = 100
	bomb := `
		bomb() { while :; do command eval 'bomb &'; done; }
		mkfifo /local/pipe && exec 3<>/local/pipe
		echo up
		(bomb) 2>/dev/null &
		`
	task := isolatedTask(t, dir, "a/web/1", bomb+"read line <&3")
	task.Resources = Resources{CPU: 100, MemoryMB: 200}
	explode(t, e, e.RawExec, task)

	key := taskKey(dir, "a/web/2")
	task = isolatedTask(t, t.TempDir(), "a/web/2", bomb+"read line <&3; exit 3")
	task.Resources = Resources{CPU: 100, MemoryMB: 200}
	if err := e.Start(soon(t), task); err != nil {
		t.Fatal(err)
	}
	awaitLog(t, task, "up\n")
	for ctx := soon(t); !forksRefused(key); {
		if err := pause(ctx, 5*time.Millisecond); err != nil {
			t.Fatal("it has all the processes that it wants")
		}
	}
	pipe, err := os.OpenFile(task.Dir+"/local/pipe", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer pipe.Close()
	if _, err := pipe.WriteString("go\n"); err != nil {
		t.Fatal(err)
	}
	exit, err := e.Wait(soon(t), task.ID)
	if err != nil || exit.Code != 3 || exit.Message != "the task wanted more processes than it may have" {
		t.Errorf("%+v, %v", exit, err)
	}
}

// explode runs the bomb until it has many processes, and stops it.
func explode(t *testing.T, d Driver, of *RawExec, task Task) {
	t.Helper()
	if err := d.Start(soon(t), task); err != nil {
		t.Fatal(err)
	}
	awaitLog(t, task, "up\n")
	for ctx := soon(t); ; {
		pids, err := of.processes(ctx, task.ID)
		if err != nil {
			t.Fatal(err)
		}
		if len(pids) > 50 {
			break
		}
	}
	if err := d.Stop(soon(t), task.ID, "SIGTERM", 0); err != nil {
		t.Error(err)
	}
	if exit, err := d.Wait(soon(t), task.ID); err != nil || exit.Signal == 0 {
		t.Errorf("%+v, %v", exit, err)
	}
	if left, err := processesOf(identity{}, taskKey(of.dir, task.ID)); err != nil || len(left) != 0 {
		t.Errorf("%d processes are left, %v", len(left), err)
	}
}
