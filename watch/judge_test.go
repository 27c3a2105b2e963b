package watch_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/nomad/api"
	"pgregory.net/rapid"

	"ostro/watch"
)

var noon = time.Date(2030, 1, 2, 12, 0, 0, 0, time.UTC)

// world is a server in which version 1 of job "web" was just registered at index
// 20 over version 0, and its evaluation 21 is complete. Each option changes it.
func world(options ...func(*watch.Snapshot)) watch.Snapshot {
	s := watch.Snapshot{
		Now: noon, Deadline: noon.Add(time.Hour),
		Target: watch.Target{JobID: "web", EvalID: "eval-1", JobVersion: 1, JobModifyIndex: 20},
		Job:    serverJob("service", 1, 20),
		Evals: []*api.Evaluation{
			{ID: "eval-0", Status: "complete", TriggeredBy: "job-register", CreateIndex: 10, ModifyIndex: 12},
			{ID: "eval-1", Status: "complete", TriggeredBy: "job-register", CreateIndex: 20, ModifyIndex: 22},
		},
		RunningSince: map[string]time.Time{},
	}
	for _, o := range options {
		o(&s)
	}
	return s
}

func serverJob(kind string, version, index uint64) *api.Job {
	return &api.Job{
		ID: new("web"), Type: &kind, Version: &version, JobModifyIndex: &index, CreateIndex: new(uint64(10)), Status: new("running"),
		TaskGroups: []*api.TaskGroup{{
			Name: new("g"), Count: new(2), Tasks: []*api.Task{{Name: "t"}},
			Update: &api.UpdateStrategy{MinHealthyTime: new(10 * time.Second)},
		}},
	}
}

func kind(k string) func(*watch.Snapshot) {
	return func(s *watch.Snapshot) { s.Job.Type = &k }
}

func count(n int) func(*watch.Snapshot) {
	return func(s *watch.Snapshot) { s.Job.TaskGroups[0].Count = &n }
}

// deployment adds the deployment of a version; the versions' indexes are 10, 20, 30...
func deployment(version uint64, status, description string) func(*watch.Snapshot) {
	return func(s *watch.Snapshot) {
		s.Deployments = append(s.Deployments, &api.Deployment{
			ID: fmt.Sprintf("deploy-%d", version), JobID: "web", JobVersion: version, JobSpecModifyIndex: 10 + 10*version, JobCreateIndex: 10,
			Status: status, StatusDescription: description,
			TaskGroups: map[string]*api.DeploymentState{"g": {DesiredTotal: 2}},
		})
	}
}

func deployed(version uint64) func(*watch.Snapshot) {
	return deployment(version, "successful", "Deployment completed successfully")
}

// failed is the deployment of version 1 after its failure.
func failed(suffix string) func(*watch.Snapshot) {
	return deployment(1, "failed", "Failed due to unhealthy allocations"+suffix)
}

// version makes another version the job's current one.
func version(v uint64) func(*watch.Snapshot) {
	return func(s *watch.Snapshot) { s.Job.Version, s.Job.JobModifyIndex = &v, new(10+10*v) }
}

func stopped(s *watch.Snapshot) { s.Job.Stop = new(true) }

// alloc adds an allocation that runs its task since "for".
func alloc(version uint64, status string, edits ...func(*api.AllocationListStub)) func(*watch.Snapshot) {
	return func(s *watch.Snapshot) {
		a := &api.AllocationListStub{
			ID: fmt.Sprintf("alloc-%02d", len(s.Allocs)), Name: fmt.Sprintf("web.g[%d]", len(s.Allocs)), JobID: "web", TaskGroup: "g", NodeName: "node-1",
			JobVersion: version, CreateIndex: 11 + 10*version, DesiredStatus: "run", ClientStatus: status,
			TaskStates: map[string]*api.TaskState{"t": {State: map[string]string{"running": "running", "pending": "pending"}[status]}},
		}
		if status == "failed" {
			a.TaskStates["t"] = &api.TaskState{State: "dead", Failed: true, Events: []*api.TaskEvent{
				{Type: "Started"}, {Type: "Terminated", DisplayMessage: "Exit Code: 7", Details: map[string]string{"exit_code": "7"}},
			}}
		}
		for _, e := range edits {
			e(a)
		}
		s.Allocs = append(s.Allocs, a)
	}
}

