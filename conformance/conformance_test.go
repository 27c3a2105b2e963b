package conformance

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"ostro/orchestrator/orchestratortest"
)

var rewrite = flag.Bool("rewrite", false, "write the records anew: Nomad's with the nomad on PATH, and ours where a scenario says that they differ")

// atOnce is how many scenarios run side by side. They mostly wait; clusters of
// Nomad need fewer.
var atOnce = flag.Int("at-once", 24, "how many scenarios run side by side")

// listenWord is the argument by which the test binary is a task that listens on
// the port of its group.
const listenWord = "conformance-listen"

func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == listenWord {
		if err := http.ListenAndServe(os.Getenv("NOMAD_ADDR_http"), http.HandlerFunc(answer)); err != nil {
			os.Exit(1)
		}
	}
	os.Exit(orchestratortest.Main(m))
}

// answer is good to all paths but one.
func answer(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/bad" {
		w.WriteHeader(http.StatusInternalServerError)
	}
}

// A scenario is one row of the table. Its name is the ID of its job.
type scenario struct {
	name string
	run  func(*session)
	// full marks those that run only with OSTRO_TEST=full.
	full bool
	// alone marks those that touch more than their own job: they get an agent for
	// themselves.
	alone bool
	// clients is how many nodes it needs, if not one; it has them for itself.
	clients int
	// differs says why our record is not that of Nomad. It is kept beside it.
	differs string
}

// table lists every scenario by what it is about.
func table() []scenario {
	return slices.Concat(registering, deployments, updates(), scaling, services, tasks, allocations, placement(), launches, nodes, plans, tables, refusals(), runs, lives, answers, reach, combinations, turns, shapes, several)
}

func TestOrchestrator(t *testing.T) {
	runAll(t, embedded{}, selection(t))
}

func TestNomad(t *testing.T) {
	runAll(t, nomad{path: onPath(t)}, selection(t))
}

// selection is the scenarios that are to run, all of them when OSTRO_TEST is full.
func selection(t *testing.T) []scenario {
	all := table()
	if len(all) == 0 {
		t.Fatal("there is no scenario")
	}
	if os.Getenv("OSTRO_TEST") == "full" || *rewrite {
		return all
	}
	return slices.DeleteFunc(all, func(sc scenario) bool { return sc.full })
}

func runAll(t *testing.T, e engine, all []scenario) {
	all = slices.DeleteFunc(all, func(sc scenario) bool { return !selected(t, sc.name) })
	shared := sync.OnceValue(func() *target { return e.start(t, 1) })
	var running sync.WaitGroup
	slots := make(chan struct{}, *atOnce)
	for _, sc := range all {
		slots <- struct{}{}
		running.Go(func() {
			defer func() { <-slots }()
			t.Run(sc.name, func(t *testing.T) { runOne(t, e, sc, shared) })
		})
	}
	running.Wait()
}

// selected tells whether -run lets the subtest run, so that no agent starts for
// nothing and none of the slots is taken.
func selected(t *testing.T, name string) bool {
	_, pattern, some := strings.Cut(flag.Lookup("test.run").Value.String(), "/")
	if !some {
		return true
	}
	matched, err := regexp.MatchString(pattern, name)
	if err != nil {
		t.Fatal(err)
	}
	return matched
}

func runOne(t *testing.T, e engine, sc scenario, shared func() *target) {
	own := shared
	if sc.alone || sc.clients > 1 {
		own = func() *target { return e.start(t, max(sc.clients, 1)) }
	}
	want := readRecord(t, recordFile(e, sc))
	s := &session{T: t, target: own(), job: sc.name, want: want}
	if e.writes(sc) {
		s.want = nil
	}
	defer s.cleanUp()
	sc.run(s)
	s.look()
	got := s.record()
	if e.writes(sc) {
		writeRecord(t, e, sc, got)
		return
	}
	if d := difference(want, got); d != "" {
		t.Errorf("%s left something else\n%s", e.name(), d)
	}
}

// recordFile is where the record is that the engine has to show.
func recordFile(e engine, sc scenario) string {
	name := sc.name
	if sc.differs != "" {
		name += e.suffix()
	}
	return filepath.Join("testdata", name+".txt")
}

// readRecord returns the blocks of a record, none when there is no file.
func readRecord(t *testing.T, file string) []string {
	t.Helper()
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	_, body, _ := strings.Cut(string(text), "\n\n")
	return strings.Split(strings.TrimSuffix(body, "\n"), "\n\n")
}

func writeRecord(t *testing.T, e engine, sc scenario, blocks []string) {
	t.Helper()
	head := "# " + e.version()
	if sc.differs != "" && e.suffix() != "" {
		head += ": " + sc.differs
	}
	text := head + "\n\n" + strings.Join(blocks, "\n\n") + "\n"
	if err := os.WriteFile(recordFile(e, sc), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestRecords holds the files against the table: each has its scenario.
func TestRecords(t *testing.T) {
	known := map[string]bool{}
	for _, sc := range table() {
		file := recordFile(nomad{}, sc)
		if known[file] {
			t.Errorf("two scenarios have the name %s", sc.name)
		}
		known[file], known[recordFile(embedded{}, sc)] = true, true
	}
	files, err := filepath.Glob("testdata/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if !known[file] {
			t.Errorf("%s belongs to no scenario", file)
		}
		delete(known, file)
	}
	for file := range known {
		t.Errorf("there is no %s: %s", file, fmt.Sprintf("go test ./conformance -rewrite -run /^%s$ with a nomad on PATH writes it", strings.TrimSuffix(filepath.Base(file), ".txt")))
	}
}
