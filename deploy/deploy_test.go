package deploy_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/nomad/api"

	"ostro/deploy"
)

// wire is the way to a server that has no job yet and takes any, without a
// network so that time can be synthetic.
type wire struct {
	start    time.Time
	fault    func(elapsed time.Duration, r *http.Request) (status int, body string, err error)
	plan     api.JobPlanResponse
	job      *api.Job // nil before the register
	loses    int      // answers to registers that took place
	hole     bool     // and they are lost without a word
	requests []string
}

var errBlackHole = errors.New("black hole")

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	w.requests = append(w.requests, r.Method+" "+r.URL.Path)
	status, body, err := 0, "", error(nil)
	if w.fault != nil {
		status, body, err = w.fault(time.Since(w.start), r)
	}
	switch {
	case err == errBlackHole:
		<-r.Context().Done()
		return nil, r.Context().Err()
	case err != nil:
		return nil, err
	case status != 0:
		return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
	}
	reply := httptest.NewRecorder()
	w.answer(reply, r)
	if r.URL.Path == "/v1/jobs" && w.loses > 0 {
		w.loses--
		if w.hole {
			<-r.Context().Done()
			return nil, r.Context().Err()
		}
		return nil, errors.New("connection reset by peer")
	}
	return reply.Result(), nil
}

func (w *wire) answer(reply http.ResponseWriter, r *http.Request) {
	send := func(v any) { json.NewEncoder(reply).Encode(v) }
	switch r.Method + " " + r.URL.Path {
	case "GET /v1/job/web":
		if w.job == nil {
			http.Error(reply, "job not found", http.StatusNotFound)
			return
		}
		send(w.job)
	case "PUT /v1/job/web/plan":
		plan := w.plan
		if w.job != nil && len(w.requests) > 0 && w.registers() > 0 {
			plan.Diff, plan.JobModifyIndex = &api.JobDiff{Type: "None", ID: "web"}, *w.job.JobModifyIndex
		}
		send(plan)
	case "PUT /v1/jobs":
		var register api.JobRegisterRequest
		if err := json.NewDecoder(r.Body).Decode(&register); err != nil || register.EnforceIndex && register.JobModifyIndex != w.index() {
			http.Error(reply, "Enforcing job modify index", http.StatusInternalServerError)
			return
		}
		index := w.index() + 10
		w.job = register.Job
		w.job.Version, w.job.JobModifyIndex, w.job.Namespace, w.job.Region = new(index/10-1), &index, new("default"), new("global")
		send(api.JobRegisterResponse{EvalID: "eval", JobModifyIndex: index})
	case "GET /v1/job/web/evaluations":
		send([]*api.Evaluation{{ID: "eval", TriggeredBy: "job-register", CreateIndex: w.index()}})
	default:
		http.NotFound(reply, r)
	}
}

func (w *wire) index() uint64 {
	if w.job == nil {
		return 0
	}
	return *w.job.JobModifyIndex
}

// submitOver submits a job over the wire in synthetic time.
func (w *wire) client(t *testing.T) *api.Client {
	t.Helper()
	c, err := api.NewClient(&api.Config{Address: "http://nomad.test", HttpClient: &http.Client{Transport: w}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func submitOver(t *testing.T, w *wire, o deploy.Options) (*deploy.Receipt, error) {
	t.Helper()
	c := w.client(t)
	if w.plan.Diff == nil {
		w.plan.Diff = &api.JobDiff{Type: "Added", ID: "web"}
	}
	w.start = time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	job := &api.Job{ID: new("web"), Type: new("service"), TaskGroups: []*api.TaskGroup{{Name: new("a"), Count: new(1)}, {Name: new("b"), Count: new(1)}}}
	r, err := deploy.Submit(ctx, c, job, o)
	t.Logf("%+v, %v after %s: %v", r, err, time.Since(w.start), w.requests)
	return r, err
}

func (w *wire) registers() int {
	return len(slices.DeleteFunc(slices.Clone(w.requests), func(r string) bool { return r != "PUT /v1/jobs" }))
}

func TestNoContact(t *testing.T) {
	for name, err := range map[string]error{"refused": errors.New("connection refused"), "black hole": errBlackHole} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &wire{fault: func(time.Duration, *http.Request) (int, string, error) { return 0, "", err }}
				_, err := submitOver(t, w, deploy.Options{})
				if _, ok := errors.AsType[*deploy.Unreachable](err); !ok {
					t.Errorf("the error is %v", err)
				}
				if took := time.Since(w.start); took < 10*time.Second || took > 11*time.Second || len(w.requests) > 20 {
					t.Errorf("gave up after %s and %d requests", took, len(w.requests))
				}
			})
		})
	}
}

func TestContactComesInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{fault: func(elapsed time.Duration, _ *http.Request) (int, string, error) {
			if elapsed < 7*time.Second {
				return 500, "No cluster leader", nil
			}
			return 0, "", nil
		}}
		r, err := submitOver(t, w, deploy.Options{})
		if err != nil || r.EvalID != "eval" || r.JobModifyIndex != 10 || r.NoChange {
			t.Errorf("receipt %+v, error %v", r, err)
		}
	})
}

