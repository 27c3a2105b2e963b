// Package orchestratortest gives tests a real orchestrator: the one that `ostro
// agent` runs, with real processes, and not a stand-in. When a test ends, the
// package checks what has to hold at all times.
package orchestratortest

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator"
	"ostro/orchestrator/driver"
)

// SuperviseWord is the argument by which a test binary knows that it is to be
// the supervisor of tasks.
const SuperviseWord = "orchestratortest-supervise"

// Main is what TestMain of a package that uses [Start] returns to os.Exit: the
// test binary is also the supervisor of its tasks.
func Main(m *testing.M) int {
	if len(os.Args) == 3 && os.Args[1] == SuperviseWord {
		// Tests in the background may be told to ignore it, as the tasks would be that are to end by it; the agent's own
		// main listens, too.
		signal.Notify(make(chan os.Signal, 1), os.Interrupt)
		if err := driver.Supervise(context.Background(), os.Args[2]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return 0
	}
	return m.Run()
}

// Agent is a running orchestrator and a client for it.
type Agent struct {
	*orchestrator.Orchestrator
	Client *api.Client
	Dir    string
	conf   orchestrator.Config
}

// Start runs an orchestrator with the state in c.DataDir, or in a folder of the
// test. When the test ends it is stopped with its tasks, and no process and no
// broken promise may be left.
func Start(t testing.TB, c orchestrator.Config) *Agent {
	t.Helper()
	if c.DataDir == "" {
		c.DataDir = t.TempDir()
	}
	c.Listen = "127.0.0.1:0"
	c.Supervisor = []string{executable(t), SuperviseWord}
	a := &Agent{Dir: c.DataDir, conf: c}
	a.start(t)
	t.Cleanup(func() {
		a.checkInvariants(t)
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := a.Stop(ctx); err != nil {
			t.Errorf("stop the orchestrator: %v", err)
		}
		checkNoProcess(t, c.DataDir)
	})
	return a
}

func executable(t testing.TB) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return self
}

func (a *Agent) start(t testing.TB) {
	t.Helper()
	o, err := orchestrator.Start(t.Context(), a.conf)
	if err != nil {
		t.Fatal(err)
	}
	client, err := api.NewClient(&api.Config{Address: "http://" + o.Addr()})
	if err != nil {
		t.Fatal(err)
	}
	a.Orchestrator, a.Client = o, client
}

// Restart lets go of the tasks and starts again on the same state, as after a
// crash of the agent.
func (a *Agent) Restart(t testing.TB) {
	t.Helper()
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	a.start(t)
}

// checkInvariants holds whatever a test did: every allocation has its job, and
// no group has more live allocations than its count and canaries.
func (a *Agent) checkInvariants(t testing.TB) {
	t.Helper()
	stubs, meta, err := a.Client.Allocations().List(nil)
	if err != nil {
		t.Errorf("list the allocations: %v", err)
		return
	}
	if meta.LastIndex < 2 {
		t.Errorf("the index of the allocations is %d", meta.LastIndex)
	}
	live, most := map[string]int{}, map[string]int{}
	for _, stub := range stubs {
		alloc, _, err := a.Client.Allocations().Info(stub.ID, nil)
		if err != nil || alloc.Job == nil {
			t.Errorf("allocation %s has no job: %v", stub.ID, err)
			continue
		}
		if alloc.ModifyIndex < alloc.CreateIndex {
			t.Errorf("allocation %s was changed at %d, before it was made at %d", alloc.ID, alloc.ModifyIndex, alloc.CreateIndex)
		}
		if alloc.DesiredStatus == api.AllocDesiredStatusRun && alloc.ClientStatus == api.AllocClientStatusRunning {
			key := fmt.Sprint(alloc.JobID, " ", alloc.TaskGroup)
			if *alloc.Job.Type == api.JobTypeSystem {
				key += " on " + alloc.NodeID
			}
			live[key]++
			most[key] = max(most[key], allowed(alloc.Job, alloc.Job.LookupTaskGroup(alloc.TaskGroup)))
		}
	}
	for key, n := range live {
		if n > most[key] {
			t.Errorf("%s has %d live allocations, more than %d", key, n, most[key])
		}
	}
}

func allowed(job *api.Job, group *api.TaskGroup) int {
	if *job.Type == api.JobTypeSystem {
		return 1
	}
	most := *group.Count
	if group.Update != nil && group.Update.Canary != nil {
		most += *group.Update.Canary
	}
	return most
}

// checkNoProcess looks for processes that name the folder of the test, in their
// command line or as the one they run in.
func checkNoProcess(t testing.TB, dir string) {
	t.Helper()
	found := func() (left []string) {
		entries, err := filepath.Glob("/proc/[0-9]*")
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range entries {
			line, _ := os.ReadFile(filepath.Join(entry, "cmdline"))
			cwd, _ := os.Readlink(filepath.Join(entry, "cwd"))
			if strings.Contains(string(line), dir) || strings.HasPrefix(cwd, dir) {
				left = append(left, filepath.Base(entry)+" "+strings.ReplaceAll(string(line), "\x00", " "))
			}
		}
		return left
	}
	Eventually(t, "no process is left: "+strings.Join(found(), ", "), func() bool { return len(found()) == 0 })
}

// Eventually gives something half a minute to come true.
func Eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline:
			t.Fatalf("%s: did not come true", what)
		case <-tick.C:
		}
	}
}
