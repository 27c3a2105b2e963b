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
		"/v1/vars":                     {get: s.listVariables},
		"/v1/var/{path...}":            {get: s.readVariable, put: s.writeVariable, delete: s.deleteVariable},
	}
}
