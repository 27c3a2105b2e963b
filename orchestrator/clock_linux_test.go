//go:build amd64

package orchestrator_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"

	"ostro/machinetest"
	"ostro/orchestrator"
	"ostro/orchestrator/orchestratortest"
)

// TestClockIsSet sets the clock of a machine under a running agent, amid a deployment: a day
// forward and two hours back. The deployment ends successful, what runs runs on, what
// restarts and is replaced goes on so, also when the agent is started again an hour earlier,
// and no periodic job is launched twice for a time.
func TestClockIsSet(t *testing.T) {
	if os.Getenv("OSTRO_TEST") == "full" {
		t.Parallel()
		machinetest.Run(t, "TestClockIsSet")
		return
	}
	if !machinetest.Inside() {
		t.Skip("OSTRO_TEST is not full")
	}
	a := orchestratortest.Start(t, orchestrator.Config{})
	dir := t.TempDir()
	register(t, a, periodic())
	register(t, a, restarting())
	register(t, a, rescheduled())
	goesOn(t, a)
	awaitLaunches(t, a)
	register(t, a, updatedSlowly("exec sleep 100000", "exit 0"))
	awaitSlowly(t, "version 0 runs", func() bool { return latest(t, a).Status == api.DeploymentStatusSuccessful })
	// The third allocation of version 1 waits until the clock was set twice.
	register(t, a, updatedSlowly("exec sleep 100001", "cd "+dir+"; mkdir 1 || mkdir 2 || until [ -e go ]; do sleep 1; done"))
	awaitSlowly(t, "an allocation runs", func() bool { return len(updated(t, a)) > 0 })
	setClock(t, 24*time.Hour)
	awaitLaunches(t, a)
	awaitSlowly(t, "one more allocation runs", func() bool { return len(updated(t, a)) > 1 })
	begun := updated(t, a)
	setClock(t, -2*time.Hour)
	if err := os.Mkdir(filepath.Join(dir, "go"), 0o700); err != nil {
		t.Fatal(err)
	}
	goesOn(t, a)
	awaitSlowly(t, "the deployment is over", func() bool { return latest(t, a).Status != api.DeploymentStatusRunning })
	checkAfterSteps(t, a, begun)
	setClock(t, -time.Hour)
	a.Restart(t)
	goesOn(t, a)
}

func checkAfterSteps(t *testing.T, a *orchestratortest.Agent, begun []*api.AllocationListStub) {
	if d := latest(t, a); d.Status != api.DeploymentStatusSuccessful || d.JobVersion != 1 {
		t.Errorf("the deployment is %+v", d)
	}
	left := running(t, a, "web")
	for _, b := range begun {
		if !slices.ContainsFunc(left, func(s *api.AllocationListStub) bool { return s.ID == b.ID && s.TaskStates["t"].Restarts == 0 }) {
			t.Errorf("allocation %s did not run on", b.ID)
		}
	}
	nodes, _, err := a.Client.Nodes().List(nil)
	if err != nil || len(nodes) != 1 || nodes[0].Status != api.NodeStatusReady {
		t.Errorf("the nodes are %v: %v", nodes, err)
	}
	for _, child := range launches(t, a) {
		if child.JobModifyIndex != child.CreateIndex {
			t.Errorf("%s was launched twice", child.ID)
		}
	}
}

// small is a job that a machine without a disk has room for.
func small(kind, id string, count int, script string) *api.Job {
	job := shellJob(kind, id, count, script)
	job.TaskGroups[0].EphemeralDisk = &api.EphemeralDisk{SizeMB: new(10)}
	job.TaskGroups[0].Tasks[0].LogConfig = &api.LogConfig{MaxFiles: new(1), MaxFileSizeMB: new(1)}
	return job
}

// latest is the newest deployment of the service.
func latest(t *testing.T, a *orchestratortest.Agent) *api.Deployment {
	t.Helper()
	d, _, err := a.Client.Jobs().LatestDeployment("web", nil)
	if err != nil {
		t.Fatal(err)
	}
	if d == nil {
		return &api.Deployment{}
	}
	return d
}

// updated are the allocations that run version 1 of the service.
func updated(t *testing.T, a *orchestratortest.Agent) []*api.AllocationListStub {
	t.Helper()
	return slices.DeleteFunc(running(t, a, "web"), func(s *api.AllocationListStub) bool { return s.JobVersion != 1 })
}

