package bench

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"

	"ostro/nomadtest/freeport"
)

// patience is how long anything may take before a benchmark gives up.
const patience = 5 * time.Minute

// An engine is an orchestrator as a program: ours, or the nomad on PATH.
type engine struct {
	name string
	// command is what runs it with its state in dir and its API on port.
	command func(b *testing.B, dir string, port int) *exec.Cmd
}

// engines are ours, and Nomad where it is at hand.
func engines(b *testing.B) []engine {
	ostro := buildOstro(b)
	all := []engine{{"ostro", func(b *testing.B, dir string, port int) *exec.Cmd {
		return exec.Command(ostro, "agent", "-dev", "-listen", fmt.Sprintf("127.0.0.1:%d", port), "-data-dir", dir)
	}}}
	nomad, err := exec.LookPath("nomad")
	if err != nil {
		b.Log("nomad is not on PATH: there is nothing to compare with")
		return all
	}
	return append(all, engine{"nomad", func(b *testing.B, dir string, port int) *exec.Cmd {
		conf := fmt.Sprintf(`
ports {
  http = %d
  rpc  = %d
  serf = %d
}
plugin "raw_exec" {
  config { enabled = true }
}
`, port, freeport.Take(), freeport.Take())
		path := filepath.Join(dir, "nomad.hcl")
		if err := os.WriteFile(path, []byte(conf), 0o600); err != nil {
			b.Fatal(err)
		}
		return exec.Command(nomad, "agent", "-dev", "-bind", "127.0.0.1", "-config", path)
	}})
}

// An agent is an engine that runs.
type agent struct {
	*api.Client
	process *exec.Cmd
	// ready is how long it took until a job could be placed.
	ready time.Duration
	ended sync.Once
}

// start runs an agent with an empty state until the benchmark ends.
func (e engine) start(b *testing.B, flags ...string) *agent {
	b.Helper()
	port := freeport.Take()
	command := e.command(b, b.TempDir(), port)
	command.Args = append(command.Args, flags...)
	command.Env = []string{"HOME=" + b.TempDir(), "PATH=" + os.Getenv("PATH")}
	log, err := os.Create(filepath.Join(b.TempDir(), "log"))
	if err != nil {
		b.Fatal(err)
	}
	command.Stdout, command.Stderr = log, log
	client, err := api.NewClient(&api.Config{Address: fmt.Sprintf("http://127.0.0.1:%d", port)})
	if err != nil {
		b.Fatal(err)
	}
	begun := time.Now()
	if err := command.Start(); err != nil {
		b.Fatal(err)
	}
	a := &agent{Client: client, process: command}
	b.Cleanup(func() { a.end(b) })
	for !a.usable() {
		if time.Since(begun) > patience {
			text, _ := os.ReadFile(log.Name())
			b.Fatalf("%s is not ready:\n%s", e.name, text)
		}
		time.Sleep(2 * time.Millisecond)
	}
	a.ready = time.Since(begun)
	return a
}

// usable tells whether a job would be placed now: there is a leader, and a node
// that is ready and knows raw_exec.
func (a *agent) usable() bool {
	if leader, err := a.Status().Leader(); err != nil || leader == "" {
		return false
	}
	nodes, _, err := a.Nodes().List(nil)
	if err != nil || len(nodes) == 0 || nodes[0].Status != api.NodeStatusReady {
		return false
	}
	driver := nodes[0].Drivers["raw_exec"]
	return driver != nil && driver.Healthy
}

// end stops the agent and all that it runs.
func (a *agent) end(b *testing.B) {
	a.ended.Do(func() {
		a.process.Process.Signal(syscall.SIGINT)
		kill := time.AfterFunc(patience, func() { a.process.Process.Kill() })
		defer kill.Stop()
		a.process.Wait()
		a.Close()
	})
}

// memory is the proportional set size, in bytes, of the agent and all processes
// that come from it but for those whose program is task. (Linux.)
func (a *agent) memory(b *testing.B, task string) int64 {
	if runtime.GOOS != "linux" {
		return 0
	}
	var total int64
	for _, pid := range family(b, a.process.Process.Pid) {
		if name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid)); err != nil || strings.TrimSpace(string(name)) == task {
			continue
		}
		total += pss(pid)
	}
	return total
}

// family are the process and its descendants, those that were put into a
// session of their own included: they keep the environment of the agent.
func family(b *testing.B, root int) []int {
	home, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", root))
	if err != nil {
		b.Fatal(err)
	}
	mark := ""
	for variable := range strings.SplitSeq(string(home), "\x00") {
		if strings.HasPrefix(variable, "HOME=") {
			mark = variable
		}
	}
	paths, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		b.Fatal(err)
	}
	var pids []int
	for _, path := range paths {
		environ, err := os.ReadFile(path)
		if err != nil || !strings.Contains(string(environ)+"\x00", mark+"\x00") {
			continue
		}
		var pid int
		if _, err := fmt.Sscanf(path, "/proc/%d/environ", &pid); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

func pss(pid int) int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return 0
	}
	_, after, _ := strings.Cut(string(text), "\nPss:")
	var kib int64
	fmt.Sscanf(strings.TrimSpace(after), "%d kB", &kib)
	return kib << 10
}

// register gives a job to the agent.
func (a *agent) register(b *testing.B, job *api.Job) {
	b.Helper()
	if _, _, err := a.Jobs().Register(job, nil); err != nil {
		b.Fatal(err)
	}
}

// sleeper is a service job whose tasks sleep.
func sleeper(id string, count int, meta string) *api.Job {
	task := api.NewTask("t", "raw_exec").SetConfig("command", "/bin/sleep").SetConfig("args", []string{"86400"})
	task.Env = map[string]string{"VERSION": meta}
	task.Resources = &api.Resources{CPU: new(1), MemoryMB: new(10)}
	task.LogConfig = &api.LogConfig{MaxFiles: new(1), MaxFileSizeMB: new(1)}
	group := api.NewTaskGroup("g", count).AddTask(task)
	group.EphemeralDisk = &api.EphemeralDisk{SizeMB: new(10)}
	return api.NewServiceJob(id, id, "global", 50).AddDatacenter("*").AddTaskGroup(group)
}

// await blocks on the list of a job's allocations until it is as wanted.
func (a *agent) awaitAllocs(b *testing.B, job string, done func([]*api.AllocationListStub) bool) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), patience)
	defer cancel()
	options := (&api.QueryOptions{WaitTime: time.Minute}).WithContext(ctx)
	for {
		allocs, meta, err := a.Jobs().Allocations(job, true, options)
		if err != nil {
			b.Fatal(err)
		}
		if done(allocs) {
			return
		}
		options.WaitIndex = meta.LastIndex
	}
}

// awaitDeployment blocks until the newest deployment of a job's version is
// successful.
func (a *agent) awaitDeployment(b *testing.B, job string, version uint64) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), patience)
	defer cancel()
	options := (&api.QueryOptions{WaitTime: time.Minute}).WithContext(ctx)
	for {
		all, meta, err := a.Jobs().Deployments(job, false, options)
		if err != nil {
			b.Fatal(err)
		}
		for _, d := range all {
			if d.JobVersion == version && d.Status == api.DeploymentStatusSuccessful {
				return
			}
		}
		options.WaitIndex = meta.LastIndex
	}
}

func running(count int) func([]*api.AllocationListStub) bool {
	return func(allocs []*api.AllocationListStub) bool {
		n := 0
		for _, a := range allocs {
			if a.ClientStatus == api.AllocClientStatusRunning && a.DesiredStatus == api.AllocDesiredStatusRun {
				n++
			}
		}
		return n == count
	}
}
