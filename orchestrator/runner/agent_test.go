//go:build unix

package runner

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"

	"ostro/nomadtest/freeport"
	"ostro/orchestrator/driver"
)

// agentMain is a process that runs the allocations of the file DIR/want.json until it is killed: "TEST-BINARY agent
// DIR". Its latest reports are in DIR/reports/ALLOC.json.
func agentMain(dir string) error {
	data, err := os.ReadFile(filepath.Join(dir, "want.json"))
	if err != nil {
		return err
	}
	var allocs []*api.Allocation
	if err := json.Unmarshal(data, &allocs); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	drivers, err := driver.Open(context.Background(), dir, []string{self, "supervise"})
	if err != nil {
		return err
	}
	r, err := New(context.Background(), Config{
		Dir:     dir,
		Drivers: drivers,
		Report: func(updates []Update) {
			for _, u := range updates {
				data, err := json.Marshal(u)
				path := filepath.Join(dir, "reports", u.AllocID)
				if err := errors.Join(err, os.WriteFile(path+".tmp", data, 0o600), os.Rename(path+".tmp", path+".json")); err != nil {
					fmt.Fprintln(os.Stderr, err)
				}
			}
		},
	})
	if err != nil {
		return err
	}
	r.Sync(allocs)
	_, err = io.Copy(io.Discard, os.Stdin) // until the test has gone
	return err
}

// An agent is a process that runs a Runner.
type agent struct {
	t   *testing.T
	dir string
	cmd *exec.Cmd
}

// newAgentDir prepares the folder of an agent that is to run allocs.
func newAgentDir(t *testing.T, allocs ...*api.Allocation) string {
	dir := nodeDir(t)
	if err := os.Mkdir(filepath.Join(dir, "reports"), 0o700); err != nil {
		t.Fatal(err)
	}
	want(t, dir, allocs...)
	return dir
}

// want says which allocations the agents of dir are to run from their next start on.
func want(t *testing.T, dir string, allocs ...*api.Allocation) {
	t.Helper()
	data, err := json.Marshal(allocs)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "want.json"), data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// startAgent starts one in a process group of its own.
func startAgent(t *testing.T, dir string) *agent {
	t.Helper()
	return startProgram(t, os.Args[0], dir)
}

func startProgram(t *testing.T, program, dir string) *agent {
	t.Helper()
	a := &agent{t: t, dir: dir, cmd: exec.Command(program, "agent", dir)}
	a.cmd.Stderr = t.Output()
	if _, err := a.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	a.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := a.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.kill9)
	return a
}

// kill9 kills the agent's whole process group.
func (a *agent) kill9() {
	if a.cmd.ProcessState != nil {
		return
	}
	syscall.Kill(-a.cmd.Process.Pid, syscall.SIGKILL)
	a.cmd.Wait()
}

// report returns the latest report of an allocation.
func (a *agent) report(allocID string) (u Update) {
	data, err := os.ReadFile(filepath.Join(a.dir, "reports", allocID+".json"))
	if err != nil {
		return u
	}
	if err := json.Unmarshal(data, &u); err != nil {
		a.t.Fatal(err)
	}
	return u
}

func (a *agent) await(what, allocID string, wanted func(Update) bool) Update {
	a.t.Helper()
	var u Update
	eventually(a.t, what, func() bool { u = a.report(allocID); return wanted(u) })
	return u
}

// eventually waits until cond is true.
func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !cond() {
		select {
		case <-deadline:
			t.Fatalf("not %s in time", what)
		case <-tick.C:
		}
	}
}

// supervisorPID finds the supervising process of dir.
func supervisorPID(t *testing.T, dir string) int {
	for pid, cmdline := range processesOf(t, dir) {
		if strings.Contains(cmdline, " supervise ") {
			return pid
		}
	}
	return 0
}

// ticker is a task that writes its pid first, then a growing number every 10 ms, and counts its starts.
func ticker(name string) *api.Task {
	return shellTask(name, `echo start >> ../starts; echo pid $$; i=0; while :; do i=$((i+1)); echo $i; sleep 0.01; done`)
}

