package state

import (
	"maps"

	"github.com/hashicorp/go-memdb"
	"github.com/hashicorp/nomad/api"
)

// NodeMeta is where the meta of a node comes from: what its configuration says,
// and what was set while it ran. A nil value hides what the configuration says.
type NodeMeta struct {
	NodeID  string
	Static  map[string]string
	Dynamic map[string]*string
}

// Merged is the meta of the node.
func (m *NodeMeta) Merged() map[string]string {
	merged := map[string]string{}
	maps.Copy(merged, m.Static)
	for name, value := range m.Dynamic {
		if value == nil {
			delete(merged, name)
		} else {
			merged[name] = *value
		}
	}
	return merged
}

// NodeMeta tells where the meta of a node comes from. It is nil where the node
// never registered.
func (s *Snapshot) NodeMeta(ws memdb.WatchSet, nodeID string) *NodeMeta {
	return first[NodeMeta](s, ws, tableNodeMeta, byID, nodeID)
}

// RegisterMeta takes the meta of a node that is about to register as what its
// configuration says, and gives it what was set before on top.
func (tx *Txn) RegisterMeta(node *api.Node) {
	meta := &NodeMeta{NodeID: node.ID, Static: node.Meta}
	if old := tx.NodeMeta(nil, node.ID); old != nil {
		meta.Dynamic = old.Dynamic
	}
	tx.insert(tableNodeMeta, meta)
	node.Meta = meta.Merged()
}

// SetNodeMeta sets meta of a node while it runs; nil removes. It returns what
// holds from now on, or nil where the node is not there.
func (tx *Txn) SetNodeMeta(nodeID string, set map[string]*string) *NodeMeta {
	node, old := tx.Node(nil, nodeID), tx.NodeMeta(nil, nodeID)
	if node == nil {
		return nil
	}
	meta := &NodeMeta{NodeID: nodeID, Static: node.Meta, Dynamic: map[string]*string{}}
	if old != nil {
		meta.Static = old.Static
		maps.Copy(meta.Dynamic, old.Dynamic)
	}
	for name, value := range set {
		if _, static := meta.Static[name]; value == nil && !static {
			delete(meta.Dynamic, name)
		} else {
			meta.Dynamic[name] = value
		}
	}
	tx.insert(tableNodeMeta, meta)
	changed := *node
	changed.Meta = meta.Merged()
	tx.PutNode(&changed)
	return meta
}
