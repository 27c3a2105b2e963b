package watch_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"
)

// nomad is one real agent for all tests of the package, started by the first
// that needs it.
var nomad struct {
	sync.Once
	client *api.Client
	stop   func()
	err    error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if nomad.stop != nil {
		nomad.stop()
	}
	os.Exit(code)
}

// fullNomad is realNomad for a test that takes seconds and covers one case.
func fullNomad(t *testing.T) *api.Client {
	t.Helper()
	if os.Getenv("OSTRO_TEST") != "full" {
		t.Skip("OSTRO_TEST is not full: this case is not tested on a real cluster")
	}
	return realNomad(t)
}

// realNomad returns a client of a real nomad agent, or skips the test.
func realNomad(t *testing.T) *api.Client {
	t.Helper()
	t.Parallel()
	path, err := exec.LookPath("nomad")
	if err != nil {
		t.Skip("no nomad on PATH: the verdicts about a real cluster are not tested")
	}
	nomad.Do(func() { nomad.client, nomad.stop, nomad.err = startNomad(path) })
	if nomad.err != nil {
		t.Fatal(nomad.err)
	}
	return nomad.client
}

func startNomad(path string) (*api.Client, func(), error) {
	dir, err := os.MkdirTemp("", "ostro-nomad-")
	if err != nil {
		return nil, nil, err
	}
	a := agent{path: path, dir: dir, ports: freePorts(3), flags: []string{"-dev"}}
	stop := func() {
		a.kill(os.Interrupt)
		os.RemoveAll(dir)
	}
	c, err := a.start()
	if err != nil {
		stop()
		return nil, nil, err
	}
	return c, stop, nil
}

// agent is a nomad process on loopback that can be started again.
type agent struct {
	path, dir string
	ports     []int
	flags     []string
	cmd       *exec.Cmd
}

func (a *agent) start() (*api.Client, error) {
	config := fmt.Sprintf(`
ports {
  http = %d
  rpc  = %d
  serf = %d
}
advertise {
  http = "127.0.0.1"
  rpc  = "127.0.0.1"
  serf = "127.0.0.1"
}
plugin "raw_exec" {
  config { enabled = true }
}
client {
  options = { "fingerprint.denylist" = "env_aws,env_gce,env_azure,env_digitalocean" }
}
`, a.ports[0], a.ports[1], a.ports[2])
	file := filepath.Join(a.dir, "agent.hcl")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		return nil, err
	}
	log, err := os.OpenFile(filepath.Join(a.dir, "agent.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	a.cmd = exec.Command(a.path, append([]string{"agent", "-bind=127.0.0.1", "-config=" + file}, a.flags...)...)
	a.cmd.Env = slices.DeleteFunc(os.Environ(), func(s string) bool { return strings.HasPrefix(s, "AWS_CA_BUNDLE=") })
	a.cmd.Stdout, a.cmd.Stderr = log, log
	a.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := a.cmd.Start(); err != nil {
		return nil, err
	}
	client, err := api.NewClient(&api.Config{Address: fmt.Sprintf("http://127.0.0.1:%d", a.ports[0])})
	if err != nil {
		return nil, err
	}
	return client, awaitNode(client)
}

func (a *agent) kill(signal os.Signal) {
	if a.cmd != nil && a.cmd.Process != nil {
		a.cmd.Process.Signal(signal)
		a.cmd.Wait()
	}
}

// purge stops a job, waits until nothing of it runs, so that no process outlives
// the agent, and removes it.
func purge(c *api.Client, id string) {
	c.Jobs().Deregister(id, false, nil)
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); <-time.After(50 * time.Millisecond) {
		allocs, _, err := c.Jobs().Allocations(id, true, nil)
		if err != nil || !slices.ContainsFunc(allocs, func(a *api.AllocationListStub) bool {
			return a.ClientStatus == "running" || a.ClientStatus == "pending"
		}) {
			break
		}
	}
	c.Jobs().Deregister(id, true, nil)
}

// awaitNode waits until the agent has a node that takes allocations.
func awaitNode(c *api.Client) error {
	deadline := time.Now().Add(time.Minute)
	for time.Now().Before(deadline) {
		nodes, _, err := c.Nodes().List(nil)
		if err == nil && len(nodes) == 1 && nodes[0].Status == "ready" && nodes[0].Drivers["raw_exec"] != nil && nodes[0].Drivers["raw_exec"].Healthy {
			return nil
		}
		<-time.After(100 * time.Millisecond)
	}
	return fmt.Errorf("nomad has no ready node with raw_exec after a minute")
}

func freePorts(n int) (ports []int) {
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			panic(err)
		}
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports
}
