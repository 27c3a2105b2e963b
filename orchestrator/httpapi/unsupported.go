package httpapi

import "net/http"

// unsupported answers for a part of Nomad's API that is not here.
func unsupported(what string) handler {
	return func(*request) (any, error) {
		return nil, fail(http.StatusNotImplemented, "%s is not supported by this agent", what)
	}
}

// unsupportedRoutes are the paths of Nomad's API that are known and not
// answered, so that nobody takes a missing feature for a mistyped path.
func unsupportedRoutes() map[string]route {
	routes := map[string]route{}
	for what, paths := range map[string][]string{
		"a job action": {"/v1/job/{id}/action"},
	} {
		for _, path := range paths {
			h := unsupported(what)
			routes[path] = route{get: h, put: h, delete: h}
		}
	}
	return routes
}
