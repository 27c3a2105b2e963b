package httpapi

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

const nobody = "00000000-0000-0000-0000-999999999999"

// TestErrorsAreNomads holds the statuses and texts that tools look for.
func TestErrorsAreNomads(t *testing.T) {
	client, _ := newAgent(t)
	register(t, client, testJob("web"))
	for _, c := range []struct {
		method, path, body string
		status             int
		text               string
	}{
		{"GET", "/v1/job/nope", "", 404, "job not found"},
		{"GET", "/v1/job/nope/summary", "", 404, "job not found"},
		{"GET", "/v1/job/nope/scale", "", 404, "job not found"},
		{"GET", "/v1/job/nope/versions", "", 404, "job versions not found"},
		{"GET", "/v1/job/nope/allocations", "", 200, "[]"},
		{"GET", "/v1/job/nope/evaluations", "", 200, "[]"},
		{"GET", "/v1/job/nope/deployments", "", 200, "[]"},
		{"GET", "/v1/job/nope/deployment", "", 200, "null"},
		{"GET", "/v1/job/nope/submission?version=0", "", 404, "job source not found"},
		{"GET", "/v1/job/nope/submission", "", 400, "Unable to parse job submission version parameter"},
		{"PUT", "/v1/job/nope/evaluate", `{"JobID":"nope"}`, 500, "job not found"},
		{"PUT", "/v1/job/nope/revert", `{"JobID":"nope"}`, 500, `job "nope" not found`},
		{"PUT", "/v1/job/nope/stable", `{"JobID":"nope","JobVersion":1}`, 500, `job "nope" in namespace "default" at version 1 not found`},
		{"PUT", "/v1/job/nope/scale", `{"Count":1,"Target":{"Group":"g"}}`, 404, `job "nope" not found`},
		{"PUT", "/v1/job/nope/scale", `{"Count":1}`, 400, "missing task group name for scaling action"},
		{"PUT", "/v1/jobs", `{}`, 400, "Job must be specified"},
		{"PUT", "/v1/jobs", "", 400, "Request body is empty"},
		{"PUT", "/v1/jobs", "garbage", 400, "invalid character 'g' looking for beginning of value"},
		{"PUT", "/v1/jobs", `{"Job":{}}`, 400, "Job ID hasn't been provided"},
		{"PUT", "/v1/jobs", `{"Job":{"ID":"x"}}`, 500, "1 error occurred:\n\t* Missing job task groups\n\n"},
		{"PUT", "/v1/jobs", `{"Job":{"ID":"x","TaskGroups":[null]}}`, 400, "Job.TaskGroups[0] must not be null"},
		{"PUT", "/v1/jobs", `{"Job":{"ID":"x","TaskGroups":[{"Tasks":[{"Templates":[null]}]}]}}`, 400,
			"Job.TaskGroups[0].Tasks[0].Templates[0] must not be null"},
		{"PUT", "/v1/validate/job", `{}`, 400, "Job must be specified"},
		{"PUT", "/v1/validate/job", `{"Job":{"ID":"x"}}`, 200,
			`{"DriverConfigValidated":true,"ValidationErrors":["Missing job task groups"],"Error":"1 error occurred:\n\t* Missing job task groups\n\n","Warnings":""}`},
		{"PUT", "/v1/job/a/plan", `{"Job":{"ID":"b"}}`, 400, "Job ID does not match"},
		{"PUT", "/v1/jobs/parse", `{}`, 400, "Job spec is empty"},
		{"PATCH", "/v1/jobs", "", 405, "Invalid method"},
		{"OPTIONS", "/v1/jobs", "", 405, "Invalid method"},
		{"GET", "/v1/allocation/" + nobody, "", 404, "alloc not found"},
		{"GET", "/v1/allocation/abc", "", 500, "alloc lookup failed: index error: UUID must be 36 characters"},
		{"GET", "/v1/allocations?prefix=zz", "", 500, "alloc lookup failed: index error: Invalid UUID: encoding/hex: invalid byte: U+007A 'z'"},
		{"GET", "/v1/allocations?prefix=abc", "", 500, "alloc lookup failed: index error: Input (without hyphens) must be even length"},
		{"PUT", "/v1/allocation/" + nobody + "/stop", "", 404, "allocation not found"},
		{"GET", "/v1/client/allocation/" + nobody + "/stats", "", 404, `Unknown allocation "` + nobody + `"`},
		{"GET", "/v1/client/allocation/" + nobody + "/checks", "", 404, `Unknown allocation "` + nobody + `"`},
		{"PUT", "/v1/client/allocation/" + nobody + "/restart", `{}`, 404, `Unknown allocation "` + nobody + `"`},
		{"PUT", "/v1/client/allocation/" + nobody + "/signal", `{}`, 404, `Unknown allocation "` + nobody + `"`},
		{"GET", "/v1/client/fs/logs/" + nobody + "?task=t&type=stdout", "", 404, `Unknown allocation "` + nobody + `"`},
		{"GET", "/v1/client/fs/ls/" + nobody, "", 404, `Unknown allocation "` + nobody + `"`},
		{"GET", "/v1/client/fs/cat/" + nobody + "?path=x", "", 200, `Unknown allocation "` + nobody + `"`},
		{"GET", "/v1/client/fs/stat/" + nobody, "", 400, "must provide a file name"},
		{"GET", "/v1/client/fs/logs/" + nobody + "?type=stdout", "", 400, "must provide task name"},
		{"GET", "/v1/client/fs/logs/" + nobody + "?task=t", "", 400, "must provide log type (stdout/stderr)"},
		{"GET", "/v1/evaluation/" + nobody, "", 404, "eval not found"},
		{"GET", "/v1/evaluation/abc", "", 500, "failed to lookup eval: eval lookup failed: index error: UUID must be 36 characters"},
		{"GET", "/v1/evaluation/" + nobody + "/allocations", "", 200, "[]"},
		{"GET", "/v1/evaluations?prefix=g", "", 500, "eval lookup failed: index error: Input (without hyphens) must be even length"},
		{"GET", "/v1/evaluations?prefix=ab", "", 200, "[]"},
		{"GET", "/v1/deployment/" + nobody, "", 404, "deployment not found"},
		{"GET", "/v1/deployment/abc", "", 500, "deployment lookup failed: index error: UUID must be 36 characters"},
		{"GET", "/v1/deployment/allocations/" + nobody, "", 200, "[]"},
		{"PUT", "/v1/deployment/fail/" + nobody, `{}`, 500, "deployment not found"},
		{"PUT", "/v1/deployment/pause/" + nobody, `{"DeploymentID":"` + nobody + `"}`, 500, "deployment not found"},
		{"PUT", "/v1/deployment/promote/" + nobody, `{"DeploymentID":"` + nobody + `"}`, 500, "deployment not found"},
		{"PUT", "/v1/deployment/promote/" + nobody, `{}`, 400, "DeploymentID must be specified"},
		{"GET", "/v1/deployments?prefix=zz", "", 500, "index error: Invalid UUID: encoding/hex: invalid byte: U+007A 'z'"},
		{"GET", "/v1/node/" + nobody, "", 404, "node not found"},
		{"GET", "/v1/node/" + nobody + "/allocations", "", 200, "[]"},
		{"PUT", "/v1/node/" + nobody + "/eligibility", `{"Eligibility":"bogus"}`, 500, `invalid scheduling eligibility "bogus"`},
		{"GET", "/v1/client/stats?node_id=" + nobody, "", 404, "Unknown node " + nobody},
		{"GET", "/v1/nodes?prefix=zz", "", 500, "node lookup failed: index error: Invalid UUID: encoding/hex: invalid byte: U+007A 'z'"},
		{"GET", "/v1/namespace/nope", "", 404, "Namespace not found"},
		{"GET", "/v1/nope", "", 404, ""},
		{"GET", "/nope", "", 404, ""},
		{"GET", "/v1/jobs?index=abc", "", 400, "Invalid index"},
		{"GET", "/v1/jobs?wait=abc", "", 400, "Invalid wait time"},
		{"GET", "/v1/jobs?per_page=abc", "", 400, "Expect a number for `per_page` query string parameter"},
		{"GET", "/v1/jobs?filter=bad((", "", 400, "failed to create result paginator: failed to read filter expression: " +
			`1:4 (3): no match found, expected: "!=", ".", "==", "[", [ \t\r\n] or [a-zA-Z0-9_/]`},
		{"GET", "/v1/jobs?namespace=nope", "", 200, "[]"},
		{"GET", "/v1/jobs?region=mars", "", 500, "No path to region"},
		{"GET", "/v1/jobs?stale=maybe", "", 400, "Expect `true` or `false` for `stale` query string parameter"},
		{"PUT", "/v1/search", `{"Prefix":"x","Context":"nope"}`, 500, "context must be one of [allocs jobs nodes node_pools evals deployment " +
			`plugins volumes scaling_policy vars namespaces host_volumes] or 'all' for all contexts; got "nope"`},
		{"GET", "/v1/status/leader", "", 200, `"127.0.0.1:4646"`},
		{"GET", "/v1/status/peers", "", 200, `["127.0.0.1:4646"]`},
		{"GET", "/v1/regions", "", 200, `["global"]`},
		{"GET", "/v1/agent/health?type=client", "", 200, `{"client":{"message":"ok","ok":true}}`},
		{"GET", "/v1/allocation/" + nobody + "/checks", "", 404, `Unknown allocation "` + nobody + `"`},
		{"GET", "/v1/agent/health", "", 200, `{"client":{"message":"ok","ok":true},"server":{"message":"ok","ok":true}}`},
		{"GET", "/v1/quotas", "", 501, "Nomad Enterprise only endpoint"},
		{"PUT", "/v1/quota", `{}`, 501, "Nomad Enterprise only endpoint"},
		{"DELETE", "/v1/sentinel/policy/x", "", 501, "Nomad Enterprise only endpoint"},
		{"GET", "/v1/volume/csi/nope", "", 404, "volume not found"},
		{"GET", "/v1/volume/host/nope", "", 404, "volume not found"},
		{"GET", "/v1/plugin/csi/nope", "", 404, "plugin not found"},
		{"PUT", "/v1/volume/csi/nope", `{}`, 501, "a volume of its own kind is not supported by this agent"},
		{"GET", "/v1/operator/snapshot", "", 501, "a snapshot is not supported by this agent"},
		{"DELETE", "/v1/evaluations", `{}`, 400, "evals must be deleted by either ID or filter"},
		{"DELETE", "/v1/evaluations", `{"EvalIDs":["x"],"Filter":"y"}`, 400, "evals cannot be deleted by both ID and filter"},
		{"DELETE", "/v1/evaluations", `{"EvalIDs":["x"]}`, 500, "eval broker is enabled; eval broker must be paused to delete evals"},
		{"GET", "/v1/client/allocation/nope/gc", "", 404, `Unknown allocation "nope"`},
		{"GET", "/v1/job/nope/action?allocID=nope", "", 404, `Unknown allocation "nope"`},
		{"GET", "/v1/operator/license", "", 204, ""},
		{"GET", "/v1/event/stream?topic=a:b:c", "", 400, "Invalid topic query: error parsing topics: Invalid key value pair for topic, topic: a:b:c"},
		{"GET", "/v1/event/stream?index=abc", "", 400, `Unable to parse index: strconv.Atoi: parsing "abc": invalid syntax`},
	} {
		t.Run(c.method+" "+c.path, func(t *testing.T) {
			status, text, _ := do(t, client.Address(), c.method, c.path, c.body, nil)
			if status != c.status || text != c.text {
				t.Errorf("got %d %q, want %d %q", status, text, c.status, c.text)
			}
		})
	}
}

// do sends a request as it is.
func do(t *testing.T, address, method, path, body string, header map[string]string) (int, string, http.Header) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, address+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range header {
		if name == "Host" {
			r.Host = value
			continue
		}
		r.Header.Set(name, value)
	}
	reply, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close()
	text, err := io.ReadAll(reply.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply.StatusCode, string(text), reply.Header
}
