package orchestrator_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator"
	"ostro/orchestrator/consul"
	"ostro/orchestrator/orchestratortest"
)

// A standIn is the part of Consul's API that services need. It demands a token. (TestRealConsul has the real one.)
type standIn struct {
	mu       sync.Mutex
	up       bool
	services map[string]consul.Service
}

func (s *standIn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id, gone := strings.CutPrefix(r.URL.Path, "/v1/agent/service/deregister/")
	switch {
	case !s.up:
		http.Error(w, "starting", http.StatusServiceUnavailable)
	case r.Header.Get("X-Consul-Token") != "t0ken":
		http.Error(w, "Permission denied", http.StatusForbidden)
	case r.URL.Path == "/v1/agent/self":
		fmt.Fprint(w, `{"Config": {"Version": "1.15.2"}}`)
	case r.URL.Path == "/v1/agent/services":
		all := map[string]any{}
		for id, c := range s.services {
			all[id] = map[string]any{"ID": id, "Service": c.Name, "Address": c.Address, "Port": c.Port, "Tags": c.Tags, "Meta": c.Meta}
		}
		json.NewEncoder(w).Encode(all)
	case r.URL.Path == "/v1/agent/checks":
		all := map[string]any{}
		for _, service := range s.services {
			for _, c := range service.Checks {
				all[c.CheckID] = c
			}
		}
		json.NewEncoder(w).Encode(all)
	case strings.HasPrefix(r.URL.Path, "/v1/health/service/"):
		var all []any
		for _, service := range s.services {
			var checks []map[string]string
			for _, c := range service.Checks {
				checks = append(checks, map[string]string{"CheckID": c.CheckID, "Status": consul.Passing})
			}
			all = append(all, map[string]any{"Service": service, "Checks": checks})
		}
		json.NewEncoder(w).Encode(all)
	case r.URL.Path == "/v1/agent/service/register":
		var service consul.Service
		if err := json.NewDecoder(r.Body).Decode(&service); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		s.services[service.ID] = service
	case gone:
		delete(s.services, id)
	default:
		http.NotFound(w, r)
	}
}

func (s *standIn) registered() map[string]consul.Service {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.services)
}

// A Consul that comes after the agent gets the services that lived in the own catalogue until then, and loses them with
// their job, and with the agent.
func TestConsulThatComesLater(t *testing.T) {
	s := &standIn{services: map[string]consul.Service{"foreign": {ID: "foreign", Name: "other"}}}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	a := orchestratortest.Start(t, orchestrator.Config{Consul: server.URL, ConsulToken: "t0ken"})
	job := answeringJob("good", "1")
	job.TaskGroups[0].Services[0].Provider, job.TaskGroups[0].Services[0].Tags = "consul", []string{"urlprefix-/"}
	register(t, a, job)
	deployment(t, a, "web", 0, "successful")
	listed := func() int {
		services, _, err := a.Client.Services().Get("web", nil)
		if err != nil {
			t.Fatal(err)
		}
		return len(services)
	}
	if n := listed(); n != 2 {
		t.Errorf("%d instances in the own catalogue", n)
	}
	s.mu.Lock()
	s.up = true
	s.mu.Unlock()
	orchestratortest.Eventually(t, "they are in Consul", func() bool { return len(s.registered()) == 3 && listed() == 0 })
	for id, service := range s.registered() {
		if id != "foreign" && (service.Name != "web" || service.Tags[0] != "urlprefix-/" || len(service.Checks) != 1 || !strings.HasPrefix(service.Checks[0].HTTP, "http://127.0.0.1:")) {
			t.Errorf("%+v", service)
		}
	}

	// A job that comes now is registered there at once.
	later := answeringJob("good", "1")
	later.ID, later.Name = new("later"), new("later")
	later.TaskGroups[0].Services[0] = &api.Service{Name: "later", PortLabel: "http", Provider: "consul"}
	register(t, a, later)
	deployment(t, a, "later", 0, "successful")
	orchestratortest.Eventually(t, "the later ones, too", func() bool { return len(s.registered()) == 5 })
	if _, _, err := a.Client.Jobs().Deregister("web", false, nil); err != nil {
		t.Fatal(err)
	}
	orchestratortest.Eventually(t, "those of the stopped job are gone", func() bool { return len(s.registered()) == 3 })
	if err := a.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if left := s.registered(); len(left) != 1 || left["foreign"].Name != "other" {
		t.Errorf("after the end of the agent there are %v", left)
	}
	a.Restart(t)
}
