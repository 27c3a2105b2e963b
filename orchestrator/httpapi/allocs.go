package httpapi

import (
	"net/http"
	"slices"

	"github.com/hashicorp/go-memdb"
	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator/state"
)

func (s *server) listAllocs(r *request) (any, error) {
	if err := checkPrefix("alloc lookup failed: index error: ", r.prefix); err != nil {
		return nil, err
	}
	if err := checkStubFlags(r); err != nil {
		return nil, err
	}
	allocs, index := wait(s, r, func(snap *state.Snapshot, watch memdb.WatchSet) ([]*api.Allocation, uint64) {
		allocs := slices.DeleteFunc(snap.Allocs(watch), func(a *api.Allocation) bool {
			return !r.in(a.Namespace) || !hasIDPrefix(a.ID, r.prefix)
		})
		return allocs, snap.TableIndex("allocs")
	})
	list, next, err := page(r, allocs, func(a *api.Allocation) key { return ageKey(r, a.CreateIndex, a.ID) })
	return answer{value: s.allocStubs(r, list), index: index, next: next}, err
}

// checkStubFlags refuses what is no bool among the parameters of allocStubs.
func checkStubFlags(r *request) error {
	_, err := r.flag("resources")
	if err == nil {
		_, err = r.flag("task_states")
	}
	return err
}

// allocStubs shorten allocations for a list; ?resources and ?task_states widen
// and narrow them. (Nomad.)
func (s *server) allocStubs(r *request, allocs []*api.Allocation) []allocStub {
	resources := r.query.Get("resources") == "true"
	withoutTasks := r.query.Get("task_states") == "false"
	stubs := make([]allocStub, len(allocs))
	for i, a := range allocs {
		stubs[i] = allocStub{AllocationListStub: a.Stub(), DesiredTransition: a.DesiredTransition}
		if resources {
			stubs[i].AllocatedResources = s.allocated(a)
		}
		if withoutTasks {
			stubs[i].TaskStates = nil
		}
	}
	return stubs
}

func (s *server) readAlloc(r *request) (any, error) {
	if err := checkID("alloc lookup failed: index error: ", r.id()); err != nil {
		return nil, err
	}
	alloc, index, err := one(s, r, "allocs", "alloc not found", func(snap *state.Snapshot, watch memdb.WatchSet) (*api.Allocation, uint64) {
		alloc := snap.Alloc(watch, r.id())
		if alloc == nil {
			return nil, 0
		}
		return alloc, alloc.ModifyIndex
	})
	if err != nil {
		return nil, err
	}
	whole := *alloc
	whole.Job, err = withPayload(alloc.Job)
	return answer{value: s.allocAnswer(&whole), index: index}, err
}

// stopReply is the answer of a stop of an allocation. (Nomad.)
type stopReply struct {
	EvalID string
	Index  uint64
}

// stopAlloc asks for an allocation to be moved: the evaluation stops it and
// places another. (Nomad: ?reschedule counts as a failure.)
func (s *server) stopAlloc(r *request) (any, error) {
	reschedule, err := r.flag("reschedule")
	if err != nil {
		return nil, err
	}
	noDelay, err := r.flag("no_shutdown_delay")
	if err != nil {
		return nil, err
	}
	reply := stopReply{}
	reply.Index, err = s.Store.Update(func(tx *state.Txn) error {
		old := tx.Alloc(nil, r.id())
		if old == nil {
			return fail(http.StatusNotFound, "allocation not found")
		}
		alloc := *old
		if reschedule {
			alloc.DesiredTransition.Reschedule = new(true)
		} else {
			alloc.DesiredTransition.Migrate = new(true)
		}
		if noDelay {
			alloc.DesiredTransition.NoShutdownDelay = new(true)
		}
		tx.PutAlloc(&alloc)
		eval := s.newEval(tx, alloc.Namespace, alloc.JobID, triggerAllocStop)
		tx.PutEval(eval)
		reply.EvalID = eval.ID
		return nil
	})
	return answer{value: reply, index: reply.Index}, err
}
