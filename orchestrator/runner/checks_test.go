//go:build unix

package runner

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"
)

// port is the number of a URL's port.
func port(t *testing.T, url string) int {
	t.Helper()
	_, text, err := net.SplitHostPort(strings.TrimPrefix(strings.TrimPrefix(url, "http://"), "https://"))
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// withService adds a service with checks on a port to the group.
func withService(a *api.Allocation, port int, checks ...api.ServiceCheck) *api.Allocation {
	a.AllocatedResources = &api.AllocatedResources{Shared: api.AllocatedSharedResources{
		Ports: []api.PortMapping{{Label: "http", Value: port, HostIP: "127.0.0.1"}},
	}}
	a.Job.TaskGroups[0].Services = []*api.Service{{Name: "${NOMAD_JOB_NAME}-svc", PortLabel: "http", Provider: "nomad", Checks: checks}}
	return a
}

// byChecks puts an allocation with a service of the test's own into a deployment that is judged by checks. The port is
// the service's by number: the allocation's own ports have to be free.
func byChecks(a *api.Allocation, minHealthy, deadline time.Duration) *api.Allocation {
	if a.AllocatedResources != nil {
		a.Job.TaskGroups[0].Services[0].PortLabel = strconv.Itoa(a.AllocatedResources.Shared.Ports[0].Value)
		a.AllocatedResources = nil
	}
	inDeployment(a, "d1", minHealthy, deadline).Job.TaskGroups[0].Update.HealthCheck = new("checks")
	return a
}

func TestCheckResults(t *testing.T) {
	redirects := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/ok":
			fmt.Fprint(w, "fine")
		case "/created":
			w.WriteHeader(201)
			fmt.Fprint(w, "made")
		case "/bad":
			w.WriteHeader(503)
			fmt.Fprint(w, strings.Repeat("x", 10000))
		case "/loop":
			redirects++
			http.Redirect(w, r, "/loop", http.StatusFound)
		case "/hang":
			<-r.Context().Done()
		case "/forever":
			w.WriteHeader(500)
			for r.Context().Err() == nil {
				if _, err := fmt.Fprint(w, strings.Repeat("y", 1000)); err != nil {
					return
				}
			}
		case "/echo":
			if r.Method != "POST" || r.Header.Get("X-A") != "b" || r.Host != "name.example" {
				w.WriteHeader(400)
			}
		}
	}))
	defer server.Close()
	tlsServer := httptest.NewUnstartedServer(server.Config.Handler)
	defer tlsServer.Close()
	tlsServer.Config.ErrorLog = log.New(io.Discard, "", 0)
	tlsServer.StartTLS()
	closed := httptest.NewServer(nil)
	closed.Close()
	for _, tc := range []struct {
		url    string
		spec   api.ServiceCheck
		status string
		code   int
		output string
	}{
		{server.URL, api.ServiceCheck{Type: "http", Path: "/ok"}, "success", 200, "nomad: http ok"},
		{server.URL, api.ServiceCheck{Type: "http", Path: "/created"}, "success", 201, "made"},
		{server.URL, api.ServiceCheck{Type: "http", Path: "/bad"}, "failure", 503, strings.Repeat("x", 3072)},
		{server.URL, api.ServiceCheck{Type: "http", Path: "/loop"}, "success", 302, ""},
		{server.URL, api.ServiceCheck{Type: "http", Path: "/hang"}, "failure", 0, "context deadline exceeded"},
		{server.URL, api.ServiceCheck{Type: "http", Path: "/forever"}, "failure", 500, "yyy"},
		{server.URL, api.ServiceCheck{Type: "http", Path: "/echo", Method: "POST", Header: map[string][]string{"X-A": {"b"}, "Host": {"name.example"}}}, "success", 200, "nomad: http ok"},
		{server.URL, api.ServiceCheck{Type: "tcp"}, "success", 0, "nomad: tcp ok"},
		{closed.URL, api.ServiceCheck{Type: "tcp"}, "failure", 0, "connection refused"},
		{tlsServer.URL, api.ServiceCheck{Type: "http", Protocol: "https", Path: "/ok"}, "failure", 0, "certificate"},
		{tlsServer.URL, api.ServiceCheck{Type: "http", Protocol: "https", Path: "/ok", TLSSkipVerify: true}, "success", 200, "nomad: http ok"},
		{server.URL, api.ServiceCheck{Type: "grpc"}, "failure", 0, ""},
		{server.URL, api.ServiceCheck{Type: "udp"}, "failure", 0, `checks of type "udp" are not supported on this node`},
		{server.URL, api.ServiceCheck{Type: "tcp", PortLabel: "nope"}, "failure", 0, `invalid port "nope": port label not found`},
	} {
		tc.spec.Timeout = 30 * time.Second
		if tc.spec.Path == "/hang" || tc.spec.Path == "/forever" {
			tc.spec.Timeout = 200 * time.Millisecond
		}
		a := withService(allocation("a1", shellTask("web", "")), port(t, tc.url), tc.spec)
		env := func(task *api.Task) taskEnv {
			return newTaskEnv(a, a.Job.TaskGroups[0], task, &api.Node{}, hostFolders("/x", task.Name), nil)
		}
		c := checksOf(a, a.Job.TaskGroups[0], env)[0]
		c.allocated = false // the server is the test's own
		status, code, output := (&alloc{}).do(t.Context(), c)
		if status != tc.status || code != tc.code || !strings.Contains(output, tc.output) || len(output) > 3072 {
			t.Errorf("%s %s: %s %d %q", tc.spec.Type, tc.spec.Path, status, code, output)
		}
		if c.service != "web-svc" {
			t.Errorf("service %q", c.service)
		}
	}
	if redirects != 1 {
		t.Errorf("%d requests to the loop", redirects)
	}
}

