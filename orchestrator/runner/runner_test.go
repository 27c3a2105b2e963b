//go:build unix

package runner

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/nomad/api"

	"ostro/nomadtest/freeport"
)

func TestTaskRunsAndEnds(t *testing.T) {
	n := newNode(t, nodeDir(t))
	a := allocation("a1", shellTask("web", "echo $NOMAD_TASK_NAME; echo oops >&2; exit 3"))
	n.Sync([]*api.Allocation{a})
	u := n.awaitStatus("a1", "failed")
	want := []string{
		"web: Received: Task received by client",
		"web: Task Setup: Building Task Directory",
		"web: Started: Task started by client",
		"web: Terminated: Exit Code: 3",
		"web: Not Restarting: Policy allows no restarts",
	}
	if diff := cmp.Diff(want, eventTexts(u)); diff != "" {
		t.Error(diff)
	}
	if u.ClientDescription != "Failed tasks" {
		t.Errorf("description = %q", u.ClientDescription)
	}
	dir, _ := n.AllocDir("a1")
	if out := readFile(t, filepath.Join(dir, "alloc/logs/web.stdout.0")); out != "web\n" {
		t.Errorf("stdout = %q", out)
	}
	if out := readFile(t, filepath.Join(dir, "alloc/logs/web.stderr.0")); out != "oops\n" {
		t.Errorf("stderr = %q", out)
	}
}

func TestStop(t *testing.T) {
	n := newNode(t, nodeDir(t))
	a := allocation("a1", shellTask("web", "echo up; exec sleep 1000"))
	n.Sync([]*api.Allocation{a})
	n.awaitStatus("a1", "running")
	n.Sync([]*api.Allocation{stopped(a)})
	u := n.awaitStatus("a1", "complete")
	want := []string{
		"web: Killing: Sent interrupt. Waiting 5s before force killing",
		"web: Terminated: Exit Code: 130, Signal: 2",
		"web: Killed: Task successfully killed",
	}
	got := eventTexts(u)
	if diff := cmp.Diff(want, got[max(0, len(got)-3):]); diff != "" {
		t.Error(diff)
	}
	if slices.Contains(got, "web: Restarting") {
		t.Error("it was restarted")
	}
}

// withRestarts sets the group's restart policy.
func withRestarts(a *api.Allocation, attempts int, delay time.Duration) *api.Allocation {
	a.Job.TaskGroups[0].RestartPolicy = &api.RestartPolicy{
		Attempts: &attempts, Delay: &delay, Interval: new(time.Hour), Mode: new("fail"),
	}
	return a
}

// inDeployment makes the allocation part of a deployment.
func inDeployment(a *api.Allocation, id string, minHealthy, deadline time.Duration) *api.Allocation {
	a.DeploymentID = id
	a.Job.TaskGroups[0].Update = &api.UpdateStrategy{
		HealthCheck: new("task_states"), MinHealthyTime: &minHealthy, HealthyDeadline: &deadline,
	}
	return a
}

func verdictOf(u Update) string {
	switch {
	case u.DeploymentStatus == nil:
		return "none"
	case *u.DeploymentStatus.Healthy:
		return "healthy"
	}
	return "unhealthy"
}

func TestRestarts(t *testing.T) {
	n := newNode(t, nodeDir(t))
	n.Sync([]*api.Allocation{withRestarts(allocation("a1", shellTask("web", "echo x; exit 1")), 2, time.Millisecond)})
	u := n.awaitStatus("a1", "failed")
	s := u.TaskStates["web"]
	if s.Restarts != 2 || !s.Failed || s.State != "dead" || s.LastRestart.IsZero() || s.FinishedAt.IsZero() {
		t.Errorf("state %+v", s)
	}
	var kinds []string
	for _, e := range s.Events {
		kinds = append(kinds, e.Type)
	}
	want := []string{"Received", "Task Setup", "Started", "Terminated", "Restarting", "Started", "Terminated", "Restarting",
		"Started", "Terminated", "Not Restarting"}
	if diff := cmp.Diff(want[1:], kinds); diff != "" { // ten are kept
		t.Error(diff)
	}
	last := s.Events[len(s.Events)-1]
	if last.DisplayMessage != `Exceeded allowed attempts 2 in interval 1h0m0s and mode is "fail"` || !last.FailsTask ||
		last.Details["fails_task"] != "true" || last.RestartReason != last.DisplayMessage {
		t.Errorf("last event %+v", last)
	}
	restarting := s.Events[3]
	if !strings.HasPrefix(restarting.DisplayMessage, "Task restarting in 1") || restarting.StartDelay == 0 ||
		restarting.Details["restart_reason"] != "Restart within policy" {
		t.Errorf("restarting %+v", restarting)
	}
}

