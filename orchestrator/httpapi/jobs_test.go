package httpapi

import (
	"encoding/json"
	"testing"

	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator/state"
)

func TestRegisterStoresAJobAndAsksForADecision(t *testing.T) {
	client, c := newAgent(t)
	reply := register(t, client, testJob("web"))
	eval, _, err := client.Evaluations().Info(reply.EvalID, nil)
	if err != nil {
		t.Fatal(err)
	}
	if eval.Status != api.EvalStatusPending || eval.TriggeredBy != "job-register" || eval.JobModifyIndex != reply.JobModifyIndex {
		t.Errorf("got evaluation %+v", eval)
	}
	job, meta, err := client.Jobs().Info("web", nil)
	if err != nil {
		t.Fatal(err)
	}
	if *job.Version != 0 || *job.Status != state.JobPending || *job.NodePool != "default" || *job.TaskGroups[0].Update.MaxParallel != 1 {
		t.Errorf("got job %+v", job)
	}
	if meta.LastIndex != *job.ModifyIndex || !meta.KnownLeader {
		t.Errorf("got meta %+v, job has index %d", meta, *job.ModifyIndex)
	}
	if c.Store.Snapshot().Eval(nil, reply.EvalID).CreateIndex != *job.CreateIndex {
		t.Error("the job and its evaluation are not one write")
	}
	list, _, err := client.Jobs().List(nil)
	if err != nil || len(list) != 1 || list[0].ID != "web" || list[0].JobSummary == nil {
		t.Errorf("got list %v, %v", list, err)
	}
}

func TestRegisterMakesAVersionOnlyOfAChange(t *testing.T) {
	client, _ := newAgent(t)
	first := register(t, client, testJob("web"))
	again := register(t, client, testJob("web"))
	if again.JobModifyIndex != first.JobModifyIndex || again.EvalID == first.EvalID || again.EvalID == "" {
		t.Errorf("the same job again: got %+v after %+v", again, first)
	}
	changed := testJob("web")
	changed.Meta = map[string]string{"git_sha": "1a2b3c4"}
	if _, _, err := client.Jobs().RegisterOpts(changed, &api.RegisterOptions{
		Submission: &api.JobSubmission{Source: "job web", Format: "hcl2"},
	}, nil); err != nil {
		t.Fatal(err)
	}
	versions, diffs, _, err := client.Jobs().Versions("web", true, nil)
	if err != nil || len(versions) != 2 || len(diffs) != 1 {
		t.Fatalf("got %d versions, %d diffs, %v", len(versions), len(diffs), err)
	}
	if *versions[0].Version != 1 || diffs[0].Fields[0].Name != "Meta[git_sha]" || diffs[0].Fields[0].New != "1a2b3c4" {
		t.Errorf("got %+v", diffs[0])
	}
	text, _, err := client.Jobs().Submission("web", 1, nil)
	if err != nil || text.Source != "job web" {
		t.Errorf("got submission %+v, %v", text, err)
	}
}

func TestRegisterEnforcesAnIndex(t *testing.T) {
	client, _ := newAgent(t)
	enforce := func(index uint64) error {
		_, _, err := client.Jobs().EnforceRegister(testJob("web"), index, nil)
		return err
	}
	refused(t, enforce(5), 500, "Enforcing job modify index 5: job does not exist")
	if err := enforce(0); err != nil {
		t.Fatal(err)
	}
	refused(t, enforce(0), 500, "Enforcing job modify index 0: job already exists")
	refused(t, enforce(5), 500, "Enforcing job modify index 5: job exists with conflicting job modify index: 3")
	if err := enforce(3); err != nil {
		t.Fatal(err)
	}
}

func TestRegisterOfALaunchedJobAsksForNothing(t *testing.T) {
	client, _ := newAgent(t)
	job := testJob("nightly")
	job.Type = new(api.JobTypeBatch)
	job.Periodic = &api.PeriodicConfig{Enabled: new(true), Specs: []string{"0 3 * * *"}, SpecType: new("cron")}
	if reply := register(t, client, job); reply.EvalID != "" {
		t.Errorf("got evaluation %q", reply.EvalID)
	}
	plan, _, err := client.Jobs().Plan(job, true, nil)
	if err != nil || plan.Annotations == nil || plan.NextPeriodicLaunch.IsZero() {
		t.Errorf("got plan %+v, %v", plan, err)
	}
}

func TestRegisterRefusesAnotherKindOfJob(t *testing.T) {
	client, _ := newAgent(t)
	register(t, client, testJob("web"))
	job := testJob("web")
	job.Type = new(api.JobTypeBatch)
	_, _, err := client.Jobs().Register(job, nil)
	refused(t, err, 500, `cannot update job from type "service" to "batch"`)
}

