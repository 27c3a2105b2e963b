package httpapi

import (
	"testing"

	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator/state"
)

func scalable(id string, low, high int64) *api.Job {
	job := testJob(id)
	job.TaskGroups[0].Scaling = &api.ScalingPolicy{Min: &low, Max: &high, Policy: map[string]any{"cooldown": "1m"}}
	return job
}

func scale(t *testing.T, client *api.Client, count int) {
	t.Helper()
	if _, _, err := client.Jobs().Scale("web", "g", &count, "more", false, nil, nil); err != nil {
		t.Fatal(err)
	}
}

func TestScaleWithinItsPolicy(t *testing.T) {
	client, c := newAgent(t)
	if _, _, err := client.Jobs().RegisterOpts(scalable("web", 0, 4), &api.RegisterOptions{
		Submission: &api.JobSubmission{Source: "job web", Format: "hcl2"},
	}, nil); err != nil {
		t.Fatal(err)
	}
	reply, _, err := client.Jobs().Scale("web", "g", new(3), "more", false, map[string]any{"who": "me"}, nil)
	if err != nil || reply.EvalID == "" {
		t.Fatalf("got %+v, %v", reply, err)
	}
	if eval := c.Store.Snapshot().Eval(nil, reply.EvalID); eval.TriggeredBy != "job-scaling" {
		t.Errorf("got the evaluation %+v", eval)
	}
	if text, _, err := client.Jobs().Submission("web", 1, nil); err != nil || text.Source != "job web" {
		t.Errorf("the new version has the source %+v, %v", text, err)
	}
	_, _, err = client.Jobs().Scale("web", "g", new(5), "", false, nil, nil)
	refused(t, err, 400, "group count was greater than scaling policy maximum: 5 > 4")
	if _, _, err := client.Jobs().Scale("web", "g", nil, "it is broken", true, nil, nil); err != nil {
		t.Fatal(err)
	}
	status, _, err := client.Jobs().ScaleStatus("web", nil)
	if err != nil {
		t.Fatal(err)
	}
	events := status.TaskGroups["g"].Events
	if len(events) != 2 || !events[0].Error || events[0].Count != nil || events[0].PreviousCount != 3 || events[0].EvalID != nil {
		t.Fatalf("got the events %+v", events)
	}
	if e := events[1]; *e.Count != 3 || e.PreviousCount != 1 || e.Message != "more" || e.Meta["who"] != "me" || *e.EvalID != reply.EvalID || e.CreateIndex == 0 {
		t.Errorf("got the event %+v", e)
	}
	if job, _, err := client.Jobs().Info("web", nil); err != nil || *job.Version != 1 || *job.TaskGroups[0].Count != 3 {
		t.Errorf("got %+v, %v", job, err)
	}
}

func TestScalingEventsAreLimited(t *testing.T) {
	client, _ := newAgent(t)
	register(t, client, testJob("web"))
	for count := range 25 {
		scale(t, client, count)
	}
	status, _, err := client.Jobs().ScaleStatus("web", nil)
	if err != nil {
		t.Fatal(err)
	}
	events := status.TaskGroups["g"].Events
	if len(events) != 20 || *events[0].Count != 24 || *events[19].Count != 5 {
		t.Errorf("kept %d events, %+v", len(events), events)
	}
}

