package httpapi

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator/state"
)

// What can be granted within a namespace, as far as requests here ask for it.
// (Nomad: the words, and what each is for.)
const (
	listJobs    = "list-jobs"
	parseJob    = "parse-job"
	readJob     = "read-job"
	submitJob   = "submit-job"
	dispatchJob = "dispatch-job"
	scaleJob    = "scale-job"
	readLogs    = "read-logs"
	readFS      = "read-fs"
	lifecycle   = "alloc-lifecycle"
	denyAll     = "deny"
)

// levels are the capabilities that a policy in one word stands for. (Nomad.)
var levels = map[string][]string{
	"deny":  {denyAll},
	"read":  {listJobs, parseJob, readJob},
	"write": {listJobs, parseJob, readJob, submitJob, dispatchJob, scaleJob, readLogs, readFS, lifecycle},
	"scale": {readJob, scaleJob},
}

// capabilities are those of which a request needs one, none where no policy can
// grant it: running a command in a task is such a request. path are the parts
// after /v1/.
func capabilities(method string, path []string) []string {
	what := path[0]
	if last := path[len(path)-1]; len(path) > 2 {
		what += "/" + last
	}
	switch what {
	case "job/action":
		return nil
	case "job/plan", "job/revert", "job/stable", "job/tag", "job/force":
		return []string{submitJob}
	case "job/dispatch", "job/payload":
		return []string{dispatchJob}
	case "job/scale":
		return ofMethod(method, readJob, scaleJob, submitJob)
	case "job/evaluate":
		return []string{readJob}
	case "allocation/stop":
		return []string{lifecycle}
	case "evaluations":
		return ofMethod(method, readJob)
	case "validate", "event":
		return []string{readJob}
	}
	switch path[0] {
	case "client":
		return clientCapabilities(path)
	case "job", "deployment", "service":
		return ofMethod(method, readJob, submitJob)
	case "jobs":
		if len(path) == 2 && path[1] == "parse" {
			return []string{parseJob, submitJob}
		}
		return ofMethod(method, listJobs, submitJob)
	}
	return ofMethod(method, readJob)
}

func ofMethod(method, read string, write ...string) []string {
	if writes(method) {
		return write
	}
	return []string{read}
}

// clientCapabilities are those for what a node does for an allocation.
func clientCapabilities(path []string) []string {
	if len(path) == 4 && path[1] == "fs" {
		if path[2] == "logs" {
			return []string{readLogs, readFS}
		}
		return []string{readFS}
	}
	if len(path) == 4 && path[1] == "allocation" {
		switch path[3] {
		case "stats", "checks":
			return []string{readJob}
		case "restart", "signal":
			return []string{lifecycle}
		case "gc":
			return []string{submitJob}
		}
	}
	return nil
}

// namespacesOf are those that a request reads or writes in: that of the thing it
// names, else the one it asks for. A job that comes with the request says itself
// where it belongs, see [server.refusedIn].
func namespacesOf(snap *state.Snapshot, r *http.Request, path []string) []string {
	id := path[len(path)-1]
	switch path[0] {
	case "allocation", "evaluation":
		id = path[min(1, len(path)-1)]
	case "client":
		if len(path) > 2 && path[1] == "allocation" {
			id = path[2]
		}
	}
	switch path[0] {
	case "allocation", "client":
		if a := snap.Alloc(nil, id); a != nil {
			return []string{a.Namespace}
		}
	case "evaluation":
		if e := snap.Eval(nil, id); e != nil {
			return []string{e.Namespace}
		}
	case "deployment":
		if d := snap.Deployment(nil, id); d != nil {
			return []string{d.Namespace}
		}
	}
	asked := r.URL.Query().Get("namespace")
	if asked != api.AllNamespacesNamespace && path[0] != "scaling" {
		return []string{orDefault(asked)}
	}
	var all []string
	for _, namespace := range snap.Namespaces(nil, "") {
		all = append(all, namespace.Name)
	}
	return all
}

func orDefault(namespace string) string {
	if namespace == "" {
		return api.DefaultNamespace
	}
	return namespace
}

// bringsJob reports whether a request carries a job.
func bringsJob(method string, path []string) bool {
	if !writes(method) || method == http.MethodDelete {
		return false
	}
	switch path[0] {
	case "jobs", "validate":
		return len(path) == 1 || path[0] == "validate"
	case "job":
		return len(path) == 2 || path[2] == "plan"
	}
	return false
}

// refusedIn is the refusal of a job in a namespace where the token of the request
// may not do what it asks for, else nil.
func (s *server) refusedIn(r *http.Request, namespace string) error {
	if !s.ACL {
		return nil
	}
	token := s.tokenOf(r)
	if token != nil && token.Type == managementToken {
		return nil
	}
	if rules, ok := s.rulesOf(token); !ok || !grantedIn(rules, namespace, capabilities(r.Method, pathOf(r))) {
		return fail(http.StatusForbidden, "Permission denied")
	}
	return nil
}

// grantedIn reports whether the rules of the namespace, which are those with the
// pattern that fits best, grant one of the capabilities. (Nomad: deny wins.)
func grantedIn(rules []rule, namespace string, wanted []string) bool {
	best := -1
	var granted []string
	for _, given := range rules {
		if given.kind != "namespace" || !matches(given.name, namespace) || len(given.name) < best {
			continue
		}
		if len(given.name) > best {
			best, granted = len(given.name), nil
		}
		granted = append(granted, append(given.capabilities, levels[given.level]...)...)
	}
	return !slices.Contains(granted, denyAll) && slices.ContainsFunc(wanted, func(c string) bool { return slices.Contains(granted, c) })
}

// pathOf are the parts of a path after /v1/. IDs may hold slashes when they come
// escaped.
func pathOf(r *http.Request) []string {
	parts := strings.Split(strings.TrimPrefix(r.URL.EscapedPath(), "/v1/"), "/")
	for i, part := range parts {
		if plain, err := url.PathUnescape(part); err == nil {
			parts[i] = plain
		}
	}
	return parts
}
