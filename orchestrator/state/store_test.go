package state

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-memdb"
	"github.com/hashicorp/nomad/api"
	"pgregory.net/rapid"
)

func testJob(id, command string) *api.Job {
	task := api.NewTask("t", "raw_exec")
	task.Config = map[string]any{"command": command}
	job := api.NewServiceJob(id, id, "global", 50)
	job.TaskGroups = []*api.TaskGroup{api.NewTaskGroup("g", 1).AddTask(task)}
	job.Canonicalize()
	return job
}

func open(t *testing.T, dir string) *Store {
	t.Helper()
	s, err := Open(Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func update(t *testing.T, s *Store, fn func(*Txn)) uint64 {
	t.Helper()
	index, err := s.Update(func(tx *Txn) error {
		fn(tx)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return index
}

func register(t *testing.T, s *Store, job *api.Job) *api.Job {
	t.Helper()
	var stored *api.Job
	update(t, s, func(tx *Txn) {
		var err error
		if stored, err = tx.RegisterJob(Registration{Job: job}); err != nil {
			t.Fatal(err)
		}
	})
	return stored
}

func TestRegisterMakesVersions(t *testing.T) {
	s := open(t, "")
	first := register(t, s, testJob("web", "a"))
	if *first.Version != 0 || *first.JobModifyIndex < 2 || *first.CreateIndex != *first.JobModifyIndex {
		t.Errorf("the first version is %d at index %d, created at %d", *first.Version, *first.JobModifyIndex, *first.CreateIndex)
	}
	if again := register(t, s, testJob("web", "a")); *again.Version != 0 || *again.JobModifyIndex != *first.JobModifyIndex {
		t.Errorf("the same job again is version %d at index %d", *again.Version, *again.JobModifyIndex)
	}
	second := register(t, s, testJob("web", "b"))
	if *second.Version != 1 || *second.CreateIndex != *first.CreateIndex || *second.JobModifyIndex <= *first.JobModifyIndex {
		t.Errorf("a changed job is version %d at index %d, created at %d", *second.Version, *second.JobModifyIndex, *second.CreateIndex)
	}
}

func TestRegisterEnforcesIndex(t *testing.T) {
	s := open(t, "")
	stored := register(t, s, testJob("web", "a"))
	index := *stored.JobModifyIndex
	for _, test := range []struct {
		id    string
		index uint64
		want  string
	}{
		{"web", 0, "Enforcing job modify index 0: job already exists"},
		{"web", index + 1, fmt.Sprintf("Enforcing job modify index %d: job exists with conflicting job modify index: %d", index+1, index)},
		{"other", 7, "Enforcing job modify index 7: job does not exist"},
		{"web", index, ""},
		{"other", 0, ""},
	} {
		_, err := s.Update(func(tx *Txn) error {
			_, err := tx.RegisterJob(Registration{Job: testJob(test.id, "b"), EnforceIndex: true, JobModifyIndex: test.index})
			return err
		})
		if got := fmt.Sprint(err); test.want != "" && (got != test.want || !errors.Is(err, ErrIndexConflict)) || test.want == "" && err != nil {
			t.Errorf("index %d of %s: %v, want %q", test.index, test.id, err, test.want)
		}
	}
}

func TestOldVersionsAreDropped(t *testing.T) {
	s := open(t, "")
	for i := range 3 {
		register(t, s, testJob("web", fmt.Sprint(i)))
	}
	update(t, s, func(tx *Txn) { tx.MarkStable("default", "web", 1, true) })
	for i := range 10 {
		register(t, s, testJob("web", fmt.Sprint(10+i)))
	}
	var kept []uint64
	for _, job := range s.Snapshot().Versions(nil, "default", "web") {
		kept = append(kept, *job.Version)
	}
	if want := []uint64{12, 11, 10, 9, 8, 1}; !cmp.Equal(kept, want) {
		t.Errorf("kept %v, want %v: the newest, and the newest stable one", kept, want)
	}
}

func TestStopRevertPurge(t *testing.T) {
	s := open(t, "")
	register(t, s, testJob("web", "a"))
	update(t, s, func(tx *Txn) { tx.MarkStable("default", "web", 0, true) })
	update(t, s, func(tx *Txn) { tx.StopJob("default", "web", false, 7) })
	stopped := s.Snapshot().Job(nil, "default", "web")
	if *stopped.Version != 1 || !*stopped.Stop || !*stopped.Stable || *stopped.Status != JobDead {
		t.Errorf("a stop is version %d, stop %t, stable %t, %s", *stopped.Version, *stopped.Stop, *stopped.Stable, *stopped.Status)
	}
	update(t, s, func(tx *Txn) { tx.RevertJob("default", "web", 0, false) })
	reverted := s.Snapshot().Job(nil, "default", "web")
	if *reverted.Version != 2 || *reverted.Stop || *reverted.Stable {
		t.Errorf("a revert is version %d, stop %t, stable %t", *reverted.Version, *reverted.Stop, *reverted.Stable)
	}
	update(t, s, func(tx *Txn) { tx.StopJob("default", "web", true, 7) })
	if job := s.Snapshot().Job(nil, "default", "web"); job != nil || len(s.Snapshot().Versions(nil, "default", "web")) > 0 {
		t.Error("a purged job is still there")
	}
}

// TestReopen does random writes, and finds all of them after reopening.
func TestReopen(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dir := tempDir(t)
		s, err := Open(Config{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		last := uint64(0)
		for i := range rapid.IntRange(1, 20).Draw(t, "writes") {
			index, err := s.Update(func(tx *Txn) error { return randomWrite(t, tx, i) })
			if err != nil {
				t.Fatal(err)
			}
			if index < last {
				t.Fatalf("the index went from %d back to %d", last, index)
			}
			last = index
		}
		before := s.Snapshot()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s, err = Open(Config{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		after := s.Snapshot()
		for what, pair := range map[string][2]any{
			"jobs":        {before.Jobs(nil, "*", ""), after.Jobs(nil, "*", "")},
			"versions":    {before.Versions(nil, "default", "web"), after.Versions(nil, "default", "web")},
			"allocations": {before.Allocs(nil), after.Allocs(nil)},
			"evaluations": {before.Evals(nil), after.Evals(nil)},
			"index":       {before.Index(), after.Index()},
		} {
			if diff := cmp.Diff(pair[0], pair[1]); diff != "" {
				t.Fatalf("the %s differ after reopening:\n%s", what, diff)
			}
		}
	})
}

func tempDir(t *rapid.T) string {
	dir, err := os.MkdirTemp("", "state")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func randomWrite(t *rapid.T, tx *Txn, i int) error {
	switch rapid.SampledFrom([]string{"register", "stop", "alloc", "eval", "stable"}).Draw(t, "write") {
	case "register":
		_, err := tx.RegisterJob(Registration{Job: testJob("web", rapid.StringMatching("[ab]").Draw(t, "command"))})
		return err
	case "stop":
		tx.StopJob("default", "web", rapid.Bool().Draw(t, "purge"), 7)
	case "alloc":
		if job := tx.Job(nil, "default", "web"); job != nil {
			tx.PutAlloc(&api.Allocation{ID: fmt.Sprint(i), Namespace: "default", JobID: "web", Job: job, NodeID: "n", DesiredStatus: "run", ClientStatus: "running"})
		}
	case "eval":
		tx.PutEval(&api.Evaluation{ID: fmt.Sprint(i), Namespace: "default", JobID: "web", Status: "pending"})
	case "stable":
		tx.MarkStable("default", "web", 0, true)
	}
	return nil
}

func TestSecondOpenIsRefused(t *testing.T) {
	dir := t.TempDir()
	open(t, dir)
	if s, err := Open(Config{Dir: dir}); !errors.Is(err, ErrLocked) {
		t.Errorf("a second process got %v, %v", s, err)
	}
}

func TestFailedUpdateChangesNothing(t *testing.T) {
	s := open(t, t.TempDir())
	want := errors.New("no")
	_, err := s.Update(func(tx *Txn) error {
		tx.PutEval(&api.Evaluation{ID: "e", Status: "pending"})
		return want
	})
	if !errors.Is(err, want) || s.Snapshot().Eval(nil, "e") != nil {
		t.Errorf("error %v, evaluation %v", err, s.Snapshot().Eval(nil, "e"))
	}
}

func TestWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := Open(Config{})
		if err != nil {
			t.Fatal(err)
		}
		put := func(id string) {
			update(t, s, func(tx *Txn) { tx.PutEval(&api.Evaluation{ID: id, Status: "pending"}) })
		}
		read := func(snap *Snapshot, ws memdb.WatchSet) (*api.Evaluation, uint64) {
			eval := snap.Eval(ws, "e")
			return eval, eval.ModifyIndex
		}
		put("e")
		first := s.Snapshot().Index()
		go func() {
			<-time.After(time.Minute)
			put("other") // does not wake the reader
			<-time.After(time.Minute)
			put("e")
		}()
		start := time.Now()
		eval, index := Wait(t.Context(), s, first, read)
		if index <= first || time.Since(start) != 2*time.Minute {
			t.Errorf("got index %d after %s", index, time.Since(start))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if again, same := Wait(ctx, s, index, read); again != eval || same != index {
			t.Errorf("a wait without news gives %v at %d, not the same", again, same)
		}
	})
}

func TestJobStatus(t *testing.T) {
	s := open(t, "")
	status := func() string { return *s.Snapshot().Job(nil, "default", "web").Status }
	job := register(t, s, testJob("web", "a"))
	update(t, s, func(tx *Txn) {
		tx.PutEval(&api.Evaluation{ID: "e", Namespace: "default", JobID: "web", Status: "pending"})
	})
	if status() != JobPending {
		t.Errorf("with a pending evaluation the job is %s", status())
	}
	alloc := api.Allocation{ID: "a", Namespace: "default", JobID: "web", Job: job, DesiredStatus: "run", ClientStatus: "pending"}
	update(t, s, func(tx *Txn) {
		tx.PutEval(&api.Evaluation{ID: "e", Namespace: "default", JobID: "web", Status: "complete"})
		placed := alloc
		tx.PutAlloc(&placed)
	})
	if status() != JobRunning {
		t.Errorf("with a live allocation the job is %s", status())
	}
	update(t, s, func(tx *Txn) {
		ended := alloc
		ended.ClientStatus = "complete"
		tx.PutClientAlloc(&ended)
	})
	if status() != JobDead {
		t.Errorf("when all has ended the job is %s", status())
	}
}

// TestModes holds that nobody but the owner reads the state, its copy and its
// journal.
func TestModes(t *testing.T) {
	dir, _ := filled(t)
	names := []string{".", stateFile, copyFile, journalFile}
	for _, name := range names {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		want := os.FileMode(0o600)
		if info.IsDir() {
			want = 0o700
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has the mode %#o, want %#o", name, got, want)
		}
	}
}
