//go:build unix

package runner

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator/driver"
)

// A node is a Runner with the latest reports of its allocations.
type node struct {
	*Runner
	t       *testing.T
	drivers *driver.Set
	stopped bool

	mu      sync.Mutex
	latest  map[string]Update
	history []Update
	changed chan struct{}
}

// newNode runs a Runner on dir, with a supervisor of its own. On cleanup everything is stopped.
func newNode(t *testing.T, dir string) *node {
	t.Helper()
	return newNodeWith(t, dir, func(*Config) {})
}

// newNodeWith is newNode with a configuration that is changed first.
func newNodeWith(t *testing.T, dir string, change func(*Config)) *node {
	t.Helper()
	drivers, err := driver.Open(t.Context(), dir, []string{os.Args[0], "supervise"})
	if err != nil {
		t.Fatal(err)
	}
	n := runNode(t, dir, drivers, change)
	t.Cleanup(n.stop)
	return n
}

// beside runs a Runner on dir whose tasks the supervisor of n looks after. It is stopped before n is.
func (n *node) beside(dir string) *node {
	n.t.Helper()
	other := runNode(n.t, dir, n.drivers, func(*Config) {})
	n.t.Cleanup(other.stopTasks)
	return other
}

func runNode(t *testing.T, dir string, drivers *driver.Set, change func(*Config)) *node {
	t.Helper()
	n := &node{t: t, drivers: drivers, latest: map[string]Update{}, changed: make(chan struct{}, 1)}
	conf := Config{
		Dir:     dir,
		Node:    &api.Node{ID: "n1", Name: "node", Datacenter: "dc1", Attributes: map[string]string{"kernel.name": "linux"}},
		Drivers: drivers,
		Report:  n.report,
		Log:     slog.New(slog.NewTextHandler(t.Output(), nil)),
	}
	change(&conf)
	r, err := New(t.Context(), conf)
	if err != nil {
		t.Fatal(err)
	}
	n.Runner = r
	return n
}

// nodeDir is a folder for a node. On cleanup no process that works in it may be left.
func nodeDir(t *testing.T) string {
	dir := t.TempDir()
	t.Cleanup(func() {
		deadline := time.Now().Add(time.Minute)
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for time.Now().Before(deadline) && len(processesOf(t, dir)) > 0 {
			<-tick.C
		}
		for pid, what := range processesOf(t, dir) {
			t.Errorf("process %d is left: %s", pid, what)
			syscall.Kill(pid, syscall.SIGKILL)
		}
	})
	return dir
}

// processesOf finds the processes that work in dir or name it on their command line.
func processesOf(t *testing.T, dir string) map[int]string {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Skip("needs /proc")
	}
	found := map[int]string{}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		cwd, _ := os.Readlink(filepath.Join("/proc", e.Name(), "cwd"))
		cmdline, _ := os.ReadFile(filepath.Join("/proc", e.Name(), "cmdline"))
		if strings.HasPrefix(cwd, dir) || strings.Contains(string(cmdline), dir) {
			found[pid] = strings.ReplaceAll(string(cmdline), "\x00", " ")
		}
	}
	return found
}

func (n *node) report(updates []Update) {
	n.mu.Lock()
	for _, u := range updates {
		n.latest[u.AllocID] = u
		n.history = append(n.history, u)
	}
	n.mu.Unlock()
	select {
	case n.changed <- struct{}{}:
	default:
	}
}

// stop stops everything on the node.
func (n *node) stop() {
	n.t.Helper()
	if n.stopped {
		return
	}
	n.stopTasks()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := n.drivers.End(ctx); err != nil {
		n.t.Error(err)
	}
}

func (n *node) stopTasks() {
	n.t.Helper()
	n.stopped = true
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := n.Stop(ctx); err != nil {
		n.t.Error(err)
	}
}

// detach lets go of the tasks, which go on.
func (n *node) detach() {
	n.t.Helper()
	n.stopped = true
	n.Detach()
	if err := n.drivers.Close(); err != nil {
		n.t.Error(err)
	}
}

// await waits until the latest report of an allocation is as wanted.
func (n *node) await(what, allocID string, wanted func(Update) bool) Update {
	n.t.Helper()
	deadline := time.After(30 * time.Second)
	for {
		n.mu.Lock()
		u, ok := n.latest[allocID]
		n.mu.Unlock()
		if ok && wanted(u) {
			return u
		}
		select {
		case <-n.changed:
		case <-deadline:
			n.t.Fatalf("not %s: %s %v", what, u.ClientStatus, eventTexts(u))
		}
	}
}

func (n *node) awaitStatus(allocID, status string) Update {
	n.t.Helper()
	return n.await(status, allocID, func(u Update) bool { return u.ClientStatus == status })
}

// eventTexts are the events of all tasks, "task: type: text".
func eventTexts(u Update) (all []string) {
	for name, s := range u.TaskStates {
		for _, e := range s.Events {
			all = append(all, name+": "+e.Type+": "+e.DisplayMessage)
		}
	}
	return all
}

// shellTask is a task that runs script.
func shellTask(name, script string) *api.Task {
	return &api.Task{
		Name:   name,
		Driver: "raw_exec",
		Config: map[string]any{"command": "/bin/sh", "args": []any{"-c", script}},
	}
}

// allocation is an allocation of a one-group service job.
func allocation(id string, tasks ...*api.Task) *api.Allocation {
	return &api.Allocation{
		ID:            id,
		Name:          "web.g[0]",
		Namespace:     "default",
		TaskGroup:     "g",
		DesiredStatus: api.AllocDesiredStatusRun,
		ClientStatus:  api.AllocClientStatusPending,
		Job: &api.Job{
			ID: new("web"), Name: new("web"), Type: new("service"), Region: new("global"), Namespace: new("default"),
			TaskGroups: []*api.TaskGroup{{
				Name:          new("g"),
				Tasks:         tasks,
				RestartPolicy: &api.RestartPolicy{Attempts: new(0), Mode: new("fail")},
			}},
		},
	}
}

// stopped is a copy of an allocation whose desired status is stop.
func stopped(a *api.Allocation) *api.Allocation {
	c := new(*a)
	c.DesiredStatus = api.AllocDesiredStatusStop
	return c
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