func TestTaskThatIgnoresSignals(t *testing.T) {
	dir := nodeDir(t)
	n := newNode(t, dir)
	task := shellTask("web", `trap '' INT TERM; (trap '' INT TERM HUP; setsid sleep 1000) & echo up; while :; do sleep 0.05; done`)
	task.KillTimeout = new(100 * time.Millisecond)
	a := allocation("a1", task)
	n.Sync([]*api.Allocation{a})
	n.awaitStatus("a1", "running")
	path := filepath.Join(dir, "alloc/a1/alloc/logs/web.stdout.0")
	eventually(t, "up", func() bool { return countLines(t, path) == 1 })
	n.Sync([]*api.Allocation{stopped(a)})
	u := n.awaitStatus("a1", "complete")
	want := []string{
		"web: Killing: Sent interrupt. Waiting 100ms before force killing",
		"web: Terminated: Exit Code: 137, Signal: 9",
		"web: Killed: Task successfully killed",
	}
	if diff := cmp.Diff(want, eventTexts(u)[3:]); diff != "" {
		t.Error(diff)
	}
	for pid, what := range processesOf(t, filepath.Join(dir, "alloc")) {
		t.Errorf("process %d is left: %s", pid, what)
	}
}

func TestPreviousAllocationEndsFirst(t *testing.T) {
	dir := nodeDir(t)
	n := newNode(t, dir)
	old := allocation("a1", shellTask("web", `trap 'sleep 0.2; echo old >> ../../../order; exit 0' INT; echo up; while :; do sleep 0.01; done`))
	n.Sync([]*api.Allocation{old})
	n.awaitStatus("a1", "running")
	path := filepath.Join(dir, "alloc/a1/alloc/logs/web.stdout.0")
	eventually(t, "up", func() bool { return countLines(t, path) == 1 })
	next := allocation("a2", shellTask("web", `echo new >> ../../../order; exec sleep 1000`))
	next.PreviousAllocation = "a1"
	n.Sync([]*api.Allocation{next, stopped(old)})
	n.awaitStatus("a2", "running")
	order := filepath.Join(dir, "order")
	eventually(t, "both", func() bool { return countLines(t, order) == 2 })
	if got := readFile(t, order); got != "old\nnew\n" {
		t.Errorf("order %q", got)
	}
}

func TestStopBeforeStart(t *testing.T) {
	n := newNode(t, nodeDir(t))
	old := allocation("a1", shellTask("web", "exec sleep 1000"))
	next := allocation("a2", shellTask("web", "echo no > started"), &api.Task{
		Name: "cleanup", Driver: "raw_exec", Lifecycle: &api.TaskLifecycle{Hook: "poststop"},
		Config: map[string]any{"command": "/bin/sh", "args": []string{"-c", "echo no > started"}},
	})
	next.PreviousAllocation = "a1"
	n.Sync([]*api.Allocation{old, next})
	n.awaitStatus("a1", "running")
	n.Sync([]*api.Allocation{old, stopped(next)})
	u := n.awaitStatus("a2", "complete")
	for name, s := range u.TaskStates {
		if !s.StartedAt.IsZero() || s.State != "dead" {
			t.Errorf("%s: %+v", name, s)
		}
	}
}

func TestVanishedAllocationIsRemoved(t *testing.T) {
	dir := nodeDir(t)
	n := newNode(t, dir)
	n.Sync([]*api.Allocation{allocation("a1", shellTask("web", "exec sleep 1000"))})
	n.awaitStatus("a1", "running")
	n.Sync(nil)
	eventually(t, "removed", func() bool {
		_, err := os.Stat(filepath.Join(dir, "alloc/a1"))
		return errors.Is(err, fs.ErrNotExist) && len(sessions(t, dir)) == 0
	})
	if _, ok := n.AllocDir("a1"); ok {
		t.Error("it is known still")
	}
}

