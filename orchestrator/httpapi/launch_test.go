package httpapi

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/nomad/api"
	"github.com/klauspost/compress/snappy"

	"ostro/orchestrator/state"
)

// batchJob is a job that can be launched as often as one likes.
func batchJob(id string) *api.Job {
	job := testJob(id)
	job.Type = new(api.JobTypeBatch)
	return job
}

func parameterized(id string, config api.ParameterizedJobConfig) *api.Job {
	job := batchJob(id)
	job.Meta = map[string]string{"of": "the parent"}
	job.ParameterizedJob = &config
	return job
}

func TestDispatch(t *testing.T) {
	client, c := newAgent(t)
	parent := register(t, client, parameterized("par", api.ParameterizedJobConfig{MetaRequired: []string{"who"}, MetaOptional: []string{"of"}}))
	if parent.EvalID != "" || parent.Warnings != "" {
		t.Errorf("a parameterized job was evaluated: %+v", parent)
	}
	reply, _, err := client.Jobs().DispatchOpts(&api.DispatchOptions{
		JobID: "par", Payload: []byte("hello"), Meta: map[string]string{"who": "me", "of": "the child"}, IdPrefixTemplate: "mine", Priority: 70,
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(reply.DispatchedJobID, "par/dispatch-mine-1700000000-") || reply.EvalID == "" || reply.JobCreateIndex == 0 {
		t.Errorf("got %+v", reply)
	}
	child, _, err := client.Jobs().Info(reply.DispatchedJobID, nil)
	if err != nil {
		t.Fatal(err)
	}
	if *child.ParentID != "par" || !child.Dispatched || child.IsParameterized() || *child.Priority != 70 || *child.Name != *child.ID {
		t.Errorf("got the child %+v", child)
	}
	if d := cmp.Diff(map[string]string{"who": "me", "of": "the child"}, child.Meta); d != "" {
		t.Error(d)
	}
	if string(child.Payload) != "hello" {
		t.Errorf("the API shows the payload %q", child.Payload)
	}
	stored := c.Store.Snapshot().Job(nil, "default", *child.ID)
	if payload, err := snappy.Decode(nil, stored.Payload); err != nil || string(payload) != "hello" {
		t.Errorf("the state holds the payload %q, %v", stored.Payload, err)
	}
	summary, _, err := client.Jobs().Summary("par", nil)
	if err != nil || summary.Children.Pending != 1 || len(summary.Summary) != 1 {
		t.Errorf("got %+v, %v", summary, err)
	}
}

// TestDispatchOnceByToken: the second request gets the first one's child.
func TestDispatchOnceByToken(t *testing.T) {
	client, _ := newAgent(t)
	register(t, client, parameterized("par", api.ParameterizedJobConfig{}))
	dispatch := func(token string) *api.JobDispatchResponse {
		reply, _, err := client.Jobs().Dispatch("par", nil, nil, "", &api.WriteOptions{IdempotencyToken: token})
		if err != nil {
			t.Fatal(err)
		}
		return reply
	}
	first, again, other := dispatch("a"), dispatch("a"), dispatch("b")
	if again.DispatchedJobID != first.DispatchedJobID || again.EvalID != "" || again.JobCreateIndex != first.JobCreateIndex {
		t.Errorf("got %+v after %+v", again, first)
	}
	one, two := dispatch(""), dispatch("")
	if other.DispatchedJobID == first.DispatchedJobID || one.DispatchedJobID == two.DispatchedJobID {
		t.Error("dispatches share a child without sharing a token")
	}
}

func TestDispatchRefuses(t *testing.T) {
	client, _ := newAgent(t)
	register(t, client, parameterized("needs", api.ParameterizedJobConfig{Payload: "required", MetaRequired: []string{"who"}}))
	register(t, client, parameterized("forbids", api.ParameterizedJobConfig{Payload: "forbidden"}))
	register(t, client, parameterized("stopped", api.ParameterizedJobConfig{}))
	register(t, client, testJob("web"))
	if _, _, err := client.Jobs().Deregister("stopped", false, nil); err != nil {
		t.Fatal(err)
	}
	for path, c := range map[string]struct {
		body   string
		status int
		text   string
	}{
		"needs":           {`{"Meta":{"who":"me"}}`, 500, "Payload is not provided but required by parameterized job"},
		"needs?meta":      {`{"Payload":"aGVsbG8="}`, 500, "Dispatch did not provide required meta keys: [who]"},
		"needs?other":     {`{"Payload":"aGVsbG8=","Meta":{"who":"me","zz":"1"}}`, 500, "Dispatch request included unpermitted metadata keys: [zz]"},
		"needs?size":      {`{"Payload":"` + strings.Repeat("aaaa", 5462) + `","Meta":{"who":"me"}}`, 500, "Payload exceeds maximum size; 16386 > 16384"},
		"needs?priority":  {`{"Payload":"aGVsbG8=","Meta":{"who":"me"},"Priority":101}`, 500, "dispatch job priority must be between [1, 100]"},
		"needs?least":     {`{"Payload":"aGVsbG8=","Meta":{"who":"me"},"Priority":-1}`, 500, "dispatch job priority must be between [1, 100]"},
		"needs?another":   {`{"JobID":"x"}`, 400, "Job ID does not match"},
		"needs?nobody":    {``, 400, "Request body is empty"},
		"forbids":         {`{"Payload":"aGVsbG8="}`, 500, "Payload provided but forbidden by parameterized job"},
		"forbids/payload": {`hello`, 500, "Payload provided but forbidden by parameterized job"},
		"stopped":         {`{}`, 500, `Specified job "stopped" is stopped`},
		"web":             {`{}`, 500, `Specified job "web" is not a parameterized job`},
		"nope":            {`{}`, 500, "parameterized job not found"},
	} {
		t.Run(path, func(t *testing.T) {
			path, query, _ := strings.Cut(path, "?")
			id, rest, _ := strings.Cut(path, "/")
			path = strings.TrimSuffix("/v1/job/"+id+"/dispatch/"+rest, "/") + "?" + query
			status, text, _ := do(t, client.Address(), "PUT", path, c.body, nil)
			if status != c.status || text != c.text {
				t.Errorf("got %d %q, want %d %q", status, text, c.status, c.text)
			}
		})
	}
}

func TestForcedLaunch(t *testing.T) {
	client, c := newAgent(t)
	job := batchJob("tick")
	job.Periodic = &api.PeriodicConfig{Specs: []string{"0 0 1 1 *"}, ProhibitOverlap: new(true)}
	register(t, client, job)
	for i := range 2 {
		id, _, err := client.Jobs().PeriodicForce("tick", nil)
		if err != nil {
			t.Fatal(err)
		}
		eval, _, err := client.Evaluations().Info(id, nil)
		if err != nil || eval.TriggeredBy != "periodic-job" || eval.JobID != fmt.Sprint("tick/periodic-", 1700000000+i) {
			t.Errorf("got %+v, %v", eval, err)
		}
	}
	if at := c.Store.Snapshot().LastLaunch(nil, "default", "tick"); at.Unix() != 1700000001 {
		t.Errorf("the last launch was at %v", at)
	}
	plan, _, err := client.Jobs().Plan(job, false, nil)
	if err != nil || plan.NextPeriodicLaunch.Unix() != 1704067200 {
		t.Errorf("the plan says %+v, %v", plan, err)
	}
	if desired := plan.Annotations.DesiredTGUpdates["g"]; desired == nil || desired.Place != 1 {
		t.Errorf("a launch would do %+v", plan.Annotations.DesiredTGUpdates)
	}
	job.Periodic.TimeZone = new("Asia/Tokyo")
	plan, _, err = client.Jobs().Plan(job, false, nil)
	if err != nil || plan.NextPeriodicLaunch.Unix() != 1704067200-9*3600 {
		t.Errorf("in Tokyo the plan says %+v, %v", plan, err)
	}
	job.Periodic.Enabled = new(false)
	plan, _, err = client.Jobs().Plan(job, false, nil)
	if err != nil || !plan.NextPeriodicLaunch.IsZero() {
		t.Errorf("of a job that is not launched the plan says %+v, %v", plan, err)
	}
	if _, _, err := client.Jobs().Deregister("tick", false, nil); err != nil {
		t.Fatal(err)
	}
	_, _, err = client.Jobs().PeriodicForce("tick", nil)
	refused(t, err, 500, `force launch for job "tick" failed: can't force run non-tracked job "tick" (default)`)
	register(t, client, testJob("web"))
	_, _, err = client.Jobs().PeriodicForce("web", nil)
	refused(t, err, 500, "can't force launch non-periodic job")
	_, _, err = client.Jobs().PeriodicForce("nope", nil)
	refused(t, err, 500, "job not found")
	_, _, err = client.Jobs().Register(batchJob("tick"), nil)
	refused(t, err, 500, "cannot update periodic job to being non-periodic")
}

// The status of a parent is its own, and children count by theirs.
func TestChildrenOfAParent(t *testing.T) {
	client, c := newAgent(t)
	register(t, client, parameterized("par", api.ParameterizedJobConfig{}))
	var ids []string
	for range 3 {
		reply, _, err := client.Jobs().Dispatch("par", nil, nil, "", nil)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, reply.DispatchedJobID)
	}
	update(t, c, func(tx *state.Txn) {
		for i, id := range ids[:2] {
			for _, old := range tx.EvalsByJob(nil, "default", id) {
				eval := *old
				eval.Status = api.EvalStatusComplete
				tx.PutEval(&eval)
			}
			tx.PutAlloc(&api.Allocation{
				ID: id, Namespace: "default", JobID: id, Job: tx.Job(nil, "default", id), TaskGroup: "g",
				DesiredStatus: "run", ClientStatus: []string{"running", "complete"}[i],
			})
		}
	})
	summary, _, err := client.Jobs().Summary("par", nil)
	want := &api.JobChildrenSummary{Pending: 1, Running: 1, Dead: 1}
	if err != nil || *summary.Children != *want {
		t.Errorf("got %+v, %v", summary.Children, err)
	}
	if job, _, err := client.Jobs().Info("par", nil); err != nil || *job.Status != "running" {
		t.Errorf("got %+v, %v", job, err)
	}
	if _, _, err := client.Jobs().Deregister("par", false, nil); err != nil {
		t.Fatal(err)
	}
	if job, _, err := client.Jobs().Info(ids[0], nil); err != nil || *job.Stop || *job.Status != "running" {
		t.Errorf("the stop of its parent changed a child: %+v, %v", job, err)
	}
	if job, _, err := client.Jobs().Info("par", nil); err != nil || *job.Status != "dead" {
		t.Errorf("got %+v, %v", job, err)
	}
}
