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
		"/v1/namespace/{$}":            {get: s.noNamespaceName, put: s.noNamespaceName, delete: s.noNamespaceName},
		"/v1/namespace/{id}":           {get: s.readNamespace, put: s.writeNamespace, delete: s.deleteNamespace},
		"/v1/node/pools":               {get: s.listNodePools, put: s.writeNodePool},
		"/v1/search":                   {put: s.search},
		"/v1/search/fuzzy":             {put: s.fuzzySearch},
		"/v1/jobs/statuses":            {get: s.jobStatuses, put: s.jobStatuses},
		"/v1/evaluations/count":        {get: s.countEvals},
		"/v1/event/stream":             {get: s.eventStream},
		"/v1/metrics":                  {get: s.metrics},
		"/v1/agent/monitor":            {get: s.agentMonitor},
		"/v1/client/metadata":          {get: s.readNodeMeta, put: s.writeNodeMeta},
		"/v1/vars":                     {get: s.listVariables},
		"/v1/var/{path...}":            {get: s.readVariable, put: s.writeVariable, delete: s.deleteVariable},
	}
}

// operatorRoutes are the paths of who runs the agent.
func (s *server) operatorRoutes() map[string]route {
	return map[string]route{
		"/.well-known/jwks.json":                             {get: s.jwks},
		"/v1/operator/keyring/keys":                          {get: s.listRootKeys},
		"/v1/operator/keyring/rotate":                        {put: s.rotateRootKey},
		"/v1/operator/keyring/key/{id}":                      {delete: s.deleteRootKey},
		"/v1/operator/scheduler/configuration":               {get: s.readScheduler, put: s.writeScheduler},
		"/v1/operator/raft/configuration":                    {get: s.raftConfiguration},
		"/v1/operator/raft/peer":                             {delete: s.removePeer},
		"/v1/operator/autopilot/configuration":               {get: s.autopilotConfiguration, put: unsupported("setting up a cluster")},
		"/v1/operator/autopilot/health":                      {get: s.autopilotHealth},
		"/v1/operator/upgrade-check/vault-workload-identity": {get: s.vaultCheck},
		"/v1/agent/schedulers":                               {get: s.schedulers},
		"/v1/agent/schedulers/config":                        {get: s.schedulersConfig, put: unsupported("setting the workers")},
		"/v1/agent/join":                                     {put: s.join},
		"/v1/agent/force-leave":                              {put: s.forceLeave},
		"/v1/agent/keyring/{what}":                           {get: s.keyringOff, put: s.keyringOff},
	}
}

// aclRoutes are the paths of access control.
func (s *server) aclRoutes() map[string]route {
	none := s.withACL(s.nothing)
	later := s.withACL(unsupported("this part of access control"))
	return map[string]route{
		"/v1/acl/bootstrap":     {put: s.withACL(s.bootstrapACL)},
		"/v1/acl/tokens":        {get: s.withACL(s.listTokens)},
		"/v1/acl/token":         {put: s.withACL(s.writeToken)},
		"/v1/acl/token/self":    {get: s.selfToken},
		"/v1/acl/token/{id}":    {get: s.withACL(s.readToken), put: s.withACL(s.writeToken), delete: s.withACL(s.deleteToken)},
		"/v1/acl/policies":      {get: s.withACL(s.listACLPolicies)},
		"/v1/acl/policy/self":   {get: s.withACL(s.listACLPolicies)},
		"/v1/acl/policy/{id}":   {get: s.withACL(s.readACLPolicy), put: s.withACL(s.writeACLPolicy), delete: s.withACL(s.deleteACLPolicy)},
		"/v1/acl/roles":         {get: none},
		"/v1/acl/auth-methods":  {get: none},
		"/v1/acl/binding-rules": {get: none},
		"/v1/acl/token/onetime": {put: later},
		"/v1/acl/{path...}":     {get: later, put: later, delete: later},
	}
}

// poolRoutes are the paths of one node pool.
func (s *server) poolRoutes() map[string]route {
	return map[string]route{
		"/v1/node/pool/{$}":        {get: s.readNodePool, put: s.writeNodePool, delete: s.deleteNodePool},
		"/v1/node/pool/{id}":       {get: s.readNodePool, put: s.writeNodePool, delete: s.deleteNodePool},
		"/v1/node/pool/{id}/jobs":  {get: s.nodePoolJobs},
		"/v1/node/pool/{id}/nodes": {get: s.nodePoolNodes},
	}
}
