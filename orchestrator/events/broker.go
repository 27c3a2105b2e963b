package events

import (
	"context"
	"errors"
	"strconv"
	"sync"

	"ostro/orchestrator/state"
)

// How many writes can be read later (Nomad keeps 100), and how many are kept for those
// who read already: who has just begun with the oldest is not too slow at once.
const (
	buffered = 128
	kept     = 4 * buffered
)

// ErrClosed ends a subscription whose reader has fallen behind the buffer: it
// has to list again what it follows, and to subscribe anew. (Nomad: the text.)
var ErrClosed = errors.New("subscription closed by server, client should resubscribe")

// Broker keeps the events of the last writes. Its zero value is empty and ready.
type Broker struct {
	mu sync.Mutex
	// commits are the kept writes, oldest first; the first of them has the
	// number first, counted from the start.
	commits []*commit
	first   uint64
	// more is closed by the next write.
	more chan struct{}
}

// commit is one write.
type commit struct {
	index   uint64
	changes state.Changes
	make    sync.Once
	events  []Event
}

// Publish notes a write. (state: Config.Committed.)
func (b *Broker) Publish(index uint64, changes state.Changes) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.commits = append(b.commits, &commit{index: index, changes: changes})
	if len(b.commits) > kept {
		b.commits[0] = nil
		b.commits = b.commits[1:]
		b.first++
	}
	if b.more != nil {
		close(b.more)
		b.more = nil
	}
}

// Events are what one write brought for a subscription.
type Events struct {
	Index  uint64
	Events []Event
}

// JSON is what goes over the wire, without an end of line.
func (e Events) JSON() []byte {
	text := strconv.AppendUint([]byte(`{"Index":`), e.Index, 10)
	text = append(text, `,"Events":[`...)
	for i, event := range e.Events {
		if i > 0 {
			text = append(text, ',')
		}
		text = append(text, event.text...)
	}
	return append(text, "]}"...)
}

// Subscription reads events in the order of the writes. It is for one goroutine.
type Subscription struct {
	broker *Broker
	filter Filter
	next   uint64
}

// Subscribe begins at the oldest kept write whose index is not less than index.
// When all are less, it begins at the last one. (Nomad: the closest; 0 means
// the oldest.)
func (b *Broker) Subscribe(index uint64, filter Filter) *Subscription {
	b.mu.Lock()
	defer b.mu.Unlock()
	oldest := max(0, len(b.commits)-buffered)
	s := &Subscription{b, filter, b.first}
	for i, c := range b.commits[oldest:] {
		s.next = b.first + uint64(oldest+i)
		if c.index >= index {
			break
		}
	}
	return s
}

// Next gives the events of the next write that has some for the subscription,
// and waits for one if need be.
func (s *Subscription) Next(ctx context.Context) (Events, error) {
	for {
		c, more, err := s.broker.at(s.next)
		if err != nil {
			return Events{}, err
		}
		if c == nil {
			select {
			case <-ctx.Done():
				return Events{}, ctx.Err()
			case <-more:
			}
			continue
		}
		s.next++
		if chosen := s.filter.choose(c.all()); len(chosen) > 0 {
			return Events{c.index, chosen}, nil
		}
	}
}

// Ready tells whether [Subscription.Next] would return at once. It passes over the
// writes that have nothing for the subscription.
func (s *Subscription) Ready() bool {
	for ; ; s.next++ {
		c, _, err := s.broker.at(s.next)
		if c == nil || err != nil || len(s.filter.choose(c.all())) > 0 {
			return c != nil || err != nil
		}
	}
}

// at gives a write by its number, or what is closed when it comes.
func (b *Broker) at(number uint64) (*commit, <-chan struct{}, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case number < b.first:
		return nil, nil, ErrClosed
	case number < b.first+uint64(len(b.commits)):
		return b.commits[number-b.first], nil, nil
	}
	if b.more == nil {
		b.more = make(chan struct{})
	}
	return nil, b.more, nil
}

// all are the events of a write. Who asks first makes them, for all.
func (c *commit) all() []Event {
	c.make.Do(func() {
		c.events = eventsOf(c.index, c.changes)
		c.changes = nil
	})
	return c.events
}
