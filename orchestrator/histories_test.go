package orchestrator_test

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator"
	"ostro/orchestrator/orchestratortest"
)

var (
	histories = flag.Int("histories", 0, "so many histories, of which each kills the agent")
	history   = flag.Uint64("history", 0, "this history alone")
)

// agentMain is an agent as a process of its own. It says its address, and ends
// with its tasks when its input does.
func agentMain(dir string) error {
	conf := orchestrator.Config{DataDir: dir, Listen: "127.0.0.1:0", Supervisor: []string{os.Args[0], orchestratortest.SuperviseWord}}
	o, err := orchestrator.Start(context.Background(), conf)
	if err != nil {
		return err
	}
	fmt.Println(o.Addr())
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return o.Stop(ctx)
}

// TestAgentIsKilledAtAnyMoment kills an agent with SIGKILL at random moments of
// random histories of registers, stops, reverts and variables. Whatever was
// acknowledged is there at the next start, what was not is there whole or not at
// all, each allocation has one process, and every deployment ends as it would have.
func TestAgentIsKilledAtAnyMoment(t *testing.T) {
	count := 3
	switch {
	case *histories > 0:
		count = *histories
	case *history > 0:
		count = 1
	case os.Getenv("OSTRO_TEST") == "full":
		count = 200
	}
	var kills, lost, writes atomic.Int64
	t.Run("histories", func(t *testing.T) {
		for n := range count {
			seed := max(*history, 1) + uint64(n)
			t.Run(fmt.Sprint(seed), func(t *testing.T) {
				t.Parallel()
				p := &past{T: t, random: rand.New(rand.NewPCG(seed, 0)), dir: t.TempDir(), jobs: map[string]*pastJob{}, variables: map[string][]string{}}
				p.live()
				kills.Add(int64(p.kills))
				lost.Add(int64(p.unanswered))
				writes.Add(int64(p.acknowledged))
			})
		}
	})
	t.Logf("%d histories: the agent was killed %d times, %d writes were acknowledged, %d had no answer", count, kills.Load(), writes.Load(), lost.Load())
	if count >= 100 && lost.Load() < int64(count)/10 {
		t.Errorf("only %d writes had no answer: the kills miss", lost.Load())
	}
}

// A past is what was done to an agent.
type past struct {
	*testing.T
	random *rand.Rand
	dir    string

	agent  *exec.Cmd
	stdin  io.Closer
	client *api.Client

	jobs map[string]*pastJob
	// variables are the values that each may have; the first was acknowledged.
	variables map[string][]string

	kills, unanswered, acknowledged int
}

// A pastJob is what a job may be now.
type pastJob struct {
	// states are what it may be: the first was acknowledged, or empty.
	states []string
	next   int
}

// stoppedState is that of a job that was stopped; the others are the words that
// their task begins with.
const stoppedState = "stopped"

func (p *past) live() {
	p.start()
	for range 4 + p.random.IntN(5) {
		act := p.act()
		if p.random.IntN(2) > 0 {
			act()
			continue
		}
		// The kill comes amid the request, or among what follows from it.
		delay := time.Duration(p.random.IntN(80)) * time.Millisecond
		done := make(chan struct{})
		go func() {
			defer close(done)
			act()
		}()
		<-time.After(delay)
		p.kill()
		<-done
		p.start()
		p.compare()
	}
	p.settle()
	p.stdin.Close()
	if err := p.agent.Wait(); err != nil {
		p.Errorf("the agent ends with %v", err)
	}
	p.agent = nil
}

func (p *past) start() {
	p.agent = exec.Command(os.Args[0], "agent", p.dir)
	p.agent.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p.agent.Stderr = p.Output()
	stdin, err := p.agent.StdinPipe()
	if err != nil {
		p.Fatal(err)
	}
	stdout, err := p.agent.StdoutPipe()
	if err != nil {
		p.Fatal(err)
	}
	if err := p.agent.Start(); err != nil {
		p.Fatal(err)
	}
	agent := p.agent
	p.Cleanup(func() {
		if agent.ProcessState == nil {
			syscall.Kill(-agent.Process.Pid, syscall.SIGKILL)
			agent.Wait()
			p.endTasks()
		}
	})
	address, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		p.Fatalf("the agent does not start: %v", err)
	}
	p.stdin = stdin
	if p.client, err = api.NewClient(&api.Config{Address: "http://" + strings.TrimSpace(address)}); err != nil {
		p.Fatal(err)
	}
}