func TestScaleRefuses(t *testing.T) {
	client, c := newAgent(t)
	register(t, client, scalable("web", 1, 4))
	system := testJob("sys")
	system.Type = new(api.JobTypeSystem)
	register(t, client, system)
	register(t, client, testJob("busy"))
	update(t, c, func(tx *state.Txn) {
		job := tx.Job(nil, "default", "busy")
		tx.PutDeployment(&api.Deployment{ID: deployment1, Namespace: "default", JobID: "busy", JobCreateIndex: *job.CreateIndex, Status: "running"})
	})
	for _, c := range []struct {
		job, body string
		status    int
		text      string
	}{
		{"web", `{"Count":-1,"Target":{"Group":"g"}}`, 400, "scaling action count can't be negative"},
		{"web", `{"Count":0,"Target":{"Group":"g"}}`, 400, "group count was less than scaling policy minimum: 0 < 1"},
		{"web", `{"Count":2,"Error":true,"Target":{"Group":"g"}}`, 400, "scaling action should not contain count if error is true"},
		{"web", `{"Count":2,"Target":{"Group":"g","Job":"x"}}`, 400, "job ID in payload did not match URL"},
		{"web", `{"Count":2,"Target":{"Group":"g","Namespace":"x"}}`, 400, "namespace in payload did not match header"},
		{"web", `{"Count":2,"Target":{"Group":"h"}}`, 400, `task group "h" specified for scaling does not exist in job`},
		{"web", `{"Count":2,"JobModifyIndex":1,"Target":{"Group":"g"}}`, 500, "Enforcing job modify index 1: job exists with conflicting job modify index: 3"},
		{"sys", `{"Count":2,"Target":{"Group":"g"}}`, 400, `jobs of type "system" can only be scaled between 0 and 1`},
		{"busy", `{"Count":2,"Target":{"Group":"g"}}`, 400, "job scaling blocked due to active deployment"},
	} {
		status, text, _ := do(t, client.Address(), "PUT", "/v1/job/"+c.job+"/scale", c.body, nil)
		if status != c.status || text != c.text {
			t.Errorf("%s %s: got %d %q, want %d %q", c.job, c.body, status, text, c.status, c.text)
		}
	}
	if _, _, err := client.Jobs().Scale("busy", "g", nil, "broken", true, nil, nil); err != nil {
		t.Errorf("an error cannot be noted during a deployment: %v", err)
	}
	system.TaskGroups[0].Scaling = &api.ScalingPolicy{Max: new(int64(1))}
	_, _, err := client.Jobs().Register(system, nil)
	refused(t, err, 400, "Task groups with job type system do not support scaling blocks")
}

func TestScalingPolicies(t *testing.T) {
	client, _ := newAgent(t)
	register(t, client, scalable("web", 1, 4))
	register(t, client, scalable("other", 1, 4))
	list := func(q *api.QueryOptions) []*api.ScalingPolicyListStub {
		list, _, err := client.Scaling().ListPolicies(q)
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	if n := len(list(nil)); n != 2 {
		t.Errorf("there are %d policies", n)
	}
	if n := len(list(&api.QueryOptions{Params: map[string]string{"type": "vertical_mem"}})); n != 0 {
		t.Errorf("there are %d policies of another type", n)
	}
	ofWeb := &api.QueryOptions{Params: map[string]string{"job": "web"}}
	first := list(ofWeb)[0]
	if first.Target["Job"] != "web" || first.Target["Group"] != "g" || !first.Enabled || first.Type != "horizontal" {
		t.Errorf("got %+v", first)
	}
	policy, _, err := client.Scaling().GetPolicy(first.ID, nil)
	if err != nil || *policy.Max != 4 || policy.Policy["cooldown"] != "1m" {
		t.Errorf("got %+v, %v", policy, err)
	}
	_, _, err = client.Scaling().GetPolicy("nope", nil)
	refused(t, err, 404, "policy not found")

	register(t, client, scalable("web", 1, 4))
	if again := list(ofWeb)[0]; again.ID != first.ID || again.ModifyIndex != first.ModifyIndex {
		t.Errorf("registering the same again changed the policy: %+v", again)
	}
	register(t, client, scalable("web", 1, 5))
	if changed := list(ofWeb)[0]; changed.ID != first.ID || changed.CreateIndex != first.CreateIndex || changed.ModifyIndex == first.ModifyIndex {
		t.Errorf("got %+v after %+v", changed, first)
	}
	if _, _, err := client.Jobs().Deregister("web", false, nil); err != nil {
		t.Fatal(err)
	}
	if stopped := list(ofWeb)[0]; stopped.Enabled || stopped.ID != first.ID {
		t.Errorf("a stopped job is still scaled: %+v", stopped)
	}
	register(t, client, scalable("web", 1, 5))
	if started := list(ofWeb)[0]; !started.Enabled {
		t.Errorf("a job that was started again is not scaled: %+v", started)
	}
	if _, _, err := client.Jobs().Deregister("web", true, nil); err != nil {
		t.Fatal(err)
	}
	if n := len(list(ofWeb)); n != 0 {
		t.Errorf("a purged job has %d policies", n)
	}
}
