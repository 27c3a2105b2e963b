package state

import (
	"slices"

	"github.com/hashicorp/go-memdb"
	"github.com/hashicorp/nomad/api"
)

// Snapshot is the state as of one index. Every value that it returns is shared
// and must not be changed. The watch sets that reads take may be nil.
type Snapshot struct{ txn *memdb.Txn }

// first panics only for an unknown table or index, which is a mistake in this
// package.
func first[T any](s *Snapshot, ws memdb.WatchSet, table, index string, args ...any) *T {
	watch, row, err := s.txn.FirstWatch(table, index, args...)
	if err != nil {
		panic(err)
	}
	ws.Add(watch)
	if row == nil {
		return nil
	}
	return row.(*T)
}

func all[T any](s *Snapshot, ws memdb.WatchSet, table, index string, args ...any) []*T {
	rows, err := s.txn.Get(table, index, args...)
	if err != nil {
		panic(err)
	}
	ws.Add(rows.WatchCh())
	var list []*T
	for row := rows.Next(); row != nil; row = rows.Next() {
		list = append(list, row.(*T))
	}
	return list
}

// Index is the index of the last write.
func (s *Snapshot) Index() uint64 {
	index := uint64(firstIndex)
	for _, row := range all[tableRow](s, nil, tableIndex, byID) {
		index = max(index, row.Index)
	}
	return index
}

// TableIndex is the greatest index that touched one of the tables jobs, allocs,
// evals, deployments or nodes. (Nomad: the index of a list.)
func (s *Snapshot) TableIndex(tables ...string) uint64 {
	index := uint64(firstIndex)
	for _, table := range tables {
		if row := first[tableRow](s, nil, tableIndex, byID, table); row != nil {
			index = max(index, row.Index)
		}
	}
	return index
}

// Job is the current version of a job, or nil.
func (s *Snapshot) Job(ws memdb.WatchSet, namespace, id string) *api.Job {
	return first[api.Job](s, ws, tableJobs, byID, namespace, id)
}

// Jobs are the jobs of a namespace whose ID begins with prefix, by ID. The
// namespace "*" means all.
func (s *Snapshot) Jobs(ws memdb.WatchSet, namespace, prefix string) []*api.Job {
	if namespace != api.AllNamespacesNamespace {
		return all[api.Job](s, ws, tableJobs, byID+"_prefix", namespace, prefix)
	}
	jobs := all[api.Job](s, ws, tableJobs, byID)
	return slices.DeleteFunc(jobs, func(job *api.Job) bool { return !hasPrefix(*job.ID, prefix) })
}

// Versions are the kept versions of a job, newest first.
func (s *Snapshot) Versions(ws memdb.WatchSet, namespace, id string) []*api.Job {
	versions := all[api.Job](s, ws, tableVersions, byID+"_prefix", namespace, id, "")
	slices.Reverse(versions)
	return versions
}

// Version is one kept version of a job, or nil.
func (s *Snapshot) Version(ws memdb.WatchSet, namespace, id string, version uint64) *api.Job {
	return first[api.Job](s, ws, tableVersions, byID, namespace, id, versionKey(version))
}

// Submission is the source text of a version of a job, or nil.
func (s *Snapshot) Submission(ws memdb.WatchSet, namespace, id string, version uint64) *api.JobSubmission {
	row := first[submissionRow](s, ws, tableSubmissions, byID, namespace, id, versionKey(version))
	if row == nil {
		return nil
	}
	return row.Submission
}

// Alloc is an allocation, or nil.
func (s *Snapshot) Alloc(ws memdb.WatchSet, id string) *api.Allocation {
	return first[api.Allocation](s, ws, tableAllocs, byID, id)
}

// Allocs are all allocations.
func (s *Snapshot) Allocs(ws memdb.WatchSet) []*api.Allocation {
	return all[api.Allocation](s, ws, tableAllocs, byID)
}

// AllocsByJob are the allocations of every version of a job.
func (s *Snapshot) AllocsByJob(ws memdb.WatchSet, namespace, jobID string) []*api.Allocation {
	return all[api.Allocation](s, ws, tableAllocs, byJob, namespace, jobID)
}

