package httpapi

import (
	"net/http"

	"ostro/orchestrator/decide"
	"ostro/orchestrator/state"
)

// systemGC removes what has ended, however long ago. (Nomad: the answer is empty.)
func (s *server) systemGC(*request) (any, error) {
	_, err := s.Store.Update(func(tx *state.Txn) error {
		s.Clock.Collect(tx, decide.Ages{})
		return nil
	})
	if err != nil {
		return nil, err
	}
	return stream(func(http.ResponseWriter) error { return nil }), nil
}

// reconcileSummaries lets summaries count only what is there. (Nomad: the answer is empty.)
func (s *server) reconcileSummaries(*request) (any, error) {
	_, err := s.Store.Update(func(tx *state.Txn) error {
		tx.ForgetCollected()
		return nil
	})
	if err != nil {
		return nil, err
	}
	return stream(func(http.ResponseWriter) error { return nil }), nil
}

// enterprise answers for what only Nomad Enterprise has. (Nomad: the text.)
func (s *server) enterprise(*request) (any, error) {
	return nil, fail(http.StatusNotImplemented, "Nomad Enterprise only endpoint")
}

// license is no content: there is none. (Nomad.)
func (s *server) license(*request) (any, error) {
	return stream(func(w http.ResponseWriter) error {
		w.WriteHeader(http.StatusNoContent)
		return nil
	}), nil
}

// nothing answers for kinds of things of which there are none here.
func (s *server) nothing(*request) (any, error) {
	return answer{value: []struct{}{}, index: s.Store.Snapshot().Index()}, nil
}

func (s *server) agentServers(*request) (any, error) { return []string{s.Address}, nil }
