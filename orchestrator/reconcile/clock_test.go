package reconcile

import (
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"
)

// Attempts to replace an allocation are neither unlimited nor used up for ever when the
// clock is set, and its delay is as long as it would have been.
func TestReplacementsWhenTheClockIsSet(t *testing.T) {
	const attempts, interval, delay, day = 3, 10 * time.Minute, 30 * time.Second, 24 * time.Hour
	begun := time.Unix(1_700_000_000, 0)
	for name, c := range map[string]struct {
		set      time.Duration // by how much, after all that is noted
		tried    []time.Duration
		finished time.Duration
		now      time.Duration // by the clock as it goes now
		want     time.Duration
		never    bool
	}{
		"not set":                             {0, nil, 0, 10 * time.Second, delay, false},
		"delay, set back":                     {-time.Hour, nil, 0, -time.Hour + 10*time.Second, -time.Hour + delay, false},
		"delay, set forward":                  {day, nil, 0, day + 10*time.Second, day + delay, false},
		"attempts, set back":                  {-time.Hour, []time.Duration{0, 1, 2}, 3, -time.Hour + 5*time.Minute, 0, true},
		"attempts, long after it is set back": {-time.Hour, []time.Duration{0, 1, 2}, 3, -time.Hour + 11*time.Minute, -time.Hour + 3 + delay, false},
		"attempts, set forward":               {day, []time.Duration{0, 1, 2}, 3, day + 5*time.Minute, 0, true},
		"attempts, long after it is set":      {day, []time.Duration{0, 1, 2}, 3, day + 11*time.Minute, day + 3 + delay, false},
	} {
		t.Run(name, func(t *testing.T) {
			group := api.NewTaskGroup("g", 1)
			group.ReschedulePolicy = &api.ReschedulePolicy{
				Attempts: new(attempts), Interval: new(interval), Delay: new(delay), DelayFunction: new("constant"), MaxDelay: new(time.Duration(0)), Unlimited: new(false),
			}
			a := &api.Allocation{
				TaskGroup: "g", Job: &api.Job{Type: new(api.JobTypeService), TaskGroups: []*api.TaskGroup{group}},
				TaskStates: map[string]*api.TaskState{"t": {FinishedAt: begun.Add(c.finished)}}, RescheduleTracker: &api.RescheduleTracker{},
			}
			for _, tried := range c.tried {
				a.RescheduleTracker.Events = append(a.RescheduleTracker.Events, &api.RescheduleEvent{RescheduleTime: begun.Add(tried).UnixNano()})
			}
			at, ok := RescheduleAt(a, begun.Add(c.now), func(nanos int64) time.Time { return time.Unix(0, nanos).Add(c.set) })
			if ok == c.never || ok && !at.Equal(begun.Add(c.want)) {
				t.Errorf("%v, %v after the beginning, want %v", ok, at.Sub(begun), c.want)
			}
		})
	}
}

// One that seems to have failed later than now waits for its delay, not for the clock.
func TestReplacementOfOneThatFailedLater(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	group := api.NewTaskGroup("g", 1)
	group.ReschedulePolicy = &api.ReschedulePolicy{
		Attempts: new(0), Interval: new(time.Duration(0)), Delay: new(time.Minute), DelayFunction: new("constant"), MaxDelay: new(time.Duration(0)), Unlimited: new(true),
	}
	for name, a := range map[string]*api.Allocation{
		"by its tasks": {TaskStates: map[string]*api.TaskState{"t": {FinishedAt: now.Add(time.Hour)}}},
		"by its row":   {ModifyTime: now.Add(time.Hour).UnixNano()},
	} {
		a.TaskGroup, a.Job = "g", &api.Job{Type: new(api.JobTypeService), TaskGroups: []*api.TaskGroup{group}}
		if at, ok := RescheduleAt(a, now, nil); !ok || !at.Equal(now.Add(time.Minute)) {
			t.Errorf("%s: %v, %v", name, ok, at.Sub(now))
		}
	}
}
