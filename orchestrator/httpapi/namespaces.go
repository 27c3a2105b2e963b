package httpapi

import (
	"cmp"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/hashicorp/go-memdb"
	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator/state"
)

// maxDescription is how long the description of a namespace, a node pool or a
// policy may be. (Nomad.)
const maxDescription = 256

var validNamespace = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile("^[a-zA-Z0-9-]{1,128}$") })

// namespaceReply is a namespace as it is answered. (Nomad.)
type namespaceReply struct {
	*api.Namespace
	Hash []byte
}

func (s *server) listNamespaces(r *request) (any, error) {
	namespaces, index := wait(s, r, func(snap *state.Snapshot, watch memdb.WatchSet) ([]*api.Namespace, uint64) {
		return snap.Namespaces(watch, r.prefix), snap.TableIndex("namespaces")
	})
	list := make([]namespaceReply, len(namespaces))
	for i, namespace := range namespaces {
		list[i] = namespaceReply{namespace, namespaceHash(namespace)}
	}
	return answer{value: list, index: index}, nil
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
	if err != nil {
		return nil, err
	}
	return answer{value: namespaceReply{namespace, namespaceHash(namespace)}, index: index}, nil
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
	p.refuse(namespace.NodePoolConfiguration != nil, "invalid node pool configuration: Node Pools Governance is unlicensed.")
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

// checkCapabilities refuses a job that needs what its namespace does not let it
// have. (Nomad: the texts.)
func checkCapabilities(job *api.Job, namespace *api.Namespace) error {
	c := namespace.Capabilities
	if c == nil {
		return nil
	}
	var drivers, modes []string
	for _, group := range job.TaskGroups {
		for _, task := range group.Tasks {
			if !capable(task.Driver, c.EnabledTaskDrivers, c.DisabledTaskDrivers) {
				drivers = append(drivers, task.Driver)
			}
		}
		for _, network := range group.Networks {
			if mode := cmp.Or(network.Mode, "host"); !capable(mode, c.EnabledNetworkModes, c.DisabledNetworkModes) {
				modes = append(modes, mode)
			}
		}
	}
	p := problems{}
	refuse := func(what string, names []string) {
		p.refuse(len(names) == 1, "used %s %q is not allowed in namespace %q", what, strings.Join(names, ""), namespace.Name)
		p.refuse(len(names) > 1, "used %ss %q are not allowed in namespace %q", what, names, namespace.Name)
	}
	refuse("task driver", drivers)
	if len(drivers) == 0 {
		refuse("group network mode", modes)
	}
	return p.err()
}

// capable tells whether a name is enabled, which all are where none is named, and
// not disabled.
func capable(name string, enabled, disabled []string) bool {
	return (len(enabled) == 0 || slices.Contains(enabled, name)) && !slices.Contains(disabled, name)
}
