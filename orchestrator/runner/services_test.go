//go:build unix

package runner

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/nomad/api"

	"ostro/nomadtest/freeport"
	"ostro/orchestrator/consul"
)

// serveScript is what a task runs that answers on its port after a while: this test binary.
func serveTask(name, label string) *api.Task {
	return &api.Task{Name: name, Driver: "raw_exec", Config: map[string]any{
		"command": os.Args[0], "args": []any{"serve", "${NOMAD_PORT_" + label + "}"},
	}}
}

// serveMain answers on a port until it is ended.
func serveMain(port string) error {
	return http.ListenAndServe("127.0.0.1:"+port, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/bad" {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
}

func quickCheck(path string) api.ServiceCheck {
	return api.ServiceCheck{Name: "alive", Type: "http", Path: path, Interval: 20 * time.Millisecond, Timeout: 5 * time.Second}
}

func TestServiceIsListedWhileItServes(t *testing.T) {
	n := newNode(t, nodeDir(t))
	port := freeport.Take()
	a := withService(allocation("a1", serveTask("web", "http")), port, quickCheck("/"))
	service := a.Job.TaskGroups[0].Services[0]
	service.Tags, service.CanaryTags = []string{"v1", "${NOMAD_GROUP_NAME}"}, []string{"new"}
	a.NodeID, a.JobID = "n1", "web"
	a.DeploymentStatus = &api.AllocDeploymentStatus{Canary: true}
	n.Sync([]*api.Allocation{a})
	u := n.await("listed", "a1", func(u Update) bool { return len(u.Services) == 1 })
	want := &api.ServiceRegistration{
		ID: "_nomad-task-a1-group-g-web-svc-http", ServiceName: "web-svc", Namespace: "default", NodeID: "n1", Datacenter: "dc1",
		JobID: "web", AllocID: "a1", Tags: []string{"new"}, Address: "127.0.0.1", Port: port,
	}
	if diff := cmp.Diff(want, u.Services[0]); diff != "" {
		t.Error(diff)
	}
	promoted := new(*a)
	promoted.DeploymentStatus = nil
	n.Sync([]*api.Allocation{promoted})
	n.await("promoted", "a1", func(u Update) bool { return len(u.Services) == 1 && strings.Join(u.Services[0].Tags, " ") == "v1 g" })

	n.Sync([]*api.Allocation{stopped(promoted)})
	n.awaitStatus("a1", "complete")
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, u := range n.history {
		for _, e := range u.TaskStates["web"].Events {
			if e.Type == api.TaskTerminated && len(u.Services) > 0 {
				t.Errorf("it is listed after its end: %v", u.Services)
			}
		}
	}
}

// What answers on the port of an allocation counts only when it is a process of that allocation.
func TestCheckOfAStolenPort(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells who listens")
	}
	n := newNode(t, nodeDir(t))
	thief := httptest.NewUnstartedServer(nil)
	defer thief.Close()
	a := withService(allocation("a1", shellTask("web", "exec sleep 1000")), port(t, "http://"+thief.Listener.Addr().String()), quickCheck("/"))
	thief.Listener.Close() // until the task runs
	n.Sync([]*api.Allocation{a})
	n.awaitStatus("a1", "running")
	listener, err := net.Listen("tcp", thief.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	thief.Listener = listener
	thief.Config.Handler = http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	thief.Start()
	var seen api.AllocCheckStatus
	eventually(t, "seen through", func() bool {
		checks, err := n.Checks("a1")
		for _, seen = range checks {
			if err == nil && strings.Contains(seen.Output, "is held by process") {
				return true
			}
		}
		return false
	})
	if want := fmt.Sprintf("process %d", os.Getpid()); seen.Status != "failure" || !strings.Contains(seen.Output, want) {
		t.Errorf("%+v", seen)
	}
}

func TestCheckRestart(t *testing.T) {
	n := newNode(t, nodeDir(t))
	check := quickCheck("/bad")
	check.CheckRestart = &api.CheckRestart{Limit: 2, Grace: new(50 * time.Millisecond)}
	a := withRestarts(withService(allocation("a1", serveTask("web", "http")), freeport.Take(), check), 1, time.Millisecond)
	n.Sync([]*api.Allocation{a})
	u := n.awaitStatus("a1", "failed")
	var kinds []string
	for _, e := range u.TaskStates["web"].Events {
		kinds = append(kinds, e.Type+": "+e.DisplayMessage)
	}
	got := strings.Join(kinds, "\n")
	for _, want := range []string{
		`Restart Signaled: healthcheck: check "alive" unhealthy`,
		`Not Restarting: Exceeded allowed attempts 1 in interval 1h0m0s and mode is "fail"`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in %s", want, got)
		}
	}
	if u.TaskStates["web"].Restarts != 1 {
		t.Errorf("%d restarts", u.TaskStates["web"].Restarts)
	}
}