// since says how long the watcher has seen every allocation run.
func since(d time.Duration) func(*watch.Snapshot) {
	return func(s *watch.Snapshot) {
		for _, a := range s.Allocs {
			s.RunningSince[fmt.Sprintf("%s@%d", a.ID, time.Time{}.UnixNano())] = s.Now.Add(-d)
		}
	}
}

func healthy(a *api.AllocationListStub) {
	a.DeploymentStatus = &api.AllocDeploymentStatus{Healthy: new(true)}
}

func canary(a *api.AllocationListStub) {
	a.DeploymentStatus = &api.AllocDeploymentStatus{Healthy: new(true), Canary: true}
}

func replaced(a *api.AllocationListStub)    { a.NextAllocation = "next" }
func toBeMoved(a *api.AllocationListStub)   { a.FollowupEvalID = "later" }
func toBeStopped(a *api.AllocationListStub) { a.DesiredStatus = "stop" }

// eval adds an evaluation after the others.
func eval(status string, edits ...func(*api.Evaluation)) func(*watch.Snapshot) {
	return func(s *watch.Snapshot) {
		at := uint64(25 + 10*len(s.Evals))
		e := &api.Evaluation{ID: fmt.Sprintf("eval-%d", len(s.Evals)), Status: status, CreateIndex: at, ModifyIndex: at + 1}
		for _, edit := range edits {
			edit(e)
		}
		s.Evals = append(s.Evals, e)
	}
}

func delayed(e *api.Evaluation) { e.WaitUntil = noon.Add(time.Minute) }

func noRoom(e *api.Evaluation) {
	e.FailedTGAllocs = map[string]*api.AllocationMetric{"g": {
		NodesEvaluated: 3, CoalescedFailures: 1,
		ConstraintFiltered: map[string]int{"${attr.kernel.name} = windows": 2}, DimensionExhausted: map[string]int{"memory": 1},
	}}
}

// unplacedFor says how long the watcher has known that something has no node.
func unplacedFor(d time.Duration) func(*watch.Snapshot) {
	return func(s *watch.Snapshot) { s.UnplacedSince = s.Now.Add(-d) }
}

func capacity(d time.Duration) func(*watch.Snapshot) {
	return func(s *watch.Snapshot) { s.Capacity = d }
}

func promote(how string) func(*watch.Snapshot) {
	return func(s *watch.Snapshot) { s.Promote = how }
}

func wantsCanary(s *watch.Snapshot) {
	for _, d := range s.Deployments {
		d.TaskGroups["g"].DesiredCanaries = 1
	}
}

func noChange(s *watch.Snapshot) { s.Target.NoChange, s.Target.EvalID = true, "" }

func lost(s *watch.Snapshot) { s.Lost = true }

func late(s *watch.Snapshot) { s.Now = s.Deadline }

func purged(s *watch.Snapshot) { s.Job = nil }

func periodic(s *watch.Snapshot) { s.Job.Periodic = &api.PeriodicConfig{} }

const waits = watch.Outcome(-1) // no verdict yet