func TestPreserveCounts(t *testing.T) {
	client, _ := newAgent(t)
	job := testJob("web")
	job.TaskGroups[0].Count = new(3)
	register(t, client, job)
	if _, _, err := client.Jobs().RegisterOpts(testJob("web"), &api.RegisterOptions{PreserveCounts: true}, nil); err != nil {
		t.Fatal(err)
	}
	got, _, err := client.Jobs().Info("web", nil)
	if err != nil || *got.TaskGroups[0].Count != 3 || *got.Version != 0 {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestStop(t *testing.T) {
	client, _ := newAgent(t)
	if eval, _, err := client.Jobs().Deregister("nope", false, nil); err != nil || eval != "" {
		t.Errorf("a job that is not there: got %q, %v", eval, err)
	}
	register(t, client, testJob("web"))
	id, _, err := client.Jobs().Deregister("web", false, nil)
	if err != nil {
		t.Fatal(err)
	}
	eval, _, err := client.Evaluations().Info(id, nil)
	if err != nil || eval.TriggeredBy != "job-deregister" {
		t.Errorf("got %+v, %v", eval, err)
	}
	if job, _, err := client.Jobs().Info("web", nil); err != nil || !*job.Stop || *job.Version != 1 {
		t.Errorf("got %+v, %v", job, err)
	}
	if _, _, err := client.Jobs().Deregister("web", true, nil); err != nil {
		t.Fatal(err)
	}
	_, _, err = client.Jobs().Info("web", nil)
	refused(t, err, 404, "job not found")
}

func TestRevertAndStable(t *testing.T) {
	client, _ := newAgent(t)
	register(t, client, testJob("web"))
	changed := testJob("web")
	changed.Priority = new(70)
	register(t, client, changed)
	if _, _, err := client.Jobs().Stable("web", 0, true, nil); err != nil {
		t.Fatal(err)
	}
	_, _, err := client.Jobs().Revert("web", 1, nil, nil, "", "")
	refused(t, err, 500, "can't revert to current version")
	_, _, err = client.Jobs().Revert("web", 9, nil, nil, "", "")
	refused(t, err, 500, `job "web" in namespace "default" at version 9 not found`)
	_, _, err = client.Jobs().Revert("web", 0, new(uint64(3)), nil, "", "")
	refused(t, err, 500, "Current job has version 1; enforcing version 3")
	reply, _, err := client.Jobs().Revert("web", 0, nil, nil, "", "")
	if err != nil || reply.EvalID == "" {
		t.Fatalf("got %+v, %v", reply, err)
	}
	versions, _, _, err := client.Jobs().Versions("web", false, nil)
	if err != nil || len(versions) != 3 || *versions[0].Priority != 50 || *versions[0].Stable || !*versions[2].Stable {
		t.Errorf("got %+v, %v", versions, err)
	}
}

func TestEvaluate(t *testing.T) {
	client, _ := newAgent(t)
	register(t, client, testJob("web"))
	id, _, err := client.Jobs().ForceEvaluate("web", nil)
	if err != nil {
		t.Fatal(err)
	}
	evals, _, err := client.Jobs().Evaluations("web", nil)
	if err != nil || len(evals) != 2 || id == "" {
		t.Errorf("got %q of %d, %v", id, len(evals), err)
	}
}

func TestSlashesInAJobsID(t *testing.T) {
	client, _ := newAgent(t)
	register(t, client, testJob("a/b"))
	job, _, err := client.Jobs().Info("a/b", nil)
	if err != nil || *job.ID != "a/b" {
		t.Errorf("got %+v, %v", job, err)
	}
	if _, _, err := client.Jobs().Summary("a/b", nil); err != nil {
		t.Error(err)
	}
}

func TestListOfJobs(t *testing.T) {
	client, _ := newAgent(t)
	for _, id := range []string{"web-a", "web-b", "web-c", "other"} {
		register(t, client, testJob(id))
	}
	ids := func(q *api.QueryOptions) (out []string, next string) {
		t.Helper()
		list, meta, err := client.Jobs().List(q)
		if err != nil {
			t.Fatal(err)
		}
		for _, job := range list {
			out = append(out, job.ID)
		}
		return out, meta.NextToken
	}
	for name, c := range map[string]struct {
		q    api.QueryOptions
		want string
		next string
	}{
		"prefix":      {api.QueryOptions{Prefix: "web"}, "web-a web-b web-c", ""},
		"all spaces":  {api.QueryOptions{Prefix: "web-b", Namespace: "*"}, "web-b", ""},
		"elsewhere":   {api.QueryOptions{Namespace: "nope"}, "", ""},
		"first page":  {api.QueryOptions{Prefix: "web", PerPage: 2}, "web-a web-b", "default.web-c"},
		"second page": {api.QueryOptions{Prefix: "web", PerPage: 2, NextToken: "default.web-c"}, "web-c", ""},
		"filter":      {api.QueryOptions{Filter: `ID == "other"`}, "other", ""},
		"no children": {api.QueryOptions{Filter: `ParentID == "" and ParameterizedJob is not nil`}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, next := ids(&c.q)
			if text := join(got); text != c.want || next != c.next {
				t.Errorf("got %q then %q, want %q then %q", text, next, c.want, c.next)
			}
		})
	}
}

func TestListInReverse(t *testing.T) {
	client, _ := newAgent(t)
	first, second := register(t, client, testJob("a")), register(t, client, testJob("b"))
	for reverse, want := range map[string]string{"": first.EvalID, "?reverse=true": second.EvalID} {
		_, text, _ := do(t, client.Address(), "GET", "/v1/evaluations"+reverse, "", nil)
		var evals []api.Evaluation
		if err := json.Unmarshal([]byte(text), &evals); err != nil {
			t.Fatal(err)
		}
		if len(evals) != 2 || evals[0].ID != want {
			t.Errorf("%q: got %v", reverse, text)
		}
	}
}

func join(list []string) string {
	text := ""
	for i, item := range list {
		if i > 0 {
			text += " "
		}
		text += item
	}
	return text
}
