package state

import (
	"encoding/json"
	"errors"
	"fmt"
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

// variableRow is a variable on disk: its items are sealed where there is a key.
type variableRow struct {
	Variable *api.Variable
	Sealed   []byte `json:",omitempty"`
}

// sealVariable binds the items to their place, so that a row cannot be passed
// off as another.
func (d *disk) sealVariable(variable *api.Variable) (*variableRow, error) {
	if d.seal == nil {
		return &variableRow{Variable: variable}, nil
	}
	items, err := json.Marshal(variable.Items)
	if err != nil {
		return nil, err
	}
	bare := *variable
	bare.Items = nil
	return &variableRow{&bare, d.seal.Seal(nil, nil, items, variablePlace(variable))}, nil
}

var errNoKey = errors.New("it is encrypted, and there is no key")

func (d *disk) openVariable(row *variableRow) (*api.Variable, error) {
	if row.Sealed == nil {
		return row.Variable, nil
	}
	if d.seal == nil {
		return nil, errNoKey
	}
	items, err := d.seal.Open(nil, nil, row.Sealed, variablePlace(row.Variable))
	if err != nil {
		return nil, fmt.Errorf("the key does not fit: %w", err)
	}
	return row.Variable, json.Unmarshal(items, &row.Variable.Items)
}

func variablePlace(variable *api.Variable) []byte {
	return joinKey([]string{variable.Namespace, variable.Path})
}