func TestJudge(t *testing.T) {
	type change = func(*watch.Snapshot)
	running := deployment(1, "running", "Deployment is running")
	running2 := deployment(2, "running", "Deployment is running")
	for _, test := range []struct {
		name  string
		world []change
		want  watch.Outcome
		words string
	}{
		{"a deployment under way", []change{running, alloc(1, "running")}, waits, ""},
		{"a paused deployment", []change{deployment(1, "paused", "Deployment is paused")}, waits, ""},
		{"a successful deployment", []change{deployed(1), alloc(1, "running", healthy)}, watch.Successful, "version 1 is successful"},
		{"only an older deployment is successful", []change{deployed(0), running}, waits, ""},
		{"only an older deployment exists", []change{deployed(0), alloc(1, "pending")}, waits, ""},
		{"a newer deployment is successful, ours was cancelled",
			[]change{version(2), deployment(1, "cancelled", "Cancelled due to newer version of job"), deployed(2)}, watch.Superseded, "superseded by version 2"},
		{"ours was successful, the newer version finds no place",
			[]change{version(2), deployed(1), alloc(1, "running", healthy), running2, eval("complete", noRoom), unplacedFor(time.Hour)}, watch.Successful, "version 1 is successful"},
		{"the job was stopped", []change{version(2), stopped, deployment(1, "cancelled", "Cancelled because job is stopped")}, watch.Superseded, "stopped"},
		{"the job was purged", []change{purged, running}, watch.Superseded, "purged"},
		{"superseded before a deployment was made", []change{version(2), deployed(2)}, watch.Superseded, "superseded by version 2"},

		{"an allocation failed for good after it was healthy", []change{deployed(1), alloc(1, "failed", healthy)}, watch.Failed, "1 allocation(s) of version 1 failed for good"},
		{"it is going to be replaced", []change{deployed(1), alloc(1, "failed", toBeMoved), alloc(1, "running")}, watch.Successful, ""},
		{"it was replaced", []change{deployed(1), alloc(1, "failed", replaced), alloc(1, "running")}, watch.Successful, ""},
		{"the scheduler may replace it", []change{deployed(1), alloc(1, "failed"), eval("pending")}, waits, ""},
		{"the failed one is an older version's", []change{deployed(1), alloc(0, "failed"), alloc(1, "running")}, watch.Successful, ""},

		{"failed, nothing to revert to", []change{failed(" - no stable job version to auto revert to"), alloc(1, "failed")}, watch.Failed, "no stable version"},
		{"failed without auto_revert", []change{failed("")}, watch.Failed, "failed due to unhealthy allocations"},
		{"failed beside older ones", []change{failed(""), alloc(0, "running"), alloc(0, "running"), alloc(1, "running")}, watch.Failed, "version 0 goes on running with 2 allocation(s)"},
		{"failed, stable is the same", []change{failed(" - not rolling back to stable job version 1 as current job has same specification")}, watch.Failed, ""},
		{"the revert is not registered yet", []change{failed(" - rolling back to job version 0")}, waits, ""},
		{"the revert has no evaluation yet", []change{failed(" - rolling back to job version 0"), version(2)}, waits, ""},
		{"the revert is under way", []change{failed(" - rolling back to job version 0"), version(2), deployment(2, "running", "")}, waits, ""},
		{"the revert is done", []change{failed(" - rolling back to job version 0"), version(2), deployed(2), alloc(1, "failed", toBeStopped)}, watch.Reverted, "reverted to version 0"},
		{"the revert failed too", []change{failed(" - rolling back to job version 0"), version(2),
			deployment(2, "failed", "Failed due to progress deadline - not rolling back to stable job version 2 as current job has same specification")},
			watch.Failed, "the revert to version 0 did not succeed: deployment deploy-2 of version 2 failed: failed due to progress deadline"},
		{"the revert was superseded", []change{failed(" - rolling back to job version 0"), version(3), deployment(2, "cancelled", "")}, watch.Failed, "superseded by version 3"},
		{"the revert is over and somebody deployed again", []change{failed(" - rolling back to job version 0"), version(3), deployed(2), deployment(3, "running", "")}, watch.Reverted, "reverted to version 0"},
		{"the revert brought a stopped version", []change{failed(" - rolling back to job version 0"), version(2), stopped}, watch.NothingRuns, "nothing runs"},
		{"the revert makes no deployment", []change{failed(" - rolling back to job version 0"), version(2), eval("complete"),
			alloc(2, "running"), alloc(2, "running"), since(10 * time.Second)}, watch.Reverted, "reverted to version 0"},

		{"no evaluation yet", []change{func(s *watch.Snapshot) { s.Evals = s.Evals[:1] }, alloc(1, "running"), alloc(1, "running"), since(time.Minute)}, waits, ""},
		{"no deployment, all have run long enough", []change{alloc(1, "running"), alloc(1, "running"), since(10 * time.Second)}, watch.Successful, "version 1 runs"},
		{"no deployment, not long enough", []change{alloc(1, "running"), alloc(1, "running"), since(9 * time.Second)}, waits, ""},
		{"no deployment, one is to come", []change{alloc(1, "running"), alloc(1, "pending"), since(time.Minute)}, waits, ""},
		{"no deployment, an old one still runs", []change{alloc(1, "running"), alloc(1, "running"), alloc(0, "running"), since(time.Minute)}, waits, ""},
		{"no deployment, one failed for good", []change{alloc(1, "running"), alloc(1, "failed"), since(time.Minute)}, watch.Failed, "failed for good"},
		{"no deployment, too few and no more to come", []change{alloc(1, "running"), since(time.Minute)}, watch.Failed, "1 of 2 allocation(s) run"},
		{"no deployment, a reschedule to come", []change{alloc(1, "running"), alloc(1, "failed", toBeMoved), eval("pending", delayed), since(time.Minute)}, waits, ""},
		{"count 0", []change{count(0)}, watch.Successful, "nothing runs"},
		{"the evaluation failed", []change{eval("failed", func(e *api.Evaluation) { e.StatusDescription = "maximum attempts reached (5)" })}, watch.Failed, "maximum attempts reached (5)"},
		{"the evaluation failed and comes again", []change{eval("failed"), eval("pending", delayed)}, waits, ""},
		{"an old server updates a system job in steps", []change{kind("system"), alloc(1, "running"), since(time.Minute),
			eval("pending", delayed, func(e *api.Evaluation) { e.TriggeredBy = "rolling-update" })}, waits, ""},

		{"no room, for a moment", []change{running, eval("complete", noRoom), unplacedFor(time.Second)}, waits, ""},
		{"no room", []change{running, eval("complete", noRoom), unplacedFor(3 * time.Second)}, watch.Unplaceable,
			`group g: constraint "${attr.kernel.name} = windows" filtered 2 nodes, memory exhausted on 1 node`},
		{"no room, capacity is waited for", []change{running, eval("complete", noRoom), unplacedFor(3 * time.Second), capacity(time.Minute)}, waits, ""},
		{"no room, capacity did not come", []change{running, eval("complete", noRoom), unplacedFor(time.Minute), capacity(time.Minute)}, watch.Unplaceable, ""},
		{"room was found", []change{running, eval("complete", noRoom), eval("complete"), unplacedFor(time.Minute)}, waits, ""},
		{"a system job that fits no node", []change{kind("system"), deployed(1), unplacedFor(3 * time.Second)}, watch.Unplaceable, "no node fits"},
		{"a system job on some nodes", []change{kind("system"), deployed(1), eval("complete", noRoom), alloc(1, "running", healthy), unplacedFor(time.Minute)}, watch.Successful, ""},

		{"a batch run", []change{kind("batch"), alloc(1, "running"), alloc(1, "complete")}, waits, ""},
		{"a batch run that is over", []change{kind("batch"), alloc(1, "complete"), alloc(1, "complete")}, watch.Successful, "2 allocation(s) completed"},
		{"a batch run that failed", []change{kind("batch"), alloc(1, "complete"), alloc(1, "failed")}, watch.Failed, ""},
		{"a batch run that is retried", []change{kind("batch"), alloc(1, "complete"), alloc(1, "failed", toBeMoved)}, waits, ""},
		{"a batch run that was retried", []change{kind("batch"), alloc(1, "complete"), alloc(1, "failed", replaced), alloc(1, "complete")}, watch.Successful, ""},
		{"a batch run that was stopped", []change{kind("batch"), version(2), stopped}, watch.Superseded, "stopped"},
		{"a sysbatch run", []change{kind("sysbatch"), alloc(1, "complete"), alloc(1, "complete")}, watch.Successful, ""},
		{"a periodic job", []change{kind("batch"), periodic}, watch.Successful, "registered"},

		{"a canary that is not healthy", []change{running, wantsCanary, alloc(1, "running"), promote("detach")}, waits, ""},
		{"a canary that is ready, to be waited for", []change{running, wantsCanary, alloc(1, "running", canary), promote("wait")}, waits, ""},
		{"a canary that is ready, to detach", []change{running, wantsCanary, alloc(1, "running", canary), promote("detach")}, watch.ReadyForPromotion, "canary"},

		{"no change, healthy", []change{noChange, deployed(1), alloc(1, "running", healthy), alloc(1, "running", healthy)}, watch.Successful, ""},
		{"no change, deployment forgotten", []change{noChange, alloc(1, "running", healthy), alloc(1, "running", healthy)}, watch.Successful, "version 1 runs"},
		{"no change, failed", []change{noChange, failed("")}, watch.Failed, ""},
		{"no change, deployment under way", []change{noChange, running}, waits, ""},
		{"no change, an allocation is gone", []change{noChange, deployed(1), alloc(1, "running", healthy)}, watch.Failed, "1 of 2"},
		{"no change, a batch run that nobody remembers", []change{noChange, kind("batch"), func(s *watch.Snapshot) { s.Job.Status = new("dead") }}, watch.Unknown, "forgotten"},

		{"timeout", []change{running, late, alloc(1, "running")}, watch.Unknown, "timed out"},
		{"the last moment", []change{deployed(1), late}, watch.Successful, ""},
		{"lost", []change{deployed(1), lost}, waits, ""},
		{"lost for good", []change{deployed(1), lost, late}, watch.Unknown, "contact lost"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := world(test.world...)
			v, done := watch.Judge(s)
			switch {
			case test.want == waits && done:
				t.Fatalf("there is a verdict already: %s: %s", v.Outcome, v.Summary)
			case test.want != waits && !done:
				t.Fatalf("there is no verdict, want %s", test.want)
			case done:
				wantOutcome(t, v, test.want, test.words)
			}
			if again, _ := watch.Judge(world(test.world...)); !cmp.Equal(v, again) {
				t.Errorf("the same snapshot gives another verdict: %s", cmp.Diff(v, again))
			}
		})
	}
}

