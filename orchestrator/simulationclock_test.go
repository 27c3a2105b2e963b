package orchestrator

import (
	"time"
	"unsafe"

	"github.com/hashicorp/go-memdb"
	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator/decide"
)

// clock is that of the machine: it goes as time passes in the bubble, and shows what
// it was set to. As with time.Now, how much time has passed between two of its times
// does not change when it is set. The times of a bubble cannot tell.
func (s *simulation) clock() time.Time {
	now := time.Now()
	shown := now.Add(time.Duration(s.skew.Load()))
	t := withPassed(shown, now.Sub(s.began))
	if !t.Round(0).Equal(shown) {
		panic("the fields of time.Time are other ones with this Go")
	}
	return t
}

// withPassed is a time that shows something and knows how much time has passed. Only time.Now
// makes such times, and not within a bubble: these are its fields.
func withPassed(shown time.Time, passed time.Duration) time.Time {
	const (
		known      = 1 << 63
		secondsAt  = 30
		until1885  = (1884*365 + 1884/4 - 1884/100 + 1884/400) * 86400
		until1970  = (1969*365 + 1969/4 - 1969/100 + 1969/400) * 86400
		sinceStart = 1
	)
	t := struct {
		wall     uint64
		passed   int64
		location *time.Location
	}{
		known | uint64(shown.Unix()+until1970-until1885)<<secondsAt | uint64(shown.Nanosecond()),
		sinceStart + int64(passed), time.Local,
	}
	return *(*time.Time)(unsafe.Pointer(&t))
}

// setClock sets the clock of the machine forward or back.
func (s *simulation) setClock() {
	by := pick(s, 3*time.Second, 90*time.Second, 2*time.Hour, 24*time.Hour, 30*24*time.Hour)
	if s.chance(50) {
		by = -by
	}
	s.say("the clock is set by %s", by)
	s.count("clock steps")
	s.skew.Add(int64(by))
}

// moment is when a row says that it was changed, and when that was in the bubble.
type moment struct {
	noted  int64
	really time.Time
}

// checkAge notes when a row changes, and holds that none is removed before it is old
// enough, unless somebody asks for it, whatever the clock shows. The caller holds mu.
func (s *simulation) checkAge(change memdb.Change) {
	row := change.After
	if change.Deleted() {
		row = change.Before
	}
	var id string
	var noted int64
	var age time.Duration
	switch row := row.(type) {
	case *api.Allocation:
		id, noted, age = row.ID, row.ModifyTime, decide.DefaultAges().Evals
	case *api.Evaluation:
		id, noted, age = row.ID, row.ModifyTime, decide.DefaultAges().Evals
	case *api.Deployment:
		id, noted, age = row.ID, row.ModifyTime, decide.DefaultAges().Deployments
	default:
		return
	}
	switch known := s.changed[id]; {
	case !change.Deleted() && known.noted != noted:
		s.changed[id] = moment{noted, time.Now()}
	case change.Deleted() && !s.asked:
		s.counts["removed"]++
		if past := time.Since(known.really); past < age {
			s.fault("%T %s is removed after %s", row, id, past)
		}
	}
}
