package decide

import (
	"time"

	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator/reconcile"
	"ostro/orchestrator/state"
)

// The triggers of evaluations that follow from what becomes of a node. (Nomad.)
const (
	TriggerNodeUpdate = "node-update"
	TriggerReconnect  = "reconnect"
)

// NodeEvals asks for a decision about each job that a change of a node may
// concern: those that run on it, and the system jobs that want to. It returns
// the IDs of the evaluations. (Nomad: the work of a batch job that has ended is
// left alone, and so are sysbatch jobs.)
func (c Clock) NodeEvals(tx *state.Txn, node *api.Node, trigger string) []string {
	ids := []string{}
	seen := map[[2]string]bool{}
	ask := func(namespace, jobID string) {
		if key := [2]string{namespace, jobID}; !seen[key] {
			seen[key] = true
			eval := c.NewEval(tx, namespace, jobID, trigger)
			eval.NodeID, eval.NodeModifyIndex = node.ID, tx.Index
			tx.PutEval(eval)
			ids = append(ids, eval.ID)
		}
	}
	for _, a := range tx.AllocsByNode(nil, node.ID) {
		if concerned(a) {
			ask(a.Namespace, a.JobID)
		}
	}
	for _, job := range tx.Jobs(nil, api.AllNamespacesNamespace, "") {
		if *job.Type == api.JobTypeSystem && !*job.Stop && reconcile.Targets(job, node) {
			ask(*job.Namespace, *job.ID)
		}
	}
	return ids
}

func concerned(a *api.Allocation) bool {
	over := a.ClientTerminalStatus()
	switch *a.Job.Type {
	case api.JobTypeService:
		return a.DesiredStatus == api.AllocDesiredStatusRun || !over
	case api.JobTypeBatch:
		return !over
	}
	return false
}

// Drain takes the next step of a node's drain, and tells when to look again.
func (c Clock) Drain(tx *state.Txn, nodeID string) time.Time {
	node := tx.Node(nil, nodeID)
	if node == nil || node.DrainStrategy == nil {
		return time.Time{}
	}
	changes := reconcile.Drain(reconcile.DrainInput{
		Now: c.Now(), Node: node, Allocs: tx.AllocsByNode(nil, nodeID),
		Job:       func(namespace, id string) *api.Job { return tx.Job(nil, namespace, id) },
		JobAllocs: func(namespace, id string) []*api.Allocation { return tx.AllocsByJob(nil, namespace, id) },
	})
	jobs := map[[2]string]bool{}
	for _, a := range changes.Move {
		tx.PutAlloc(a)
		if key := [2]string{a.Namespace, a.JobID}; !jobs[key] {
			jobs[key] = true
			tx.PutEval(c.NewEval(tx, a.Namespace, a.JobID, reconcile.TriggerNodeDrain))
		}
	}
	if changes.Done {
		tx.PutNode(reconcile.DrainDone(node, changes.Deadline, c.Now()))
	}
	return changes.CheckAt
}
