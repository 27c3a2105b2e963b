package decide

import (
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator/reconcile"
	"ostro/orchestrator/state"
)

// Whatever the clock shows when an agent starts, waits and deadlines take no longer than
// they were to, and attempts to replace an allocation are neither unlimited nor used up
// for ever.
func TestStartWithAnotherClock(t *testing.T) {
	const wait, deadline, interval = 30 * time.Second, 10 * time.Minute, 20 * time.Minute
	for name, set := range map[string]time.Duration{
		"as before": 0, "a second back": -time.Second, "an hour back": -time.Hour, "years back": -10 * 365 * 24 * time.Hour, "an hour forward": time.Hour,
	} {
		t.Run(name, func(t *testing.T) {
			a := newAttic(t)
			noted, now := a.now.UnixNano(), a.now.Add(set)
			a.write(func(tx *state.Txn) {
				tx.PutEval(&api.Evaluation{ID: "eval", Namespace: "default", JobID: "web", Status: api.EvalStatusPending, CreateTime: noted, ModifyTime: noted, WaitUntil: a.now.Add(wait)})
				tx.PutDeployment(&api.Deployment{
					ID: "deployment", Namespace: "default", JobID: "web", Status: api.DeploymentStatusRunning, CreateTime: noted, ModifyTime: noted,
					TaskGroups: map[string]*api.DeploymentState{"g": {ProgressDeadline: deadline, RequireProgressBy: a.now.Add(deadline)}, "none": {}},
				})
				tx.PutAlloc(failedTwice(noted, interval))
			})
			ahead := FindAhead(a.store.Snapshot(), now)
			a.write(ahead.Apply)
			if want := max(0, -set); ahead.By != want {
				t.Errorf("it lies %v ahead, want %v", ahead.By, want)
			}
			if again := FindAhead(a.store.Snapshot(), now); again.By != 0 {
				t.Errorf("%v lies ahead still", again.By)
			}
			snap := a.store.Snapshot()
			if left := snap.Eval(nil, "eval").WaitUntil.Sub(now); left != wait-max(0, set) {
				t.Errorf("the evaluation waits for %v", left)
			}
			groups := snap.Deployment(nil, "deployment").TaskGroups
			if left := groups["g"].RequireProgressBy.Sub(now); left != deadline-max(0, set) || !groups["none"].RequireProgressBy.IsZero() {
				t.Errorf("the deployment has %v left: %+v", left, groups["none"])
			}
			alloc := snap.Alloc(nil, "alloc")
			if limited := !reconcile.CanReschedule(alloc, now, nil); limited != (set < interval) {
				t.Errorf("attempts are limited: %v", limited)
			}
			if !reconcile.CanReschedule(alloc, now.Add(interval), nil) {
				t.Error("attempts are used up for longer than the interval")
			}
			if alloc.ModifyTime > now.UnixNano() || alloc.AllocModifyIndex != alloc.CreateIndex {
				t.Errorf("the allocation is %+v", alloc)
			}
		})
	}
}

// failedTwice is an allocation whose two attempts were used at a time.
func failedTwice(noted int64, interval time.Duration) *api.Allocation {
	group := api.NewTaskGroup("g", 1)
	group.ReschedulePolicy = &api.ReschedulePolicy{
		Attempts: new(2), Interval: &interval, Delay: new(time.Minute), DelayFunction: new("constant"), MaxDelay: new(time.Duration(0)), Unlimited: new(false),
	}
	event := &api.RescheduleEvent{RescheduleTime: noted}
	return &api.Allocation{
		ID: "alloc", Namespace: "default", JobID: "web", TaskGroup: "g", ClientStatus: api.AllocClientStatusFailed, DesiredStatus: api.AllocDesiredStatusRun,
		Job:        &api.Job{ID: new("web"), Namespace: new("default"), Version: new(uint64(0)), CreateIndex: new(uint64(1)), JobModifyIndex: new(uint64(1)), Type: new(api.JobTypeService), TaskGroups: []*api.TaskGroup{group}},
		CreateTime: noted, ModifyTime: noted, RescheduleTracker: &api.RescheduleTracker{Events: []*api.RescheduleEvent{event, event}},
	}
}
