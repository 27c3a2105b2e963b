package httpapi

import (
	"net/http"
	"regexp"
	"sync"

	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator/state"
)

// validMetaName is what HCL can name, with dots. (Nomad.)
var validMetaName = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_-]*(\.[a-zA-Z_][a-zA-Z0-9_-]*)*$`)
})

// metaNode is the node that a request about meta names, or the first one.
// (Nomad: the texts.)
func (s *server) metaNode(id string) (string, error) {
	if id == "" {
		return s.firstNode(), nil
	}
	if err := checkID("node lookup failed: index error: ", id); err != nil {
		return "", err
	}
	if s.Store.Snapshot().Node(nil, id) == nil {
		return "", fail(http.StatusInternalServerError, "Unknown node %s", id)
	}
	return id, nil
}

func (s *server) readNodeMeta(r *request) (any, error) {
	id, err := s.metaNode(r.query.Get("node_id"))
	if err != nil {
		return nil, err
	}
	snap := s.Store.Snapshot()
	if meta := snap.NodeMeta(nil, id); meta != nil {
		return metaReply(meta), nil
	}
	node := snap.Node(nil, id)
	if node == nil {
		return nil, textError("node not found")
	}
	return metaReply(&state.NodeMeta{Static: node.Meta}), nil
}

func metaReply(meta *state.NodeMeta) *api.NodeMetaResponse {
	reply := &api.NodeMetaResponse{Meta: meta.Merged(), Dynamic: meta.Dynamic, Static: meta.Static}
	if reply.Dynamic == nil {
		reply.Dynamic = map[string]*string{}
	}
	if reply.Static == nil {
		reply.Static = map[string]string{}
	}
	return reply
}

// writeNodeMeta sets meta while the node runs; null removes. (Nomad: the texts.)
func (s *server) writeNodeMeta(r *request) (any, error) {
	req := api.NodeMetaApplyRequest{}
	if err := decode(r, &req); err != nil {
		return nil, err
	}
	if len(req.Meta) == 0 {
		return nil, badRequest("missing required Meta object")
	}
	for name := range req.Meta {
		if name == "" {
			return nil, badRequest("metadata keys must not be empty")
		}
		if !validMetaName().MatchString(name) {
			return nil, badRequest("%q is invalid; metadata keys must be valid dotted hcl identifiers", name)
		}
	}
	id, err := s.metaNode(req.NodeID)
	if err != nil {
		return nil, err
	}
	var meta *state.NodeMeta
	_, err = s.Store.Update(func(tx *state.Txn) error {
		if meta = tx.SetNodeMeta(id, req.Meta); meta == nil {
			return textError("node not found")
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return metaReply(meta), nil
}