func TestHealth(t *testing.T) {
	t.Parallel()
	n := newNode(t, nodeDir(t))
	good := inDeployment(allocation("good", shellTask("web", "exec sleep 1000")), "d1", 50*time.Millisecond, time.Minute)
	crashing := inDeployment(withRestarts(allocation("crashing", shellTask("web", "exit 1")), 100, time.Hour), "d1", time.Hour, 3*time.Second)
	failing := inDeployment(allocation("failing", shellTask("web", "exit 1")), "d1", time.Hour, time.Hour)
	slow := inDeployment(allocation("slow", shellTask("web", "exec sleep 1000")), "d1", time.Hour, 3*time.Second)
	manual := inDeployment(allocation("manual", shellTask("web", "exec sleep 1000")), "d1", 0, time.Millisecond)
	manual.Job.TaskGroups[0].Update.HealthCheck = new("manual")
	n.Sync([]*api.Allocation{good, crashing, failing, slow, manual})
	for id, want := range map[string]string{"good": "healthy", "crashing": "unhealthy", "failing": "unhealthy", "slow": "unhealthy"} {
		u := n.await(want, id, func(u Update) bool { return verdictOf(u) == want })
		if u.DeploymentID != "d1" || u.DeploymentStatus.Timestamp.IsZero() {
			t.Errorf("%s: status %+v", id, u.DeploymentStatus)
		}
	}
	u := n.awaitStatus("manual", "running")
	if verdictOf(u) != "none" {
		t.Errorf("manual: %s", verdictOf(u))
	}
	for id, text := range map[string]string{
		"crashing": "web: Alloc Unhealthy: Task not running by healthy_deadline of 3s",
		"slow":     "web: Alloc Unhealthy: Task not running for min_healthy_time of 1h0m0s by healthy_deadline of 3s",
	} {
		n.await("told why", id, func(u Update) bool { return slices.Contains(eventTexts(u), text) })
	}
	failed := n.awaitStatus("failing", "failed")
	if i := slices.IndexFunc(eventTexts(failed), func(text string) bool { return strings.Contains(text, "Alloc Unhealthy") }); i >= 0 {
		t.Errorf("the allocation that failed is told why it is unhealthy: %v", eventTexts(failed))
	}

	// An in-place update is judged anew, without a restart.
	again := *good
	again.Job = new(*good.Job)
	again.Job.TaskGroups = []*api.TaskGroup{new(*good.Job.TaskGroups[0])}
	updated := inDeployment(&again, "d2", 50*time.Millisecond, time.Minute)
	n.Sync([]*api.Allocation{updated})
	u = n.await("healthy again", "good", func(u Update) bool { return u.DeploymentID == "d2" && verdictOf(u) == "healthy" })
	if len(u.TaskStates["web"].Events) != 3 {
		t.Errorf("events %v", eventTexts(u))
	}
}

func TestVerdictIsKept(t *testing.T) {
	dir := nodeDir(t)
	a := inDeployment(allocation("a1", shellTask("web", "exec sleep 1000")), "d1", 20*time.Millisecond, time.Minute)
	n := newNode(t, dir)
	n.Sync([]*api.Allocation{a})
	first := n.await("healthy", "a1", func(u Update) bool { return verdictOf(u) == "healthy" })
	n.detach()
	n = newNode(t, dir)
	n.Sync([]*api.Allocation{a})
	second := n.awaitStatus("a1", "running")
	if verdictOf(second) != "healthy" || !second.DeploymentStatus.Timestamp.Equal(first.DeploymentStatus.Timestamp) {
		t.Errorf("verdict %+v, was %+v", second.DeploymentStatus, first.DeploymentStatus)
	}
}