// Whatever the server says, in whatever order: there is a verdict by the
// deadline, and it is Successful only for what is.
func TestJudgeAnySequence(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		start := world()
		for step := range rapid.IntRange(1, 12).Draw(rt, "steps") {
			s := anyWorld(rt)
			s.Now = start.Now.Add(time.Duration(step) * time.Minute)
			s.Deadline = start.Deadline
			v, done := watch.Judge(s)
			if again, _ := watch.Judge(s); !cmp.Equal(v, again) {
				rt.Fatalf("judging changed the snapshot: %s", cmp.Diff(v, again))
			}
			other := s
			other.Allocs, other.Evals, other.Deployments = reversed(s.Allocs), s.Evals, reversed(s.Deployments)
			if again, doneToo := watch.Judge(other); done != doneToo || again.Outcome != v.Outcome {
				rt.Fatalf("in another order %s is %s", v.Outcome, again.Outcome)
			}
			if done {
				checkVerdict(rt, s, v)
				return
			}
		}
		s := anyWorld(rt)
		s.Now = s.Deadline
		v, done := watch.Judge(s)
		if !done {
			rt.Fatal("there is no verdict at the deadline")
		}
		checkVerdict(rt, s, v)
	})
}

func anyWorld(rt *rapid.T) watch.Snapshot {
	pick := func(name string, of ...string) string { return rapid.SampledFrom(of).Draw(rt, name) }
	s := world(kind(pick("type", "service", "system", "batch", "sysbatch")), count(rapid.IntRange(0, 3).Draw(rt, "count")))
	version(rapid.Uint64Range(1, 3).Draw(rt, "job version"))(&s)
	s.Job.Stop = new(rapid.Bool().Draw(rt, "stop"))
	for v := range uint64(4) {
		if rapid.Bool().Draw(rt, "has deployment") {
			deployment(v, pick("status", "running", "paused", "successful", "failed", "cancelled", "blocked", "pending", "initializing", "unblocking", "nonsense"),
				pick("description", "", "Failed due to unhealthy allocations", "Failed due to progress deadline - rolling back to job version 0",
					"Failed - rolling back to job version x", "Failed due to unhealthy allocations - no stable job version to auto revert to"))(&s)
		}
	}
	for range rapid.IntRange(0, 4).Draw(rt, "allocs") {
		alloc(rapid.Uint64Range(0, 3).Draw(rt, "alloc version"), pick("client", "pending", "running", "complete", "failed", "lost", "unknown"),
			func(a *api.AllocationListStub) {
				a.DesiredStatus = pick("desired", "run", "run", "stop", "evict")
				a.NextAllocation = pick("next", "", "", "next")
				a.FollowupEvalID = pick("follow-up", "", "", "later")
				if rapid.Bool().Draw(rt, "has health") {
					a.DeploymentStatus = &api.AllocDeploymentStatus{Healthy: new(rapid.Bool().Draw(rt, "healthy")), Canary: rapid.Bool().Draw(rt, "canary")}
				}
			})(&s)
	}
	for range rapid.IntRange(0, 3).Draw(rt, "evals") {
		eval(pick("eval", "pending", "complete", "failed", "blocked", "canceled"), func(e *api.Evaluation) {
			if rapid.Bool().Draw(rt, "no room") {
				noRoom(e)
			}
		})(&s)
	}
	since(time.Duration(rapid.IntRange(0, 20).Draw(rt, "running for")) * time.Second)(&s)
	unplacedFor(time.Duration(rapid.IntRange(0, 5).Draw(rt, "unplaced for")) * time.Second)(&s)
	s.Promote = pick("promote", "wait", "healthy", "detach")
	s.Target.NoChange = rapid.Bool().Draw(rt, "no change")
	if rapid.IntRange(0, 9).Draw(rt, "odds of a purge") == 0 {
		s.Job = nil
	}
	s.Lost = rapid.IntRange(0, 9).Draw(rt, "odds of a loss") == 0
	return s
}

