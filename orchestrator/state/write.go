package state

import (
	"slices"

	"github.com/hashicorp/nomad/api"
)

// Txn is a write under way. It reads what it has written. Index is the index
// that its rows get.
type Txn struct {
	Snapshot
	Index uint64
}

func (tx *Txn) insert(table string, row any) {
	if err := tx.txn.Insert(table, row); err != nil {
		panic(err)
	}
}

func (tx *Txn) delete(table string, row any) {
	if err := tx.txn.Delete(table, row); err != nil {
		panic(err)
	}
}

// finish settles the statuses of jobs and what follows from them, stamps the tables that changed and
// returns all changes.
func (tx *Txn) finish() Changes {
	tx.refreshStatuses()
	tx.dropServices()
	touched := map[string]bool{}
	for _, change := range tx.txn.Changes() {
		touched[change.Table] = true
	}
	for table := range touched {
		tx.insert(tableIndex, &tableRow{table, tx.Index})
	}
	return tx.txn.Changes()
}

// PutEval stores an evaluation and stamps its indexes. It takes ownership.
func (tx *Txn) PutEval(eval *api.Evaluation) {
	eval.CreateIndex, eval.ModifyIndex = tx.Index, tx.Index
	if old := tx.Eval(nil, eval.ID); old != nil {
		eval.CreateIndex = old.CreateIndex
	}
	tx.insert(tableEvals, eval)
}

// PutDeployment stores a deployment and stamps its indexes. It takes ownership.
func (tx *Txn) PutDeployment(d *api.Deployment) {
	d.CreateIndex, d.ModifyIndex = tx.Index, tx.Index
	if old := tx.Deployment(nil, d.ID); old != nil {
		d.CreateIndex = old.CreateIndex
	}
	tx.insert(tableDeployments, d)
}

// PutNode stores a node, and its pool if it is the first of it, and stamps their
// indexes. It takes ownership. (Nomad: a node makes its pool.)
func (tx *Txn) PutNode(node *api.Node) {
	node.CreateIndex, node.ModifyIndex = tx.Index, tx.Index
	if old := tx.Node(nil, node.ID); old != nil {
		node.CreateIndex = old.CreateIndex
		stampEvent(node, old, tx.Index)
	}
	tx.insert(tableNodes, node)
	if node.NodePool != "" && tx.NodePool(nil, node.NodePool) == nil {
		tx.PutNodePool(&api.NodePool{Name: node.NodePool})
	}
}

// stampEvent gives a node's new event the index of its write.
func stampEvent(node, old *api.Node, index uint64) {
	n := len(node.Events)
	if n > 0 && node.Events[n-1].CreateIndex == 0 && !slices.Contains(old.Events, node.Events[n-1]) {
		node.Events[n-1].CreateIndex = index
	}
}

// DeleteNode forgets a node.
func (tx *Txn) DeleteNode(node *api.Node) { tx.delete(tableNodes, node) }

// PutAlloc stores what the evaluation loop decided about an allocation and
// stamps its indexes. It takes ownership of the allocation, not of its job,
// which must carry its CreateIndex and Version.
func (tx *Txn) PutAlloc(alloc *api.Allocation) {
	alloc.CreateIndex, alloc.ModifyIndex, alloc.AllocModifyIndex = tx.Index, tx.Index, tx.Index
	if old := tx.Alloc(nil, alloc.ID); old != nil {
		alloc.CreateIndex = old.CreateIndex
	}
	tx.putAlloc(alloc)
}

// PutClientAlloc stores what a node reported about an allocation. (Nomad:
// AllocModifyIndex moves only with the server's own decisions.)
func (tx *Txn) PutClientAlloc(alloc *api.Allocation) {
	alloc.ModifyIndex = tx.Index
	tx.putAlloc(alloc)
}

func (tx *Txn) putAlloc(alloc *api.Allocation) {
	key := specKey(alloc.Job)
	if spec := first[api.Job](&tx.Snapshot, nil, tableSpecs, byID, key[0], key[1], key[2], key[3]); spec != nil {
		alloc.Job = spec
	} else {
		tx.insert(tableSpecs, alloc.Job)
	}
	tx.insert(tableAllocs, alloc)
}
