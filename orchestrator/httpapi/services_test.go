package httpapi

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator/state"
)

// withServices is an agent with a job of two allocations that offer a service.
func withServices(t *testing.T) (*api.Client, Config) {
	t.Helper()
	client, c := newAgent(t)
	register(t, client, testJob("web"))
	update(t, c, func(tx *state.Txn) {
		tx.PutNode(&api.Node{ID: "n", Datacenter: "dc1"})
		for i, id := range []string{allocOne, allocTwo} {
			tx.PutAlloc(&api.Allocation{
				ID: id, Namespace: "default", JobID: "web", TaskGroup: "g", Job: tx.Job(nil, "default", "web"), NodeID: "n",
				DesiredStatus: "run", ClientStatus: "running",
			})
			tx.PutServices(id, []*api.ServiceRegistration{
				{ID: "web-" + id, ServiceName: "web", Tags: []string{"all", id[:4]}, Address: "127.0.0.1", Port: 8000 + i},
				{ID: "api-" + id, ServiceName: "api", Address: "127.0.0.1", Port: 9000 + i},
			})
		}
	})
	return client, c
}

const (
	allocOne = "aaaa0000-0000-0000-0000-000000000000"
	allocTwo = "bbbb0000-0000-0000-0000-000000000000"
)

func TestServices(t *testing.T) {
	client, c := withServices(t)
	list, meta, err := client.Services().List(&api.QueryOptions{Namespace: "*"})
	if err != nil {
		t.Fatal(err)
	}
	want := []*api.ServiceRegistrationListStub{{Namespace: "default", Services: []*api.ServiceRegistrationStub{
		{ServiceName: "api", Tags: []string{}}, {ServiceName: "web", Tags: []string{"all", "aaaa", "bbbb"}},
	}}}
	if diff := cmp.Diff(want, list); diff != "" || meta.LastIndex < 2 {
		t.Errorf("the list at %d:\n%s", meta.LastIndex, diff)
	}
	regs, _, err := client.Services().Get("web", nil)
	if err != nil || len(regs) != 2 || regs[0].Port != 8000 || regs[0].NodeID != "n" || regs[0].Datacenter != "dc1" {
		t.Errorf("the service is %+v, %v", regs, err)
	}
	filtered, _, err := client.Services().Get("web", &api.QueryOptions{Filter: `"bbbb" in Tags`})
	if err != nil || len(filtered) != 1 || filtered[0].AllocID != allocTwo {
		t.Errorf("with a filter the service is %+v, %v", filtered, err)
	}
	ofJob, _, err := client.Jobs().Services("web", nil)
	if err != nil || len(ofJob) != 4 {
		t.Errorf("the job has %d registrations, %v", len(ofJob), err)
	}
	ofAlloc, _, err := client.Allocations().Services(allocOne, nil)
	if err != nil || len(ofAlloc) != 2 {
		t.Errorf("the allocation has %d registrations, %v", len(ofAlloc), err)
	}
	if _, err := client.Services().Delete("web", "web-"+allocOne, nil); err != nil {
		t.Fatal(err)
	}
	if left := c.Store.Snapshot().Services(nil, "default", "web"); len(left) != 1 {
		t.Errorf("after the deletion of one %d are left", len(left))
	}
	_, err = client.Services().Delete("web", "web-"+allocOne, nil)
	refused(t, err, 500, "service registration not found")
}

func TestChooseServices(t *testing.T) {
	client, _ := withServices(t)
	pick := func(key string) string {
		regs, _, err := client.Services().Get("web", &api.QueryOptions{Params: map[string]string{"choose": "1|" + key}})
		if err != nil || len(regs) != 1 {
			t.Fatalf("chosen are %v, %v", regs, err)
		}
		return regs[0].ID
	}
	chosen := map[string]bool{}
	for _, key := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
		first, second := pick(key), pick(key)
		if first != second {
			t.Errorf("the key %s does not always choose the same", key)
		}
		chosen[first] = true
	}
	if len(chosen) != 2 {
		t.Errorf("eight keys chose only %v", chosen)
	}
	for _, how := range []string{"x", "1", "1|", "x|a"} {
		_, _, err := client.Services().Get("web", &api.QueryOptions{Params: map[string]string{"choose": how}})
		refused(t, err, 400, "failed to choose services: Parameter for choose must be in form '<number>|<key>'")
	}
}
