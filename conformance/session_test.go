package conformance

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aymanbagabas/go-udiff"
	"github.com/hashicorp/nomad/api"
)

// A session runs one scenario on one agent. What it asks for and what it sees
// becomes the blocks of a record.
type session struct {
	*testing.T
	*target
	job      string   // the ID of the scenario's job
	others   []string // further jobs, which are shown too
	blocks   []string
	want     []string // what the record has to be; none when it is written
	astray   bool     // the record is another already
	away     string   // the node that is or was out of reach
	isAway   bool     // it still is
	leftAt   uint64   // the index of the newest allocation before that
	nameless bool     // more of a group run than are to stay
	unwanted bool     // what comes back is stopped at once, after it has said that it is back or before
}

// say adds a block to the record.
func (s *session) say(format string, args ...any) {
	s.add(fmt.Sprintf(format, args...))
}

func (s *session) add(block string) {
	block = plain(block)
	if want, some := s.expected(); some && want != block {
		s.astray = true
	}
	s.blocks = append(s.blocks, block)
}

// expected is the block that comes next.
func (s *session) expected() (string, bool) {
	if len(s.blocks) >= len(s.want) {
		return "", false
	}
	return s.want[len(s.blocks)], true
}

func (s *session) record() []string { return s.blocks }

func difference(want, got []string) string {
	return udiff.Unified("Nomad", "now", strings.Join(want, "\n\n")+"\n", strings.Join(got, "\n\n")+"\n")
}

// until waits for a condition that the scenario needs to go on.
func (s *session) until(what string, ok func() bool) {
	s.Helper()
	if !s.within(s.patience, ok) {
		s.look()
		s.Fatalf("%s: did not come true. The record so far:\n%s", what, strings.Join(s.blocks, "\n\n"))
	}
}

func (s *session) within(limit time.Duration, ok func() bool) bool {
	deadline := time.After(limit)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline:
			return false
		case <-tick.C:
		}
	}
	return true
}

// look adds what is to be seen of the job once it has come to rest, which means
// once it is what the record wants. To write a record, it waits until nothing has
// changed for a while.
func (s *session) look() {
	s.Helper()
	want, some := s.expected()
	var seen string
	switch {
	case s.astray:
		s.within(2*s.calm, s.settled)
		seen = s.show()
	case some:
		s.within(s.patience/3, func() bool {
			settled := s.settled()
			seen = plain(s.show())
			return settled && seen == want
		})
	default:
		since := time.Now()
		s.within(s.patience, func() bool {
			now := s.show()
			if now != seen || !s.settled() {
				since = time.Now()
			}
			seen = now
			return time.Since(since) > s.calm
		})
	}
	s.add(seen)
}

// settled tells whether nothing is under way: no evaluation that is due, and no
// allocation between two states.
func (s *session) settled() bool {
	for _, id := range s.jobs() {
		evals, _, err := s.client.Jobs().Evaluations(id, nil)
		s.check(err)
		if slices.ContainsFunc(evals, func(e *api.Evaluation) bool {
			return e.Status == api.EvalStatusPending && e.WaitUntil.IsZero()
		}) {
			return false
		}
		for _, alloc := range s.stubs(id) {
			stopping := alloc.DesiredStatus != api.AllocDesiredStatusRun && !(s.isAway && alloc.NodeID == s.away)
			if stopping && !ended(alloc) {
				return false
			}
		}
	}
	return true
}

func ended(alloc *api.AllocationListStub) bool {
	return alloc.ClientStatus != api.AllocClientStatusPending && alloc.ClientStatus != api.AllocClientStatusRunning
}

func (s *session) jobs() []string { return append([]string{s.job}, s.others...) }

func (s *session) stubs(id string) []*api.AllocationListStub {
	stubs, _, err := s.client.Jobs().Allocations(id, true, nil)
	s.check(err)
	return stubs
}

// check ends the scenario on an error that is none of its replies.
func (s *session) check(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// cleanUp makes room for others.
func (s *session) cleanUp() {
	for _, id := range s.jobs() {
		if _, _, err := s.client.Jobs().Deregister(id, true, nil); err != nil {
			s.Error(err)
		}
	}
}

// What differs from run to run and says nothing.
var (
	uuids    = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
	delays   = regexp.MustCompile(`Task restarting in \S+`)
	indexes  = regexp.MustCompile(`(modify index:?) \d+`)
	statuses = regexp.MustCompile(`Unexpected response code: `)
	ports    = regexp.MustCompile(`127\.0\.0\.1:\d+`)
	children = regexp.MustCompile(`/(periodic|dispatch|dispatch-mine)-[0-9]+(-[0-9a-f]+)?`)
	reserved = regexp.MustCompile(`(reserved port collision \w+)=\d+`)
	// Nomad says it or not, by what it hears of first: the failed task or the
	// failed allocation.
	hasty = regexp.MustCompile(`(?m)^ *Alloc Unhealthy: Unhealthy because of failed task$`)
)

// plain takes away what differs from run to run.
func plain(text string) string {
	text = uuids.ReplaceAllString(text, "ID")
	text = delays.ReplaceAllString(text, "Task restarting in TIME")
	text = indexes.ReplaceAllString(text, "$1 INDEX")
	text = hasty.ReplaceAllString(text, "")
	text = statuses.ReplaceAllString(text, "")
	text = ports.ReplaceAllString(text, "127.0.0.1:PORT")
	text = children.ReplaceAllString(text, "/$1-TIME")
	text = reserved.ReplaceAllString(text, "$1=PORT")
	lines := strings.Split(text, "\n")
	return strings.Join(slices.DeleteFunc(lines, func(l string) bool { return strings.TrimSpace(l) == "" }), "\n")
}
