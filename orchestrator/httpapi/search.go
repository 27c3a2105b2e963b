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
		contexts.Allocs, contexts.Jobs, contexts.Nodes, contexts.NodePools, contexts.Evals, contexts.Deployments,
		contexts.Plugins, contexts.Volumes, contexts.ScalingPolicies, contexts.Variables, contexts.Namespaces, contexts.HostVolumes,
	}
}

func (s *server) search(r *request) (any, error) {
	req := api.SearchRequest{}
	if err := decode(r, &req); err != nil {
		return nil, err
	}
	kinds, err := searchKinds(req.Context)
	if err != nil {
		return nil, err
	}
	snap := s.Store.Snapshot()
	reply := api.SearchResponse{Matches: map[contexts.Context][]string{}, Truncations: map[contexts.Context]bool{}}
	for _, kind := range kinds {
		matches := slices.DeleteFunc(names(snap, r, kind), func(name string) bool { return !matchesPrefix(kind, name, req.Prefix) })
		slices.Sort(matches)
		reply.Truncations[kind] = len(matches) > searchLimit
		reply.Matches[kind] = matches[:min(len(matches), searchLimit)]
	}
	return answer{value: struct {
		Matches     map[contexts.Context][]string
		Truncations map[contexts.Context]bool
		meta
	}{reply.Matches, reply.Truncations, knownAt(snap.Index())}, index: snap.Index()}, nil
}

// searchKinds are the kinds that a context means.
func searchKinds(asked contexts.Context) ([]contexts.Context, error) {
	kinds := searchable()
	switch {
	case asked == contexts.All:
		return kinds, nil
	case !slices.Contains(kinds, asked):
		return nil, contextError(asked)
	}
	return []contexts.Context{asked}, nil
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
		for _, namespace := range snap.Namespaces(nil, "") {
			out = append(out, namespace.Name)
		}
	case contexts.NodePools:
		for _, pool := range snap.NodePools(nil, "") {
			out = append(out, pool.Name)
		}
	case contexts.Variables:
		for _, v := range snap.Variables(nil, r.namespace, "") {
			out = append(out, v.Path)
		}
	}
	return out
}
