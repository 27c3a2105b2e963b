package httpapi

import (
	"net/http"
)

// unsupported answers for a part of Nomad's API that is not here.
func unsupported(what string) handler {
	return func(*request) (any, error) {
		return nil, fail(http.StatusNotImplemented, "%s is not supported by this agent", what)
	}
}

// unsupportedRoutes are the paths of Nomad's API that are known and not
// answered, so that nobody takes a missing feature for a mistyped path.
// ARCHITECTURE.md lists them.
func (s *server) unsupportedRoutes() map[string]route {
	routes := map[string]route{
		"/v1/volume/csi/{id}":  absent("volume"),
		"/v1/volume/host/{id}": absent("volume"),
		"/v1/plugin/csi/{id}":  absent("plugin"),
	}
	for _, path := range []string{
		"/v1/quota", "/v1/quota/{path...}", "/v1/quotas", "/v1/quota-usages",
		"/v1/sentinel/policies", "/v1/sentinel/policy/{path...}",
		"/v1/recommendation", "/v1/recommendation/{path...}", "/v1/recommendations", "/v1/recommendations/apply",
		"/v1/operator/utilization",
	} {
		routes[path] = route{get: s.enterprise, put: s.enterprise, delete: s.enterprise}
	}
	for what, paths := range map[string][]string{
		"a volume of its own kind": {"/v1/volume/{path...}", "/v1/volumes/{path...}"},
		"a cluster of agents":      {"/v1/operator/raft/{path...}"},
		"a snapshot":               {"/v1/operator/snapshot"},
		"profiling":                {"/v1/agent/pprof/{path...}"},
		"a report on the machine":  {"/v1/agent/host"},
		"the log of a service":     {"/v1/agent/monitor/export"},
		"reloading":                {"/v1/agent/reload"},
		"an identity of the node":  {"/v1/client/identity", "/v1/client/identity/renew"},
	} {
		for _, path := range paths {
			h := unsupported(what)
			routes[path] = route{get: h, put: h, delete: h}
		}
	}
	return routes
}

// absent answers about things of which there are none. (Nomad: the texts.)
func absent(what string) route {
	later := unsupported("a " + what + " of its own kind")
	return route{put: later, delete: later, get: func(*request) (any, error) {
		return nil, fail(http.StatusNotFound, "%s not found", what)
	}}
}
