package orchestrator_test

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator"
	"ostro/orchestrator/orchestratortest"
)

// TestMain makes the test binary also what tasks run, "TEST-BINARY serve good|bad",
// and an agent of its own, "TEST-BINARY agent FOLDER".
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "agent" {
		if err := agentMain(os.Args[2]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if len(os.Args) == 3 && os.Args[1] == "serve" {
		fmt.Fprintln(os.Stderr, serveMain(os.Args[2]))
		os.Exit(1)
	}
	os.Exit(orchestratortest.Main(m))
}

// shellJob runs a shell script, and is healthy after a fifth of a second.
func shellJob(kind, id string, count int, script string) *api.Job {
	task := api.NewTask("t", "raw_exec")
	task.Config = map[string]any{"command": "/bin/sh", "args": []string{"-c", script}}
	task.Resources = &api.Resources{CPU: new(20), MemoryMB: new(20)}
	group := api.NewTaskGroup("g", count).AddTask(task)
	group.RestartPolicy = &api.RestartPolicy{Attempts: new(0), Mode: new("fail")}
	job := &api.Job{ID: &id, Type: &kind, TaskGroups: []*api.TaskGroup{group}}
	if kind == api.JobTypeService || kind == api.JobTypeSystem {
		job.Update = &api.UpdateStrategy{
			HealthCheck: new("task_states"), MinHealthyTime: new(200 * time.Millisecond),
			HealthyDeadline: new(5 * time.Second), ProgressDeadline: new(10 * time.Second), AutoRevert: new(true),
		}
	}
	if kind == api.JobTypeService {
		group.ReschedulePolicy = &api.ReschedulePolicy{Attempts: new(0), Unlimited: new(false)}
	}
	return job
}

// brokenJob fails before it is healthy, also on a slow machine.
func brokenJob(kind, id string, count int) *api.Job {
	job := shellJob(kind, id, count, "exit 1")
	job.Update.MinHealthyTime, job.Update.HealthyDeadline, job.Update.ProgressDeadline = new(time.Minute), new(5*time.Minute), new(10*time.Minute)
	return job
}

func register(t *testing.T, a *orchestratortest.Agent, job *api.Job) {
	t.Helper()
	if _, _, err := a.Client.Jobs().Register(job, nil); err != nil {
		t.Fatal(err)
	}
}

// deployment waits for the deployment of a version to get a status.
func deployment(t *testing.T, a *orchestratortest.Agent, jobID string, version uint64, status string) *api.Deployment {
	t.Helper()
	var found *api.Deployment
	orchestratortest.Eventually(t, fmt.Sprintf("the deployment of version %d of %s is %s", version, jobID, status), func() bool {
		list, _, err := a.Client.Jobs().Deployments(jobID, true, nil)
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(list, func(d *api.Deployment) bool { return d.JobVersion == version && d.Status == status })
		if i >= 0 {
			found = list[i]
		}
		return i >= 0
	})
	return found
}

func running(t *testing.T, a *orchestratortest.Agent, jobID string) []*api.AllocationListStub {
	t.Helper()
	stubs, _, err := a.Client.Jobs().Allocations(jobID, true, nil)
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(stubs, func(s *api.AllocationListStub) bool {
		return s.DesiredStatus != api.AllocDesiredStatusRun || s.ClientStatus != api.AllocClientStatusRunning
	})
}

func TestServiceIsDeployedUpdatedAndReverted(t *testing.T) {
	a := orchestratortest.Start(t, orchestrator.Config{})
	register(t, a, shellJob("service", "web", 3, "exec sleep 1000"))
	deployment(t, a, "web", 0, "successful")
	if n := len(running(t, a, "web")); n != 3 {
		t.Errorf("%d allocations run, not 3", n)
	}
	register(t, a, shellJob("service", "web", 3, "exec sleep 1001"))
	deployment(t, a, "web", 1, "successful")
	register(t, a, brokenJob("service", "web", 3))
	d := deployment(t, a, "web", 2, "failed")
	if want := "Failed due to unhealthy allocations - rolling back to job version 1"; d.StatusDescription != want {
		t.Errorf("the failed deployment says %q, not %q", d.StatusDescription, want)
	}
	deployment(t, a, "web", 3, "successful")
	for _, stub := range running(t, a, "web") {
		if stub.JobVersion != 3 {
			t.Errorf("allocation %s still runs version %d", stub.ID, stub.JobVersion)
		}
	}
	versions, _, _, err := a.Client.Jobs().Versions("web", false, nil)
	if err != nil {
		t.Fatal(err)
	}
	var stable []uint64
	for _, job := range versions {
		if *job.Stable {
			stable = append(stable, *job.Version)
		}
	}
	if !slices.Equal(stable, []uint64{3, 1, 0}) {
		t.Errorf("the stable versions are %v", stable)
	}
}

func TestSystemJobRunsOnEachNode(t *testing.T) {
	a := orchestratortest.Start(t, orchestrator.Config{Nodes: 3})
	register(t, a, shellJob("system", "run", 1, "exec sleep 1000"))
	deployment(t, a, "run", 0, "successful")
	nodes := map[string]bool{}
	for _, stub := range running(t, a, "run") {
		nodes[stub.NodeID] = true
	}
	if len(nodes) != 3 {
		t.Errorf("it runs on %d nodes, not 3", len(nodes))
	}
	register(t, a, brokenJob("system", "run", 1))
	deployment(t, a, "run", 1, "failed")
	deployment(t, a, "run", 2, "successful")
	if n := len(running(t, a, "run")); n != 3 {
		t.Errorf("after the revert it runs on %d nodes, not 3", n)
	}
}

func TestDeadlineFailsTheDeployment(t *testing.T) {
	a := orchestratortest.Start(t, orchestrator.Config{})
	job := shellJob("service", "slow", 1, "exec sleep 1000")
	job.Update.MinHealthyTime, job.Update.HealthyDeadline, job.Update.ProgressDeadline = new(time.Minute), new(90*time.Second), new(2*time.Minute)
	register(t, a, job)
	d := deployment(t, a, "slow", 0, "running")
	if _, _, err := a.Client.Deployments().Fail(d.ID, nil); err != nil {
		t.Fatal(err)
	}
	if d := deployment(t, a, "slow", 0, "failed"); d.StatusDescription != "Deployment marked as failed - no stable job version to auto revert to" {
		t.Errorf("it says %q", d.StatusDescription)
	}
}

func TestBatchRunsOnce(t *testing.T) {
	a := orchestratortest.Start(t, orchestrator.Config{})
	register(t, a, shellJob("batch", "b", 2, "true"))
	orchestratortest.Eventually(t, "the batch job is dead", func() bool {
		job, _, err := a.Client.Jobs().Info("b", nil)
		return err == nil && *job.Status == "dead"
	})
	stubs, _, err := a.Client.Jobs().Allocations("b", true, nil)
	if err != nil || len(stubs) != 2 {
		t.Fatalf("%d allocations, %v", len(stubs), err)
	}
	for _, stub := range stubs {
		if stub.ClientStatus != api.AllocClientStatusComplete {
			t.Errorf("allocation %s is %s", stub.ID, stub.ClientStatus)
		}
	}
}

// TestRestartTakesEverythingUp restarts the agent in the midst of a rolling
// update, after every step that the deployment makes.
func TestRestartTakesEverythingUp(t *testing.T) {
	a := orchestratortest.Start(t, orchestrator.Config{})
	register(t, a, shellJob("service", "web", 3, "exec sleep 1000"))
	deployment(t, a, "web", 0, "successful")
	register(t, a, shellJob("service", "web", 3, "exec sleep 1001"))
	for healthy := range 3 {
		orchestratortest.Eventually(t, fmt.Sprintf("%d allocations are healthy", healthy), func() bool {
			d, _, err := a.Client.Jobs().LatestDeployment("web", nil)
			return err == nil && d.JobVersion == 1 && d.TaskGroups["g"].HealthyAllocs >= healthy
		})
		a.Restart(t)
	}
	deployment(t, a, "web", 1, "successful")
	if n := len(running(t, a, "web")); n != 3 {
		t.Errorf("%d allocations run, not 3", n)
	}
}

func TestStopEndsTasksAndStartRunsThemAgain(t *testing.T) {
	dir := t.TempDir()
	a := orchestratortest.Start(t, orchestrator.Config{DataDir: dir})
	register(t, a, shellJob("service", "web", 2, "exec sleep 1000"))
	deployment(t, a, "web", 0, "successful")
	before := running(t, a, "web")
	if err := a.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	a.Restart(t)
	orchestratortest.Eventually(t, "two allocations run again", func() bool { return len(running(t, a, "web")) == 2 })
	for _, old := range before {
		if slices.ContainsFunc(running(t, a, "web"), func(s *api.AllocationListStub) bool { return s.ID == old.ID }) {
			t.Errorf("allocation %s ended with the agent and still counts as running", old.ID)
		}
	}
	if list, _, _ := a.Client.Jobs().Deployments("web", true, nil); len(list) != 1 {
		t.Errorf("starting again made a deployment: there are %d", len(list))
	}
}

// TestStopBesideACanary stops the agent while a canary waits for its promotion:
// afterwards the old version serves again, and the canary waits again.
func TestStopBesideACanary(t *testing.T) {
	a := orchestratortest.Start(t, orchestrator.Config{})
	register(t, a, shellJob("service", "web", 2, "exec sleep 1000"))
	deployment(t, a, "web", 0, "successful")
	next := shellJob("service", "web", 2, "exec sleep 1001")
	next.Update.Canary = new(1)
	register(t, a, next)
	versions := func() map[uint64]int {
		count := map[uint64]int{}
		for _, stub := range running(t, a, "web") {
			count[stub.JobVersion]++
		}
		return count
	}
	two := func() bool { return maps.Equal(versions(), map[uint64]int{0: 2, 1: 1}) }
	orchestratortest.Eventually(t, "a canary stands beside the old version", two)
	if err := a.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	a.Restart(t)
	orchestratortest.Eventually(t, "it does so again", two)
}

func TestUnplaceableWaitsForRoom(t *testing.T) {
	a := orchestratortest.Start(t, orchestrator.Config{})
	taken := shellJob("service", "one", 1, "exec sleep 1000")
	taken.TaskGroups[0].Networks = []*api.NetworkResource{{ReservedPorts: []api.Port{{Label: "http", Value: 29877}}}}
	register(t, a, taken)
	deployment(t, a, "one", 0, "successful")
	waits := shellJob("service", "two", 1, "exec sleep 1000")
	waits.TaskGroups[0].Networks = taken.TaskGroups[0].Networks
	register(t, a, waits)
	orchestratortest.Eventually(t, "an evaluation is blocked", func() bool {
		evals, _, err := a.Client.Jobs().Evaluations("two", nil)
		return err == nil && slices.ContainsFunc(evals, func(e *api.Evaluation) bool { return e.Status == "blocked" })
	})
	if _, _, err := a.Client.Jobs().Deregister("one", false, nil); err != nil {
		t.Fatal(err)
	}
	deployment(t, a, "two", 0, "successful")
}
