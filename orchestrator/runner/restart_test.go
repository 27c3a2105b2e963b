package runner

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/nomad/api"
	"pgregory.net/rapid"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func TestRestartPolicy(t *testing.T) {
	service := restartPolicy{attempts: 2, interval: 30 * time.Minute, delay: 15 * time.Second, mode: "fail", onSuccess: true}
	none, batch, delays := service, service, service
	none.attempts = 0
	batch.onSuccess = false
	delays.mode = "delay"
	noneBatch := none
	noneBatch.onSuccess = false

	fail, success, unrecovered := outcome{}, outcome{successful: true}, outcome{unrecovered: true}
	within := decision{restart: true, delay: 15 * time.Second, reason: "Restart within policy"}
	exceeded := decision{failed: true, reason: `Exceeded allowed attempts 2 in interval 30m0s and mode is "fail"`}
	noRestarts := decision{failed: true, reason: "Policy allows no restarts"}
	type step struct {
		after time.Duration // since the step before
		o     outcome
		want  decision
	}
	for _, tc := range []struct {
		name   string
		policy restartPolicy
		steps  []step
	}{
		{"two attempts, then it has failed", service, []step{{0, fail, within}, {time.Minute, fail, within}, {time.Minute, fail, exceeded}}},
		{"a new interval begins anew", service, []step{{0, fail, within}, {0, fail, within}, {31 * time.Minute, fail, within}}},
		{"a service restarts on success", service, []step{{0, success, within}}},
		{"batch does not restart on success", batch, []step{{0, success, decision{}}}},
		{"batch restarts on failure", batch, []step{{0, fail, within}}},
		{"what cannot be started is not tried again", service, []step{{0, unrecovered, decision{failed: true, reason: "Error was unrecoverable"}}}},
		{"no attempts", none, []step{{0, fail, noRestarts}}},
		{"no attempts, success of a service", none, []step{{0, success, noRestarts}}},
		{"no attempts, success of batch", noneBatch, []step{{0, success, decision{reason: "Policy allows no restarts"}}}},
		{"mode delay waits for the next interval", delays, []step{
			{0, fail, within}, {0, fail, within},
			{10 * time.Minute, fail, decision{restart: true, delay: 20 * time.Minute, reason: "Exceeded allowed attempts, applying a delay"}},
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			now, count := noon, restartCount{}
			for i, s := range tc.steps {
				now = now.Add(s.after)
				var got decision
				got, count = tc.policy.next(count, s.o, now, 0)
				if diff := cmp.Diff(s.want, got, cmp.AllowUnexported(decision{})); diff != "" {
					t.Errorf("step %d: %s", i, diff)
				}
			}
		})
	}
}

func TestRestartPolicyOf(t *testing.T) {
	group := &api.TaskGroup{RestartPolicy: &api.RestartPolicy{Attempts: new(5)}}
	for _, tc := range []struct {
		name, jobType string
		task          *api.Task
		want          restartPolicy
	}{
		{"service", "service", &api.Task{}, restartPolicy{5, 30 * time.Minute, 15 * time.Second, "fail", true}},
		{"batch", "batch", &api.Task{}, restartPolicy{5, 24 * time.Hour, 15 * time.Second, "fail", false}},
		{"the task's own", "service", &api.Task{RestartPolicy: &api.RestartPolicy{Delay: new(time.Second), Mode: new("delay")}},
			restartPolicy{5, 30 * time.Minute, time.Second, "delay", true}},
		{"prestart", "service", &api.Task{Lifecycle: &api.TaskLifecycle{Hook: "prestart"}}, restartPolicy{5, 30 * time.Minute, 15 * time.Second, "fail", false}},
		{"sidecar of batch", "batch", &api.Task{Lifecycle: &api.TaskLifecycle{Hook: "prestart", Sidecar: true}},
			restartPolicy{5, 24 * time.Hour, 15 * time.Second, "fail", true}},
		{"poststop", "service", &api.Task{Lifecycle: &api.TaskLifecycle{Hook: "poststop"}}, restartPolicy{5, 30 * time.Minute, 15 * time.Second, "fail", false}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := restartPolicyOf(&api.Job{Type: &tc.jobType}, group, tc.task)
			if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(restartPolicy{})); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestRestartsAreBounded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := restartPolicy{
			attempts:  rapid.IntRange(0, 5).Draw(t, "attempts"),
			interval:  time.Duration(rapid.IntRange(1, 100).Draw(t, "interval")) * time.Minute,
			delay:     time.Duration(rapid.IntRange(0, 60).Draw(t, "delay")) * time.Second,
			mode:      rapid.SampledFrom([]string{"fail", "delay"}).Draw(t, "mode"),
			onSuccess: rapid.Bool().Draw(t, "onSuccess"),
		}
		now, count := noon, restartCount{}
		for range rapid.IntRange(1, 40).Draw(t, "ends") {
			now = now.Add(time.Duration(rapid.IntRange(0, 20).Draw(t, "ran")) * time.Minute)
			d, next := p.next(count, outcome{}, now, rapid.Float64Range(0, 0.999).Draw(t, "jitter"))
			count = next
			if d.restart == d.failed {
				t.Fatal("a failed task is either restarted or failed for good")
			}
			if d.delay < 0 || d.reason != reasonDelay && d.delay > p.delay+p.delay/4 {
				t.Fatalf("the delay %v is out of bounds", d.delay)
			}
			if count.Count > p.attempts && d.restart && p.mode == "fail" {
				t.Fatal("more restarts than attempts in one interval")
			}
			if !d.restart {
				break
			}
			now = now.Add(d.delay)
		}
	})
}
