package httpapi

import (
	"fmt"
	"net/http"

	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator/state"
)

// tagReply is the answer of everything that is done to a tag. (Nomad.)
type tagReply struct {
	Name        string
	Description string
	TaggedTime  int64
	Index       uint64
	LastContact uint64
	KnownLeader bool
	NextToken   string
}

// noTagName answers where a path names no tag. (Nomad: the text.)
func noTagName(*request) (any, error) {
	return nil, fail(http.StatusNotFound, "invalid job tag endpoint")
}

// tagVersion gives a version of a job a name.
func (s *server) tagVersion(r *request) (any, error) {
	req := api.TagVersionRequest{}
	if err := decode(r, &req); err != nil {
		return nil, err
	}
	if req.Latest && req.Version > 0 {
		return nil, fmt.Errorf("version must be zero when tagging latest, got: %d", req.Version)
	}
	tag := &api.JobVersionTag{Name: r.PathValue("tag"), Description: req.Description, TaggedTime: s.Clock.Now().UnixNano()}
	index, err := s.Store.Update(func(tx *state.Txn) error {
		job := tx.Job(nil, r.namespace, r.id())
		if req.Latest && job != nil {
			req.Version = *job.Version
		}
		return tx.TagVersion(r.namespace, r.id(), req.Version, tag)
	})
	return answer{value: tagReply{Name: tag.Name, Description: tag.Description, TaggedTime: tag.TaggedTime, Index: index}, index: index}, err
}

// untagVersion takes a name away.
func (s *server) untagVersion(r *request) (any, error) {
	index, err := s.Store.Update(func(tx *state.Txn) error {
		return tx.UntagVersion(r.namespace, r.id(), r.PathValue("tag"))
	})
	return answer{value: tagReply{Index: index}, index: index}, err
}
