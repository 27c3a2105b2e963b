package conformance

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// answers is about what is said to requests that make no sense.
var answers = []scenario{
	{name: "times-that-have-not-come", full: true, run: func(s *session) {
		s.register(spec{update: impatient, task: `kill_timeout = "1s"`, group: nowhere, more: undeployed(spec{}).another("h")})
		s.untilAllocs(1, "running")
		s.untilBlocked()
		a := s.alloc("h[0]")
		_, text := s.plainRequest(http.MethodGet, "/v1/allocation/"+a.ID, "")
		_, of := s.plainRequest(http.MethodGet, "/v1/job/"+s.job+"/deployment", "")
		for _, line := range slices.Concat(strings.Split(shapeOf(text), "\n"), strings.Split(shapeOf(of), "\n")) {
			if strings.Contains(line, "TaskStates.t.FinishedAt") || strings.Contains(line, "TaskStates.t.LastRestart") || strings.Contains(line, "RequireProgressBy") {
				s.say("%s", line)
			}
		}
	}},
	{name: "jobs-as-json-that-are-refused", full: true, run: func(s *session) {
		const job = `{"Job":{"ID":"jobs-as-json-that-are-refused","Name":"x","Type":"service","TaskGroups":[{"Name":"g","Tasks":[{"Name":"t","Driver":"raw_exec"}]}]}}`
		for _, change := range []struct{ of, to string }{
			{`"Type":"service"`, `"Type":""`}, {`"Type":"service"`, `"Type":"nope"`}, {`"Name":"x"`, `"Name":"x","Constraints":[{}]`},
			{`"Name":"g"`, `"Name":"g","Constraints":[{"LTarget":"${node.class}","Operand":"","RTarget":"x"}]`},
			{`"Name":"g"`, `"Name":"g","Services":[{"Name":"x","Provider":"nomad","Cluster":"nope","TaskName":"nope","Checks":[{"Name":"c","Type":"tcp","Interval":1000000000,"Timeout":1000000000}]}]`},
			{`"Name":"g"`, `"Name":"g","Services":[{"Name":"x","Provider":"consul","Cluster":"nope"}]`},
			{`"Driver":`, `"Identity":{"Name":"a b","Audience":["x"]},"Driver":`}, {`"Driver":`, `"Resources":{"Devices":[{}]},"Driver":`},
			{`"Driver":`, `"Artifacts":[{"GetterSource":"http://127.0.0.1/a","GetterMode":"nope"}],"Driver":`},
		} {
			s.say("%s", change.to)
			s.ask(http.MethodPut, "/v1/job/"+s.job+"/plan", strings.Replace(job, change.of, change.to, 1))
		}
	}},
	{name: "requests-about-nothing", full: true, alone: true, run: func(s *session) {
		const nobody = "00000000-0000-0000-0000-000000000000"
		node := s.firstNode()
		for _, request := range []struct{ method, path, body string }{
			{http.MethodPut, "/v1/node/nope/drain", "{}"}, {http.MethodPut, "/v1/node/nope/eligibility", `{"Eligibility":"eligible"}`},
			{http.MethodPut, "/v1/node/" + node + "/eligibility", `{"NodeID":"` + nobody + `","Eligibility":"eligible"}`},
			{http.MethodPost, "/v1/client/metadata?node_id=" + node, `{"Meta":{"":"x"}}`}, {http.MethodPut, "/v1/namespace/", `{"Name":""}`}, {http.MethodDelete, "/v1/namespace/", ""},
			{http.MethodPut, "/v1/node/pool/", `{"Name":""}`}, {http.MethodDelete, "/v1/node/pool/", ""}, {http.MethodGet, "/v1/node/pool/", ""},
			{http.MethodPut, "/v1/node/pools", `{"Name":"a b","SchedulerConfiguration":{"SchedulerAlgorithm":"spread"}}`},
			{http.MethodGet, "/v1/allocations?task_states=x", ""}, {http.MethodGet, "/v1/allocations?resources=x", ""},
			{http.MethodPut, "/v1/client/allocation/" + nobody + "/restart", `{"TaskName":"t","AllTasks":true}`},
		} {
			s.ask(request.method, request.path, request.body)
		}
	}},
	{name: "requests-that-make-no-sense", full: true, alone: true, run: func(s *session) {
		const nobody = "00000000-0000-0000-0000-000000000000"
		for _, path := range []string{"/v1/job/nope", "/v1/job/nope/allocations", "/v1/job/nope/evaluations", "/v1/job/nope/deployments", "/v1/job/nope/deployment", "/v1/job/nope/summary",
			"/v1/job/nope/versions", "/v1/job/nope/scale", "/v1/job/nope/submission?version=0", "/v1/job/nope/services", "/v1/job/nope/actions", "/v1/job/nope/plan", "/v1/allocation/" + nobody, "/v1/allocation/nope",
			"/v1/evaluation/nope", "/v1/evaluation/" + nobody + "/allocations", "/v1/deployment/nope", "/v1/deployment/" + nobody, "/v1/deployment/allocations/" + nobody, "/v1/node/nope", "/v1/node/" + nobody + "/allocations",
			"/v1/namespace/nope", "/v1/node/pool/nope", "/v1/var/nope", "/v1/service/nope", "/v1/scaling/policy/" + nobody, "/v1/nope", "/v1/jobs?filter=nope", "/v1/jobs?filter=ID+%3D%3D+1", "/v1/jobs?per_page=x",
			"/v1/jobs?index=x", "/v1/jobs?wait=x", "/v1/jobs?namespace=nope", "/v1/evaluations?filter=Nope+%3D%3D+1", "/v1/allocations?filter=", "/v1/vars?prefix=nope", "/v1/evaluations?status=nope", "/v1/event/stream?topic=nope:x&index=x",
			"/v1/allocations?prefix=zz", "/v1/nodes?prefix=0", "/v1/jobs?prefix=nope", "/v1/job/nope?pretty", "/v1/client/fs/cat/" + nobody + "?path=/", "/v1/client/allocation/" + nobody + "/stats", "/v1/client/fs/logs/" + nobody + "?task=t&type=stdout"} {
			s.ask(http.MethodGet, path, "")
		}
		for _, path := range []string{"/v1/jobs", "/v1/job/nope", "/v1/job/nope/plan", "/v1/job/nope/evaluate", "/v1/job/nope/revert", "/v1/job/nope/stable", "/v1/job/nope/scale", "/v1/job/nope/dispatch", "/v1/job/nope/periodic/force", "/v1/jobs/parse",
			"/v1/validate/job", "/v1/allocation/" + nobody + "/stop", "/v1/deployment/promote/" + nobody, "/v1/deployment/fail/" + nobody, "/v1/deployment/pause/" + nobody, "/v1/deployment/unblock/" + nobody, "/v1/deployment/allocation-health/" + nobody,
			"/v1/node/" + nobody + "/drain", "/v1/node/" + nobody + "/eligibility", "/v1/node/" + nobody + "/purge", "/v1/node/" + nobody + "/evaluate", "/v1/namespaces", "/v1/namespace/nope", "/v1/node/pools", "/v1/var/nope", "/v1/search", "/v1/search/fuzzy",
			"/v1/operator/scheduler/configuration", "/v1/system/gc", "/v1/system/reconcile/summaries", "/v1/client/allocation/" + nobody + "/restart", "/v1/client/allocation/" + nobody + "/signal"} {
			s.ask(http.MethodPut, path, "")
			s.ask(http.MethodPut, path, "{}")
			s.ask(http.MethodPut, path, "nope")
		}
		for _, path := range []string{"/v1/job/nope", "/v1/namespace/nope", "/v1/node/pool/nope", "/v1/var/nope", "/v1/jobs", "/v1/job/nope/versions/x/tag", "/v1/service/nope/x", "/v1/evaluations"} {
			s.ask(http.MethodDelete, path, "")
		}
	}},
}