// checkVerdict states what must hold for a verdict, in its own words.
func checkVerdict(rt *rapid.T, s watch.Snapshot, v watch.Verdict) {
	if v.Summary == "" || strings.HasSuffix(v.Summary, ".") {
		rt.Fatalf("the summary is %q", v.Summary)
	}
	ofVersion := func(version uint64) *api.Deployment {
		i := slices.IndexFunc(s.Deployments, func(d *api.Deployment) bool { return d.JobVersion == version })
		if i < 0 {
			return nil
		}
		return s.Deployments[i]
	}
	ours, rollout := ofVersion(1), s.Job != nil && (*s.Job.Type == "service" || *s.Job.Type == "system")
	switch v.Outcome {
	case watch.Successful:
		if s.Lost || s.Job == nil {
			rt.Fatal("successful without having seen the job")
		}
		if rollout && ours != nil && ours.Status != "successful" {
			rt.Fatalf("successful, but the deployment is %s", ours.Status)
		}
		for _, a := range s.Allocs {
			if a.JobVersion == 1 && a.ClientStatus == "failed" && a.DesiredStatus == "run" && a.NextAllocation == "" && a.FollowupEvalID == "" {
				rt.Fatalf("successful, but %s failed for good", a.ID)
			}
		}
		if ours == nil && *s.Job.Version != 1 {
			rt.Fatal("successful without a deployment, and the job is another version")
		}
		checkCounts(rt, s, rollout && ours == nil)
	case watch.Reverted, watch.NothingRuns:
		if rollout && ours != nil && ours.Status != "failed" || (!rollout || ours == nil) && !*s.Job.Stop {
			rt.Fatalf("%s, but the deployment has not failed", v.Outcome)
		}
		if v.Outcome == watch.Reverted && (v.RevertedTo == nil || *s.Job.Version < 2) {
			rt.Fatalf("reverted to %v, but nothing newer is there", v.RevertedTo)
		}
	case watch.ReadyForPromotion:
		if s.Promote != watch.PromoteDetach {
			rt.Fatal("detached without being asked to")
		}
	case watch.Unknown:
		if s.Now.Before(s.Deadline) && !s.Target.NoChange {
			rt.Fatalf("unknown before the deadline: %s", v.Summary)
		}
	}
}

