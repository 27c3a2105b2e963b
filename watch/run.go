package watch

import (
	"context"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/hashicorp/nomad/api"
)

// heartbeat is the longest silence that is meant; with a request that hangs it is
// still below half a minute. Some CI systems end a step that writes nothing.
const heartbeat = 15 * time.Second

// Run watches the target until there is a verdict. A server that does not answer
// is asked again until the timeout, or the deadline of ctx when that is earlier:
// both end in a verdict. The error is not nil when ctx is cancelled, when the
// server refuses to be read, or when the options are wrong; the verdict is then
// Unknown and carries the deployment as last seen.
func Run(ctx context.Context, c *api.Client, t Target, o Options) (Verdict, error) {
	w, err := newWatcher(ctx, c, t, o)
	if err != nil {
		return Verdict{}, err
	}
	return w.verdict(ctx)
}

func newWatcher(ctx context.Context, c *api.Client, t Target, o Options) (*watcher, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	w := &watcher{reader: reader{client: c, target: t, newest: t.JobModifyIndex}, opts: o, start: time.Now()}
	w.deadline = w.start.Add(o.Timeout)
	if end, bounded := ctx.Deadline(); bounded && end.Before(w.deadline) {
		w.deadline = end
	}
	return w, nil
}

// verdict runs the watch and adds to its verdict what was seen last.
func (w *watcher) verdict(ctx context.Context) (Verdict, error) {
	v, err := w.run(ctx)
	if w.last != nil {
		v.Job, v.Allocs = w.last.Job, w.last.allocs(w.target)
	}
	if err == nil {
		if ctx.Err() == context.DeadlineExceeded {
			ctx = context.WithoutCancel(ctx) // the reasons of a timeout are worth some more seconds
		}
		w.addLogs(ctx, v.Reasons, w.opts.LogLines)
	}
	v.Elapsed = time.Since(w.start)
	return v, err
}

type watcher struct {
	reader
	opts Options

	start, deadline time.Time
	last            *Snapshot // as last seen, nil before the first read
	shown           facts
	spoke           time.Time // of the last event
	lost            bool

	unchecked string // why the promotion check did not answer as it should
	reverting bool   // a revert was asked for
	revertTo  uint64 // the version that it goes back to
	reverted  *Revert
}

func (w *watcher) run(ctx context.Context) (Verdict, error) {
	w.spoke = w.start
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval = minPause, 5*time.Second
	for {
		s := w.snapshot()
		at, err := w.readUntil(ctx, s)
		switch {
		case ctx.Err() == context.Canceled:
			return w.interrupted(), context.Cause(ctx)
		case hopeless(err):
			return w.interrupted(), fmt.Errorf("watch job %s: %w", w.target.JobID, err)
		case err != nil:
			if time.Now().Before(s.Deadline) {
				w.contact(err) // else it was the deadline that ended the read
			}
			s = w.stale()
		default:
			w.contact(nil)
			pause.Reset()
			s.observe(w.last)
			w.last = s
			w.show(s)
		}
		w.opts.Show(w.view())
		if v, done := Judge(*s); done {
			final, more := w.revert(ctx, v)
			if !more {
				return final, nil
			}
			continue
		}
		w.beat()
		if err != nil {
			w.rest(ctx, pause.NextBackOff())
			continue
		}
		if err := w.promote(ctx, s); err != nil {
			return w.interrupted(), err
		}
		w.rest(ctx, minPause)
		w.await(ctx, at, min(w.nextLook(s), w.patience()))
		w.beat()
	}
}

func (w *watcher) readUntil(ctx context.Context, s *Snapshot) (indexes, error) {
	ctx, cancel := context.WithDeadline(ctx, s.Deadline)
	defer cancel()
	at, err := w.read(ctx, s)
	s.Now = time.Now()
	return at, err
}

func (w *watcher) snapshot() *Snapshot {
	return &Snapshot{
		Now:      time.Now(),
		Deadline: w.deadline,
		Target:   w.target,
		Promote:  w.opts.Promote,
		Capacity: w.opts.WaitForCapacity,
		Reverted: w.reverted,
	}
}

// stale is the snapshot of a server that does not answer.
func (w *watcher) stale() *Snapshot {
	s := w.snapshot()
	if w.last != nil {
		now := s.Now
		*s = *w.last
		s.Now = now
	}
	s.Lost = w.lost || w.last == nil
	return s
}

func (w *watcher) interrupted() Verdict {
	v := Verdict{Outcome: Unknown, Summary: "the watch ended before the job was settled"}
	if w.last != nil {
		v.Deployment = w.last.deployment(w.target)
	}
	return v
}

// nextLook is when the snapshot is worth judging again even if nothing changes.
func (w *watcher) nextLook(s *Snapshot) time.Duration {
	look := readEvery
	if !s.UnplacedSince.IsZero() || len(s.RunningSince) > 0 && s.deployment(s.Target) == nil {
		look = min(look, time.Second)
	}
	if d := s.deployment(s.Target); d != nil && s.canariesReady(d) && w.opts.Promote == PromoteHealthy {
		look = min(look, time.Second)
	}
	return look
}

// contact notes that the server answers or does not, and tells the change.
func (w *watcher) contact(err error) {
	switch {
	case err != nil && !w.lost:
		w.say(EventContact, "contact lost, retrying until %s: %v", w.deadline.Format(time.TimeOnly), err)
	case err == nil && w.lost:
		w.say(EventContact, "contact is back")
	}
	w.lost = err != nil
}

func (w *watcher) show(s *Snapshot) {
	now := s.state()
	for _, e := range now.news(s.Now, w.shown) {
		w.say(e.Kind, "%s", e.Text)
	}
	w.shown = now
}

// beat says that the watch still goes on, when nothing else was said for long.
func (w *watcher) beat() {
	now := time.Now()
	if now.Sub(w.spoke) < heartbeat {
		return
	}
	left := w.deadline.Sub(now)
	w.say(EventHeartbeat, "still waiting after %s, giving up in %s%s", now.Sub(w.start).Round(time.Second), left.Round(time.Second), w.standing())
}

// standing sums up how far the deployment is, "" where there is none.
func (w *watcher) standing() string {
	if w.last == nil || w.lost {
		return ""
	}
	d := w.last.deployment(w.target)
	if d == nil {
		return ""
	}
	healthy, total := 0, 0
	for _, g := range d.TaskGroups {
		healthy, total = healthy+g.HealthyAllocs, total+g.DesiredTotal
	}
	return fmt.Sprintf(": deployment %s is %s, %d of %d healthy", short(d.ID), d.Status, healthy, total)
}

// patience is how long to do nothing at most: until the next heartbeat or the
// deadline.
func (w *watcher) patience() time.Duration {
	return min(time.Until(w.spoke.Add(heartbeat)), time.Until(w.deadline))
}

// rest does nothing for a while.
func (w *watcher) rest(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(min(d, w.patience()))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	w.beat()
}

func (w *watcher) say(kind EventKind, format string, args ...any) {
	w.spoke = time.Now()
	w.opts.Notify(Event{At: w.spoke, Kind: kind, Text: fmt.Sprintf(format, args...)})
}
