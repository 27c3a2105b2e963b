package state

import (
	"reflect"
	"slices"

	"github.com/hashicorp/go-memdb"
	"github.com/hashicorp/nomad/api"
)

// Services are the registrations of a service of a namespace, by ID. An empty
// name means all services of the namespace, the namespace "*" all namespaces.
func (s *Snapshot) Services(ws memdb.WatchSet, namespace, name string) []*api.ServiceRegistration {
	switch {
	case namespace != api.AllNamespacesNamespace && name != "":
		return all[api.ServiceRegistration](s, ws, tableServices, byID+"_prefix", namespace, name, "")
	case namespace != api.AllNamespacesNamespace:
		return all[api.ServiceRegistration](s, ws, tableServices, byID+"_prefix", namespace, "")
	}
	regs := all[api.ServiceRegistration](s, ws, tableServices, byID)
	return slices.DeleteFunc(regs, func(reg *api.ServiceRegistration) bool { return name != "" && reg.ServiceName != name })
}

// Service is one registration of a service, or nil.
func (s *Snapshot) Service(ws memdb.WatchSet, namespace, name, id string) *api.ServiceRegistration {
	return first[api.ServiceRegistration](s, ws, tableServices, byID, namespace, name, id)
}

// ServicesByJob are the registrations that the allocations of a job have made.
func (s *Snapshot) ServicesByJob(ws memdb.WatchSet, namespace, jobID string) []*api.ServiceRegistration {
	return all[api.ServiceRegistration](s, ws, tableServices, byJob, namespace, jobID)
}

// ServicesByAlloc are the registrations that an allocation has made.
func (s *Snapshot) ServicesByAlloc(ws memdb.WatchSet, allocID string) []*api.ServiceRegistration {
	return all[api.ServiceRegistration](s, ws, tableServices, byAlloc, allocID)
}

// PutServices replaces what an allocation has registered: regs is all of it,
// and needs ID, ServiceName, Tags, Address and Port; the rest follows from the
// allocation. One that has ended, or is not there, has none. It takes ownership
// of regs.
func (tx *Txn) PutServices(allocID string, regs []*api.ServiceRegistration) {
	alloc := tx.Alloc(nil, allocID)
	if alloc == nil || clientTerminal(alloc) {
		regs = nil
	}
	old := map[string]*api.ServiceRegistration{}
	for _, reg := range tx.ServicesByAlloc(nil, allocID) {
		old[reg.ServiceName+"\x00"+reg.ID] = reg
	}
	for _, reg := range regs {
		tx.describe(reg, alloc)
		key := reg.ServiceName + "\x00" + reg.ID
		tx.putService(reg, old[key])
		delete(old, key)
	}
	for _, reg := range old {
		tx.delete(tableServices, reg)
	}
}

// DeleteService takes one registration away, until its allocation registers
// anew. It tells whether there was one.
func (tx *Txn) DeleteService(namespace, name, id string) bool {
	reg := tx.Service(nil, namespace, name, id)
	if reg != nil {
		tx.delete(tableServices, reg)
	}
	return reg != nil
}

func (tx *Txn) describe(reg *api.ServiceRegistration, alloc *api.Allocation) {
	reg.Namespace, reg.JobID, reg.AllocID, reg.NodeID = alloc.Namespace, alloc.JobID, alloc.ID, alloc.NodeID
	if node := tx.Node(nil, alloc.NodeID); node != nil {
		reg.Datacenter = node.Datacenter
	}
	if reg.Tags == nil {
		reg.Tags = []string{}
	}
}

// putService leaves one that has not changed as it is, so that nobody who waits
// for a change is woken.
func (tx *Txn) putService(reg, old *api.ServiceRegistration) {
	reg.CreateIndex, reg.ModifyIndex = tx.Index, tx.Index
	if old != nil {
		reg.CreateIndex, reg.ModifyIndex = old.CreateIndex, old.ModifyIndex
		if reflect.DeepEqual(reg, old) {
			return
		}
		reg.ModifyIndex = tx.Index
	}
	tx.insert(tableServices, reg)
}

// dropServices takes away what allocations had registered that this write ended
// or removed.
func (tx *Txn) dropServices() {
	for _, change := range tx.txn.Changes() {
		if change.Table != tableAllocs {
			continue
		}
		if alloc, ok := change.After.(*api.Allocation); ok && !clientTerminal(alloc) {
			continue
		}
		before, ok := change.Before.(*api.Allocation)
		if !ok {
			continue
		}
		for _, reg := range tx.ServicesByAlloc(nil, before.ID) {
			tx.delete(tableServices, reg)
		}
	}
}

// clientTerminal tells whether the tasks of an allocation have ended for good.
func clientTerminal(alloc *api.Allocation) bool {
	switch alloc.ClientStatus {
	case api.AllocClientStatusComplete, api.AllocClientStatusFailed, api.AllocClientStatusLost:
		return true
	}
	return false
}
