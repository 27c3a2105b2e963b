package orchestrator_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/nomad/api"

	"ostro/nomadtest/freeport"
	"ostro/orchestrator"
	"ostro/orchestrator/orchestratortest"
)

// manyServices is a job with services and checks of every kind.
func manyServices() *api.Job {
	job := consulJob("good", "0")
	job.ID, job.Name = new("many"), new("many")
	job.Update.HealthCheck = new("task_states")
	group := job.TaskGroups[0]
	group.Count = new(1)
	group.Tasks[0].Resources.MemoryMB = new(300) // a test binary with the race detector is large
	group.Tasks[0].Services = []*api.Service{
		{Name: "m-task-${NOMAD_TASK_NAME}", PortLabel: "http", Tags: []string{"${NOMAD_JOB_NAME}", "second"}},
	}
	check := func(kind string, change func(*api.ServiceCheck)) api.ServiceCheck {
		c := api.ServiceCheck{Name: kind, Type: kind, Interval: 11 * time.Second, Timeout: 3 * time.Second}
		if change != nil {
			change(&c)
		}
		return c
	}
	group.Services = []*api.Service{
		{Name: "m-checked", PortLabel: "http", Tags: []string{"urlprefix-/m", "b", "a"}, CanaryTags: []string{"canary"},
			Meta: map[string]string{"team": "a", "alloc": "${NOMAD_GROUP_NAME}"}, CanaryMeta: map[string]string{"team": "c"}, Checks: []api.ServiceCheck{
				check("http", func(c *api.ServiceCheck) {
					c.Name, c.Path, c.Method, c.Body = "", "/health?q=1", "POST", "hello"
					c.Header, c.TLSSkipVerify = map[string][]string{"Authorization": {"a", "b"}}, true
					c.SuccessBeforePassing, c.FailuresBeforeCritical, c.FailuresBeforeWarning = 2, 3, 1
				}),
				check("http", func(c *api.ServiceCheck) {
					c.Name, c.Path, c.Protocol, c.TLSServerName, c.InitialStatus = "https", "relative", "https", "example.com", "warning"
				}),
				check("tcp", nil),
				check("tcp", func(c *api.ServiceCheck) { c.Name, c.PortLabel = "other-port", "second" }),
				check("grpc", func(c *api.ServiceCheck) { c.GRPCService, c.GRPCUseTLS, c.TLSSkipVerify = "a.B", true, true }),
				check("grpc", func(c *api.ServiceCheck) { c.Name = "whole-server" }),
				check("script", func(c *api.ServiceCheck) { c.TaskName, c.Command = "t", "/bin/true" }),
			}},
		{Name: "m-portless"},
		{Name: "m-elsewhere", PortLabel: "http", Address: "web.example.com", EnableTagOverride: true, Weights: &api.ServiceWeights{Passing: 3, Warning: 2}},
		{Name: "m-tagged", PortLabel: "http", AddressMode: "host", TaggedAddresses: map[string]string{"wan": "10.1.2.3", "lan": "10.1.2.4:81"}},
		{Name: "m-default", PortLabel: "http", Provider: "consul"},
	}
	group.Networks[0].DynamicPorts = append(group.Networks[0].DynamicPorts, api.Port{Label: "second"})
	return job
}

// catalogue is what Consul has of the services of manyServices, without what has to differ.
func (c *consulAgent) catalogue(t *testing.T, alloc *api.Allocation) map[string]any {
	t.Helper()
	all := map[string]any{}
	for _, name := range []string{"m-task-t", "m-checked", "m-portless", "m-elsewhere", "m-tagged", "m-default"} {
		for _, e := range c.service(t, name) {
			e.Service.CreateIndex, e.Service.ModifyIndex = 0, 0
			slices.Sort(e.Service.Tags)
			all["service "+name] = e.Service
		}
		var checks []consulCheck
		if err := c.ask(http.MethodGet, "/v1/health/checks/"+name, nil, &checks); err != nil {
			t.Fatal(err)
		}
		for _, check := range checks {
			if !strings.HasPrefix(check.CheckID, "_nomad-check-") || len(check.CheckID) != len("_nomad-check-")+64 {
				t.Errorf("a check has the ID %q", check.CheckID)
			}
			check.CheckID, check.Status, check.Output, check.CreateIndex = "", "", "", 0
			all["check "+check.Name+" of "+name] = check
		}
	}
	data, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(string(data), alloc.ID, "ALLOC")
	for number, name := range portNames(alloc) {
		text = strings.ReplaceAll(text, number, name)
	}
	var plain map[string]any
	if err := json.Unmarshal([]byte(text), &plain); err != nil {
		t.Fatal(err)
	}
	return plain
}

// registerMany runs manyServices and returns what Consul has of it then.
func registerMany(t *testing.T, c *consulAgent, requests *registrations, client *api.Client) map[string]any {
	t.Helper()
	if _, _, err := client.Jobs().Register(manyServices(), nil); err != nil {
		t.Fatal(err)
	}
	var alloc *api.Allocation
	orchestratortest.Eventually(t, "it runs", func() bool {
		stubs, _, err := client.Jobs().Allocations("many", true, nil)
		if err != nil || len(stubs) != 1 || stubs[0].ClientStatus != "running" {
			return false
		}
		alloc, _, err = client.Allocations().Info(stubs[0].ID, nil)
		return err == nil
	})
	var all map[string]any
	orchestratortest.Eventually(t, "Consul has all its services and checks", func() bool {
		all = c.catalogue(t, alloc)
		return len(all) == 13
	})
	if _, _, err := client.Jobs().Deregister("many", true, nil); err != nil {
		t.Fatal(err)
	}
	orchestratortest.Eventually(t, "Consul has none of it", func() bool { return len(c.catalogue(t, alloc)) == 0 })
	maps.Copy(all, requests.taken(t, portNames(alloc)))
	return all
}

