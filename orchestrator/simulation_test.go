package orchestrator

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"hash"
	"hash/fnv"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator/decide"
	"ostro/orchestrator/driver"
	"ostro/orchestrator/runner"
	"ostro/orchestrator/state"
)

var (
	seed  = flag.Uint64("seed", 0, "simulate with this seed, and with those that follow it where -steps says so")
	steps = flag.Int("steps", 0, "simulate so many steps; without -seed with seeds that nobody has tried")
)

const (
	// stepsOfSeed are taken with each seed, of which a plain run takes plainSeed alone.
	stepsOfSeed = 2500
	plainSeed   = 2
	// manySteps are enough to have seen everything.
	manySteps = 100_000
)

// TestSimulation runs the whole agent with pretended tasks in a bubble, where time
// passes at once, and does to it what comes to the mind of a seed.
func TestSimulation(t *testing.T) {
	oneProcessor(t)
	total, first := stepsOfSeed, uint64(plainSeed)
	if *steps > 0 {
		total, first = *steps, rand.Uint64N(1<<48)
	}
	if *seed > 0 {
		first = *seed
	}
	seen := &tally{counts: map[string]int{}}
	t.Run("seeds", func(t *testing.T) {
		for i := range (total + stepsOfSeed - 1) / stepsOfSeed {
			seed := first + uint64(i)
			t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
				t.Parallel()
				simulate(t, seed, seen)
			})
		}
	})
	t.Log(seen)
	if total < manySteps || t.Failed() {
		return
	}
	for _, what := range []string{"deployments successful", "deployments failed", "reverts", "promotions", "moves", "losses", "blocked", "clock steps", "removed"} {
		if seen.counts[what] == 0 {
			t.Errorf("there were no %s", what)
		}
	}
}

// TestSimulationReplays holds that a seed is a history.
func TestSimulationReplays(t *testing.T) {
	oneProcessor(t)
	seen := &tally{counts: map[string]int{}}
	first, again := simulate(t, 7, seen), simulate(t, 7, seen)
	if len(first) != len(again) {
		t.Fatalf("%d writes, and then %d", len(first), len(again))
	}
	for i := range first {
		if first[i] != again[i] {
			t.Fatalf("write %d of %d is another one the second time", i, len(first))
		}
	}
}

// tally counts what happened with all seeds.
type tally struct {
	mu     sync.Mutex
	counts map[string]int
}

func (t *tally) add(counts map[string]int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for what, n := range counts {
		t.counts[what] += n
	}
}

func (t *tally) String() string {
	var text strings.Builder
	for _, what := range slices.Sorted(maps.Keys(t.counts)) {
		fmt.Fprintf(&text, "\n%8d %s", t.counts[what], what)
	}
	return text.String()
}

// simulation is an agent and what is done to it.
type simulation struct {
	t      *testing.T
	o      *Orchestrator
	api    http.Handler
	random *rand.Rand
	trace  []string
	counts map[string]int
	// began is when the bubble did; skew is by how much, in nanoseconds, the clock of
	// the machine is ahead of the bubble.
	began time.Time
	skew  atomic.Int64

	mu    sync.Mutex
	ids   *rand.Rand
	index uint64
	// held are the reports of nodes that are on their way, by node.
	held map[string]*report
	// hearing says that a node is heard: a write may hold its report and what is
	// decided about it.
	hearing bool
	// digests tell one history from another, write by write.
	digest  hash.Hash64
	digests []uint64
	// collected are jobs of which a failed allocation was removed: nothing takes its
	// place before somebody asks. (Nomad.)
	collected map[string]bool
	// changed is when each row was; asked says that somebody asks to remove some.
	changed map[string]moment
	asked   bool
	wrong   []string
	over    chan struct{}
}

// report is what a node says; it waits until it is heard.
type report struct {
	updates []runner.Update
	heard   chan struct{}
}

// simulate takes the steps of a seed, and returns the digests of the writes.
func simulate(t *testing.T, seed uint64, seen *tally) []uint64 {
	dir := t.TempDir()
	s := &simulation{
		random: rand.New(rand.NewPCG(seed, 0)), ids: rand.New(rand.NewPCG(seed, 1)), counts: map[string]int{},
		held: map[string]*report{}, digest: fnv.New64a(), collected: map[string]bool{}, changed: map[string]moment{},
	}
	synctest.Test(t, func(t *testing.T) {
		s.t, s.over, s.began = t, make(chan struct{}), time.Now()
		defer s.explain(seed)
		s.start(dir)
		defer s.end()
		for s.counts["steps"] < stepsOfSeed {
			s.next()
		}
		s.calm()
		s.checkCalm()
	})
	seen.add(s.counts)
	return s.digests
}

// explain tells how to see a failure again, and what led to it.
func (s *simulation) explain(seed uint64) {
	if s.t.Failed() {
		s.t.Logf("again: go test ./orchestrator -run 'TestSimulation$' -seed %d\n%s", seed,
			strings.Join(s.trace[max(len(s.trace)-40, 0):], "\n"))
	}
}

// nodes is how many there are.
const nodes = 4

