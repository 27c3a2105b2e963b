package httpapi

import (
	"net/http"
	"regexp"
	"slices"
	"sync"

	"github.com/hashicorp/go-memdb"
	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator/state"
)

// maxDescription is how long the description of a namespace, a node pool or a
// policy may be. (Nomad.)
const maxDescription = 256

var validNamespace = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile("^[a-zA-Z0-9-]{1,128}$") })

func (s *server) listNamespaces(r *request) (any, error) {
	list, index := wait(s, r, func(snap *state.Snapshot, watch memdb.WatchSet) ([]*api.Namespace, uint64) {
		return snap.Namespaces(watch, r.prefix), snap.TableIndex("namespaces")
	})
	return answer{value: orEmpty(list), index: index}, nil
}

func (s *server) noNamespaceName(*request) (any, error) {
	return nil, badRequest("Missing Namespace Name")
}

func (s *server) readNamespace(r *request) (any, error) {
	namespace, index, err := one(s, r, "namespaces", "Namespace not found",
		func(snap *state.Snapshot, watch memdb.WatchSet) (*api.Namespace, uint64) {
			namespace := snap.Namespace(watch, r.id())
			if namespace == nil {
				return nil, 0
			}
			return namespace, namespace.ModifyIndex
		})
	return answer{value: namespace, index: index}, err
}

// writeNamespace makes or changes a namespace. (Nomad: the texts; quotas are
// Enterprise's.)
func (s *server) writeNamespace(r *request) (any, error) {
	namespace := &api.Namespace{}
	if err := decode(r, namespace); err != nil {
		return nil, err
	}
	if r.id() != "" && r.id() != namespace.Name {
		return nil, badRequest("Namespace name does not match request path")
	}
	p := problems{}
	p.refuse(!validNamespace().MatchString(namespace.Name), "invalid name %q. Must match regex %s", namespace.Name, validNamespace())
	p.refuse(len(namespace.Description) > maxDescription, "description longer than %d", maxDescription)
	if err := p.err(); err != nil {
		return nil, fail(http.StatusInternalServerError, "Invalid namespace %q: %v", namespace.Name, err)
	}
	if namespace.Quota != "" {
		return nil, fail(http.StatusInternalServerError, "namespace %q using non-existent quota %q", namespace.Name, namespace.Quota)
	}
	index, err := s.Store.Update(func(tx *state.Txn) error {
		tx.PutNamespace(namespace)
		return nil
	})
	return noContent(http.StatusOK, index), err
}

// deleteNamespace refuses as long as something lives in the namespace. (Nomad:
// the texts.)
func (s *server) deleteNamespace(r *request) (any, error) {
	name := r.id()
	if name == api.DefaultNamespace {
		return nil, textError("can not delete default namespace")
	}
	index, err := s.Store.Update(func(tx *state.Txn) error {
		if tx.Namespace(nil, name) == nil {
			return textError("namespace not found")
		}
		p := problems{}
		jobs := tx.Jobs(nil, name, "")
		p.refuse(slices.ContainsFunc(jobs, func(job *api.Job) bool { return *job.Status != state.JobDead }), "namespace %q has non-terminal jobs in regions: [%s]", name, s.Region)
		live := func(a *api.Allocation) bool { return a.Namespace == name && !a.ClientTerminalStatus() }
		p.refuse(slices.ContainsFunc(tx.Allocs(nil), live), "namespace %q has non-terminal allocations in regions: [%s]", name, s.Region)
		p.refuse(len(tx.Variables(nil, name, "")) > 0, "namespace %q has variables associated with it in regions: [%s]", name, s.Region)
		if err := p.err(); err != nil {
			return err
		}
		tx.DeleteNamespace(name)
		return nil
	})
	return noContent(http.StatusOK, index), err
}