func TestScriptCheck(t *testing.T) {
	n := newNode(t, nodeDir(t))
	task := shellTask("web", "exec sleep 1000")
	script := func(name, text string) api.ServiceCheck {
		c := quickCheck("")
		c.Name, c.Type, c.Command, c.Args = name, "script", "/bin/sh", []string{"-c", text}
		return c
	}
	lenient := script("lenient", "exit 1")
	lenient.OnUpdate = api.OnUpdateIgnoreWarn
	task.Services = []*api.Service{{Name: "s", Provider: "consul", Checks: []api.ServiceCheck{
		script("good", "echo I am $NOMAD_TASK_NAME in $PWD"), script("bad", "echo no; exit 2"), script("warning", "exit 1"), lenient,
	}}}
	n.Sync([]*api.Allocation{allocation("a1", task)})
	dir, _ := n.AllocDir("a1")
	want := map[string]string{
		"good": "success I am web in " + dir + "/web\n", "bad": "failure no\n", "warning": "failure ", "lenient": "failure ",
	}
	got := map[string]string{}
	eventually(t, "all have a result", func() bool {
		checks, err := n.Checks("a1")
		for _, c := range checks {
			got[c.Check] = c.Status + " " + c.Output
		}
		return err == nil && got["good"] == want["good"] && got["bad"] == want["bad"] && got["warning"] == want["warning"] && got["lenient"] == want["lenient"]
	})
	a, err := n.lookup("a1")
	if err != nil {
		t.Fatal(err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, s := range a.checks {
		if passes := !s.passingSince.IsZero(); passes != (s.spec.Name == "good" || s.spec.Name == "lenient") {
			t.Errorf("%s passes: %v", s.spec.Name, passes)
		}
	}
}

// grpcHealth answers the health protocol by hand: the status of each service, as bytes of a message.
func grpcHealth(t *testing.T, services map[string]byte) string {
	t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		name := ""
		if err == nil && len(body) > 7 {
			name = string(body[7:])
		}
		w.Header().Set("Content-Type", "application/grpc")
		w.Header().Set("Trailer", "Grpc-Status, Grpc-Message")
		status, known := services[name]
		if known {
			w.Write([]byte{0, 0, 0, 0, 2, 8, status})
			w.Header().Set("Grpc-Status", "0")
			return
		}
		w.Header().Set("Grpc-Status", "5")
		w.Header().Set("Grpc-Message", "unknown service")
	}))
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Start()
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

func TestGRPCCheck(t *testing.T) {
	addr := grpcHealth(t, map[string]byte{"": 1, "a.B": 1, "down": 2})
	for service, want := range map[string]string{
		"": "success", "a.B": "success", "down": "gRPC health: status NOT_SERVING", "none": "gRPC health: status 5 unknown service",
	} {
		c := check{addr: addr, spec: api.ServiceCheck{Type: "grpc", GRPCService: service}}
		status, _, output := c.ask(t.Context())
		if status != want && output != want {
			t.Errorf("%q: %s %s", service, status, output)
		}
	}
}

// A standIn is the part of Consul's API that services need. (TestRealConsul has the real one.)
type standIn struct {
	mu       sync.Mutex
	services map[string]consul.Service
	ttl      map[string]string
	writes   int
}

// listed are the services as Consul lists them.
func (s *standIn) listed() map[string]any {
	all := map[string]any{}
	for id, c := range s.services {
		all[id] = map[string]any{"ID": id, "Service": c.Name, "Address": c.Address, "Port": c.Port, "Tags": c.Tags, "Meta": c.Meta}
	}
	return all
}

