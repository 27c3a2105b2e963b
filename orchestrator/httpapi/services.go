package httpapi

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/go-memdb"
	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator/state"
)

// servicesTable is what the indexes of services are kept under. (Nomad.)
const servicesTable = "service_registrations"

// listServices names the services of a namespace, with the tags that any of
// their registrations has.
func (s *server) listServices(r *request) (any, error) {
	regs, index := wait(s, r, func(snap *state.Snapshot, watch memdb.WatchSet) ([]*api.ServiceRegistration, uint64) {
		return snap.Services(watch, r.namespace, ""), snap.TableIndex(servicesTable)
	})
	list := []*api.ServiceRegistrationListStub{}
	for _, reg := range regs {
		if !strings.HasPrefix(reg.ServiceName, r.prefix) {
			continue
		}
		if n := len(list); n == 0 || list[n-1].Namespace != reg.Namespace {
			list = append(list, &api.ServiceRegistrationListStub{Namespace: reg.Namespace})
		}
		addService(list[len(list)-1], reg)
	}
	return answer{value: list, index: index}, nil
}

// addService counts on registrations being sorted by name.
func addService(into *api.ServiceRegistrationListStub, reg *api.ServiceRegistration) {
	if n := len(into.Services); n == 0 || into.Services[n-1].ServiceName != reg.ServiceName {
		into.Services = append(into.Services, &api.ServiceRegistrationStub{ServiceName: reg.ServiceName, Tags: []string{}})
	}
	stub := into.Services[len(into.Services)-1]
	for _, tag := range reg.Tags {
		if !slices.Contains(stub.Tags, tag) {
			stub.Tags = append(stub.Tags, tag)
		}
	}
}

// noServiceName and noServiceID answer for paths that end too soon. (Nomad: the
// texts.)
func (s *server) noServiceName(*request) (any, error) { return nil, badRequest("missing service name") }

func (s *server) noServiceID(*request) (any, error) { return nil, badRequest("missing service id") }

func (s *server) readService(r *request) (any, error) {
	regs, index := wait(s, r, func(snap *state.Snapshot, watch memdb.WatchSet) ([]*api.ServiceRegistration, uint64) {
		return snap.Services(watch, r.namespace, r.PathValue("name")), snap.TableIndex(servicesTable)
	})
	list, next, err := page(r, regs, func(reg *api.ServiceRegistration) key { return namespaceKey(reg.Namespace, reg.ID) })
	if err != nil {
		return nil, err
	}
	if how := r.query.Get("choose"); how != "" {
		if list, err = choose(list, how); err != nil {
			return nil, badRequest("failed to choose services: %v", err)
		}
	}
	return answer{value: list, index: index, next: next}, nil
}

// choose picks some of the registrations, "NUMBER|KEY", so that the same key
// gets the same ones as long as they are there: those whose hash with the key
// is the smallest.
func choose(regs []*api.ServiceRegistration, how string) ([]*api.ServiceRegistration, error) {
	number, key, _ := strings.Cut(how, "|")
	n, err := strconv.Atoi(number)
	if err != nil || n < 0 || key == "" {
		return nil, textError("Parameter for choose must be in form '<number>|<key>'")
	}
	weight := map[*api.ServiceRegistration]string{}
	for _, reg := range regs {
		weight[reg] = fmt.Sprintf("%x", sha256.Sum256(fmt.Appendf(nil, "%s\x00%s\x00%s\x00%d\x00%s", reg.Namespace, reg.ID, reg.Address, reg.Port, key)))
	}
	slices.SortFunc(regs, func(a, b *api.ServiceRegistration) int { return cmp.Compare(weight[a], weight[b]) })
	return regs[:min(n, len(regs))], nil
}

// deleteService takes one registration away; nothing is the answer. (Nomad.)
func (s *server) deleteService(r *request) (any, error) {
	index, err := s.Store.Update(func(tx *state.Txn) error {
		if !tx.DeleteService(r.namespace, r.PathValue("name"), r.id()) {
			return textError("service registration not found")
		}
		return nil
	})
	return noContent(http.StatusOK, index), err
}

func (s *server) jobServices(r *request) (any, error) {
	job, regs, index := of(s, r, func(snap *state.Snapshot, watch memdb.WatchSet) (*api.Job, []*api.ServiceRegistration) {
		return snap.Job(watch, r.namespace, r.id()), snap.ServicesByJob(watch, r.namespace, r.id())
	})
	if job == nil {
		return nil, missing(jobNotFound, index)
	}
	return answer{value: regs, index: index}, nil
}

func (s *server) allocServices(r *request) (any, error) {
	if err := checkID("alloc lookup failed: index error: ", r.id()); err != nil {
		return nil, err
	}
	alloc, regs, index := of(s, r, func(snap *state.Snapshot, watch memdb.WatchSet) (*api.Allocation, []*api.ServiceRegistration) {
		return snap.Alloc(watch, r.id()), snap.ServicesByAlloc(watch, r.id())
	})
	if alloc == nil || !r.in(alloc.Namespace) {
		return nil, missing("allocation not found", index)
	}
	return answer{value: regs, index: index}, nil
}

// of reads what has registered services, and its registrations.
func of[T any](s *server, r *request, read func(*state.Snapshot, memdb.WatchSet) (T, []*api.ServiceRegistration)) (T, []*api.ServiceRegistration, uint64) {
	type both struct {
		owner T
		regs  []*api.ServiceRegistration
	}
	found, index := wait(s, r, func(snap *state.Snapshot, watch memdb.WatchSet) (both, uint64) {
		owner, regs := read(snap, watch)
		return both{owner, regs}, snap.TableIndex(servicesTable)
	})
	return found.owner, orEmpty(found.regs), index
}
