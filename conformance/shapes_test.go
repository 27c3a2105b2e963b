package conformance

import (
	"encoding/json"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// unsent is why replies differ.
const unsent = "fields that the API's own types lack are not sent"

// shapes is about the raw replies: which fields they have, and of what type. Each
// endpoint is asked that the clients ask.
var shapes = []scenario{
	{name: "shapes-of-jobs", full: true, alone: true, differs: unsent, run: func(s *session) {
		s.furnish()
		for _, path := range []string{"/v1/jobs", "/v1/jobs?meta=true", "/v1/jobs/statuses", "/v1/job/JOB", "/v1/job/JOB/versions", "/v1/job/JOB/allocations", "/v1/job/JOB/evaluations",
			"/v1/job/JOB/deployments", "/v1/job/JOB/deployment", "/v1/job/JOB/summary", "/v1/job/JOB/scale", "/v1/job/JOB/submission?version=0", "/v1/job/JOB/services", "/v1/job/JOB/actions"} {
			s.shape(path)
		}
	}},
	{name: "shapes-of-allocations", full: true, alone: true, differs: unsent, run: func(s *session) {
		s.furnish()
		for _, path := range []string{"/v1/allocations", "/v1/allocations?resources=true", "/v1/allocations?task_states=false", "/v1/allocation/ALLOC", "/v1/evaluations", "/v1/evaluation/EVAL",
			"/v1/evaluation/EVAL/allocations", "/v1/evaluation/EVAL?related=true", "/v1/deployments", "/v1/deployment/DEPLOYMENT", "/v1/deployment/allocations/DEPLOYMENT", "/v1/node/NODE/allocations",
			"/v1/client/fs/ls/ALLOC?path=/", "/v1/client/fs/stat/ALLOC?path=/alloc", "/v1/allocation/ALLOC/services", "/v1/allocation/ALLOC/checks"} {
			s.shape(path)
		}
	}},
	{name: "shapes-of-the-cluster", full: true, alone: true, differs: unsent, run: func(s *session) {
		s.furnish()
		for _, path := range []string{"/v1/nodes", "/v1/nodes?resources=true", "/v1/nodes?os=true", "/v1/node/NODE", "/v1/namespaces", "/v1/namespace/default", "/v1/node/pools", "/v1/node/pool/default", "/v1/node/pool/default/nodes",
			"/v1/services", "/v1/service/JOB", "/v1/scaling/policies", "/v1/operator/scheduler/configuration", "/v1/status/leader", "/v1/status/peers", "/v1/regions", "/v1/agent/health", "/v1/vars",
			"/v1/var/nomad/jobs/JOB"} {
			s.shape(path)
		}
	}},
	{name: "shapes-of-replies", full: true, alone: true, differs: unsent, run: func(s *session) {
		j := spec{count: 2, update: "canary = 1"}
		register := func(j spec) {
			job, err := json.Marshal(map[string]any{"Job": s.parse(j.hcl(s.job))})
			s.check(err)
			s.shapeOf(http.MethodPut, "/v1/job/JOB/plan", strings.Replace(string(job), "{", `{"Diff":true,`, 1))
			s.shapeOf(http.MethodPut, "/v1/validate/job", string(job))
			s.shapeOf(http.MethodPut, "/v1/jobs", string(job))
		}
		register(j)
		s.untilDeployment("successful")
		j.script = "exec sleep 1001"
		register(j)
		s.untilHealthy("g", 1)
		s.shapeOf(http.MethodPut, "/v1/deployment/pause/DEPLOYMENT", `{"DeploymentID":"DEPLOYMENT","Pause":true}`)
		s.shapeOf(http.MethodPut, "/v1/deployment/pause/DEPLOYMENT", `{"DeploymentID":"DEPLOYMENT","Pause":false}`)
		s.shapeOf(http.MethodPut, "/v1/deployment/promote/DEPLOYMENT", `{"DeploymentID":"DEPLOYMENT","All":true}`)
		s.untilDeployment("successful")
		s.shapeOf(http.MethodGet, "/v1/job/JOB/versions?diffs=true", "")
		s.shapeOf(http.MethodPut, "/v1/job/JOB/evaluate", `{"JobID":"JOB"}`)
		s.shapeOf(http.MethodPut, "/v1/job/JOB/scale", `{"Target":{"Group":"g"},"Count":3,"Message":"more"}`)
		s.untilDeployment("successful")
		s.shapeOf(http.MethodPut, "/v1/job/JOB/stable", `{"JobID":"JOB","JobVersion":0,"Stable":true}`)
		s.shapeOf(http.MethodPut, "/v1/job/JOB/revert", `{"JobID":"JOB","JobVersion":0}`)
		s.untilHealthy("g", 1)
		s.shapeOf(http.MethodPut, "/v1/deployment/fail/DEPLOYMENT", `{"DeploymentID":"DEPLOYMENT"}`)
		s.shapeOf(http.MethodPut, "/v1/search", `{"Prefix":"shapes","Context":"jobs"}`)
		s.shapeOf(http.MethodPut, "/v1/search/fuzzy", `{"Text":"shapes","Context":"all"}`)
		s.shapeOf(http.MethodPut, "/v1/allocation/ALLOC/stop", "")
		s.shapeOf(http.MethodPut, "/v1/node/NODE/eligibility", `{"NodeID":"NODE","Eligibility":"ineligible"}`)
		s.shapeOf(http.MethodPut, "/v1/node/NODE/drain", `{"NodeID":"NODE","DrainSpec":null,"MarkEligible":true}`)
		s.shapeOf(http.MethodDelete, "/v1/job/JOB?purge=true", "")
	}},
}

// furnish leaves an engine with something of everything: a job with a canary that
// was promoted, a service, an allocation that failed, and a variable.
func (s *session) furnish() {
	s.Helper()
	j := spec{count: 2, update: "canary = 1\n" + checked, group: offers(s, tcpCheck), script: s.listener()}
	s.deploy(j)
	j.task = `env { A = "1" }`
	s.register(j)
	s.untilHealthy("g", 1)
	s.promote()
	s.untilDeployment("successful")
	s.writes("v")
	s.until("the old ones have ended", func() bool { return len(s.allocsAnyVersion("complete")) == 2 })
	s.untilServices(2)
}

// shape adds the shape of what an endpoint answers.
func (s *session) shape(path string) {
	s.Helper()
	s.shapeOf(http.MethodGet, path, "")
}

func (s *session) shapeOf(method, path, body string) {
	s.Helper()
	names := []string{"JOB", s.job}
	if strings.Contains(path+body, "DEPLOYMENT") {
		names = append(names, "DEPLOYMENT", s.deployment().ID)
	}
	if strings.Contains(path, "ALLOC") {
		names = append(names, "ALLOC", s.allocsAnyVersion("running")[0].ID)
	}
	if strings.Contains(path, "EVAL") {
		names = append(names, "EVAL", s.alloc("g[0]").EvalID)
	}
	if strings.Contains(path+body, "NODE") {
		names = append(names, "NODE", s.node().ID)
	}
	fill := strings.NewReplacer(names...)
	status, text := s.plainRequest(method, fill.Replace(path), fill.Replace(body))
	var value any
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		s.say("%s %s: %d %s", method, path, status, text)
		return
	}
	found := map[string]bool{}
	members(found, "", value)
	s.say("%s %s: %d\n  %s", method, path, status, strings.Join(slices.Sorted(maps.Keys(common(found))), "\n  "))
}

// chance are parts whose keys say nothing of the format.
var chance = regexp.MustCompile(`\.(Attributes|Details|Scores|Links|Meta|Drivers|NodesAvailable|ConstraintFiltered|Env|Config|Items|HostVolumes|HostNetworks|DisplayMessage)\b[.[].*`)

// checkIDs name the results of checks.
var checkIDs = regexp.MustCompile(`\.[0-9a-f]{32,}`)

// common leaves out what depends on the machine, on chance, and on the moment.
func common(found map[string]bool) map[string]bool {
	left := map[string]bool{}
	for path := range found {
		left[chance.ReplaceAllString(checkIDs.ReplaceAllString(path, ".ID"), ".$1 ...")] = true
	}
	return left
}
