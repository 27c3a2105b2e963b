//go:build unix

package runner

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/nomad/api"
)

// A restart of all tasks runs those that have ended, too, before those that depend on them.
func TestRestartAll(t *testing.T) {
	n := newNode(t, nodeDir(t))
	prepare := shellTask("prepare", "exit 0")
	prepare.Lifecycle = &api.TaskLifecycle{Hook: api.TaskLifecycleHookPrestart}
	n.Sync([]*api.Allocation{allocation("a1", prepare, shellTask("web", "exec sleep 1000"))})
	n.await("up", "a1", func(u Update) bool {
		return u.TaskStates["web"].State == stateRunning && u.TaskStates["prepare"].State == stateDead
	})
	if err := n.Restart(t.Context(), "a1", "", true); err != nil {
		t.Fatal(err)
	}
	u := n.await("restarted", "a1", func(u Update) bool {
		web, prepare := u.TaskStates["web"], u.TaskStates["prepare"]
		return web.Restarts == 1 && web.State == stateRunning && prepare.Restarts == 1 && prepare.State == stateDead
	})
	want := []string{
		"prepare: Received: Task received by client",
		"prepare: Task Setup: Building Task Directory",
		"prepare: Started: Task started by client",
		"prepare: Terminated: Exit Code: 0",
		"prepare: Restart Signaled: User requested all tasks to restart",
		"prepare: Restarting: Task restarting in 0s",
		"prepare: Started: Task started by client",
		"prepare: Terminated: Exit Code: 0",
		"web: Received: Task received by client",
		"web: Task Setup: Building Task Directory",
		"web: Started: Task started by client",
		"web: Restart Signaled: User requested all tasks to restart",
		"web: Terminated: Exit Code: 130, Signal: 2",
		"web: Restarting: Task restarting in 0s",
		"web: Started: Task started by client",
	}
	got := eventTexts(u)
	slices.SortStableFunc(got, func(a, b string) int { return int(a[0]) - int(b[0]) })
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if started := u.TaskStates["web"].StartedAt; started.Before(u.TaskStates["prepare"].FinishedAt) {
		t.Errorf("web started at %v, before prepare had ended", started)
	}
}
