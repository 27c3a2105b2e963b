package httpapi_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"ostro/nomadtest"
	"ostro/orchestrator/decide"
	"ostro/orchestrator/httpapi"
	"ostro/orchestrator/state"
)

// object is a job as it goes over the wire.
type object = map[string]any

// TestJobsAreAsOnTheNomadHere registers the same jobs here and on the Nomad
// that is on PATH: the answers and what becomes of the jobs have to be the same.
func TestJobsAreAsOnTheNomadHere(t *testing.T) {
	if os.Getenv("OSTRO_TEST") != "full" && !*record {
		t.Skip("OSTRO_TEST is not full: TestOddJobs holds what a Nomad said before")
	}
	nomad := nomadtest.Start(t, "").Client.Address()
	said := map[string]verdict{}
	ours := serve(t)
	jobs := wireJobs(t)
	for _, name := range slices.Sorted(maps.Keys(jobs)) {
		if why := notLikeNomad(name); why != "" {
			t.Logf("%s: %s", name, why)
			continue
		}
		want, got := registerWire(t, nomad, jobs[name]), registerWire(t, ours, jobs[name])
		if !strings.HasSuffix(name, ".golden") {
			said[name] = want.verdict
		}
		if want.verdict != got.verdict {
			t.Errorf("%s\n  nomad %d %s\n  ours  %d %s", name, want.Status, want.Text, got.Status, got.Text)
			continue
		}
		compareWire("", want.job, got.job, func(path string, want, got any) {
			t.Errorf("%s: %s: nomad %v, ours %v", name, path, want, got)
		})
	}
	if *record {
		text, err := json.MarshalIndent(said, "", "\t")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile("testdata/odd.json", append(text, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

var record = flag.Bool("record", false, "keep what the Nomad on PATH says of the odd jobs")

// TestOddJobs holds what a Nomad once said of the odd jobs.
func TestOddJobs(t *testing.T) {
	text, err := os.ReadFile("testdata/odd.json")
	if err != nil {
		t.Fatal(err)
	}
	said := map[string]verdict{}
	if err := json.Unmarshal(text, &said); err != nil {
		t.Fatal(err)
	}
	ours, checked := serve(t), 0
	for name, job := range oddJobs(t) {
		want, known := said[name]
		if !known && notLikeNomad(name) == "" {
			t.Errorf("%s: nobody asked a Nomad about it: run this with nomad on PATH and -record", name)
		}
		if got := registerWire(t, ours, job).verdict; known && got != want {
			t.Errorf("%s\n  nomad %d %s\n  ours  %d %s", name, want.Status, want.Text, got.Status, got.Text)
		}
		checked++
	}
	if checked < 100 {
		t.Errorf("only %d odd jobs", checked)
	}
}

// serve gives the address of an agent that has no nodes.
func serve(t *testing.T) string {
	t.Helper()
	store, err := state.Open(state.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	clock := decide.Clock{Now: time.Now, NewID: uuid.NewString}
	web := httptest.NewServer(httpapi.New(httpapi.Config{
		Store: store, Region: "global", Datacenter: "dc1", Address: "127.0.0.1:4646", Clock: clock, Planner: decide.NewPlanner(clock),
	}))
	t.Cleanup(web.Close)
	return web.URL
}

// send makes a request and gives the status and the text of the answer.
func send(t *testing.T, address, method, path, body string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, address+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
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
	return reply.StatusCode, string(text)
}

// notLikeNomad says why a job is treated differently on purpose.
func notLikeNomad(name string) string {
	if strings.HasPrefix(name, "connect_") {
		return "Consul Connect is not here"
	}
	if strings.HasPrefix(name, `job: {"VersionTag"`) {
		return "a version gets its tag only by tagging: one that comes with a job would stand on two"
	}
	return ""
}

// wireJobs are the jobs of the parser's tests, and the odd ones.
func wireJobs(t *testing.T) map[string]object {
	t.Helper()
	jobs := oddJobs(t)
	files, err := filepath.Glob("../../jobspec/testdata/jobs/*.golden")
	if err != nil || len(files) == 0 {
		t.Fatalf("no jobs: %v", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var doc struct{ Job object }
		if err := json.Unmarshal(text, &doc); err != nil {
			t.Fatal(err)
		}
		if doc.Job != nil {
			jobs[filepath.Base(file)] = doc.Job
		}
	}
	return jobs
}

// oddJobs are the smallest job with what each line of odd.txt sets.
func oddJobs(t *testing.T) map[string]object {
	t.Helper()
	text, err := os.ReadFile("testdata/odd.txt")
	if err != nil {
		t.Fatal(err)
	}
	jobs := map[string]object{}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		level, patch, found := strings.Cut(line, ": ")
		if strings.HasPrefix(line, "#") || !found {
			continue
		}
		changes := object{}
		if err := json.Unmarshal([]byte(strings.ReplaceAll(patch, "LONG", strings.Repeat("x", 1001))), &changes); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		jobs[line] = oddJob(level, changes)
	}
	if len(jobs) == 0 {
		t.Fatal("no odd jobs")
	}
	return jobs
}

func oddJob(level string, changes object) object {
	task := object{"Name": "t", "Driver": "raw_exec", "Config": object{"command": "/bin/true"}}
	group := object{"Name": "g", "Count": 1, "Tasks": []any{task}}
	job := object{"ID": "odd", "Type": "service", "TaskGroups": []any{group}, "Constraints": []any{
		object{"LTarget": "${attr.kernel.name}", "RTarget": "none", "Operand": "="}, // It never runs.
	}}
	check := object{"Type": "tcp", "Interval": 1e9, "Timeout": 1e9}
	service := object{"Name": "s", "Provider": "nomad", "PortLabel": "p"}
	switch level {
	case "job":
		maps.Copy(job, changes)
	case "group":
		maps.Copy(group, changes)
	case "task":
		maps.Copy(task, changes)
	case "taskservice":
		maps.Copy(service, changes)
		task["Services"] = []any{service}
	default:
		group["Networks"] = []any{object{"DynamicPorts": []any{object{"Label": "p"}}}}
		group["Services"] = []any{service}
		if level == "service" {
			maps.Copy(service, changes)
			break
		}
		if level == "consulcheck" {
			service["Provider"] = "consul"
		}
		maps.Copy(check, changes)
		service["Checks"] = []any{check}
	}
	return job
}

// verdict is what an agent answers to a job: why it refuses it, or what it
// warns of.
type verdict struct {
	Status int
	Text   string
}

// registered is a verdict, and the job as the agent shows it.
type registered struct {
	verdict
	job any
}

// registerWire registers a job, reads it back and purges it.
func registerWire(t *testing.T, address string, job object) registered {
	t.Helper()
	body, err := json.Marshal(object{"Job": job})
	if err != nil {
		t.Fatal(err)
	}
	path := "/v1/job/" + url.PathEscape(fmt.Sprint(job["ID"]))
	status, text := send(t, address, "PUT", "/v1/jobs", string(body))
	if status != 200 {
		return registered{verdict: verdict{status, text}}
	}
	var reply struct{ Warnings string }
	if err := json.Unmarshal([]byte(text), &reply); err != nil {
		t.Fatal(err)
	}
	r := registered{verdict: verdict{status, reply.Warnings}}
	_, text = send(t, address, "GET", path, "")
	if err := json.Unmarshal([]byte(text), &r.job); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	send(t, address, "DELETE", path+"?purge=true", "")
	return r
}

// compareWire reports where two jobs differ. A field that one of them leaves
// out is the zero of it, and what an agent counts or times is its own.
func compareWire(path string, want, got any, report func(path string, want, got any)) {
	a, isA := want.(object)
	b, isB := got.(object)
	if isA && isB {
		for _, key := range slices.Sorted(maps.Keys(merged(a, b))) {
			switch {
			case strings.HasSuffix(key, "Index"), key == "SubmitTime", key == "Status", strings.HasSuffix(path, ".Scaling") && key == "ID":
			case key == "Namespace" && strings.HasSuffix(path, ".Services[]"): // The client library has no place for it.
			default:
				compareWire(path+"."+key, a[key], b[key], report)
			}
		}
		return
	}
	listA, isA := want.([]any)
	listB, isB := got.([]any)
	if isA && isB && len(listA) == len(listB) {
		for i := range listA {
			compareWire(path+"[]", listA[i], listB[i], report)
		}
		return
	}
	if !zero(want) || !zero(got) {
		if x, y := fmt.Sprint(want), fmt.Sprint(got); x != y {
			report(path, want, got)
		}
	}
}

func merged(a, b object) object {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}

func zero(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case string:
		return v == ""
	case float64:
		return v == 0
	case bool:
		return !v
	}
	return false
}
