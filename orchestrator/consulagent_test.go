package orchestrator_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"

	"ostro/nomadtest/freeport"
	"ostro/orchestrator/orchestratortest"
)

// A consulAgent is a real Consul in developer mode: its state goes when it ends.
type consulAgent struct {
	url, token string
	args       []string
	cmd        *exec.Cmd
	output     *bytes.Buffer
}

// startConsul starts a Consul on ports of its own. config is HCL.
func startConsul(t *testing.T, token, config string) *consulAgent {
	t.Helper()
	program, err := exec.LookPath("consul")
	if err != nil {
		t.Skip("there is no consul on PATH")
	}
	port := freeport.Take()
	c := &consulAgent{url: fmt.Sprintf("http://127.0.0.1:%d", port), token: token, args: []string{
		program, "agent", "-dev", "-bind=127.0.0.1", "-client=127.0.0.1", "-log-level=warn", "-node=machine",
		fmt.Sprintf("-http-port=%d", port), fmt.Sprintf("-server-port=%d", freeport.Take()), fmt.Sprintf("-serf-lan-port=%d", freeport.Take()),
		"-serf-wan-port=-1", "-dns-port=-1", "-grpc-port=-1", "-grpc-tls-port=-1", "-disable-host-node-id",
		"-hcl=disable_update_check = true\n" + config,
	}}
	c.output = lastWords(t, "Consul")
	t.Cleanup(c.kill)
	c.start(t)
	return c
}

// lastWords takes what a program says, and shows its end if the test fails.
func lastWords(t *testing.T, program string) *bytes.Buffer {
	output := new(bytes.Buffer)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the last words of %s: %s", program, output.Bytes()[max(0, output.Len()-2000):])
		}
	})
	return output
}

// onlyInFull skips what takes long.
func onlyInFull(t *testing.T) {
	t.Helper()
	if os.Getenv("OSTRO_TEST") != "full" {
		t.Skip("OSTRO_TEST is not full")
	}
}

// start starts it, with nothing of what it knew before.
func (c *consulAgent) start(t *testing.T) {
	t.Helper()
	c.cmd = exec.Command(c.args[0], c.args[1:]...)
	c.cmd.Env = cleanEnv("CONSUL_")
	c.cmd.Stdout, c.cmd.Stderr = c.output, c.output
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	orchestratortest.Eventually(t, "Consul is ready", c.ready)
}

// ready reports whether it leads, and has its own node in its catalogue.
func (c *consulAgent) ready() bool {
	var nodes []struct{ Node string }
	return c.ask(http.MethodGet, "/v1/catalog/nodes", nil, &nodes) == nil && len(nodes) == 1
}

func (c *consulAgent) kill() {
	if c.cmd.Process != nil {
		c.cmd.Process.Kill()
		c.cmd.Wait()
	}
}

// cleanEnv is the environment without variables that begin with prefix.
func cleanEnv(prefix string) []string {
	var env []string
	for _, pair := range os.Environ() {
		if !strings.HasPrefix(pair, prefix) {
			env = append(env, pair)
		}
	}
	return env
}

func (c *consulAgent) ask(method, path string, in, out any) error {
	var body io.Reader
	switch in := in.(type) {
	case nil:
	case string:
		body = strings.NewReader(in)
	default:
		data, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(data)
	}
	req, err := http.NewRequest(method, c.url+path, body)
	if err != nil {
		return err
	}
	req.Header.Set("X-Consul-Token", c.token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: %s", method, path, resp.Status)
	}
	if out == nil {
		return nil
	}
	return json.NewDecoder(resp.Body).Decode(out)
}

func (c *consulAgent) put(t *testing.T, path string, in any) {
	t.Helper()
	if err := c.ask(http.MethodPut, path, in, nil); err != nil {
		t.Fatal(err)
	}
}

// A consulEntry is an instance of a service with its checks in Consul's catalogue.
type consulEntry struct {
	Service struct {
		ID, Kind, Service, Address string
		Tags                       []string
		Meta                       map[string]string
		Port                       int
		TaggedAddresses            map[string]struct {
			Address string
			Port    int
		}
		Weights                  struct{ Passing, Warning int }
		EnableTagOverride        bool
		CreateIndex, ModifyIndex uint64
	}
	Checks []consulCheck
}

type consulCheck struct {
	Node, CheckID, Name, Status, Output, ServiceID, Type, Interval, Timeout string
	Definition                                                              map[string]any
	CreateIndex                                                             uint64
}

// service lists the instances of a service, whatever their health.
func (c *consulAgent) service(t *testing.T, name string) []consulEntry {
	t.Helper()
	var all []consulEntry
	if err := c.ask(http.MethodGet, "/v1/health/service/"+name, nil, &all); err != nil {
		t.Fatal(err)
	}
	for i := range all {
		kept := all[i].Checks[:0]
		for _, check := range all[i].Checks {
			if check.ServiceID != "" { // and is not one of the node
				kept = append(kept, check)
			}
		}
		all[i].Checks = kept
	}
	return all
}

// passing counts the instances that Consul gives to those who ask for healthy ones.
func (c *consulAgent) passing(t *testing.T, name string) int {
	t.Helper()
	n := 0
	for _, entry := range c.service(t, name) {
		good := true
		for _, check := range entry.Checks {
			good = good && check.Status == "passing"
		}
		if good {
			n++
		}
	}
	return n
}

func (c *consulAgent) awaitPassing(t *testing.T, name string, n int) {
	t.Helper()
	orchestratortest.Eventually(t, fmt.Sprintf("%d passing instances of %s in Consul", n, name), func() bool {
		return c.passing(t, name) == n && len(c.service(t, name)) == n
	})
}