func TestLostNotes(t *testing.T) {
	dir := nodeDir(t)
	a := allocation("a1", ticker("web"))
	n := newNode(t, dir)
	n.Sync([]*api.Allocation{a})
	n.awaitStatus("a1", "running")
	eventually(t, "up", func() bool { return len(sessions(t, dir)) == 1 })
	before := sessions(t, dir)
	n.detach()
	if err := os.WriteFile(filepath.Join(dir, "client/a1.json"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	n = newNode(t, dir)
	n.Sync([]*api.Allocation{a})
	n.awaitStatus("a1", "running")
	if now := sessions(t, dir); !slices.Equal(now, before) {
		t.Errorf("processes %v, were %v", now, before)
	}
}

func TestLifecycleOfGroup(t *testing.T) {
	dir := nodeDir(t)
	n := newNode(t, dir)
	step := func(name, hook string, sidecar bool, script string) *api.Task {
		task := shellTask(name, "echo "+name+" >> ../../../order; "+script)
		if hook != "" {
			task.Lifecycle = &api.TaskLifecycle{Hook: hook, Sidecar: sidecar}
		}
		return task
	}
	a := allocation("a1",
		step("main", "", false, "exec sleep 1000"),
		step("after", "poststart", false, ""),
		step("last", "poststop", false, ""),
		step("first", "prestart", false, "sleep 0.1"),
		step("side", "prestart", true, "exec sleep 1000"),
	)
	n.Sync([]*api.Allocation{a})
	order := filepath.Join(dir, "order")
	eventually(t, "four", func() bool { return countLines(t, order) == 4 })
	n.await("poststart is done", "a1", func(u Update) bool { return u.TaskStates["after"].State == "dead" })
	n.Sync([]*api.Allocation{stopped(a)})
	u := n.awaitStatus("a1", "complete")
	// What two processes write that start one after the other may come in any order.
	lines := strings.Fields(readFile(t, order))
	slices.Sort(lines[:2])
	slices.Sort(lines[2:4])
	if diff := cmp.Diff([]string{"first", "side", "after", "main", "last"}, lines); diff != "" {
		t.Error(diff)
	}
	if main, after := u.TaskStates["main"].StartedAt, u.TaskStates["after"].StartedAt; after.Before(main) {
		t.Errorf("main started at %v, poststart at %v", main, after)
	}
}

func TestPoststopTaskThatNeverEnds(t *testing.T) {
	n := newNode(t, nodeDir(t))
	after := shellTask("after", "exec sleep 1000")
	after.Lifecycle, after.KillTimeout = &api.TaskLifecycle{Hook: "poststop"}, new(10*time.Millisecond)
	running := shellTask("web", "exec sleep 1000")
	n.Sync([]*api.Allocation{allocation("ended", shellTask("web", "exit 0"), after), allocation("running", running, after)})
	n.await("poststop runs", "ended", func(u Update) bool { return u.TaskStates["after"].State == "running" })
	n.awaitStatus("running", "running")
	n.stop()
	for _, id := range []string{"ended", "running"} {
		u := n.await("poststop has ended", id, func(u Update) bool { return u.TaskStates["after"].State == "dead" })
		texts := eventTexts(u)
		if !slices.Contains(texts, "after: Killing: Sent interrupt. Waiting 10ms before force killing") {
			t.Errorf("%s: %v", id, texts)
		}
	}
}

func TestSiblingsOfAFailedTask(t *testing.T) {
	n := newNode(t, nodeDir(t))
	n.Sync([]*api.Allocation{allocation("a1", shellTask("bad", "sleep 0.1; exit 1"), shellTask("good", "exec sleep 1000"))})
	u := n.awaitStatus("a1", "failed")
	if u.TaskStates["good"].Failed || !u.TaskStates["bad"].Failed {
		t.Errorf("states %+v", u.TaskStates)
	}
	if got := eventTexts(u); !slices.Contains(got, `good: Sibling Task Failed: Task's sibling "bad" failed`) {
		t.Errorf("events %v", got)
	}
}

func TestStartErrors(t *testing.T) {
	n := newNode(t, nodeDir(t))
	missing := withRestarts(allocation("missing", &api.Task{Name: "web", Driver: "raw_exec", Config: map[string]any{"command": "/nope/nope"}}), 3, 0)
	driverless := allocation("driverless", &api.Task{Name: "web", Driver: "qemu"})
	mock := withRestarts(allocation("mock", &api.Task{Name: "web", Driver: "mock_driver",
		Config: map[string]any{"start_error": "no luck", "start_error_recoverable": true}}), 1, time.Millisecond)
	typo := allocation("typo", &api.Task{Name: "web", Driver: "raw_exec", Config: map[string]any{"command": "sh", "argz": []any{"x"}}})
	root := allocation("root", &api.Task{Name: "web", Driver: "java", User: "root", Config: map[string]any{"class": "X"}})
	n.Sync([]*api.Allocation{missing, driverless, mock, typo, root})
	for id, wants := range map[string][]string{
		"missing":    {`web: Driver Failure: failed to launch command with executor: rpc error: code = Unknown desc = binary "/nope/nope" could not be found`, "web: Not Restarting: Error was unrecoverable"},
		"typo":       {"web: Failed Validation: 2 errors occurred:\n\t* failed to parse config: \n\t* Invalid label: No argument or block type is named \"argz\".\n\n"},
		"root":       {`web: Task hook failed: validate: running as user "root" is disallowed`},
		"driverless": {`web: Driver Failure: driver "qemu" is not available on this node`, "web: Not Restarting: Policy allows no restarts"},
		"mock":       {"web: Driver Failure: no luck", `web: Not Restarting: Exceeded allowed attempts 1 in interval 1h0m0s and mode is "fail"`},
	} {
		u := n.awaitStatus(id, "failed")
		for _, want := range wants {
			if got := eventTexts(u); !slices.Contains(got, want) {
				t.Errorf("%s: %q is not in %q", id, want, got)
			}
		}
	}
}

// A task for which no supervisor can be started says so, and runs when one can be.
func TestSupervisorThatCannotStart(t *testing.T) {
	dir := nodeDir(t)
	n := newNode(t, dir)
	inTheWay := filepath.Join(dir, "supervisor")
	if err := os.WriteFile(inTheWay, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	n.Sync([]*api.Allocation{withRestarts(allocation("a1", shellTask("web", "exec sleep 1000")), 1000, time.Millisecond)})
	want := "web: Driver Failure: start the supervisor: mkdir " + inTheWay + ": not a directory"
	n.await("told", "a1", func(u Update) bool { return slices.Contains(eventTexts(u), want) })
	if err := os.Remove(inTheWay); err != nil {
		t.Fatal(err)
	}
	n.awaitStatus("a1", "running")
}

func TestArtifactFailureHidesCredentials(t *testing.T) {
	n := newNode(t, nodeDir(t))
	task := shellTask("web", "exec sleep 1000")
	task.Artifacts = []*api.TaskArtifact{{
		GetterSource:  new("https://127.0.0.1:1/x.zip"),
		GetterOptions: map[string]string{"aws_access_key_id": "AKIAEXAMPLE", "aws_access_key_secret": "s3cr3ts3cr3t"},
	}}
	n.Sync([]*api.Allocation{withRestarts(allocation("a1", task), 1, time.Millisecond)})
	u := n.awaitStatus("a1", "failed")
	got := eventTexts(u)
	want := []string{
		"web: Received: Task received by client",
		"web: Task Setup: Building Task Directory",
		"web: Downloading Artifacts: Client is downloading artifacts",
		`web: Failed Artifact Download: failed to download artifact "https://127.0.0.1:1/x.zip": getter subprocess failed: exit status 1: failed to download artifact: Get "https://127.0.0.1:1/x.zip": dial tcp 127.0.0.1:1: connect: connection refused`,
	}
	if diff := cmp.Diff(want, got[:4]); diff != "" {
		t.Error(diff)
	}
	data, err := json.Marshal(u)
	if err != nil || strings.Contains(string(data), "s3cr3t") || strings.Contains(string(data), "AKIA") {
		t.Errorf("%v: %s", err, data)
	}
}

func TestRestartAndSignal(t *testing.T) {
	dir := nodeDir(t)
	n := newNode(t, dir)
	a := allocation("a1", shellTask("web", `trap 'echo hup' HUP; echo up; while :; do sleep 0.01; done`))
	n.Sync([]*api.Allocation{a})
	log := filepath.Join(dir, "alloc/a1/alloc/logs/web.stdout.0")
	n.awaitStatus("a1", "running")
	eventually(t, "up", func() bool { return countLines(t, log) == 1 })
	if err := n.Signal(t.Context(), "a1", "web", "SIGHUP"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "signalled", func() bool { return countLines(t, log) == 2 })
	if err := n.Restart(t.Context(), "a1", "web", false); err != nil {
		t.Fatal(err)
	}
	eventually(t, "up again", func() bool { return countLines(t, log) == 3 })
	u := n.await("restarted", "a1", func(u Update) bool { return u.TaskStates["web"].Restarts == 1 && u.ClientStatus == "running" })
	got := eventTexts(u)
	want := []string{
		"web: Signaling: Task being sent a signal",
		"web: Restart Signaled: User requested task to restart",
		"web: Terminated: Exit Code: 130, Signal: 2",
		"web: Restarting: Task restarting in 0s",
		"web: Started: Task started by client",
	}
	if diff := cmp.Diff(want, got[3:]); diff != "" {
		t.Error(diff)
	}
	for _, tc := range []struct{ alloc, task, want string }{
		{"nope", "web", `Unknown allocation "nope"`},
		{"a1", "nope", "Could not find task runner for task: nope"},
	} {
		if err := n.Restart(t.Context(), tc.alloc, tc.task, false); err == nil || err.Error() != tc.want {
			t.Errorf("error %v, want %s", err, tc.want)
		}
	}
	n.Sync([]*api.Allocation{stopped(a)})
	for task, want := range map[string]string{"web": "Task not running", "": "restart of an alloc that should not run"} {
		if err := n.Restart(t.Context(), "a1", task, false); err == nil || err.Error() != want {
			t.Errorf("task %q of an allocation that is stopped: error %v, want %s", task, err, want)
		}
	}
}

func TestEnvironment(t *testing.T) {
	t.Setenv("AWS_SECRET_ACCESS_KEY", "leak")
	t.Setenv("SOMETHING_PRIVATE", "leak")
	dir, port := nodeDir(t), freeport.Take()
	n := newNode(t, dir)
	task := shellTask("web", "env; echo done ${NOMAD_PORT_http} ${attr.kernel.name} ${env[\"NOMAD_GROUP_NAME\"]} ${node.attr.kernel.name} '$${nope.x}' $NOMAD_PORT_http")
	task.Env = map[string]string{"GREETING": "on ${node.datacenter} as ${NOMAD_TASK_NAME} ${NOMAD_GROUP_NAME} ${env[\"HOME\"]}", "a-b": "1"}
	task.Meta = map[string]string{"commit-id": "1a2b3c4", "where": "${node.datacenter}/${NOMAD_TASK_NAME}"}
	a := allocation("0123456789", task)
	a.AllocatedResources = &api.AllocatedResources{Shared: api.AllocatedSharedResources{Ports: []api.PortMapping{
		{Label: "http", Value: port, HostIP: "127.0.0.1"}, {Label: "admin-ui", Value: 21000, To: 8080, HostIP: "127.0.0.1"},
	}}}
	n.Sync([]*api.Allocation{a})
	n.await("ended", a.ID, func(u Update) bool { return u.TaskStates["web"].State == "dead" })
	allocDir, _ := n.AllocDir(a.ID)
	out := readFile(t, filepath.Join(allocDir, "alloc/logs/web.stdout.0"))
	if strings.Contains(out, "leak") {
		t.Error("the agent's secrets are in the task's environment")
	}
	number := strconv.Itoa(port)
	for _, want := range []string{
		"NOMAD_PORT_http=" + number, "NOMAD_ADDR_http=127.0.0.1:" + number, "NOMAD_IP_http=127.0.0.1", "NOMAD_HOST_PORT_http=" + number,
		"NOMAD_PORT_admin_ui=8080", "NOMAD_HOST_PORT_admin_ui=21000", "NOMAD_HOST_ADDR_admin_ui=127.0.0.1:21000",
		"NOMAD_SHORT_ALLOC_ID=01234567", "NOMAD_ALLOC_INDEX=0", "NOMAD_JOB_ID=web", "NOMAD_DC=dc1", "NOMAD_REGION=global",
		"NOMAD_META_commit_id=1a2b3c4", "NOMAD_META_COMMIT_ID=1a2b3c4", "NOMAD_META_WHERE=dc1/web", "NOMAD_TASK_DIR=" + allocDir + "/web/local",
		`GREETING=on dc1 as web g ${env["HOME"]}`, "a_b=1", "done " + number + " linux g linux ${nope.x} " + number,
	} {
		if !slices.Contains(strings.Split(out, "\n"), want) {
			t.Errorf("%s is missing in\n%s", want, out)
		}
	}
}

func TestConfigThatMeansNothing(t *testing.T) {
	n := newNode(t, nodeDir(t))
	n.Sync([]*api.Allocation{withRestarts(allocation("a1", shellTask("web", "echo ${nope} ${NOMAD_X}")), 1, 0)})
	u := n.awaitStatus("a1", "failed")
	want := []string{
		"web: Failed Validation: 3 errors occurred:\n\t* failed to parse config: \n" +
			"\t* Unknown variable: There is no variable named \"nope\". Did you mean \"node\"?\n" +
			"\t* Unknown variable: There is no variable named \"NOMAD_X\". Did you mean \"NOMAD_DC\"?\n\n",
		"web: Not Restarting: Error was unrecoverable",
	}
	if diff := cmp.Diff(want, eventTexts(u)[2:]); diff != "" {
		t.Error(diff)
	}
}

func TestWhatCannotRunFails(t *testing.T) {
	n := newNode(t, nodeDir(t))
	vaulted := shellTask("web", "exec sleep 1000")
	vaulted.Vault = &api.Vault{}
	groupless := allocation("groupless", shellTask("web", "exec sleep 1000"))
	groupless.TaskGroup = "other"
	n.Sync([]*api.Allocation{allocation("vaulted", vaulted), groupless})
	u := n.awaitStatus("vaulted", "failed")
	if got := eventTexts(u); !slices.Contains(got, "web: Setup Failure: this node does not do vault blocks") {
		t.Errorf("events %v", got)
	}
	if u := n.awaitStatus("groupless", "failed"); u.ClientDescription != "the job has no such task group" {
		t.Errorf("description %q", u.ClientDescription)
	}
}

func TestShutdownDelays(t *testing.T) {
	n := newNode(t, nodeDir(t))
	task := shellTask("web", "exec sleep 1000")
	task.ShutdownDelay = 30 * time.Millisecond
	a := allocation("a1", task)
	a.Job.TaskGroups[0].ShutdownDelay = new(30 * time.Millisecond)
	n.Sync([]*api.Allocation{a})
	n.awaitStatus("a1", "running")
	begin := time.Now()
	n.Sync([]*api.Allocation{stopped(a)})
	u := n.awaitStatus("a1", "complete")
	if took := time.Since(begin); took < 60*time.Millisecond {
		t.Errorf("it took %v", took)
	}
	want := []string{
		"web: Killing: Sent interrupt. Waiting 5s before force killing",
		"web: Waiting for shutdown delay: Waiting for shutdown_delay of 30ms before killing the task.",
		"web: Terminated: Exit Code: 130, Signal: 2",
		"web: Killed: Task successfully killed",
	}
	if diff := cmp.Diff(want, eventTexts(u)[3:]); diff != "" {
		t.Error(diff)
	}
}

func TestPortInUse(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	a := withService(allocation("a1", shellTask("web", "exec sleep 1000")), listener.Addr().(*net.TCPAddr).Port)
	n := newNode(t, nodeDir(t))
	n.Sync([]*api.Allocation{withRestarts(a, 1000, 20*time.Millisecond)})
	u := n.await("told", "a1", func(u Update) bool { return len(eventTexts(u)) > 3 })
	want := fmt.Sprintf("web: Driver Failure: port %q (%s) is already in use by process %d (", "http", listener.Addr(), os.Getpid())
	if got := eventTexts(u)[2]; !strings.HasPrefix(got, want) {
		t.Errorf("event %s, want %s", got, want)
	}
	listener.Close()
	n.awaitStatus("a1", "running")
}

func TestUnknownKillSignal(t *testing.T) {
	n := newNode(t, nodeDir(t))
	task := shellTask("web", "exec sleep 1000")
	task.KillSignal = "SIGNONSENSE"
	a := allocation("a1", task)
	n.Sync([]*api.Allocation{a})
	n.awaitStatus("a1", "running")
	n.Sync([]*api.Allocation{stopped(a)})
	n.awaitStatus("a1", "complete")
}
