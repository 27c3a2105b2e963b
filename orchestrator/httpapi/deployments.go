package httpapi

import (
	"slices"

	"github.com/hashicorp/go-memdb"
	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator/decide"
	"ostro/orchestrator/reconcile"
	"ostro/orchestrator/state"
)

const deploymentNotFound = "deployment not found"

func (s *server) listDeployments(r *request) (any, error) {
	if err := checkPrefix("index error: ", r.prefix); err != nil {
		return nil, err
	}
	all, index := wait(s, r, func(snap *state.Snapshot, watch memdb.WatchSet) ([]*api.Deployment, uint64) {
		list := slices.DeleteFunc(snap.Deployments(watch), func(d *api.Deployment) bool {
			return !r.in(d.Namespace) || !hasIDPrefix(d.ID, r.prefix)
		})
		return list, snap.TableIndex("deployments")
	})
	list, next, err := page(r, all, func(d *api.Deployment) key { return ageKey(r, d.CreateIndex, d.ID) })
	return answer{value: shownAll(s.Store.Snapshot(), list), index: index, next: next}, err
}

func (s *server) readDeployment(r *request) (any, error) {
	if err := checkID("deployment lookup failed: index error: ", r.id()); err != nil {
		return nil, err
	}
	d, index, err := one(s, r, "deployments", deploymentNotFound, func(snap *state.Snapshot, watch memdb.WatchSet) (*api.Deployment, uint64) {
		d := snap.Deployment(watch, r.id())
		if d == nil {
			return nil, 0
		}
		return d, d.ModifyIndex
	})
	return answer{value: shown(s.Store.Snapshot(), d), index: index}, err
}

func (s *server) deploymentAllocs(r *request) (any, error) {
	allocs, index := wait(s, r, func(snap *state.Snapshot, watch memdb.WatchSet) ([]*api.Allocation, uint64) {
		allocs := snap.AllocsByDeployment(watch, r.id())
		return allocs, listIndex(snap, "allocs", allocs, func(a *api.Allocation) uint64 { return a.ModifyIndex })
	})
	return answer{value: s.allocStubs(r, allocs), index: index}, nil
}

// A verdict is what a request makes of a deployment.
type verdict func(reconcile.ProgressInput) (reconcile.ProgressChanges, error)

// change applies a verdict to the deployment that the path names.
func (s *server) change(r *request, bodyID string, decideOn verdict) (any, error) {
	if bodyID == "" {
		return nil, badRequest("DeploymentID must be specified")
	}
	if bodyID != r.id() {
		return nil, badRequest("Deployment ID does not match")
	}
	reply := deploymentReply{}
	index, err := s.Store.Update(func(tx *state.Txn) error {
		d := tx.Deployment(nil, r.id())
		if d == nil {
			return textError(deploymentNotFound)
		}
		changes, err := decideOn(s.Clock.Deployment(tx, d))
		if err != nil {
			return deploymentError(err)
		}
		decide.ApplyDeployment(tx, d, changes)
		reply.DeploymentModifyIndex, reply.RevertedJobVersion = tx.Index, changes.RevertTo
		if changes.Eval != nil {
			reply.EvalID, reply.EvalCreateIndex = changes.Eval.ID, changes.Eval.CreateIndex
		}
		return nil
	})
	reply.Index = index
	return answer{value: reply, index: index}, err
}

// deploymentError puts joined problems into Nomad's form.
func deploymentError(err error) error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return multiError(joined.Unwrap())
	}
	return err
}

func (s *server) promoteDeployment(r *request) (any, error) {
	req := api.DeploymentPromoteRequest{}
	if err := decode(r, &req); err != nil {
		return nil, err
	}
	return s.change(r, req.DeploymentID, func(in reconcile.ProgressInput) (reconcile.ProgressChanges, error) {
		return reconcile.Promote(in, req.Groups, req.All)
	})
}

// failDeployment needs no body. (Nomad.)
func (s *server) failDeployment(r *request) (any, error) {
	return s.change(r, r.id(), reconcile.Fail)
}

func (s *server) pauseDeployment(r *request) (any, error) {
	req := api.DeploymentPauseRequest{}
	if err := decode(r, &req); err != nil {
		return nil, err
	}
	return s.change(r, req.DeploymentID, func(in reconcile.ProgressInput) (reconcile.ProgressChanges, error) {
		return reconcile.Pause(in, req.Pause)
	})
}

// unblockDeployment is about multiregion deployments, of which there are none
// here: no deployment is ever blocked, and one that runs goes on. (Nomad.)
func (s *server) unblockDeployment(r *request) (any, error) {
	req := api.DeploymentUnblockRequest{}
	if err := decode(r, &req); err != nil {
		return nil, err
	}
	return s.change(r, req.DeploymentID, func(in reconcile.ProgressInput) (reconcile.ProgressChanges, error) {
		if !state.Active(in.Deployment) {
			return reconcile.ProgressChanges{}, textError("can't unblock terminal deployment")
		}
		return reconcile.ProgressChanges{}, nil
	})
}

func (s *server) setAllocHealth(r *request) (any, error) {
	req := api.DeploymentAllocHealthRequest{}
	if err := decode(r, &req); err != nil {
		return nil, err
	}
	return s.change(r, req.DeploymentID, func(in reconcile.ProgressInput) (reconcile.ProgressChanges, error) {
		return reconcile.SetHealth(in, req.HealthyAllocationIDs, req.UnhealthyAllocationIDs)
	})
}