func TestCheckThresholds(t *testing.T) {
	for _, tc := range []struct {
		name             string
		success, failure int
		results, want    string // s, f and p
	}{
		{"none", 0, 0, "fsfs", "fsfs"},
		{"success before passing", 3, 0, "sssfsss", "ppsfffs"},
		{"failures before critical", 0, 2, "sfffsff", "ssffssf"},
	} {
		s := &checkState{check: check{spec: api.ServiceCheck{SuccessBeforePassing: tc.success, FailuresBeforeCritical: tc.failure}}}
		s.reset()
		var got string
		for i, r := range tc.results {
			now := noon.Add(time.Duration(i) * time.Second)
			s.take(map[rune]string{'s': checkSuccess, 'f': checkFailure}[r], 0, "", now)
			got += s.status.Status[:1]
			if (s.status.Status == checkSuccess) == s.passingSince.IsZero() {
				t.Errorf("%s: %s, passing since %v", tc.name, got, s.passingSince)
			}
		}
		if got != tc.want {
			t.Errorf("%s: %s, want %s", tc.name, got, tc.want)
		}
	}
}

func TestHealthByChecks(t *testing.T) {
	t.Parallel()
	var fails atomic.Bool
	fails.Store(true)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if fails.Load() {
			http.Error(w, "not yet", http.StatusServiceUnavailable)
		}
	}))
	defer server.Close()
	alive := api.ServiceCheck{Name: "alive", Type: "http", Path: "/", Interval: 10 * time.Millisecond, Timeout: time.Second}
	ignored := alive
	ignored.Name, ignored.Path, ignored.OnUpdate = "ready", "/", "ignore"

	n := newNode(t, nodeDir(t))
	good := byChecks(withService(allocation("good", shellTask("web", "exec sleep 1000")), port(t, server.URL), alive), 50*time.Millisecond, time.Minute)
	bad := byChecks(withService(allocation("bad", shellTask("web", "exec sleep 1000")), port(t, server.URL), alive), time.Millisecond, 3*time.Second)
	lenient := byChecks(withService(allocation("lenient", shellTask("web", "exec sleep 1000")), port(t, server.URL), ignored), time.Millisecond, time.Minute)
	none := byChecks(allocation("none", shellTask("web", "exec sleep 1000")), time.Millisecond, time.Minute)
	n.Sync([]*api.Allocation{good, bad, lenient, none})
	for id, want := range map[string]string{"bad": "unhealthy", "lenient": "healthy", "none": "healthy"} {
		n.await(want, id, func(u Update) bool { return verdictOf(u) == want })
	}
	u := n.await("told why", "bad", func(u Update) bool { return len(eventTexts(u)) == 4 })
	if got := eventTexts(u)[3]; got != "web: Alloc Unhealthy: Services not healthy by deadline: web-svc (alive: not yet)" {
		t.Errorf("event %s", got)
	}
	if u := n.awaitStatus("good", "running"); verdictOf(u) != "none" {
		t.Errorf("a failing check: %s", verdictOf(u))
	}
	checks, err := n.Checks("good")
	if err != nil || len(checks) != 1 {
		t.Fatal(checks, err)
	}
	for id, c := range checks {
		if c.ID != id || c.Status != "failure" || c.StatusCode != 503 || c.Service != "web-svc" || c.Check != "alive" ||
			c.Group != "web.g[0]" || c.Mode != "healthiness" || c.Output != "not yet\n" {
			t.Errorf("check %+v", c)
		}
	}
	fails.Store(false)
	n.await("healthy", "good", func(u Update) bool { return verdictOf(u) == "healthy" })
}