func countLines(t *testing.T, path string) int {
	data, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	return bytes.Count(data, []byte{'\n'})
}

// sessions lists the first processes of the tasks of dir: the leaders of their sessions.
func sessions(t *testing.T, dir string) (pids []int) {
	for pid := range processesOf(t, dir) {
		cwd, _ := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid))
		stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		_, rest, _ := strings.Cut(string(stat), ") ")
		fields := strings.Fields(rest)
		if strings.HasPrefix(cwd, dir) && len(fields) > 3 && fields[3] == strconv.Itoa(pid) {
			pids = append(pids, pid)
		}
	}
	slices.Sort(pids)
	return pids
}

// cleanAgent ends all that is left of an agent's folder.
func cleanAgent(t *testing.T, dir string) {
	t.Helper()
	n := newNode(t, dir)
	n.Sync(nil)
	n.stop()
}

func TestAgentKilled(t *testing.T) {
	a1 := allocation("a1", ticker("web"))
	dir := newAgentDir(t, a1)
	log := filepath.Join(dir, "alloc/a1/alloc/logs/web.stdout.0")

	agent := startAgent(t, dir)
	agent.await("running", "a1", func(u Update) bool { return u.ClientStatus == "running" })
	eventually(t, "logging", func() bool { return countLines(t, log) > 3 })
	before := sessions(t, dir)
	for round := range 3 {
		agent.kill9()
		lines := countLines(t, log)
		eventually(t, "logging without an agent", func() bool { return countLines(t, log) > lines+5 })
		if err := os.Remove(filepath.Join(dir, "reports/a1.json")); err != nil {
			t.Fatal(err)
		}
		agent = startAgent(t, dir)
		u := agent.await("running again", "a1", func(u Update) bool { return u.ClientStatus == "running" })
		if now := sessions(t, dir); !slices.Equal(now, before) || len(now) != 1 {
			t.Fatalf("round %d: processes %v, were %v", round, now, before)
		}
		if starts := countLines(t, filepath.Join(dir, "alloc/a1/starts")); starts != 1 {
			t.Fatalf("round %d: %d starts", round, starts)
		}
		if n := len(u.TaskStates["web"].Events); n != 3 {
			t.Errorf("round %d: events %v", round, eventTexts(u))
		}
	}
	agent.kill9()
	cleanAgent(t, dir)
}

