package orchestrator_test

import (
	"context"
	"fmt"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"

	"ostro/nomadtest/freeport"
	"ostro/orchestrator"
	"ostro/orchestrator/orchestratortest"
)

// startFabio starts a real Fabio that routes by what a Consul knows, and returns where it takes requests.
func startFabio(t *testing.T, consulURL string) string {
	t.Helper()
	program, err := exec.LookPath("fabio")
	if err != nil {
		t.Skip("there is no fabio on PATH")
	}
	port := freeport.Take()
	cmd := exec.Command(program, "-registry.consul.addr="+strings.TrimPrefix(consulURL, "http://"), "-registry.consul.register.enabled=false",
		fmt.Sprintf("-proxy.addr=127.0.0.1:%d", port), fmt.Sprintf("-ui.addr=127.0.0.1:%d", freeport.Take()))
	cmd.Stdout = lastWords(t, "Fabio")
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	return fmt.Sprintf("http://127.0.0.1:%d", port)
}

// askFabio does a request as a client that keeps no connection.
func askFabio(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s", resp.Status)
	}
	return nil
}

// Who asks two instances through Fabio, which is fed by Consul, sees no failed request: neither in a rolling update, nor
// while a node is drained, nor while a bad version comes and goes.
func TestFabio(t *testing.T) {
	onlyInFull(t)
	c := startConsul(t, "", "")
	fabio := startFabio(t, c.url)
	a := orchestratortest.Start(t, orchestrator.Config{Consul: c.url, Nodes: 2})
	job := func(kind, version string) *api.Job {
		job := consulJob(kind, version)
		// Fabio is told of an end some milliseconds later, on a slow machine more.
		job.TaskGroups[0].ShutdownDelay = new(2 * time.Second)
		return job
	}
	register(t, a, job("good", "0"))
	deployment(t, a, "web", 0, "successful")
	orchestratortest.Eventually(t, "Fabio routes", func() bool { return askFabio(t.Context(), fabio+"/foo") == nil })
	if err := askFabio(t.Context(), fabio+"/bar"); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("what nobody serves is answered: %v", err)
	}
	r := &requester{}
	ctx, cancel := context.WithCancel(t.Context())
	var asking sync.WaitGroup
	asking.Go(func() { r.each(ctx, func(int) error { return askFabio(ctx, fabio+"/foo") }) })

	register(t, a, job("good", "1"))
	deployment(t, a, "web", 1, "successful")
	c.awaitPassing(t, "web", 2)
	r.phase(t, "rolling update")

	node := running(t, a, "web")[0].NodeID
	if _, err := a.Client.Nodes().UpdateDrain(node, &api.DrainSpec{Deadline: 5 * time.Minute}, false, nil); err != nil {
		t.Fatal(err)
	}
	orchestratortest.Eventually(t, "the node is drained", func() bool {
		n, _, err := a.Client.Nodes().Info(node, nil)
		if err != nil {
			t.Fatal(err)
		}
		here := 0
		for _, alloc := range running(t, a, "web") {
			if alloc.NodeID == node {
				here++
			}
		}
		return n.DrainStrategy == nil && here == 0 && c.passing(t, "web") == 2
	})
	r.phase(t, "drain")

	bad := job("bad", "2")
	bad.Update.HealthyDeadline, bad.Update.ProgressDeadline = new(5*time.Second), new(10*time.Second)
	register(t, a, bad)
	deployment(t, a, "web", 2, "failed")
	deployment(t, a, "web", 3, "successful")
	r.phase(t, "auto-revert")
	cancel()
	asking.Wait()
}