func TestRefusals(t *testing.T) {
	for name, test := range map[string]struct {
		status     int
		body, want string
	}{
		"no right":   {403, "Permission denied", "Permission denied"},
		"no region":  {500, "No path to region", "No path to region"},
		"validation": {500, "1 error occurred:\n\t* Missing job datacenters\n\n", "Missing job datacenters"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &wire{fault: func(time.Duration, *http.Request) (int, string, error) { return test.status, test.body, nil }}
				_, err := submitOver(t, w, deploy.Options{})
				refused, ok := errors.AsType[*deploy.Refused](err)
				if !ok || refused.Status != test.status || refused.Text != test.want || len(w.requests) != 1 {
					t.Errorf("the error is %v after %v", err, w.requests)
				}
			})
		})
	}
}

// A register whose answer never comes, on a server that then stays away: nobody
// knows.
func TestUnsettled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{}
		w.fault = func(time.Duration, *http.Request) (int, string, error) {
			if w.registers() > 0 {
				return 0, "", errors.New("connection reset by peer")
			}
			return 0, "", nil
		}
		_, err := submitOver(t, w, deploy.Options{})
		if _, ok := errors.AsType[*deploy.Unsettled](err); !ok || time.Since(w.start) < time.Hour {
			t.Errorf("the error is %v after %s", err, time.Since(w.start))
		}
		if w.registers() != 1 {
			t.Errorf("%d registers, want 1", w.registers())
		}
	})
}

// A launch whose answers never come may have taken place; one for which there was no
// connection has not.
func TestUnsettledDispatch(t *testing.T) {
	refused := &net.OpError{Op: "dial", Err: errors.New("connection refused")}
	for name, test := range map[string]struct {
		fault   error
		settled bool
	}{
		"never sent": {refused, true},
		"sent":       {errors.New("connection reset by peer"), false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &wire{start: time.Now(), fault: func(time.Duration, *http.Request) (int, string, error) { return 0, "", test.fault }}
				_, err := deploy.Dispatch(t.Context(), w.client(t), &api.Job{ID: new("web")}, api.DispatchOptions{})
				unsettled, unknown := errors.AsType[*deploy.Unsettled](err)
				if _, silent := errors.AsType[*deploy.Unreachable](err); silent != test.settled && !unknown || unknown == test.settled {
					t.Fatalf("the error is %v", err)
				}
				if unknown && (!unsettled.Launch || !strings.Contains(err.Error(), "while job web was being launched")) {
					t.Errorf("the error is %v", err)
				}
			})
		})
	}
}

// A register that took place is not repeated when its answer is lost; one that
// did not is.
func TestLostAnswer(t *testing.T) {
	for name, test := range map[string]struct {
		loses, unseen int
		hole          bool // the answer does not come, and nothing else
		want          int  // registers
	}{
		"after it took place":  {loses: 1, want: 1},
		"in a black hole":      {loses: 1, hole: true, want: 1},
		"before it took place": {unseen: 1, want: 2},
		"both":                 {loses: 1, unseen: 1, want: 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &wire{loses: test.loses, hole: test.hole}
				w.fault = func(_ time.Duration, r *http.Request) (int, string, error) {
					if r.URL.Path == "/v1/jobs" && test.unseen > 0 {
						test.unseen--
						return 500, "rpc error: EOF", nil
					}
					return 0, "", nil
				}
				var contact []bool
				r, err := submitOver(t, w, deploy.Options{Contact: func(err error) { contact = append(contact, err == nil) }})
				if err != nil || r.EvalID != "eval" || r.JobModifyIndex != 10 || r.JobVersion != 0 {
					t.Fatalf("receipt %+v, error %v", r, err)
				}
				if !slices.Equal(contact, []bool{false, true}) {
					t.Errorf("that contact is lost and back is told %v", contact)
				}
				if got := w.registers(); got != test.want {
					t.Errorf("%d registers, want %d", got, test.want)
				}
			})
		})
	}
}

func TestCounts(t *testing.T) {
	for _, test := range []struct {
		status string
		force  bool
		want   int
	}{
		{"running", false, 3}, {"running", true, 1}, {"dead", false, 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := &wire{job: &api.Job{
				ID: new("web"), Status: &test.status, JobModifyIndex: new(uint64(10)), Version: new(uint64(0)),
				TaskGroups: []*api.TaskGroup{{Name: new("a"), Count: new(3)}, {Name: new("gone"), Count: new(9)}},
			}}
			w.plan = api.JobPlanResponse{JobModifyIndex: 10, Diff: &api.JobDiff{Type: "Edited"}}
			if _, err := submitOver(t, w, deploy.Options{ForceCount: test.force}); err != nil {
				t.Fatal(err)
			}
			if a, b := *w.job.TaskGroups[0].Count, *w.job.TaskGroups[1].Count; a != test.want || b != 1 || len(w.job.TaskGroups) != 2 {
				t.Errorf("%+v: the counts are %d and %d", test, a, b)
			}
		})
	}
}