func TestAgentKilledWhileTaskEnds(t *testing.T) {
	a1 := allocation("a1", shellTask("web", "echo $$ > pid; while [ ! -e go ]; do sleep 0.01; done; echo last words; exit 7"))
	dir := newAgentDir(t, a1)
	agent := startAgent(t, dir)
	agent.await("running", "a1", func(u Update) bool { return u.ClientStatus == "running" })
	agent.kill9()
	if err := os.WriteFile(filepath.Join(dir, "alloc/a1/web/go"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	eventually(t, "ended", func() bool { return len(sessions(t, dir)) == 0 })
	agent = startAgent(t, dir)
	u := agent.await("failed", "a1", func(u Update) bool { return u.ClientStatus == "failed" })
	if !slices.Contains(eventTexts(u), "web: Terminated: Exit Code: 7") {
		t.Errorf("events %v", eventTexts(u))
	}
	if out := readFile(t, filepath.Join(dir, "alloc/a1/alloc/logs/web.stdout.0")); out != "last words\n" {
		t.Errorf("log %q", out)
	}
	agent.kill9()
	cleanAgent(t, dir)
}

func TestAgentKilledAtRandom(t *testing.T) {
	a1 := allocation("a1", ticker("web"))
	dir := newAgentDir(t, a1)
	for delay := time.Duration(0); ; delay += 4 * time.Millisecond {
		agent := startAgent(t, dir)
		<-time.After(delay)
		running := agent.report("a1").ClientStatus == "running"
		agent.kill9()
		if running {
			break
		}
	}
	agent := startAgent(t, dir)
	agent.await("running", "a1", func(u Update) bool { return u.ClientStatus == "running" })
	eventually(t, "one", func() bool { return len(sessions(t, dir)) == 1 })
	if starts := countLines(t, filepath.Join(dir, "alloc/a1/starts")); starts != 1 {
		t.Errorf("%d starts", starts)
	}
	agent.kill9()
	cleanAgent(t, dir)
}

func TestAgentKilledDuringUpdate(t *testing.T) {
	old := allocation("a1", shellTask("web", `trap 'sleep 0.1; echo old ended >> ../../../order; exit 0' INT; echo old >> ../../../order; while :; do sleep 0.01; done`))
	next := allocation("a2", shellTask("web", `echo new >> ../../../order; exec sleep 1000`))
	next.PreviousAllocation = "a1"
	dir := newAgentDir(t, old)
	order := filepath.Join(dir, "order")
	agent := startAgent(t, dir)
	eventually(t, "running", func() bool { return countLines(t, order) == 1 })
	agent.kill9()

	want(t, dir, stopped(old), next)
	for delay := 10 * time.Millisecond; ; delay += 7 * time.Millisecond {
		agent = startAgent(t, dir)
		<-time.After(delay)
		running := agent.report("a2").ClientStatus == "running"
		agent.kill9()
		if n := len(sessions(t, dir)); n > 1 {
			t.Fatalf("%d processes run at once", n)
		}
		if running {
			break
		}
	}
	agent = startAgent(t, dir)
	agent.await("complete", "a1", func(u Update) bool { return u.ClientStatus == "complete" })
	agent.await("running", "a2", func(u Update) bool { return u.ClientStatus == "running" })
	if n := len(sessions(t, dir)); n != 1 {
		t.Errorf("%d processes run", n)
	}
	if got := readFile(t, order); got != "old\nold ended\nnew\n" {
		t.Errorf("order %q", got)
	}
	agent.kill9()
	cleanAgent(t, dir)
}

func TestAgentAndSupervisorKilled(t *testing.T) {
	for what, change := range map[string]func(record []byte) []byte{
		"record whole": func(record []byte) []byte { return record },
		"record torn":  func(record []byte) []byte { return record[:len(record)/2] },
	} {
		t.Run(what, func(t *testing.T) {
			a1 := allocation("a1", ticker("web"))
			dir := newAgentDir(t, a1)
			log := filepath.Join(dir, "alloc/a1/alloc/logs/web.stdout.0")
			agent := startAgent(t, dir)
			agent.await("running", "a1", func(u Update) bool { return u.ClientStatus == "running" })
			eventually(t, "logging", func() bool { return countLines(t, log) > 3 })
			before := sessions(t, dir)
			agent.kill9()
			if err := syscall.Kill(supervisorPID(t, dir), syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			changeRecords(t, dir, change)
			lines := countLines(t, log)
			agent = startAgent(t, dir)
			eventually(t, "logging again", func() bool { return countLines(t, log) > lines+5 })
			if now := sessions(t, dir); !slices.Equal(now, before) {
				t.Errorf("processes %v, were %v", now, before)
			}
			agent.kill9()
			cleanAgent(t, dir)
		})
	}
}

// changeRecords changes what the supervisor of dir has noted of its tasks.
func changeRecords(t *testing.T, dir string, change func([]byte) []byte) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "supervisor/tasks/*/record.json"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no records: %v", err)
	}
	for _, path := range paths {
		if err := os.WriteFile(path, change([]byte(readFile(t, path))), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSupervisorKilled(t *testing.T) {
	dir := nodeDir(t)
	n := newNode(t, dir)
	n.Sync([]*api.Allocation{allocation("a1", ticker("web")), allocation("a2", shellTask("end", "while [ ! -e go ]; do sleep 0.01; done; exit 5"))})
	log := filepath.Join(dir, "alloc/a1/alloc/logs/web.stdout.0")
	n.awaitStatus("a1", "running")
	n.awaitStatus("a2", "running")
	eventually(t, "logging", func() bool { return countLines(t, log) > 3 })
	before := sessions(t, dir)

	for range 3 {
		old := supervisorPID(t, dir)
		if err := syscall.Kill(old, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		lines := countLines(t, log)
		eventually(t, "supervised again", func() bool { pid := supervisorPID(t, dir); return pid != 0 && pid != old })
		eventually(t, "logging again", func() bool { return countLines(t, log) > lines+5 })
		if now := sessions(t, dir); !slices.Equal(now, before) {
			t.Fatalf("processes %v, were %v", now, before)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "alloc/a2/end/go"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	u := n.awaitStatus("a2", "failed")
	if last := u.TaskStates["end"].Events[3].DisplayMessage; last != "Exit Code: 5" {
		t.Errorf("the end of an adopted task: %s", last)
	}
	// No number is missing: the task kept its output back while nobody read it.
	n.stop()
	lines := strings.Fields(strings.TrimPrefix(readFile(t, log), "pid "))
	for i, word := range lines[1:] {
		if word != strconv.Itoa(i+1) {
			t.Fatalf("line %d of the log is %q", i+1, word)
		}
	}
}

// "go run" removes the program that it has built while the agent goes on.
func TestProgramRemoved(t *testing.T) {
	a1 := allocation("a1", ticker("web"))
	dir := newAgentDir(t, a1)
	program := filepath.Join(t.TempDir(), "ostro")
	data, err := os.ReadFile(os.Args[0])
	if err == nil {
		err = os.WriteFile(program, data, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	agent := startProgram(t, program, dir)
	agent.await("running", "a1", func(u Update) bool { return u.ClientStatus == "running" })
	if err := os.Remove(program); err != nil {
		t.Fatal(err)
	}
	old := supervisorPID(t, dir)
	if err := syscall.Kill(old, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "supervised again", func() bool { pid := supervisorPID(t, dir); return pid != 0 && pid != old })
	agent.kill9()
	cleanAgent(t, dir)
}

// Services, checks and templates are taken up by the next agent like the tasks themselves: nothing restarts, what has
// changed meanwhile is told, and a service is not taken out of the catalogue.
func TestAgentKilledWithServices(t *testing.T) {
	task := shellTask("web", "trap 'echo told' HUP; echo up; "+os.Args[0]+" serve $NOMAD_PORT_http & while :; do sleep 0.02; done")
	withTemplate(task, `X={{ file "local/data" }}`, "signal", func(s *api.Template) {
		s.ChangeSignal, s.Envvars = new("SIGHUP"), new(true)
	})
	a1 := withService(allocation("a1", task), freeport.Take(), quickCheck("/"))
	dir := newAgentDir(t, a1)
	log := filepath.Join(dir, "alloc/a1/alloc/logs/web.stdout.0")
	data := filepath.Join(dir, "alloc/a1/web/local/data")
	listed := func(u Update) bool { return len(u.Services) == 1 }

	agent := startAgent(t, dir)
	agent.await("waiting", "a1", func(u Update) bool {
		return slices.Contains(eventTexts(u), "web: Template: Missing: file(local/data)")
	})
	if err := os.WriteFile(data, []byte("one"), 0o600); err != nil {
		t.Fatal(err)
	}
	agent.await("listed", "a1", listed)
	before := sessions(t, dir)
	agent.kill9()
	if err := errors.Join(os.WriteFile(data, []byte("two"), 0o600), os.Remove(filepath.Join(dir, "reports/a1.json"))); err != nil {
		t.Fatal(err)
	}
	agent = startAgent(t, dir)
	var first Update
	eventually(t, "reported", func() bool { first = agent.report("a1"); return first.Services != nil })
	if !listed(first) {
		t.Errorf("the first report has %v", first.Services)
	}
	agent.await("told", "a1", func(u Update) bool { return slices.Contains(eventTexts(u), "web: Signaling: Template re-rendered") })
	eventually(t, "heard", func() bool { return countLines(t, log) == 2 })
	if now := sessions(t, dir); !slices.Equal(now, before) || len(now) != 1 {
		t.Errorf("processes %v, were %v", now, before)
	}
	agent.kill9()
	cleanAgent(t, dir)
}
