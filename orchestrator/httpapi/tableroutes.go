package httpapi

// tableRoutes are the paths of what is kept for jobs rather than of jobs.
func (s *server) tableRoutes() map[string]route {
	return map[string]route{
		"/v1/services":                 {get: s.listServices},
		"/v1/service/{$}":              {get: s.noServiceName},
		"/v1/service/{name}":           {get: s.readService},
		"/v1/service/{name}/{id}":      {delete: s.deleteService},
		"/v1/service/{name}/{$}":       {delete: s.noServiceID},
		"/v1/job/{id}/services":        {get: s.jobServices},
		"/v1/allocation/{id}/services": {get: s.allocServices},
		"/v1/namespaces":               {get: s.listNamespaces},
		"/v1/namespace":                {put: s.writeNamespace},
		"/v1/namespace/{$}":            {get: s.noNamespaceName},
		"/v1/namespace/{id}":           {get: s.readNamespace, put: s.writeNamespace, delete: s.deleteNamespace},
		"/v1/node/pools":               {get: s.listNodePools, put: s.writeNodePool},
		"/v1/search":                   {put: s.search},
		"/v1/search/fuzzy":             {put: s.fuzzySearch},
		"/v1/jobs/statuses":            {get: s.jobStatuses, put: s.jobStatuses},
		"/v1/evaluations/count":        {get: s.countEvals},
		"/v1/event/stream":             {get: s.eventStream},
		"/v1/metrics":                  {get: s.metrics},
		"/v1/agent/monitor":            {get: s.agentMonitor},
		"/v1/vars":                     {get: s.listVariables},
		"/v1/var/{path...}":            {get: s.readVariable, put: s.writeVariable, delete: s.deleteVariable},
	}
}

// poolRoutes are the paths of one node pool.
func (s *server) poolRoutes() map[string]route {
	return map[string]route{
		"/v1/node/pool/{id}":       {get: s.readNodePool, put: s.writeNodePool, delete: s.deleteNodePool},
		"/v1/node/pool/{id}/jobs":  {get: s.nodePoolJobs},
		"/v1/node/pool/{id}/nodes": {get: s.nodePoolNodes},
	}
}