// portNames gives each dynamic port of an allocation a number that does not change.
func portNames(alloc *api.Allocation) map[string]string {
	names := map[string]string{}
	for _, p := range alloc.AllocatedResources.Shared.Ports {
		names[fmt.Sprint(p.Value)] = fmt.Sprint(1 + slices.Index([]string{"http", "second"}, p.Label))
	}
	return names
}

// startNomad starts a real Nomad that uses a Consul.
func startNomad(t *testing.T, consulURL string) *api.Client {
	t.Helper()
	program, err := exec.LookPath("nomad")
	if err != nil {
		t.Skip("there is no nomad on PATH")
	}
	port, dir := freeport.Take(), t.TempDir()
	config := fmt.Sprintf(`
		ports {
		  http = %d
		  rpc  = %d
		  serf = %d
		}
		bind_addr            = "127.0.0.1"
		disable_update_check = true
		consul {
		  address = %q
		  # Its own services are not asked for.
		  auto_advertise   = false
		  server_auto_join = false
		  client_auto_join = false
		}
		plugin "raw_exec" {
		  config { enabled = true }
		}`, port, freeport.Take(), freeport.Take(), strings.TrimPrefix(consulURL, "http://"))
	config = strings.Replace(config, "config { enabled = true }", "config {\nenabled = true\n}", 1)
	file := filepath.Join(dir, "nomad.hcl")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "agent", "-dev", "-config", file)
	cmd.Env = append(slices.DeleteFunc(cleanEnv("CONSUL_"), func(s string) bool { return strings.HasPrefix(s, "AWS_CA_BUNDLE=") }), "TMPDIR="+dir)
	output, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = output, output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(os.Interrupt)
		cmd.Wait()
		output.Close()
	})
	client, err := api.NewClient(&api.Config{Address: fmt.Sprintf("http://127.0.0.1:%d", port)})
	if err != nil {
		t.Fatal(err)
	}
	for _, what := range []string{"driver.raw_exec", "consul.version"} {
		orchestratortest.Eventually(t, "Nomad has a node with "+what, func() bool {
			nodes, _, err := client.Nodes().List(nil)
			if err != nil || len(nodes) != 1 || nodes[0].Status != "ready" {
				return false
			}
			node, _, err := client.Nodes().Info(nodes[0].ID, nil)
			return err == nil && node.Attributes[what] != ""
		})
	}
	return client
}

// A registrations stands before a Consul and keeps what is registered there: the catalogue does not tell how a check is
// done.
type registrations struct {
	mu  sync.Mutex
	all map[string]any // by service name
}

func (r *registrations) before(t *testing.T, c *consulAgent) string {
	to, err := url.Parse(c.url)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(to)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.URL.Path == "/v1/agent/service/register" {
			body, err := io.ReadAll(req.Body)
			if err != nil {
				t.Error(err)
			}
			r.keep(t, body)
			req.Body = io.NopCloser(bytes.NewReader(body))
		}
		proxy.ServeHTTP(w, req)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func (r *registrations) keep(t *testing.T, body []byte) {
	var service map[string]any
	if err := json.Unmarshal(body, &service); err != nil {
		t.Error(err)
		return
	}
	delete(service, "ID")
	checks, _ := service["Checks"].([]any)
	for _, check := range checks {
		delete(check.(map[string]any), "CheckID")
		if check.(map[string]any)["Status"] == "passing" {
			delete(check.(map[string]any), "Status") // ours tells Consul what passes already
		}
	}
	slices.SortFunc(checks, func(a, b any) int {
		return strings.Compare(a.(map[string]any)["Name"].(string), b.(map[string]any)["Name"].(string))
	})
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all[service["Name"].(string)] = withoutEmpty(service)
}

// taken gives what has been kept, with names for ports.
func (r *registrations) taken(t *testing.T, ports map[string]string) (plain map[string]any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	data, err := json.Marshal(r.all)
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	for number, label := range ports {
		text = strings.ReplaceAll(text, number, label)
	}
	if err := json.Unmarshal([]byte(text), &plain); err != nil {
		t.Fatal(err)
	}
	r.all = map[string]any{}
	return plain
}

// withoutEmpty drops from an object what says nothing.
func withoutEmpty(value any) any {
	switch v := value.(type) {
	case map[string]any:
		for key, inner := range v {
			if v[key] = withoutEmpty(inner); v[key] == nil {
				delete(v, key)
			}
		}
		if len(v) == 0 {
			return nil
		}
	case []any:
		for i := range v {
			v[i] = withoutEmpty(v[i])
		}
		if len(v) == 0 {
			return nil
		}
	case string, float64, bool:
		if reflect.ValueOf(v).IsZero() {
			return nil
		}
	}
	return value
}

// What is registered in Consul is what Nomad registers for the same job.
func TestConsulLikeNomad(t *testing.T) {
	c := startConsul(t, "", "")
	requests := &registrations{all: map[string]any{}}
	through := requests.before(t, c)
	theirs := registerMany(t, c, requests, startNomad(t, through))
	a := orchestratortest.Start(t, orchestrator.Config{Consul: through})
	ours := registerMany(t, c, requests, a.Client)
	if checked, _ := theirs["m-checked"].(map[string]any); len(theirs) != 13+6 || len(checked["Checks"].([]any)) != 7 {
		t.Fatalf("Nomad has registered %v", theirs)
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(theirs)), slices.Sorted(maps.Keys(ours))); diff != "" {
		t.Fatal(diff)
	}
	if diff := cmp.Diff(theirs, ours); diff != "" {
		t.Errorf("Nomad's is -, ours +\n%s", diff)
	}
}