// AllocsByNode are the allocations placed on a node.
func (s *Snapshot) AllocsByNode(ws memdb.WatchSet, nodeID string) []*api.Allocation {
	return all[api.Allocation](s, ws, tableAllocs, byNode, nodeID)
}

// AllocsByDeployment are the allocations that belong to a deployment.
func (s *Snapshot) AllocsByDeployment(ws memdb.WatchSet, id string) []*api.Allocation {
	return all[api.Allocation](s, ws, tableAllocs, byDeployment, id)
}

// Eval is an evaluation, or nil.
func (s *Snapshot) Eval(ws memdb.WatchSet, id string) *api.Evaluation {
	return first[api.Evaluation](s, ws, tableEvals, byID, id)
}

// Evals are all evaluations.
func (s *Snapshot) Evals(ws memdb.WatchSet) []*api.Evaluation {
	return all[api.Evaluation](s, ws, tableEvals, byID)
}

// EvalsByJob are the evaluations of a job.
func (s *Snapshot) EvalsByJob(ws memdb.WatchSet, namespace, jobID string) []*api.Evaluation {
	return all[api.Evaluation](s, ws, tableEvals, byJob, namespace, jobID)
}

// OpenEvals are the evaluations with the status pending or blocked.
func (s *Snapshot) OpenEvals(ws memdb.WatchSet, status string) []*api.Evaluation {
	return all[api.Evaluation](s, ws, tableEvals, byOpen+"_prefix", status, "")
}

// BlockedEval is the evaluation of a job that waits for capacity, or nil.
func (s *Snapshot) BlockedEval(ws memdb.WatchSet, namespace, jobID string) *api.Evaluation {
	return first[api.Evaluation](s, ws, tableEvals, byOpen, api.EvalStatusBlocked, namespace, jobID)
}

// PendingEval is an evaluation of a job that has yet to be decided, and whose
// trigger is one that is asked for, or nil. One that waits for a time is not meant.
func (s *Snapshot) PendingEval(ws memdb.WatchSet, namespace, jobID string, triggered func(by string) bool) *api.Evaluation {
	for _, eval := range all[api.Evaluation](s, ws, tableEvals, byOpen, api.EvalStatusPending, namespace, jobID) {
		if eval.WaitUntil.IsZero() && triggered(eval.TriggeredBy) {
			return eval
		}
	}
	return nil
}

// Deployment is a deployment, or nil.
func (s *Snapshot) Deployment(ws memdb.WatchSet, id string) *api.Deployment {
	return first[api.Deployment](s, ws, tableDeployments, byID, id)
}

// Deployments are all deployments.
func (s *Snapshot) Deployments(ws memdb.WatchSet) []*api.Deployment {
	return all[api.Deployment](s, ws, tableDeployments, byID)
}

// ActiveDeployments are the deployments that are under way.
func (s *Snapshot) ActiveDeployments(ws memdb.WatchSet) []*api.Deployment {
	return all[api.Deployment](s, ws, tableDeployments, byOpen+"_prefix", "")
}

// DeploymentsByJob are the deployments of a job, newest first.
func (s *Snapshot) DeploymentsByJob(ws memdb.WatchSet, namespace, jobID string) []*api.Deployment {
	list := all[api.Deployment](s, ws, tableDeployments, byJob, namespace, jobID)
	slices.SortFunc(list, func(a, b *api.Deployment) int {
		if a.CreateIndex != b.CreateIndex {
			return int(int64(b.CreateIndex) - int64(a.CreateIndex))
		}
		return 0
	})
	return list
}

// LatestDeployment is the newest deployment of a job, or nil.
func (s *Snapshot) LatestDeployment(ws memdb.WatchSet, namespace, jobID string) *api.Deployment {
	if list := s.DeploymentsByJob(ws, namespace, jobID); len(list) > 0 {
		return list[0]
	}
	return nil
}

// Node is a node, or nil.
func (s *Snapshot) Node(ws memdb.WatchSet, id string) *api.Node {
	return first[api.Node](s, ws, tableNodes, byID, id)
}

// Nodes are all nodes.
func (s *Snapshot) Nodes(ws memdb.WatchSet) []*api.Node {
	return all[api.Node](s, ws, tableNodes, byID)
}

func hasPrefix(s, prefix string) bool { return len(s) >= len(prefix) && s[:len(prefix)] == prefix }
