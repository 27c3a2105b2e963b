package state

import (
	"github.com/hashicorp/go-memdb"
	"github.com/hashicorp/nomad/api"
)

// builtinIndex is the index of what is there from the beginning.
const builtinIndex = 1

// seed adds what is there from the beginning, where nothing has replaced it.
func seed(txn *memdb.Txn) {
	tx := &Txn{Snapshot: Snapshot{txn: txn}, Index: builtinIndex}
	if tx.Namespace(nil, api.DefaultNamespace) == nil {
		tx.PutNamespace(&api.Namespace{Name: api.DefaultNamespace, Description: "Default shared namespace"})
	}
	for name, description := range map[string]string{
		api.NodePoolAll: "Node pool with all nodes in the cluster.", api.NodePoolDefault: "Default node pool.",
	} {
		if tx.NodePool(nil, name) == nil {
			tx.PutNodePool(&api.NodePool{Name: name, Description: description})
		}
	}
}

// Namespace is a namespace, or nil.
func (s *Snapshot) Namespace(ws memdb.WatchSet, name string) *api.Namespace {
	return first[api.Namespace](s, ws, tableNamespaces, byID, name)
}

// Namespaces are all namespaces whose name begins with prefix, by name.
func (s *Snapshot) Namespaces(ws memdb.WatchSet, prefix string) []*api.Namespace {
	return all[api.Namespace](s, ws, tableNamespaces, byID+"_prefix", prefix)
}

// PutNamespace stores a namespace and stamps its indexes. It takes ownership.
func (tx *Txn) PutNamespace(namespace *api.Namespace) {
	namespace.CreateIndex, namespace.ModifyIndex = tx.Index, tx.Index
	if old := tx.Namespace(nil, namespace.Name); old != nil {
		namespace.CreateIndex = old.CreateIndex
	}
	tx.insert(tableNamespaces, namespace)
}

// DeleteNamespace removes a namespace, if it is there.
func (tx *Txn) DeleteNamespace(name string) {
	if old := tx.Namespace(nil, name); old != nil {
		tx.delete(tableNamespaces, old)
	}
}

// poolRow is a node pool without the methods of api.NodePool, whose JSON does
// not read back what it writes.
type poolRow api.NodePool

// NodePool is a node pool, or nil.
func (s *Snapshot) NodePool(ws memdb.WatchSet, name string) *api.NodePool {
	return (*api.NodePool)(first[poolRow](s, ws, tablePools, byID, name))
}

// NodePools are all node pools whose name begins with prefix, by name.
func (s *Snapshot) NodePools(ws memdb.WatchSet, prefix string) []*api.NodePool {
	rows := all[poolRow](s, ws, tablePools, byID+"_prefix", prefix)
	pools := make([]*api.NodePool, len(rows))
	for i, row := range rows {
		pools[i] = (*api.NodePool)(row)
	}
	return pools
}

// PutNodePool stores a node pool and stamps its indexes. It takes ownership.
func (tx *Txn) PutNodePool(pool *api.NodePool) {
	pool.CreateIndex, pool.ModifyIndex = tx.Index, tx.Index
	if old := tx.NodePool(nil, pool.Name); old != nil {
		pool.CreateIndex = old.CreateIndex
	}
	tx.insert(tablePools, (*poolRow)(pool))
}

// DeleteNodePool removes a node pool, if it is there.
func (tx *Txn) DeleteNodePool(name string) {
	if old := tx.NodePool(nil, name); old != nil {
		tx.delete(tablePools, (*poolRow)(old))
	}
}

// PoolOf is the node pool that a row of [Changes] is, or nil.
func PoolOf(row any) *api.NodePool {
	pool, ok := row.(*poolRow)
	if !ok {
		return nil
	}
	return (*api.NodePool)(pool)
}

// IsCurrent tells whether a row of a table, as [Changes] name it, is a thing
// itself and not a kept version of one.
func IsCurrent(table string) bool { return table != tableVersions && table != tableSpecs }