// checkCounts states that a success without a deployment has as many allocations
// of the version as are wanted: they run, or have completed.
func checkCounts(rt *rapid.T, s watch.Snapshot, running bool) {
	kind := *s.Job.Type
	want, status := *s.Job.TaskGroups[0].Count, "complete"
	if running {
		status = "running"
	} else if kind == "service" || kind == "system" {
		return // its deployment has counted them
	}
	if kind == "system" || kind == "sysbatch" {
		want = min(want, 1) // of the nodes that fit, only the server knows the number
	}
	have := 0
	for _, a := range s.Allocs {
		if a.JobVersion == 1 && a.ClientStatus == status {
			have++
		}
	}
	if have < want {
		rt.Fatalf("successful with %d of %d allocations %s", have, want, status)
	}
}

func TestReasons(t *testing.T) {
	s := world(failed(""))
	for range 50 {
		alloc(1, "failed")(&s)
	}
	alloc(1, "failed", func(a *api.AllocationListStub) {
		a.TaskStates = map[string]*api.TaskState{
			"log": {State: "dead", Failed: true, Events: []*api.TaskEvent{{Type: "Sibling Task Failed", DisplayMessage: `Task's sibling "t" failed`}}},
			"t":   {State: "dead", Failed: true, Events: []*api.TaskEvent{{Type: "Driver Failure", DisplayMessage: "no such file\x1b[31m"}}},
		}
	})(&s)
	v, _ := watch.Judge(s)
	if len(v.Reasons) != 2 {
		t.Fatalf("%d reasons, want 2: %+v", len(v.Reasons), v.Reasons)
	}
	want := []watch.Reason{
		{AllocID: "alloc-00", Group: "g", Task: "t", JobVersion: 1, Count: 50, Status: "failed", Events: []string{"Started", "Terminated: Exit Code: 7"}, ExitCode: new(7), Command: "ostro logs web"},
		{AllocID: "alloc-50", Group: "g", Task: "t", JobVersion: 1, Count: 1, Status: "failed", Events: []string{`Driver Failure: no such file\x1b[31m`}, Command: "ostro logs web"},
	}
	if diff := cmp.Diff(want, v.Reasons); diff != "" {
		t.Error(diff)
	}
}

