package state

import (
	"slices"

	"github.com/hashicorp/go-memdb"
	"github.com/hashicorp/nomad/api"
)

// Variable is a variable with its items, or nil.
func (s *Snapshot) Variable(ws memdb.WatchSet, namespace, path string) *api.Variable {
	return first[api.Variable](s, ws, tableVariables, byID, namespace, path)
}

// Variables are the variables of a namespace whose path begins with prefix, by
// path. The namespace "*" means all.
func (s *Snapshot) Variables(ws memdb.WatchSet, namespace, prefix string) []*api.Variable {
	if namespace != api.AllNamespacesNamespace {
		return all[api.Variable](s, ws, tableVariables, byID+"_prefix", namespace, prefix)
	}
	variables := all[api.Variable](s, ws, tableVariables, byID)
	return slices.DeleteFunc(variables, func(v *api.Variable) bool { return !hasPrefix(v.Path, prefix) })
}

// PutVariable stores a variable and stamps its indexes; it keeps the time of
// the variable's creation. It takes ownership.
func (tx *Txn) PutVariable(variable *api.Variable) {
	variable.CreateIndex, variable.ModifyIndex = tx.Index, tx.Index
	if old := tx.Variable(nil, variable.Namespace, variable.Path); old != nil {
		variable.CreateIndex, variable.CreateTime = old.CreateIndex, old.CreateTime
	}
	tx.insert(tableVariables, variable)
}

// DeleteVariable removes a variable and its lock, if they are there.
func (tx *Txn) DeleteVariable(namespace, path string) {
	tx.deleteLock(namespace, path)
	if old := tx.Variable(nil, namespace, path); old != nil {
		tx.delete(tableVariables, old)
	}
}
