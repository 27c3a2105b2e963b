package httpapi

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/nomad/api"
	"github.com/hashicorp/nomad/api/contexts"

	"ostro/orchestrator/state"
)

// minFuzzyText is how long the text of a fuzzy search must be. (Nomad.)
const minFuzzyText = 2

// fuzzyHits gathers what a text is found in, by kind.
type fuzzyHits struct {
	text  string
	found map[contexts.Context][]fuzzyHit
}

type fuzzyHit struct {
	api.FuzzyMatch
	at int
}

// look notes a name that holds the text.
func (h *fuzzyHits) look(kind contexts.Context, name string, scope ...string) {
	if at := strings.Index(strings.ToLower(name), h.text); at >= 0 {
		h.found[kind] = append(h.found[kind], fuzzyHit{api.FuzzyMatch{ID: name, Scope: scope}, at})
	}
}

// fuzzySearch finds a text anywhere in names, and at the beginning of what has
// an ID for a name. (Nomad.)
func (s *server) fuzzySearch(r *request) (any, error) {
	req := api.FuzzySearchRequest{}
	if err := decode(r, &req); err != nil {
		return nil, err
	}
	if n := len(req.Text); n < minFuzzyText {
		return nil, textError(fmt.Sprintf("fuzzy search query must be at least %d characters, got %d", minFuzzyText, n))
	}
	kinds, err := searchKinds(req.Context)
	if err != nil {
		return nil, err
	}
	snap := s.Store.Snapshot()
	hits := &fuzzyHits{strings.ToLower(req.Text), map[contexts.Context][]fuzzyHit{}}
	reply := api.FuzzySearchResponse{Matches: map[contexts.Context][]api.FuzzyMatch{}, Truncations: map[contexts.Context]bool{}}
	for _, kind := range kinds {
		reply.Truncations[kind] = false
		if hasID(kind) {
			reply.Matches[kind] = []api.FuzzyMatch{}
		}
		hits.lookAll(snap, r, kind)
	}
	for kind, found := range hits.found {
		slices.SortFunc(found, func(a, b fuzzyHit) int {
			return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.ID, b.ID), slices.Compare(a.Scope, b.Scope))
		})
		reply.Truncations[kind] = len(found) > fuzzyLimit
		reply.Matches[kind] = nil
		for _, hit := range found[:min(len(found), fuzzyLimit)] {
			reply.Matches[kind] = append(reply.Matches[kind], hit.FuzzyMatch)
		}
	}
	return answer{value: struct {
		Matches     map[contexts.Context][]api.FuzzyMatch
		Truncations map[contexts.Context]bool
		meta
	}{reply.Matches, reply.Truncations, knownAt(snap.Index())}, index: snap.Index()}, nil
}

// fuzzyLimit is how many matches a fuzzy search shows of a kind. (Nomad.)
const fuzzyLimit = 100

// hasID tells the kinds whose things are known by a UUID. Their prefix is
// compared, not a part of it.
func hasID(kind contexts.Context) bool {
	switch kind {
	case contexts.Evals, contexts.Deployments, contexts.ScalingPolicies, contexts.Volumes, contexts.HostVolumes:
		return true
	}
	return false
}

func (h *fuzzyHits) lookAll(snap *state.Snapshot, r *request, kind contexts.Context) {
	switch {
	case hasID(kind):
		for _, name := range names(snap, r, kind) {
			if strings.HasPrefix(name, h.text) {
				h.look(kind, name)
			}
		}
	case kind == contexts.Jobs:
		for _, job := range snap.Jobs(nil, r.namespace, "") {
			h.lookInJob(job)
		}
	case kind == contexts.Allocs:
		for _, a := range snap.Allocs(nil) {
			if r.in(a.Namespace) {
				h.look(kind, a.Name, a.Namespace, a.ID)
			}
		}
	case kind == contexts.Nodes:
		for _, node := range snap.Nodes(nil) {
			h.look(kind, node.Name, node.ID)
		}
	case kind == contexts.NodePools:
		for _, pool := range snap.NodePools(nil, "") {
			h.look(kind, pool.Name, pool.Name)
		}
	case kind == contexts.Variables:
		for _, v := range snap.Variables(nil, r.namespace, "") {
			h.look(kind, v.Path, v.Namespace, v.Path)
		}
	default:
		for _, name := range names(snap, r, kind) {
			h.look(kind, name)
		}
	}
}

// lookInJob looks into the names of all parts of a job, and at what its tasks
// run.
func (h *fuzzyHits) lookInJob(job *api.Job) {
	place := []string{*job.Namespace, *job.ID}
	h.look(contexts.Jobs, *job.Name, place...)
	for _, group := range job.TaskGroups {
		h.look(contexts.Groups, *group.Name, place...)
		inGroup := append(slices.Clip(place), *group.Name)
		for _, service := range group.Services {
			h.look(contexts.Services, service.Name, inGroup...)
		}
		for _, task := range group.Tasks {
			h.look(contexts.Tasks, task.Name, inGroup...)
			inTask := append(slices.Clip(inGroup), task.Name)
			for _, service := range task.Services {
				h.look(contexts.Services, service.Name, inTask...)
			}
			h.lookInConfig(task, inTask)
		}
	}
}

func (h *fuzzyHits) lookInConfig(task *api.Task, place []string) {
	kind, option := contexts.Commands, "command"
	switch task.Driver {
	case "docker":
		kind, option = contexts.Images, "image"
	case "java":
		kind, option = contexts.Classes, "class"
	case "exec", "raw_exec":
	default:
		return
	}
	if text, ok := task.Config[option].(string); ok {
		h.look(kind, text, place...)
	}
}
