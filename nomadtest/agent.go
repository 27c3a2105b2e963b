//go:build unix

package nomadtest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/hashicorp/nomad/api"

	"ostro/nomadtest/freeport"
)

// Nomad is a real nomad process on loopback, server and client in one.
type Nomad struct {
	Client *api.Client
	Dir    string // of its state, and of its log agent.log
	Token  string // of the bootstrap, where the configuration has ACLs

	path  string
	flags []string
	ports []int
	more  string
	cmd   *exec.Cmd
}

// start runs an agent and waits until it takes allocations, or with ACLs until it
// answers. The agent is returned with an error, too, to be stopped.
func start(path, mode, more string) (*Nomad, error) {
	dir, err := os.MkdirTemp("", "ostro-nomad-")
	if err != nil {
		return nil, err
	}
	n := &Nomad{Dir: dir, path: path, more: more, ports: freeport.TakeN(3), flags: []string{"-server", "-client", "-bootstrap-expect=1", "-data-dir=" + dir}}
	if mode != "" {
		n.flags = []string{mode}
	}
	n.Client, err = api.NewClient(&api.Config{Address: fmt.Sprintf("http://127.0.0.1:%d", n.ports[0])})
	if err != nil {
		return n, err
	}
	return n, n.Run()
}

// Run starts the process, again after a [Nomad.Kill], and waits until it takes
// allocations.
func (n *Nomad) Run() error {
	file := filepath.Join(n.Dir, "agent.hcl")
	if err := os.WriteFile(file, []byte(n.config()), 0o600); err != nil {
		return err
	}
	log, err := os.OpenFile(filepath.Join(n.Dir, "agent.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	n.cmd = exec.Command(n.path, append([]string{"agent", "-bind=127.0.0.1", "-config=" + file}, n.flags...)...)
	n.cmd.Env = slices.DeleteFunc(os.Environ(), func(s string) bool { return strings.HasPrefix(s, "AWS_CA_BUNDLE=") })
	n.cmd.Stdout, n.cmd.Stderr = log, log
	n.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := n.cmd.Start(); err != nil {
		return err
	}
	return n.await()
}

func (n *Nomad) config() string {
	return fmt.Sprintf(`
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
%s
`, n.ports[0], n.ports[1], n.ports[2], n.more)
}

// await waits until the agent has a node that takes allocations. An agent with
// ACLs is bootstrapped first, which gives the client its token.
func (n *Nomad) await() error {
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); <-time.After(100 * time.Millisecond) {
		if strings.Contains(n.more, "acl {") && n.Token == "" {
			if token, _, err := n.Client.ACLTokens().Bootstrap(nil); err == nil {
				n.Token = token.SecretID
				n.Client.SetSecretID(n.Token)
			}
			continue
		}
		nodes, _, err := n.Client.Nodes().List(nil)
		if err == nil && len(nodes) == 1 && nodes[0].Status == "ready" && nodes[0].Drivers["raw_exec"] != nil && nodes[0].Drivers["raw_exec"].Healthy {
			return nil
		}
	}
	return fmt.Errorf("nomad has no ready node with raw_exec after two minutes: see %s", filepath.Join(n.Dir, "agent.log"))
}

// Kill ends the process with a signal and waits for its end. Tasks go on.
func (n *Nomad) Kill(signal os.Signal) {
	if n.cmd != nil && n.cmd.Process != nil {
		n.cmd.Process.Signal(signal)
		n.cmd.Wait()
	}
}

// Stop purges the jobs, so that no task outlives the test, ends the process, and
// removes its files.
func (n *Nomad) Stop() {
	if n.cmd != nil && n.cmd.ProcessState == nil {
		n.purgeAll()
	}
	n.Kill(os.Interrupt)
	os.RemoveAll(n.Dir)
}

func (n *Nomad) purgeAll() {
	jobs, _, err := n.Client.Jobs().List(&api.QueryOptions{Namespace: "*"})
	if err != nil {
		return
	}
	for _, job := range jobs {
		Purge(n.Client, job.Namespace, job.ID)
	}
	// The folders of the allocations are mount points until they are collected.
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); <-time.After(100 * time.Millisecond) {
		n.Client.System().GarbageCollect()
		if left, err := filepath.Glob(filepath.Join(n.Dir, "alloc", "*", "*", "secrets")); err != nil || len(left) == 0 {
			return
		}
	}
}
