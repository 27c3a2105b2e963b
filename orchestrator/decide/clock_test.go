package decide

import (
	"testing"
	"time"
)

// A moment is as long ago after the clock was set as it was before.
func TestTimesOfAClockThatIsSet(t *testing.T) {
	const day = 24 * time.Hour
	begun := time.Unix(1_700_000_000, 0)
	moment := func(d time.Duration) time.Time { return begun.Add(d) }
	for name, c := range map[string]struct {
		steps []step
		now   time.Duration
		noted time.Duration
		want  time.Duration
	}{
		"never set":                               {nil, time.Hour, 0, 0},
		"noted before a step forward":             {[]step{{moment(time.Hour), moment(day)}}, day + time.Hour, 30 * time.Minute, day - 30*time.Minute},
		"noted after a step forward":              {[]step{{moment(time.Hour), moment(day)}}, day + time.Hour, day + time.Minute, day + time.Minute},
		"noted in whole seconds":                  {[]step{{moment(time.Hour), moment(day + time.Millisecond)}}, day + time.Hour, day, day},
		"noted before a step back":                {[]step{{moment(day), moment(time.Hour)}}, 2 * time.Hour, day - time.Minute, time.Hour - time.Minute},
		"long before a step back":                 {[]step{{moment(day), moment(time.Hour)}}, 2 * time.Hour, -time.Minute, time.Hour - day - time.Minute},
		"noted after a step back":                 {[]step{{moment(day), moment(time.Hour)}}, 2 * time.Hour, 90 * time.Minute, 90 * time.Minute},
		"noted before a step and its undo":        {[]step{{moment(time.Hour), moment(day)}, {moment(day + time.Hour), moment(2 * time.Hour)}}, 3 * time.Hour, time.Minute, time.Minute},
		"noted between a step and its undo":       {[]step{{moment(time.Hour), moment(day)}, {moment(day + time.Hour), moment(2 * time.Hour)}}, 3 * time.Hour, day + time.Minute, time.Hour + time.Minute},
		"noted after a step and its undo":         {[]step{{moment(time.Hour), moment(day)}, {moment(day + time.Hour), moment(2 * time.Hour)}}, 3 * time.Hour, 150 * time.Minute, 150 * time.Minute},
		"noted after a step back and one forward": {[]step{{moment(day), moment(day - time.Hour)}, {moment(day), moment(2 * day)}}, 3 * day, 50 * time.Hour, 50 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			now := moment(c.now)
			course := &course{last: now, steps: c.steps}
			if got := course.at(moment(c.noted).UnixNano()); !got.Equal(moment(c.want)) {
				t.Errorf("%v after the beginning, want %v", got.Sub(begun), c.want)
			}
		})
	}
}
