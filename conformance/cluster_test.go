package conformance

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"

	"ostro/nomadtest/freeport"
)

// startCluster runs a server and client nodes as processes of their own. A node
// goes out of reach as its process is stopped; its tasks do not notice.
func (n nomad) startCluster(t *testing.T, nodes int) *target {
	dir, err := os.MkdirTemp("", "nomad-")
	if err != nil {
		t.Fatal(err)
	}
	ports := freeport.TakeN(3)
	n.startAgent(t, filepath.Join(dir, "server"), ports, serverConfig)
	clients := map[string]*exec.Cmd{}
	for i := range nodes {
		name := fmt.Sprintf("node-%d", i+1)
		text := fmt.Sprintf(clientConfig, name, ports[1])
		clients[name] = n.startAgent(t, filepath.Join(dir, name), freeport.TakeN(3), text)
	}
	client, err := api.NewClient(&api.Config{Address: fmt.Sprintf("http://127.0.0.1:%d", ports[0])})
	if err != nil {
		t.Fatal(err)
	}
	byID := map[string]*exec.Cmd{}
	await(t, "nomad has its nodes", func() bool {
		list, _, err := client.Nodes().List(nil)
		if err != nil || len(list) != nodes {
			return false
		}
		for _, stub := range list {
			byID[stub.ID] = clients[stub.Name]
		}
		return !slices.ContainsFunc(list, func(stub *api.NodeListStub) bool { return !takesTasks(stub) })
	})
	signal := func(s syscall.Signal) func(string) error {
		return func(id string) error { return byID[id].Process.Signal(s) }
	}
	t.Cleanup(func() { endTasks(t, dir, clients) })
	return &target{client: client, patience: time.Minute, calm: 4 * time.Second, cut: signal(syscall.SIGSTOP), mend: signal(syscall.SIGCONT), random: true}
}

// startAgent runs one agent in a folder, on ports of its own.
func (n nomad) startAgent(t *testing.T, dir string, ports []int, text string) *exec.Cmd {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(dir, "agent.hcl")
	text = fmt.Sprintf(agentConfig, filepath.Join(dir, "data"), ports[0], ports[1], ports[2]) + text
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	agent := exec.Command(n.path, "agent", "-config", config)
	agent.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "AWS_CA_BUNDLE=") })
	agent.Stdout, agent.Stderr = log, log
	if err := agent.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		agent.Process.Kill()
		agent.Wait()
		log.Close()
		os.RemoveAll(dir)
	})
	return agent
}

// await gives a cluster the time that it needs on a busy machine.
func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(3 * time.Minute)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline:
			t.Fatalf("%s: did not come true", what)
		case <-tick.C:
		}
	}
}

// endTasks lets the nodes end what the purge of the jobs told them to end: an
// agent that is killed leaves its tasks behind.
func endTasks(t *testing.T, dir string, clients map[string]*exec.Cmd) {
	for _, agent := range clients {
		agent.Process.Signal(syscall.SIGCONT)
	}
	awaitTasks(t, dir)
}

// awaitTasks waits until no process is at work in the folder of an agent.
func awaitTasks(t *testing.T, dir string) {
	await(t, "the tasks have ended", func() bool {
		entries, _ := filepath.Glob("/proc/[0-9]*/cwd")
		return !slices.ContainsFunc(entries, func(entry string) bool {
			cwd, _ := os.Readlink(entry)
			return strings.HasPrefix(cwd, dir+"/")
		})
	})
}

// agentConfig is what all agents of a cluster have.
const agentConfig = `
bind_addr            = "127.0.0.1"
data_dir             = %q
disable_update_check = true
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
limits {
  http_max_conns_per_client = 0
}
plugin "raw_exec" {
  config { enabled = true }
}
`

// serverConfig has a node that is not heard of missed after some seconds.
const serverConfig = `
server {
  enabled           = true
  bootstrap_expect  = 1
  heartbeat_grace   = "8s"
  min_heartbeat_ttl = "1s"
}
`

const clientConfig = `
name = %[1]q
client {
  enabled           = true
  network_interface = "lo"
  cgroup_parent     = "nomad-%[1]s"
  servers           = ["127.0.0.1:%[2]d"]
  options           = { "fingerprint.denylist" = "env_aws,env_gce,env_azure,env_digitalocean", "driver.denylist" = "java,qemu" }
}
`
