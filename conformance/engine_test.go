package conformance

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"

	"ostro/nomadtest/freeport"
	"ostro/orchestrator"
	"ostro/orchestrator/orchestratortest"
)

// An engine runs jobs: ours or Nomad.
type engine interface {
	name() string
	// start brings up an agent with so many client nodes for the time of the test.
	start(t *testing.T, nodes int) *target
	// suffix sets records apart where the two are allowed to differ.
	suffix() string
	// writes tells whether this run writes the record of the scenario.
	writes(sc scenario) bool
	// version is what a written record says of its origin.
	version() string
}

// A target is a running agent.
type target struct {
	client *api.Client
	// patience is how long something may take.
	patience time.Duration
	// calm is how long nothing may change before a record is written.
	calm time.Duration
	// cut takes a node out of reach, its tasks going on; mend brings it back. They
	// are there where there are several nodes.
	cut, mend func(nodeID string) error
	// random says that it is chance which one stays of those above the count.
	random bool
}

type embedded struct{}

func (embedded) name() string            { return "ours" }
func (embedded) suffix() string          { return ".ours" }
func (embedded) version() string         { return "ours" }
func (embedded) writes(sc scenario) bool { return *rewrite && sc.differs != "" }

func (embedded) start(t *testing.T, nodes int) *target {
	a := orchestratortest.Start(t, orchestrator.Config{Nodes: nodes})
	return &target{client: a.Client, patience: time.Minute, calm: time.Second, cut: a.Disconnect, mend: a.Reconnect}
}

type nomad struct{ path string }

func (nomad) name() string         { return "nomad on PATH" }
func (nomad) suffix() string       { return "" }
func (nomad) writes(scenario) bool { return *rewrite }

func (n nomad) version() string {
	out, err := exec.Command(n.path, "version").Output()
	if err != nil {
		return "Nomad: " + err.Error()
	}
	line, _, _ := strings.Cut(string(out), "\n")
	return line
}

// onPath finds the nomad to compare with.
func onPath(t *testing.T) string {
	path, err := exec.LookPath("nomad")
	switch {
	case err == nil:
		return path
	case *rewrite:
		t.Fatal("-rewrite needs a nomad on PATH")
	}
	t.Skip("no nomad on PATH: the records are not asked anew")
	return ""
}

func (n nomad) start(t *testing.T, nodes int) *target {
	if nodes > 1 {
		return n.startCluster(t, nodes)
	}
	// The sockets of the plug-ins below it need a short path.
	dir, err := os.MkdirTemp("", "nomad-")
	if err != nil {
		t.Fatal(err)
	}
	ports := freeport.TakeN(3)
	config := filepath.Join(dir, "agent.hcl")
	text := fmt.Sprintf(nomadConfig, filepath.Join(dir, "data"), ports[0], ports[1], ports[2])
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	agent := exec.Command(n.path, "agent", "-dev", "-config", config)
	// The agent refuses to start with a bundle that it cannot use.
	agent.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "AWS_CA_BUNDLE=") })
	agent.Stdout, agent.Stderr = log, log
	if err := agent.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		awaitTasks(t, dir)
		agent.Process.Signal(os.Interrupt)
		agent.Wait()
		log.Close()
		os.RemoveAll(dir)
	})
	client, err := api.NewClient(&api.Config{Address: fmt.Sprintf("http://127.0.0.1:%d", ports[0])})
	if err != nil {
		t.Fatal(err)
	}
	orchestratortest.Eventually(t, "nomad has a node that is ready", func() bool { return ready(client) })
	return &target{client: client, patience: time.Minute, calm: 2500 * time.Millisecond, random: true}
}

// nomadConfig makes a development agent like ours: one node on the loopback
// interface, and room for all scenarios.
const nomadConfig = `
bind_addr            = "127.0.0.1"
data_dir             = %q
disable_update_check = true
ports {
  http = %d
  rpc  = %d
  serf = %d
}
limits {
  http_max_conns_per_client = 0
}
client {
  cgroup_parent = "nomad-alone" # a task with cores of its own takes them from nobody else's
  options       = { "fingerprint.denylist" = "env_aws,env_gce,env_azure,env_digitalocean" }
}
plugin "raw_exec" {
  config { enabled = true }
}
`

func ready(client *api.Client) bool {
	nodes, _, err := client.Nodes().List(nil)
	return err == nil && len(nodes) > 0 && takesTasks(nodes[0])
}

func takesTasks(node *api.NodeListStub) bool {
	driver := node.Drivers["raw_exec"]
	return node.Status == api.NodeStatusReady && driver != nil && driver.Healthy
}