// updatedSlowly is a service whose allocations are replaced one after the other. Each runs a script before.
func updatedSlowly(script, before string) *api.Job {
	job := small("service", "web", 3, script)
	job.Update.MaxParallel, job.Update.MinHealthyTime = new(1), new(5*time.Second)
	job.Update.HealthyDeadline, job.Update.ProgressDeadline = new(20*time.Minute), new(30*time.Minute)
	group := job.TaskGroups[0]
	first := *group.Tasks[0]
	first.Name, first.Lifecycle = "before", &api.TaskLifecycle{Hook: api.TaskLifecycleHookPrestart}
	first.Config = map[string]any{"command": "/bin/sh", "args": []string{"-c", before}}
	group.Tasks = append(group.Tasks, &first)
	return job
}

// periodic is a job that is launched every 5 seconds.
func periodic() *api.Job {
	job := small("batch", "periodic", 1, "exit 0")
	job.Periodic = &api.PeriodicConfig{Enabled: new(true), Spec: new("*/5 * * * * * *"), SpecType: new(api.PeriodicSpecCron)}
	return job
}

// restarting is a job whose task fails and is started again and again.
func restarting() *api.Job {
	job := small("service", "restarting", 1, "exit 1")
	job.Update = &api.UpdateStrategy{MaxParallel: new(0)}
	job.TaskGroups[0].RestartPolicy = &api.RestartPolicy{
		Attempts: new(1000), Interval: new(24 * time.Hour), Delay: new(time.Second), Mode: new("delay"),
	}
	return job
}

// rescheduled is a job whose allocation fails and is replaced again and again.
func rescheduled() *api.Job {
	job := small("service", "rescheduled", 1, "exit 1")
	job.Update = &api.UpdateStrategy{MaxParallel: new(0)}
	job.TaskGroups[0].ReschedulePolicy = &api.ReschedulePolicy{
		Unlimited: new(true), Delay: new(5 * time.Second), DelayFunction: new("constant"), MaxDelay: new(time.Minute), Attempts: new(0), Interval: new(time.Duration(0)),
	}
	return job
}

// goesOn waits until the jobs that fail have gone on doing so.
func goesOn(t *testing.T, a *orchestratortest.Agent) {
	t.Helper()
	restarts, replaced := restartsOf(t, a), allocsOf(t, a, "rescheduled")
	awaitSlowly(t, "the task is started again", func() bool { return restartsOf(t, a) > restarts+1 })
	awaitSlowly(t, "the allocation is replaced", func() bool { return allocsOf(t, a, "rescheduled") > replaced+1 })
}

// awaitLaunches waits until the periodic job was launched twice more.
func awaitLaunches(t *testing.T, a *orchestratortest.Agent) {
	t.Helper()
	known := len(launches(t, a))
	awaitSlowly(t, "the periodic job is launched", func() bool { return len(launches(t, a)) > known+1 })
}

func restartsOf(t *testing.T, a *orchestratortest.Agent) uint64 {
	t.Helper()
	stubs, _, err := a.Client.Jobs().Allocations("restarting", true, nil)
	if err != nil {
		t.Fatal(err)
	}
	n := uint64(0)
	for _, s := range stubs {
		if task := s.TaskStates["t"]; task != nil {
			n += task.Restarts
		}
	}
	return n
}

func allocsOf(t *testing.T, a *orchestratortest.Agent, job string) int {
	t.Helper()
	stubs, _, err := a.Client.Jobs().Allocations(job, true, nil)
	if err != nil {
		t.Fatal(err)
	}
	return len(stubs)
}

// launches are the children of the periodic job.
func launches(t *testing.T, a *orchestratortest.Agent) []*api.JobListStub {
	t.Helper()
	jobs, _, err := a.Client.Jobs().List(&api.QueryOptions{Prefix: "periodic/"})
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(jobs, func(j *api.JobListStub) bool { return !strings.Contains(j.ID, api.JobPeriodicLaunchSuffix) })
}

func setClock(t *testing.T, by time.Duration) {
	t.Helper()
	to := syscall.NsecToTimeval(time.Now().Add(by).UnixNano())
	if err := syscall.Settimeofday(&to); err != nil {
		t.Fatal(err)
	}
}

// awaitSlowly gives something on an emulated machine some minutes to come true.
func awaitSlowly(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(10 * time.Minute)
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline:
			t.Fatalf("%s: did not come true", what)
		case <-tick.C:
		}
	}
	t.Log(what)
}