func (s *standIn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	last := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
	switch {
	case r.URL.Path == "/v1/agent/services":
		json.NewEncoder(w).Encode(s.listed())
	case r.URL.Path == "/v1/agent/checks":
		all := map[string]any{}
		for _, service := range s.services {
			for _, c := range service.Checks {
				all[c.CheckID] = c
			}
		}
		json.NewEncoder(w).Encode(all)
	case r.URL.Path == "/v1/agent/service/register":
		var service consul.Service
		if err := json.NewDecoder(r.Body).Decode(&service); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		s.services[service.ID] = service
		s.writes++
	case strings.HasPrefix(r.URL.Path, "/v1/agent/service/deregister/"):
		delete(s.services, last)
		s.writes++
	case strings.HasPrefix(r.URL.Path, "/v1/agent/check/update/"):
		var body struct{ Status string }
		if err := json.NewDecoder(r.Body).Decode(&body); err == nil {
			s.ttl[last] = body.Status
		}
	case r.URL.Path == "/v1/kv/app/color":
		fmt.Fprint(w, `[{"Key":"app/color","Value":"Ymx1ZQ=="}]`)
	default:
		http.NotFound(w, r)
	}
}

func (s *standIn) get(id string) (consul.Service, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	service, ok := s.services[id]
	return service, ok
}

func newStandIn(t *testing.T) (*standIn, func(*Config)) {
	s := &standIn{services: map[string]consul.Service{
		"foreign": {ID: "foreign", Name: "other"},
		"left":    {ID: "left", Name: "old"},
	}, ttl: map[string]string{}}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	return s, func(c *Config) { c.Consul = consul.New(consul.Config{Address: server.URL}) }
}

func TestServicesInConsul(t *testing.T) {
	standIn, with := newStandIn(t)
	dir := nodeDir(t)
	if err := os.WriteFile(ownedPath(dir), []byte(`{"left": "0"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	n := newNodeWith(t, dir, with)
	task := serveTask("web", "http")
	withTemplate(task, `{{ key "app/color" }} {{ keyOrDefault "none" "x" }}`, "noop", nil)
	task.Services = []*api.Service{{Name: "scripted", Provider: "consul", Checks: []api.ServiceCheck{
		{Name: "s", Type: "script", Command: "true", Interval: 20 * time.Millisecond, Timeout: time.Second},
	}}}
	a := withService(allocation("a1", task), freeport.Take(), quickCheck("/"))
	service := a.Job.TaskGroups[0].Services[0]
	service.Provider, service.Tags, service.Meta = "", []string{"urlprefix-/"}, map[string]string{"k": "v"}
	n.Sync([]*api.Allocation{a})
	id := "_nomad-task-a1-group-g-web-svc-http"
	eventually(t, "registered", func() bool { _, ok := standIn.get(id); return ok })
	got, _ := standIn.get(id)
	if got.Name != "web-svc" || got.Address != "127.0.0.1" || got.Tags[0] != "urlprefix-/" || got.Meta["k"] != "v" ||
		got.Meta["external-source"] != "nomad" || len(got.Checks) != 1 || !strings.HasPrefix(got.Checks[0].HTTP, "http://127.0.0.1:") || got.Checks[0].Interval != "20ms" {
		t.Errorf("%+v", got)
	}
	eventually(t, "the leftover is gone", func() bool { _, ok := standIn.get("left"); return !ok })
	eventually(t, "the script has told", func() bool {
		scripted, ok := standIn.get("_nomad-task-a1-web-scripted-")
		standIn.mu.Lock()
		defer standIn.mu.Unlock()
		return ok && scripted.Checks[0].TTL != "" && standIn.ttl[scripted.Checks[0].CheckID] == consul.Passing
	})
	folder, _ := n.AllocDir("a1")
	if out := readFile(t, filepath.Join(folder, "web/local/out")); out != "blue x" {
		t.Errorf("template %q", out)
	}
	if u := n.awaitStatus("a1", "running"); len(u.Services) > 0 {
		t.Errorf("the own catalogue has %v, too", u.Services)
	}
	n.Sync([]*api.Allocation{stopped(a)})
	n.awaitStatus("a1", "complete")
	if _, ok := standIn.get(id); ok {
		t.Error("it is registered after its end")
	}
	if _, ok := standIn.get("foreign"); !ok {
		t.Error("another's service is gone")
	}
}