// What a task ended with because it was told to end is not what is wrong with it.
func TestReasonOwnEnd(t *testing.T) {
	started, killing := &api.TaskEvent{Type: "Started"}, &api.TaskEvent{Type: "Killing"}
	ended := func(code int) *api.TaskEvent { return &api.TaskEvent{Type: "Terminated", ExitCode: code} }
	for name, test := range map[string]struct {
		events []*api.TaskEvent
		want   *int
	}{
		"by itself":              {[]*api.TaskEvent{started, ended(9)}, new(9)},
		"well":                   {[]*api.TaskEvent{started, ended(0)}, new(0)},
		"killed":                 {[]*api.TaskEvent{started, killing, ended(130)}, nil},
		"killed after it failed": {[]*api.TaskEvent{started, ended(9), started, killing, ended(130)}, new(9)},
		"restarted on request":   {[]*api.TaskEvent{started, {Type: "Restart Signaled"}, ended(143), started, ended(9)}, new(9)},
	} {
		s := world(failed(""), alloc(1, "failed", func(a *api.AllocationListStub) {
			a.TaskStates = map[string]*api.TaskState{"t": {State: "dead", Failed: true, Events: test.events}}
		}))
		v, _ := watch.Judge(s)
		if len(v.Reasons) != 1 || cmp.Diff(test.want, v.Reasons[0].ExitCode) != "" {
			t.Errorf("%s: %+v", name, v.Reasons)
		}
	}
}

func TestFor(t *testing.T) {
	for _, test := range []struct {
		job  *api.Job
		want watch.Strategy
	}{
		{&api.Job{}, watch.Rollout},
		{&api.Job{Type: new("service")}, watch.Rollout},
		{&api.Job{Type: new("system")}, watch.Rollout},
		{&api.Job{Type: new("batch")}, watch.Completion},
		{&api.Job{Type: new("sysbatch")}, watch.Completion},
		{&api.Job{Type: new("batch"), Periodic: &api.PeriodicConfig{}}, watch.Registration},
		{&api.Job{Type: new("batch"), ParameterizedJob: &api.ParameterizedJobConfig{}}, watch.Registration},
		{&api.Job{Type: new("batch"), ParameterizedJob: &api.ParameterizedJobConfig{}, Dispatched: true}, watch.Completion},
	} {
		if got, err := watch.For(test.job); got != test.want || err != nil {
			t.Errorf("For(%+v) = %v, %v; want %v", test.job, got, err, test.want)
		}
	}
	if _, err := watch.For(&api.Job{Type: new("servise")}); err == nil {
		t.Error("an unknown type is accepted")
	}
}
