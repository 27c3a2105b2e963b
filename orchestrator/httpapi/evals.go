package httpapi

import (
	"slices"

	"github.com/hashicorp/go-memdb"
	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator/state"
)

func (s *server) listEvals(r *request) (any, error) {
	if err := checkPrefix("eval lookup failed: index error: ", r.prefix); err != nil {
		return nil, err
	}
	status, job := r.query.Get("status"), r.query.Get("job")
	if r.filter != "" && status+job != "" {
		return nil, badRequest("Filter expression cannot be used with other filter parameters") // (Nomad: the text.)
	}
	evals, index := wait(s, r, func(snap *state.Snapshot, watch memdb.WatchSet) ([]*api.Evaluation, uint64) {
		evals := slices.DeleteFunc(snap.Evals(watch), func(eval *api.Evaluation) bool {
			return !r.in(eval.Namespace) || !hasIDPrefix(eval.ID, r.prefix) ||
				status != "" && eval.Status != status || job != "" && eval.JobID != job
		})
		return evals, snap.TableIndex("evals")
	})
	list, next, err := page(r, evals, func(eval *api.Evaluation) key { return ageKey(r, eval.CreateIndex, eval.ID) })
	return answer{value: list, index: index, next: next}, err
}

// countEvals counts the evaluations that a filter lets through. (Nomad.)
func (s *server) countEvals(r *request) (any, error) {
	keep, err := filter[*api.Evaluation](r.filter)
	if err != nil {
		return nil, err
	}
	evals, index := wait(s, r, func(snap *state.Snapshot, watch memdb.WatchSet) ([]*api.Evaluation, uint64) {
		evals := slices.DeleteFunc(snap.Evals(watch), func(eval *api.Evaluation) bool {
			ok, err := keep(eval)
			return err != nil || !ok || !r.in(eval.Namespace) || !hasIDPrefix(eval.ID, r.prefix)
		})
		return evals, snap.TableIndex("evals")
	})
	return answer{value: struct {
		Count int
		meta
	}{len(evals), knownAt(index)}, index: index}, nil
}

// readEval answers with the stubs of related evaluations where ?related asks
// for them.
func (s *server) readEval(r *request) (any, error) {
	if err := checkID("failed to lookup eval: eval lookup failed: index error: ", r.id()); err != nil {
		return nil, err
	}
	related, err := r.flag("related")
	if err != nil {
		return nil, err
	}
	eval, index, err := one(s, r, "evals", "eval not found", func(snap *state.Snapshot, watch memdb.WatchSet) (*api.Evaluation, uint64) {
		eval := snap.Eval(watch, r.id())
		if eval == nil {
			return nil, 0
		}
		if related {
			whole := *eval
			whole.RelatedEvals = relatedEvals(snap, eval)
			eval = &whole
		}
		return eval, eval.ModifyIndex
	})
	return answer{value: eval, index: index}, err
}

// relatedEvals are the stubs of what an evaluation follows from and leads to,
// directly or not. (Nomad: E6.)
func relatedEvals(snap *state.Snapshot, eval *api.Evaluation) []*api.EvaluationStub {
	seen := map[string]bool{eval.ID: true}
	var stubs []*api.EvaluationStub
	links := []string{eval.NextEval, eval.PreviousEval, eval.BlockedEval}
	for len(links) > 0 {
		id := links[0]
		links = links[1:]
		if id == "" || seen[id] {
			continue
		}
		seen[id] = true
		if other := snap.Eval(nil, id); other != nil {
			stubs = append(stubs, evalStub(other))
			links = append(links, other.NextEval, other.PreviousEval, other.BlockedEval)
		}
	}
	return stubs
}

func evalStub(eval *api.Evaluation) *api.EvaluationStub {
	return &api.EvaluationStub{
		ID: eval.ID, Priority: eval.Priority, Type: eval.Type, TriggeredBy: eval.TriggeredBy,
		Namespace: eval.Namespace, JobID: eval.JobID, NodeID: eval.NodeID, DeploymentID: eval.DeploymentID,
		Status: eval.Status, StatusDescription: eval.StatusDescription, WaitUntil: eval.WaitUntil,
		NextEval: eval.NextEval, PreviousEval: eval.PreviousEval, BlockedEval: eval.BlockedEval,
		CreateIndex: eval.CreateIndex, ModifyIndex: eval.ModifyIndex,
		CreateTime: eval.CreateTime, ModifyTime: eval.ModifyTime,
	}
}

func (s *server) evalAllocs(r *request) (any, error) {
	allocs, index := wait(s, r, func(snap *state.Snapshot, watch memdb.WatchSet) ([]*api.Allocation, uint64) {
		var allocs []*api.Allocation
		if eval := snap.Eval(watch, r.id()); eval != nil {
			allocs = slices.DeleteFunc(snap.AllocsByJob(watch, eval.Namespace, eval.JobID),
				func(a *api.Allocation) bool { return a.EvalID != eval.ID })
		}
		return allocs, listIndex(snap, "allocs", allocs, func(a *api.Allocation) uint64 { return a.ModifyIndex })
	})
	return answer{value: s.allocStubs(r, allocs), index: index}, nil
}
