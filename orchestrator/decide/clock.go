package decide

import (
	"slices"
	"sync"
	"time"
)

// Clock gives what the pure packages may not make themselves.
type Clock struct {
	Now   func() time.Time
	NewID func() string
	// At is when something happened that was noted in Unix nanoseconds, by the clock
	// as it goes now: setting the clock makes nothing older or younger. It may be nil,
	// for a clock that nobody sets.
	At func(nanos int64) time.Time
}

// NewClock watches a clock that may be set while it goes: the times of now have to
// bear how much time has really passed, as those of time.Now do.
func NewClock(now func() time.Time, newID func() string) Clock {
	c := &course{clock: now}
	return Clock{Now: c.now, NewID: newID, At: c.at}
}

// at is At, also of a clock that nobody sets.
func (c Clock) at(nanos int64) time.Time {
	if c.At == nil {
		return time.Unix(0, nanos)
	}
	return c.At(nanos)
}

const (
	// stepSize is by how much a clock is set at least; what is less comes from
	// making it go faster or slower.
	stepSize = time.Second
	// maxSteps are remembered; a machine that sleeps each night has one a day.
	maxSteps = 64
	// noteError is by how much a noted time may be off: some are in whole seconds.
	noteError = 2 * time.Second
)

// course is how a clock went.
type course struct {
	clock func() time.Time

	mu    sync.Mutex
	last  time.Time
	steps []step
}

// step is that the clock was set.
type step struct{ from, to time.Time }

func (c *course) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.clock()
	if !c.last.IsZero() {
		due, shown := c.last.Add(now.Sub(c.last)).Round(0), now.Round(0)
		if shown.Sub(due).Abs() >= stepSize {
			c.steps = append(c.steps[max(0, len(c.steps)-maxSteps+1):], step{due, shown})
		}
	}
	c.last = now
	return now
}

// at moves a time by each step that came after it was noted. One that the clock has
// shown before a step back and again after it counts as the later one: then nothing
// is done too soon.
func (c *course) at(nanos int64) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	noted, until := time.Unix(0, nanos), c.last.Round(0)
	at := noted
	for _, s := range slices.Backward(c.steps) {
		if !noted.Before(s.to.Add(-noteError)) && !noted.After(until.Add(noteError)) {
			break
		}
		at, until = at.Add(s.to.Sub(s.from)), s.from
	}
	return at
}
