package httpapi

import (
	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator/decide"
	"ostro/orchestrator/state"
)

// What follows has fields that Nomad sends and the client library has no place
// for.

// allocStub is an allocation in a list.
type allocStub struct {
	*api.AllocationListStub
	DesiredTransition  api.DesiredTransition
	AllocatedResources *allocatedResources `json:",omitempty"`
}

// deployment is one as it is shown.
type deployment struct {
	*api.Deployment
	// EvalPriority is that of the evaluations that the deployment asks for.
	EvalPriority int
	TaskGroups   map[string]deploymentGroup
}

type deploymentGroup struct {
	*api.DeploymentState
	AutoPromote bool
}

// shown adds to a deployment what follows from its version and its evaluations.
func shown(snap *state.Snapshot, d *api.Deployment) *deployment {
	if d == nil {
		return nil
	}
	whole := &deployment{Deployment: d, EvalPriority: decide.Priority(snap, d), TaskGroups: map[string]deploymentGroup{}}
	job := snap.Version(nil, d.Namespace, d.JobID, d.JobVersion)
	for name, group := range d.TaskGroups {
		whole.TaskGroups[name] = deploymentGroup{DeploymentState: group, AutoPromote: promotesItself(job, name)}
	}
	return whole
}

// promotesItself tells whether a group of a version needs nobody to promote it.
// The version may be forgotten.
func promotesItself(job *api.Job, name string) bool {
	if job == nil {
		return false
	}
	group := job.LookupTaskGroup(name)
	return group != nil && group.Update != nil && group.Update.AutoPromote != nil && *group.Update.AutoPromote
}

func shownAll(snap *state.Snapshot, list []*api.Deployment) []*deployment {
	all := make([]*deployment, len(list))
	for i, d := range list {
		all[i] = shown(snap, d)
	}
	return all
}

// deploymentReply is the answer to a change of a deployment.
type deploymentReply struct {
	EvalID                                        string
	EvalCreateIndex, DeploymentModifyIndex, Index uint64
	RevertedJobVersion                            *uint64
}

// planReply is the answer to a plan.
type planReply struct {
	*api.JobPlanResponse
	Index uint64
}