func (s *simulation) start(dir string) {
	o := &Orchestrator{conf: Config{DataDir: dir}.withDefaults(), runners: map[string]*runner.Runner{}, nodes: map[string]int{}}
	o.conf.Log, o.addr = slog.New(slog.DiscardHandler), "127.0.0.1:4646"
	o.drivers = driver.Pretended()
	drivers, attributes := o.drivers.Fingerprint(time.Now())
	o.found = &api.Node{
		Name: "node", NodePool: api.NodePoolDefault, Drivers: drivers, Attributes: attributes,
		// Nobody listens on this address, so no port of it is ever taken by others.
		NodeResources: &api.NodeResources{
			Cpu: api.NodeCpuResources{CpuShares: 1000}, Memory: api.NodeMemoryResources{MemoryMB: 1000}, Disk: api.NodeDiskResources{DiskMB: 4000},
			Networks:       []*api.NetworkResource{{Mode: "host", Device: "lo", IP: "192.0.2.1"}},
			MinDynamicPort: 20000, MaxDynamicPort: 20031,
		},
	}
	o.conf.Nodes = nodes
	o.wire(decide.NewClock(s.clock, s.newID))
	o.report = s.report
	s.o = o
	store, err := state.Open(state.Config{Committed: func(index uint64, changes state.Changes) {
		o.committed(index, changes)
		s.committed(index, changes)
	}})
	if err != nil {
		s.t.Fatal(err)
	}
	o.store, o.loop.store = store, store
	s.api = o.handler()
	for i := range nodes {
		node := o.describe(i, nil)
		o.nodes[node.ID] = i
		if err := o.startNode(s.t.Context(), node, filepath.Join(dir, strconv.Itoa(i))); err != nil {
			s.t.Fatal(err)
		}
	}
	o.loop.begin(s.t.Context())
	s.settle()
}

func (s *simulation) end() {
	close(s.over)
	s.o.loop.end()
	for _, err := range s.o.stopNodes(context.Background()) {
		if err != nil {
			s.t.Error(err)
		}
	}
}

func (s *simulation) newID() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, b := s.ids.Uint64(), s.ids.Uint64()
	return fmt.Sprintf("%08x-%04x-%04x-%04x-%012x", a>>32, a>>16&0xffff, a&0xffff, b>>48, b&(1<<48-1))
}

// report holds what a node says until a step lets it be heard: which node is heard
// first is up to the seed.
func (s *simulation) report(node string, updates []runner.Update) {
	r := &report{updates, make(chan struct{})}
	s.mu.Lock()
	s.held[node] = r
	s.mu.Unlock()
	select {
	case <-r.heard:
	case <-s.over:
	}
}

// settle returns when all that can be done now is done.
func (s *simulation) settle() { synctest.Wait() }

// step ends a step: what has to hold is held to it once nothing is left to do.
func (s *simulation) step() {
	s.settle()
	s.counts["steps"]++
	s.check()
}

// waiting are the nodes that have something to say.
func (s *simulation) waiting() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.held))
}

// hear lets a node be heard.
func (s *simulation) hear(node string) {
	s.mu.Lock()
	r := s.held[node]
	delete(s.held, node)
	s.hearing = true
	s.mu.Unlock()
	slices.SortFunc(r.updates, func(a, b runner.Update) int { return strings.Compare(a.AllocID, b.AllocID) })
	for _, u := range r.updates {
		s.say("node %.4s says that %.8s is %s", node, u.AllocID, u.ClientStatus)
	}
	s.o.loop.report(node, r.updates)
	close(r.heard)
	s.step()
	s.heard()
}

// heard ends what nodes say.
func (s *simulation) heard() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hearing = false
}

// hearAll lets all nodes be heard until they have nothing more to say.
func (s *simulation) hearAll() {
	for range 100 {
		nodes := s.waiting()
		if len(nodes) == 0 {
			return
		}
		for _, node := range nodes {
			s.hear(node)
		}
	}
}

func (s *simulation) say(format string, args ...any) {
	s.trace = append(s.trace, fmt.Sprintf("%s %s", time.Now().Format("02 15:04:05.000"), fmt.Sprintf(format, args...)))
}

// next does something: a node is heard, time passes, or somebody wants something.
func (s *simulation) next() {
	nodes := s.waiting()
	n := s.random.IntN(100)
	switch {
	case len(nodes) > 0 && n < 50:
		s.hear(pick(s, nodes...))
	case n < 75:
		s.pass()
	default:
		s.operate()
		s.step()
	}
}

// pass lets time pass: mostly little, and mostly with nodes that are heard.
func (s *simulation) pass() {
	d := pick(s, 20*time.Millisecond, 20*time.Millisecond, 100*time.Millisecond, time.Second, time.Second, 5*time.Second,
		10*time.Second, 30*time.Second, time.Minute, 5*time.Minute, 15*time.Minute)
	deaf := s.chance(10)
	s.say("%s pass", d)
	const parts = 5
	for range parts {
		time.Sleep(d / parts)
		s.step()
		if !deaf && d > 100*time.Millisecond {
			s.hearAll()
		}
	}
}

// chance is true in so many of a hundred cases.
func (s *simulation) chance(percent int) bool { return s.random.IntN(100) < percent }

func pick[T any](s *simulation, of ...T) T { return of[s.random.IntN(len(of))] }

// call makes a request. That it is refused is no fault.
func (s *simulation) call(method, path string, body any) {
	text, err := json.Marshal(body)
	if err != nil {
		s.t.Fatal(err)
	}
	request := httptest.NewRequestWithContext(s.t.Context(), method, "http://127.0.0.1:4646"+path, bytes.NewReader(text))
	request.Header.Set("Content-Type", "application/json")
	answer := httptest.NewRecorder()
	s.api.ServeHTTP(answer, request)
	s.say("%s %s: %d", method, path, answer.Code)
	if answer.Code != http.StatusOK {
		s.say("  %s", strings.ReplaceAll(answer.Body.String(), "\n", " "))
		s.count("requests refused")
		return
	}
	s.count("requests taken")
}

func (s *simulation) count(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts[what]++
}