// ask adds the status and the text of the reply to a plain request.
func (s *session) ask(method, path, body string) {
	status, text := s.plainRequest(method, path, body)
	if status == http.StatusOK {
		text = shapeOf(text)
	}
	s.say("%s %s %s: %d %s", method, path, body, status, text)
}

func (s *session) plainRequest(method, path, body string) (int, string) {
	s.Helper()
	request, err := http.NewRequestWithContext(s.Context(), method, s.client.Address()+path, strings.NewReader(body))
	s.check(err)
	request.Header.Set("Content-Type", "application/json")
	reply, err := http.DefaultClient.Do(request)
	s.check(err)
	defer reply.Body.Close()
	text, err := io.ReadAll(reply.Body)
	s.check(err)
	return reply.StatusCode, strings.TrimSpace(string(text))
}

// shapeOf lists the paths of all parts of a JSON text, with their types.
func shapeOf(text string) string {
	var value any
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		return text
	}
	found := map[string]bool{}
	members(found, "", value)
	return "  " + strings.Join(slices.Sorted(maps.Keys(found)), "\n  ")
}

func members(found map[string]bool, path string, value any) {
	switch v := value.(type) {
	case map[string]any:
		if len(v) == 0 {
			found[path+" {}"] = true
		}
		for name, part := range v {
			members(found, path+"."+name, part)
		}
	case []any:
		if len(v) == 0 {
			found[path+" []"] = true
		}
		for _, part := range v {
			members(found, path+"[]", part)
		}
	default:
		found[fmt.Sprintf("%s %T", path, value)] = true
	}
}
