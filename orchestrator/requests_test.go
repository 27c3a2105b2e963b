package orchestrator_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator"
	"ostro/orchestrator/orchestratortest"
)

// serveMain is a task that answers on the port in NOMAD_PORT_http: "bad" with status 500.
func serveMain(kind string) error {
	return http.ListenAndServe("127.0.0.1:"+os.Getenv("NOMAD_PORT_http"), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if kind == "bad" {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
}

// answeringJob has two instances of a service with a check.
func answeringJob(kind, version string) *api.Job {
	job := shellJob("service", "web", 2, "")
	job.Update.HealthCheck = new("checks")
	group := job.TaskGroups[0]
	group.Tasks[0].Config = map[string]any{"command": os.Args[0], "args": []string{"serve", kind}}
	group.Tasks[0].Env = map[string]string{"VERSION": version}
	group.Networks = []*api.NetworkResource{{DynamicPorts: []api.Port{{Label: "http"}}}}
	group.ShutdownDelay = new(300 * time.Millisecond)
	group.Migrate = &api.MigrateStrategy{
		MaxParallel: new(1), HealthCheck: new("checks"), MinHealthyTime: new(200 * time.Millisecond), HealthyDeadline: new(time.Minute),
	}
	group.Services = []*api.Service{{Name: "web", PortLabel: "http", Provider: "nomad", Checks: []api.ServiceCheck{
		{Type: "http", Path: "/", Interval: time.Second, Timeout: time.Second},
	}}}
	return job
}

// A requester asks a service all the time, as a balancer does that follows the catalogue.
type requester struct {
	mu       sync.Mutex
	asked    int
	failures []string
}

func (r *requester) run(ctx context.Context, client *api.Client) {
	r.each(ctx, func(i int) error { return ask(ctx, client, i) })
}

// each does a request every 10 ms until ctx ends.
func (r *requester) each(ctx context.Context, ask func(i int) error) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for i := 0; ; i++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		err := ask(i)
		r.mu.Lock()
		if ctx.Err() == nil {
			r.asked++
			if err != nil {
				r.failures = append(r.failures, err.Error())
			}
		}
		r.mu.Unlock()
	}
}

// phase checks that all requests since the last one have been answered.
func (r *requester) phase(t *testing.T, name string) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.failures) > 0 || r.asked == 0 {
		t.Errorf("%s: %d of %d requests failed: %s", name, len(r.failures), r.asked, strings.Join(r.failures[:min(len(r.failures), 5)], "; "))
	}
	r.asked, r.failures = 0, nil
}

func ask(ctx context.Context, client *api.Client, i int) error {
	instances, _, err := client.Services().Get("web", (&api.QueryOptions{}).WithContext(ctx))
	if err != nil {
		return err
	}
	if len(instances) == 0 {
		return fmt.Errorf("there is no instance")
	}
	at := instances[i%len(instances)]
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://%s:%d/", at.Address, at.Port), nil)
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
		return fmt.Errorf("%s:%d: %s", at.Address, at.Port, resp.Status)
	}
	return nil
}

// Whoever follows the catalogue of a service with two instances sees no failed request: neither while a new version
// rolls out, nor while a node is drained, nor while a bad version comes and goes.
func TestNoRequestFails(t *testing.T) {
	a := orchestratortest.Start(t, orchestrator.Config{Nodes: 2})
	register(t, a, answeringJob("good", "0"))
	deployment(t, a, "web", 0, "successful")
	r := &requester{}
	ctx, cancel := context.WithCancel(t.Context())
	var asking sync.WaitGroup
	asking.Go(func() { r.run(ctx, a.Client) })
	register(t, a, answeringJob("good", "1"))
	deployment(t, a, "web", 1, "successful")
	r.phase(t, "rolling update")

	node := running(t, a, "web")[0].NodeID
	if _, err := a.Client.Nodes().UpdateDrain(node, &api.DrainSpec{Deadline: time.Minute}, false, nil); err != nil {
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
		instances, _, err := a.Client.Services().Get("web", nil)
		if err != nil {
			t.Fatal(err)
		}
		return n.DrainStrategy == nil && here == 0 && len(instances) == 2
	})
	r.phase(t, "drain")

	register(t, a, answeringJob("bad", "2"))
	deployment(t, a, "web", 2, "failed")
	deployment(t, a, "web", 3, "successful")
	r.phase(t, "auto-revert")
	cancel()
	asking.Wait()
}