// endTasks leaves nothing behind of a history that failed.
func (p *past) endTasks() {
	for pid := range p.tasks() {
		syscall.Kill(pid, syscall.SIGKILL)
	}
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		p.Error(err)
	}
	for _, entry := range lines {
		line, _ := os.ReadFile(entry)
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(entry))); err == nil && strings.Contains(string(line), p.dir) {
			syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

func (p *past) kill() {
	p.kills++
	syscall.Kill(-p.agent.Process.Pid, syscall.SIGKILL)
	p.agent.Wait()
}

// act chooses what to do next. What it does notes whether it was acknowledged.
func (p *past) act() func() {
	id := fmt.Sprintf("job-%d", p.random.IntN(2))
	client := p.client
	job := p.jobs[id]
	if job == nil {
		job = &pastJob{states: []string{""}}
		p.jobs[id] = job
	}
	switch n := p.random.IntN(10); {
	case n < 2 && job.states[0] != "" && job.states[0] != stoppedState:
		return func() {
			_, _, err := client.Jobs().Deregister(id, false, nil)
			p.note(&job.states, stoppedState, err)
		}
	case n < 4:
		path := fmt.Sprintf("of/%d", p.random.IntN(3))
		value := fmt.Sprint(p.random.IntN(1000))
		states := p.variables[path]
		if states == nil {
			states = []string{""}
		}
		return func() {
			_, _, err := client.Variables().Create(&api.Variable{Path: path, Items: api.VariableItems{"v": value}}, nil)
			p.note(&states, value, err)
			p.variables[path] = states
		}
	}
	job.next++
	state, script := fmt.Sprintf("good-%d", job.next), "exec sleep 1000"
	if p.random.IntN(4) == 0 {
		state, script = fmt.Sprintf("bad-%d", job.next), "exit 1"
	}
	given := shellJob("service", id, 1+p.random.IntN(2), ": "+state+"; "+script)
	given.Meta = map[string]string{"state": state}
	if script == "exit 1" {
		// It ends long before, also on a machine where a process takes seconds to end.
		given.Update.MinHealthyTime, given.Update.HealthyDeadline, given.Update.ProgressDeadline = new(20*time.Second), new(time.Minute), new(2*time.Minute)
	}
	return func() {
		_, _, err := client.Jobs().Register(given, nil)
		p.note(&job.states, state, err)
	}
}

// note keeps what an answer says, or that there was none.
func (p *past) note(states *[]string, state string, err error) {
	if err == nil {
		p.acknowledged++
		*states = []string{state}
		return
	}
	p.unanswered++
	*states = append(*states, state)
}

// compare holds what there is against what was acknowledged.
func (p *past) compare() {
	for id, job := range p.jobs {
		now := p.stateOf(id, job.states)
		if !slices.Contains(job.states, now) {
			p.Errorf("%s is %q, may be %q", id, now, job.states)
		}
		job.states = []string{now}
	}
	for path, values := range p.variables {
		now := ""
		if v, _, err := p.client.Variables().Peek(path, nil); err != nil {
			p.Fatal(err)
		} else if v != nil {
			now = v.Items["v"]
		}
		if !slices.Contains(values, now) {
			p.Errorf("the variable %s is %q, may be %q", path, now, values)
		}
		p.variables[path] = []string{now}
	}
}

// stateOf is what was last done to a job: a failed deployment goes back to an
// earlier version by itself.
func (p *past) stateOf(id string, may []string) string {
	versions, _, _, err := p.client.Jobs().Versions(id, false, nil)
	if err != nil {
		if strings.Contains(err.Error(), "404") {
			return ""
		}
		p.Fatal(err)
	}
	if *versions[0].Stop {
		return stoppedState
	}
	newest := ""
	for _, v := range versions {
		if state := v.Meta["state"]; len(state) > 0 && (newest == "" || number(state) > number(newest)) {
			newest = state
		}
	}
	// After a stop and a new register the old versions are still listed.
	if slices.Contains(may, newest) || !slices.Contains(may, versions[0].Meta["state"]) {
		return newest
	}
	return versions[0].Meta["state"]
}

func number(state string) (n int) {
	_, digits, _ := strings.Cut(state, "-")
	fmt.Sscan(digits, &n)
	return n
}

// settle waits for everything to come to its end, and holds it.
func (p *past) settle() {
	for id, job := range p.jobs {
		state := job.states[0]
		if state == "" {
			continue
		}
		p.Cleanup(func() {
			if p.Failed() {
				p.Log(p.story(id))
			}
		})
		orchestratortest.Eventually(p, fmt.Sprintf("%s, which is %s, settles", id, state), func() bool { return p.settled(id, state) })
	}
	orchestratortest.Eventually(p, "each allocation that runs has one process, and no other has one", func() bool {
		return slices.Equal(p.wantedProcesses(), p.processes())
	})
}

// settled tells whether a job is where what was done to it last leads.
func (p *past) settled(id, state string) bool {
	allocs, _, err := p.client.Jobs().Allocations(id, true, nil)
	if err != nil {
		p.Fatal(err)
	}
	allocs = slices.DeleteFunc(allocs, func(a *api.AllocationListStub) bool {
		return a.ClientStatus != api.AllocClientStatusPending && a.ClientStatus != api.AllocClientStatusRunning
	})
	if state == stoppedState {
		return len(allocs) == 0
	}
	job, _, err := p.client.Jobs().Info(id, nil)
	if err != nil {
		p.Fatal(err)
	}
	last, _, err := p.client.Jobs().LatestDeployment(id, nil)
	if err != nil {
		p.Fatal(err)
	}
	if last == nil || last.JobVersion != *job.Version {
		return false
	}
	now := job.Meta["state"]
	switch {
	case strings.HasPrefix(now, "bad"):
		return last.Status == api.DeploymentStatusFailed
	case now != state && !strings.HasPrefix(state, "bad"):
		p.Fatalf("%s is %s, and was made %s", id, now, state)
	}
	return last.Status == api.DeploymentStatusSuccessful && len(allocs) == *job.TaskGroups[0].Count &&
		!slices.ContainsFunc(allocs, func(a *api.AllocationListStub) bool {
			return a.ClientStatus != api.AllocClientStatusRunning || a.JobVersion != *job.Version
		})
}

// story is what there is of a job, for the reader of a failure.
func (p *past) story(id string) string {
	var text strings.Builder
	versions, _, _, err := p.client.Jobs().Versions(id, false, nil)
	fmt.Fprintf(&text, "%s: %v\n", id, err)
	for _, v := range versions {
		fmt.Fprintf(&text, "version %d is %s, stopped %v, stable %v\n", *v.Version, v.Meta["state"], *v.Stop, *v.Stable)
	}
	deployments, _, _ := p.client.Jobs().Deployments(id, true, nil)
	for _, d := range deployments {
		fmt.Fprintf(&text, "deployment of version %d: %s: %s\n", d.JobVersion, d.Status, d.StatusDescription)
	}
	evals, _, _ := p.client.Jobs().Evaluations(id, nil)
	for _, e := range evals {
		fmt.Fprintf(&text, "evaluation %s %s at %d: %s %s\n", e.ID[:8], e.TriggeredBy, e.CreateIndex, e.Status, e.StatusDescription)
	}
	allocs, _, _ := p.client.Jobs().Allocations(id, true, nil)
	for _, a := range allocs {
		fmt.Fprintf(&text, "allocation %s of version %d, made at %d: wanted %s, %s: %s, health %+v\n", a.ID[:8], a.JobVersion, a.CreateIndex, a.DesiredStatus, a.ClientStatus, a.ClientDescription, a.DeploymentStatus)
	}
	return text.String()
}

func (p *past) wantedProcesses() (allocs []string) {
	list, _, err := p.client.Allocations().List(nil)
	if err != nil {
		p.Fatal(err)
	}
	for _, a := range list {
		if a.ClientStatus == api.AllocClientStatusRunning {
			allocs = append(allocs, a.ID)
		}
	}
	slices.Sort(allocs)
	return allocs
}

// processes are the allocations of all tasks that run, one for each process.
func (p *past) processes() []string {
	return slices.Sorted(maps.Values(p.tasks()))
}

// tasks gives the allocation of each process of a task.
func (p *past) tasks() map[int]string {
	entries, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		p.Fatal(err)
	}
	found := map[int]string{}
	for _, entry := range entries {
		text, err := os.ReadFile(entry)
		if err != nil {
			continue // It has ended.
		}
		id, here := "", false
		for variable := range strings.SplitSeq(string(text), "\x00") {
			name, value, _ := strings.Cut(variable, "=")
			here = here || name == "NOMAD_ALLOC_DIR" && strings.HasPrefix(value, p.dir)
			if name == "NOMAD_ALLOC_ID" {
				id = value
			}
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(entry))); err == nil && here {
			found[pid] = id
		}
	}
	return found
}