func TestUnplaceableIsNotSubmitted(t *testing.T) {
	failed := map[string]*api.AllocationMetric{"g": {
		NodesEvaluated: 3, CoalescedFailures: 1, NodesAvailable: map[string]int{"dc1": 3, "dc2": 0},
		ConstraintFiltered: map[string]int{"missing drivers": 2}, DimensionExhausted: map[string]int{"memory": 1},
	}}
	for _, test := range []struct {
		options deploy.Options
		submits bool
	}{
		{deploy.Options{}, false},
		{deploy.Options{WaitForCapacity: time.Minute}, true},
		{deploy.Options{Force: true}, true},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := &wire{plan: api.JobPlanResponse{FailedTGAllocs: failed}}
			_, err := submitOver(t, w, test.options)
			if submitted := w.registers() > 0; submitted != test.submits {
				t.Errorf("%+v: submitted is %v", test.options, submitted)
			}
			if test.submits {
				return
			}
			e, ok := errors.AsType[*deploy.Unplaceable](err)
			if !ok {
				t.Fatalf("the error is %v", err)
			}
			want := []string{`no node is available in datacenter "dc2"`, `constraint "missing drivers" filtered 2 nodes`, "memory exhausted on 1 node"}
			if diff := cmp.Diff(want, e.Groups[0].Reasons); diff != "" || e.Groups[0].Count != 2 {
				t.Errorf("%d unplaceable: %s", e.Groups[0].Count, diff)
			}
		})
	}
}

func TestOneSentence(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "job not found": "job not found", "Permission denied\n": "Permission denied",
		"1 error occurred:\n\t* Missing job task groups\n\n": "Missing job task groups",
		"2 errors occurred:\n\t* Task group a validation failed: 2 errors occurred:\n\t* no tasks\n\t* no count\n\n\n\t* job \"x\" is odd\n\n": "Task group a validation failed: no tasks; no count; job \"x\" is odd",
		"1 error occurred:\n\t* Task g:\n\t* Driver is empty\n":                                                                                "Task g: Driver is empty",
	} {
		if got := deploy.OneSentence(text); got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
}

func TestDiff(t *testing.T) {
	field := func(kind, name, before, after string, notes ...string) *api.FieldDiff {
		return &api.FieldDiff{Type: kind, Name: name, Old: before, New: after, Annotations: notes}
	}
	p := deploy.PlanResult{
		JobDiff: &api.JobDiff{
			Type: "Edited", ID: "web",
			Fields: []*api.FieldDiff{field("Edited", "Priority", "50", "60"), field("None", "Type", "service", "service"), field("Added", "Meta[git_sha]", "", "1a2b3c4"), field("Edited", "Meta[Delay]", "1", "2")},
			TaskGroups: []*api.TaskGroupDiff{
				{Type: "None", Name: "db"},
				{
					Type: "Edited", Name: "web", Updates: map[string]uint64{"create/destroy update": 1, "create": 2},
					Fields: []*api.FieldDiff{field("Edited", "Count", "1", "3", "forces create")},
					Tasks: []*api.TaskDiff{{
						Type: "Edited", Name: "server", Annotations: []string{"forces create/destroy update"},
						Objects: []*api.ObjectDiff{
							{Type: "None", Name: "Resources"},
							{Type: "Edited", Name: "RestartPolicy", Fields: []*api.FieldDiff{field("Edited", "Delay", "15000000000", "500000000")}},
							{Type: "Deleted", Name: "Artifact", Fields: []*api.FieldDiff{field("Deleted", "GetterSource", "https://a/b.zip", "")}},
							{Type: "Edited", Name: "Template", Fields: []*api.FieldDiff{field("Edited", "EmbeddedTmpl", "a = 1\nb = 2\nc = 3\n", "a = 1\nb = 4\nc = 3\n")}},
						},
					}},
				},
			},
		},
		Annotations: &api.PlanAnnotations{DesiredTGUpdates: map[string]*api.DesiredUpdates{"web": {Place: 2, DestructiveUpdate: 1}, "db": {Ignore: 1}}},
	}
	var got []string
	for _, l := range p.Diff() {
		got = append(got, l.String())
	}
	want := strings.Split(strings.TrimSpace(`
~ job "web"
~   Priority: "50" => "60"
+   Meta[git_sha]: "1a2b3c4"
~   Meta[Delay]: "1" => "2"
~   group "web" (2 create, 1 create/destroy update)
~     Count: "1" => "3" (forces create)
~     task "server" (forces create/destroy update)
~       RestartPolicy
~         Delay: "15s" => "500ms"
-       Artifact
-         GetterSource: "https://a/b.zip"
~       Template
~         EmbeddedTmpl:
            @@ -1,3 +1,3 @@
            a = 1
-           b = 2
+           b = 4
            c = 3
`), "\n")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"group db: 1 unchanged", "group web: 2 to place, 1 to replace"}, p.Outlook()); diff != "" {
		t.Error(diff)
	}
	if lines := (&deploy.PlanResult{JobDiff: &api.JobDiff{Type: "None"}}).Diff(); lines != nil {
		t.Errorf("no change gives %v", lines)
	}
}
