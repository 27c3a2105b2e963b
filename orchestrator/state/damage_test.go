package state

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/nomad/api"
	bolt "go.etcd.io/bbolt"
)

// contents are every row of every table, as text.
func contents(t testing.TB, s *Store) string {
	t.Helper()
	txn := s.db.Txn(false)
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(s.db.DBSchema().Tables)) {
		rows, err := txn.Get(name, byID)
		if err != nil {
			t.Fatal(err)
		}
		lines := map[string]json.RawMessage{}
		for row := rows.Next(); row != nil; row = rows.Next() {
			line, err := json.Marshal(row)
			if err != nil {
				t.Fatal(err)
			}
			lines[string(joinKey(primaryKeys()[name](row)))] = line
		}
		table, err := json.Marshal(lines)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&text, "%s %s\n", name, table)
	}
	return text.String()
}

// filled is a folder with a state of many writes, and all that it holds. Between
// them it was closed, so that there is a copy that is older than the last write.
func filled(t testing.TB) (dir, rows string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "server")
	for start := range 3 {
		if start == 1 {
			// Without its journal a state is copied.
			if err := os.Remove(filepath.Join(dir, journalFile)); err != nil {
				t.Fatal(err)
			}
		}
		s, err := Open(Config{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 60 {
			id := fmt.Sprintf("job-%d-%d", start, i%40)
			if _, err := s.Update(func(tx *Txn) error {
				job, err := tx.RegisterJob(Registration{Job: testJob(id, strings.Repeat("x", i*20))})
				if err != nil {
					return err
				}
				tx.PutAlloc(&api.Allocation{ID: fmt.Sprintf("%d-%d", start, i), Namespace: "default", JobID: id, Job: job, NodeID: "n", DesiredStatus: "run", ClientStatus: "running"})
				if i%7 == 6 {
					tx.StopJob("default", id, true, 7)
				}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
		}
		rows = contents(t, s)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return dir, rows
}

func copyDir(t testing.TB, from string) string {
	t.Helper()
	into := filepath.Join(t.TempDir(), "server")
	if err := os.CopyFS(into, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	return into
}

// TestDamageIsRepaired cuts the state file, flips its bits, blanks its pages and
// swaps them: what was written is there after the next start, whatever happened
// to the file, and the damaged one is kept.
func TestDamageIsRepaired(t *testing.T) {
	dir, want := filled(t)
	whole, err := os.ReadFile(filepath.Join(dir, stateFile))
	if err != nil {
		t.Fatal(err)
	}
	noticed, tried := 0, 0
	try := func(t *testing.T, what string, damaged []byte) {
		tried++
		dir := copyDir(t, dir)
		if err := os.WriteFile(filepath.Join(dir, stateFile), damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := Open(Config{Dir: dir})
		if err != nil {
			t.Errorf("%s: %v", what, err)
			return
		}
		defer s.Close()
		if got := contents(t, s); got != want {
			t.Errorf("%s: the state is another one (aside: %q)", what, s.Aside())
		}
		if s.Aside() == "" {
			return
		}
		noticed++
		// An empty one is made a database by those who open it.
		if kept, err := os.ReadFile(s.Aside()); err != nil || len(damaged) > 0 && string(kept) != string(damaged) {
			t.Errorf("%s: the damaged file is not kept as it was: %v", what, err)
		}
		if _, err := s.Update(func(tx *Txn) error {
			_, err := tx.RegisterJob(Registration{Job: testJob("after", "true")})
			return err
		}); err != nil {
			t.Errorf("%s: write after the repair: %v", what, err)
		}
	}
	random := rand.New(rand.NewPCG(1, 2))
	const page = 4096
	for n := range 25 {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			length := random.IntN(len(whole))
			if n == 0 {
				length = 0
			}
			try(t, fmt.Sprintf("cut to %d bytes", length), whole[:length])

			flipped := append([]byte(nil), whole...)
			at := random.IntN(len(whole))
			flipped[at] ^= 1 << random.IntN(8)
			try(t, fmt.Sprintf("a bit of byte %d", at), flipped)

			blank := append([]byte(nil), whole...)
			from := page * random.IntN(len(whole)/page)
			clear(blank[from : from+page])
			try(t, fmt.Sprintf("page %d is blank", from/page), blank)

			swapped := append([]byte(nil), whole...)
			to := page * random.IntN(len(whole)/page)
			copy(swapped[to:to+page], whole[from:from+page])
			try(t, fmt.Sprintf("page %d stands at %d, too", from/page, to/page), swapped)
		})
	}
	t.Logf("%d damages, of which %d touched what the state needs", tried, noticed)
	if noticed < tried/3 {
		t.Errorf("of %d damages only %d were noticed: the test does not hit", tried, noticed)
	}
}

// TestOldStateIsNotTakenForNew holds that a file of yesterday, put back, is
// brought to what was written since.
func TestOldStateIsNotTakenForNew(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	register(t, s, testJob("web", "one"))
	s.Close()
	old, err := os.ReadFile(filepath.Join(dir, stateFile))
	if err != nil {
		t.Fatal(err)
	}
	s = open(t, dir)
	register(t, s, testJob("web", "two"))
	want := contents(t, s)
	s.Close()
	if err := os.WriteFile(filepath.Join(dir, stateFile), old, 0o600); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir)
	if got := contents(t, s); got != want || s.Aside() == "" {
		t.Errorf("got (aside: %q)\n%s\nwant\n%s", s.Aside(), got, want)
	}
}

// TestBeyondRepair holds that a state whose copy is damaged, too, is not begun
// anew without a word, and that nothing of it is touched.
func TestBeyondRepair(t *testing.T) {
	dir, _ := filled(t)
	for _, name := range []string{stateFile, copyFile} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("gone"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if s, err := Open(Config{Dir: dir}); !errors.Is(err, errDamaged) || !strings.Contains(err.Error(), "bring back the folder "+dir+" from a backup, or remove it") {
		t.Errorf("got %v, %v", s, err)
	}
	for _, name := range []string{stateFile, copyFile} {
		if text, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(text) != "gone" {
			t.Errorf("%s is %q, %v", name, text, err)
		}
	}
}

// TestJournalMayBeDamaged holds that only both together are needed: a journal that
// is cut, changed or gone costs nothing while the state file is whole.
func TestJournalMayBeDamaged(t *testing.T) {
	dir, want := filled(t)
	text, err := os.ReadFile(filepath.Join(dir, journalFile))
	if err != nil || len(text) == 0 {
		t.Fatal(len(text), err)
	}
	random := rand.New(rand.NewPCG(3, 4))
	for range 20 {
		damaged := append([]byte(nil), text[:random.IntN(len(text))]...)
		if len(damaged) > 0 {
			damaged[random.IntN(len(damaged))] ^= 0x10
		}
		dir := copyDir(t, dir)
		if err := os.WriteFile(filepath.Join(dir, journalFile), damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		for range 2 { // The second start finds what the first has made of it.
			s := open(t, dir)
			if got := contents(t, s); got != want || s.Aside() != "" {
				t.Fatalf("the state is another one (aside: %q)", s.Aside())
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestStateOfEarlierVersions holds that rows without checksums are read.
func TestStateOfEarlierVersions(t *testing.T) {
	dir, want := filled(t)
	for _, name := range []string{copyFile, journalFile} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	strip(t, filepath.Join(dir, stateFile))
	s := open(t, dir)
	if got := contents(t, s); got != want {
		t.Error("the state is another one")
	}
	register(t, s, testJob("web", "true"))
	want = contents(t, s)
	s.Close()
	if err := os.Truncate(filepath.Join(dir, stateFile), 5000); err != nil {
		t.Fatal(err)
	}
	if s = open(t, dir); contents(t, s) != want || s.Aside() == "" {
		t.Error("what was read of an earlier version is not kept")
	}
}

// strip makes a state file what it was before rows had checksums.
func strip(t *testing.T, path string) {
	t.Helper()
	db, err := bolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Update(func(tx *bolt.Tx) error {
		if err := tx.DeleteBucket([]byte(tallyBucket)); err != nil {
			return err
		}
		return tx.ForEach(func(name []byte, bucket *bolt.Bucket) error {
			bare := map[string][]byte{}
			if err := bucket.ForEach(func(key, value []byte) error {
				bare[string(key)] = append([]byte(nil), value[rowHead:]...)
				return nil
			}); err != nil {
				return err
			}
			for key, text := range bare {
				if err := bucket.Put([]byte(key), text); err != nil {
					return err
				}
			}
			return nil
		})
	}); err != nil {
		t.Fatal(err)
	}
}

// FuzzJournal holds that whatever stands in a journal, what is read of it ends at
// the first line that is not whole.
func FuzzJournal(f *testing.F) {
	dir, _ := filled(f)
	text, err := os.ReadFile(filepath.Join(dir, journalFile))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text[:2000])
	f.Add([]byte("0 {}\nffffffff \n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		read := 0
		size, err := readEntries(bytes.NewReader(text), func(*entry) error {
			read++
			return nil
		})
		if err != nil || size > int64(len(text)) || read > bytes.Count(text[:size], []byte("\n")) {
			t.Errorf("%d entries in %d of %d bytes, %v", read, size, len(text), err)
		}
	})
}
