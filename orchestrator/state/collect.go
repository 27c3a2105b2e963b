package state

import (
	"github.com/hashicorp/nomad/api"
)

// Garbage is what nobody needs any more.
type Garbage struct {
	Jobs        []*api.Job
	Allocs      []*api.Allocation
	Evals       []*api.Evaluation
	Deployments []*api.Deployment
	Nodes       []*api.Node
}

// Remove deletes garbage, with the versions of jobs that only removed
// allocations still ran.
func (tx *Txn) Remove(g Garbage) {
	for _, eval := range g.Evals {
		tx.delete(tableEvals, eval)
	}
	touched := map[[2]string]bool{}
	for _, a := range g.Allocs {
		tx.delete(tableAllocs, a)
		tx.countCollected(a)
		touched[[2]string{a.Namespace, a.JobID}] = true
	}
	for key := range touched {
		tx.dropSpecs(key[0], key[1])
	}
	for _, d := range g.Deployments {
		tx.delete(tableDeployments, d)
	}
	for _, job := range g.Jobs {
		tx.purge(job)
	}
	for _, node := range g.Nodes {
		tx.delete(tableNodes, node)
	}
}

// dropSpecs removes the versions of a job that no allocation runs.
func (tx *Txn) dropSpecs(namespace, jobID string) {
	used := map[*api.Job]bool{}
	for _, a := range tx.AllocsByJob(nil, namespace, jobID) {
		used[a.Job] = true
	}
	for _, spec := range all[api.Job](&tx.Snapshot, nil, tableSpecs, byID+"_prefix", namespace, jobID, "") {
		if !used[spec] {
			tx.delete(tableSpecs, spec)
		}
	}
}
