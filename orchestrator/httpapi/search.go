package httpapi

import (
	"slices"
	"strings"

	"github.com/hashicorp/nomad/api"
	"github.com/hashicorp/nomad/api/contexts"

	"ostro/orchestrator/state"
)

// searchLimit is how many matches a search shows of a kind. (Nomad.)
const searchLimit = 20

// searchable are the kinds of things that can be searched for, in the order in
// which Nomad names them.
func searchable() []contexts.Context {
	return []contexts.Context{
		contexts.Allocs, contexts.Jobs, contexts.Nodes, "node_pools", contexts.Evals, contexts.Deployments,
		contexts.Plugins, contexts.Volumes, "scaling_policy", contexts.Variables, contexts.Namespaces, "host_volumes",
	}
}

func (s *server) search(r *request) (any, error) {
	req := api.SearchRequest{}
	if err := decode(r, &req); err != nil {
		return nil, err
	}
	kinds := searchable()
	if req.Context != contexts.All {
		if !slices.Contains(kinds, req.Context) {
			return nil, contextError(req.Context)
		}
		kinds = []contexts.Context{req.Context}
	}
	snap := s.Store.Snapshot()
	reply := api.SearchResponse{Matches: map[contexts.Context][]string{}, Truncations: map[contexts.Context]bool{}}
	for _, kind := range kinds {
		matches := slices.DeleteFunc(names(snap, r, kind), func(name string) bool { return !matchesPrefix(kind, name, req.Prefix) })
		slices.Sort(matches)
		reply.Truncations[kind] = len(matches) > searchLimit
		reply.Matches[kind] = matches[:min(len(matches), searchLimit)]
	}
	return answer{value: reply, index: snap.Index()}, nil
}

func contextError(given contexts.Context) error {
	var all []string
	for _, kind := range searchable() {
		all = append(all, string(kind))
	}
	return textError("context must be one of [" + strings.Join(all, " ") + "] or 'all' for all contexts; got \"" + string(given) + "\"")
}

func matchesPrefix(kind contexts.Context, name, prefix string) bool {
	switch kind {
	case contexts.Allocs, contexts.Nodes, contexts.Evals, contexts.Deployments:
		// The command line sends what the user typed, of any length.
		return strings.HasPrefix(name, strings.ToLower(prefix))
	}
	return strings.HasPrefix(name, prefix)
}

// names are the IDs of all that there is of a kind; of kinds that we do not
// have there is nothing.
func names(snap *state.Snapshot, r *request, kind contexts.Context) []string {
	out := []string{}
	switch kind {
	case contexts.Jobs:
		for _, job := range snap.Jobs(nil, r.namespace, "") {
			out = append(out, *job.ID)
		}
	case contexts.Allocs:
		for _, a := range snap.Allocs(nil) {
			if r.in(a.Namespace) {
				out = append(out, a.ID)
			}
		}
	case contexts.Evals:
		for _, eval := range snap.Evals(nil) {
			if r.in(eval.Namespace) {
				out = append(out, eval.ID)
			}
		}
	case contexts.Deployments:
		for _, d := range snap.Deployments(nil) {
			if r.in(d.Namespace) {
				out = append(out, d.ID)
			}
		}
	case contexts.Nodes:
		for _, node := range snap.Nodes(nil) {
			out = append(out, node.ID)
		}
	case contexts.Namespaces:
		out = append(out, api.DefaultNamespace)
	case "node_pools":
		out = append(out, api.NodePoolAll, api.NodePoolDefault)
	}
	return out
}
