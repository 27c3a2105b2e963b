package watch

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/nomad/api"
)

// Event is one line for the screen.
type Event struct {
	At   time.Time
	Kind EventKind
	Text string // without line end, lower case, no full stop
}

// EventKind says what an event is about.
type EventKind string

const (
	EventProgress  EventKind = "progress"  // a deployment or one of its groups moved
	EventAlloc     EventKind = "alloc"     // an allocation changed
	EventContact   EventKind = "contact"   // the server was lost or is back
	EventAction    EventKind = "action"    // the watch promoted or reverted
	EventWaiting   EventKind = "waiting"   // somebody, or capacity, is waited for
	EventCanary    EventKind = "canary"    // every canary is healthy, a promotion is waited for
	EventHeartbeat EventKind = "heartbeat" // nothing changed for a while
)

// facts is what the screen knows: a text per thing, such as a group.
type facts struct {
	order []string
	kind  map[string]EventKind
	text  map[string]string
}

func (f *facts) add(kind EventKind, key, format string, args ...any) {
	if f.text == nil {
		f.kind, f.text = make(map[string]EventKind), make(map[string]string)
	}
	f.order = append(f.order, key)
	f.kind[key], f.text[key] = kind, fmt.Sprintf(format, args...)
}

// news are the facts that the earlier ones did not have, in order.
func (f *facts) news(at time.Time, earlier facts) []Event {
	var list []Event
	for _, key := range f.order {
		if earlier.text[key] != f.text[key] {
			list = append(list, Event{At: at, Kind: f.kind[key], Text: f.text[key]})
		}
	}
	return list
}

// state lists what there is to say about the snapshot.
func (s *Snapshot) state() facts {
	var f facts
	for _, t := range s.targets() {
		s.targetState(&f, t)
	}
	for _, u := range s.unplaced() {
		f.add(EventWaiting, "unplaced "+u.Group, "group %s: %d allocation(s) cannot be placed: %s", u.Group, u.Count, strings.Join(u.Reasons, ", "))
	}
	return f
}

// targets are the versions worth a line: the target's, and the one that a revert
// made.
func (s *Snapshot) targets() []Target {
	list := []Target{s.Target}
	d := s.deployment(s.Target)
	if s.Job == nil || d == nil || d.Status != api.DeploymentStatusFailed {
		return list
	}
	if _, back := s.rollback(d); back != nil {
		list = append(list, *back)
	}
	return list
}

func (s *Snapshot) targetState(f *facts, t Target) {
	if d := s.deployment(t); d != nil {
		f.add(EventProgress, d.ID, "deployment %s of version %d: %s", short(d.ID), d.JobVersion, strings.ToLower(d.StatusDescription))
		for _, name := range slices.Sorted(maps.Keys(d.TaskGroups)) {
			f.add(EventProgress, d.ID+name, "%s", groupState(name, d.JobVersion, d.TaskGroups[name]))
		}
		if d.Status == api.DeploymentStatusRunning && s.canariesReady(d) {
			f.add(EventCanary, d.ID+" canary", "every canary is healthy, deployment %s can be promoted", short(d.ID))
		}
	}
	for _, a := range slices.SortedFunc(slices.Values(s.allocs(t)), byName) {
		f.add(EventAlloc, a.ID, "%s", allocState(a))
	}
}

func groupState(name string, version uint64, g *api.DeploymentState) string {
	text := fmt.Sprintf("group %s of version %d: %d of %d placed, %d healthy", name, version, g.PlacedAllocs, g.DesiredTotal, g.HealthyAllocs)
	if g.UnhealthyAllocs > 0 {
		text += fmt.Sprintf(", %d unhealthy", g.UnhealthyAllocs)
	}
	switch {
	case g.DesiredCanaries == 0:
	case g.Promoted:
		text += ", canary promoted"
	default:
		text += fmt.Sprintf(", %d of %d canary placed", len(g.PlacedCanaries), g.DesiredCanaries)
	}
	return text
}

func allocState(a *api.AllocationListStub) string {
	text := fmt.Sprintf("allocation %s (%s) on %s: %s", short(a.ID), a.Name, a.NodeName, a.ClientStatus)
	switch {
	case isUnhealthy(a):
		text += ", unhealthy"
	case isHealthy(a):
		text += ", healthy"
	}
	if !wantedRunning(a) {
		text += ", to " + a.DesiredStatus
	}
	for _, name := range slices.Sorted(maps.Keys(a.TaskStates)) {
		if t := a.TaskStates[name]; t.Restarts > 0 {
			text += fmt.Sprintf(", task %s restarted %d time(s)", name, t.Restarts)
		}
	}
	return text
}

func byName(a, b *api.AllocationListStub) int {
	return cmp.Or(byIndex(a.Name, b.Name), strings.Compare(a.ID, b.ID))
}
