package state

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"syscall"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// lockWait is how long a start waits for a process that is still closing the
// same state file.
const lockWait = 2 * time.Second

// The files of a state.
const (
	stateFile   = "state.db"
	copyFile    = "state.copy" // an earlier state of it
	journalFile = "state.journal"
)

// openWhole opens a state file and reads all of it. Whatever is wrong with its
// pages, rows or length is an [errDamaged].
func openWhole(path string) (db *bolt.DB, t tally, err error) {
	// bbolt trusts its pages: a wrong one makes it panic, and one that is not there
	// is a fault of memory.
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %v", errDamaged, r)
		}
		if err != nil && db != nil {
			db.Close()
			db = nil
		}
	}()
	db, err = bolt.Open(path, 0o600, &bolt.Options{Timeout: lockWait, FreelistType: bolt.FreelistMapType})
	_, ofSystem := errors.AsType[syscall.Errno](err)
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return nil, tally{}, fmt.Errorf("open %s: %w", path, ErrLocked)
	case ofSystem:
		return nil, tally{}, fmt.Errorf("open the state file %s: %w", path, err)
	case err != nil:
		return nil, tally{}, fmt.Errorf("%w: %w", errDamaged, err)
	}
	err = db.View(func(tx *bolt.Tx) error {
		t, err = verify(tx)
		return err
	})
	return db, t, err
}

// verify holds the rows against their checksums and their tally, and the pages
// against each other.
func verify(tx *bolt.Tx) (tally, error) {
	kept, ok, err := storedTally(tx)
	if err != nil {
		return tally{}, err
	}
	counted, err := countedTally(tx)
	if err != nil {
		return tally{}, err
	}
	if ok && (counted.rows != kept.rows || counted.sum != kept.sum) {
		return tally{}, fmt.Errorf("%w: of %d rows there are %d, or others", errDamaged, kept.rows, counted.rows)
	}
	counted.writes = kept.writes
	for wrong := range tx.Check() {
		err = errors.Join(err, fmt.Errorf("%w: %w", errDamaged, wrong))
	}
	return counted, err
}

// repair puts a damaged state file aside and makes it again of its copy and the
// journal of what was written since. It gives the name under which the damaged one
// is kept, and a state file that is whole.
func repair(dir string) (aside string, db *bolt.DB, t tally, err error) {
	path := filepath.Join(dir, stateFile)
	fresh := path + ".new"
	if err := copyTo(fresh, filepath.Join(dir, copyFile)); err != nil {
		return "", nil, tally{}, err
	}
	if db, t, err = openWhole(fresh); err != nil {
		return "", nil, tally{}, fmt.Errorf("open the copy of the state file: %w", err)
	}
	before := t.writes
	if t, err = replay(db, t, filepath.Join(dir, journalFile)); err == nil && t.writes == 0 {
		err = fs.ErrNotExist
	}
	if err = errors.Join(err, db.Close()); err != nil {
		return "", nil, tally{}, fmt.Errorf("write again what followed write %d: %w", before, err)
	}
	if aside, err = freeName(path + ".damaged"); err != nil {
		return "", nil, tally{}, err
	}
	if err := errors.Join(os.Rename(path, aside), os.Rename(fresh, path)); err != nil {
		return "", nil, tally{}, err
	}
	db, t, err = openWhole(path)
	return aside, db, t, err
}

// replay writes the entries of a journal that follow what a state file holds.
func replay(db *bolt.DB, t tally, journal string) (tally, error) {
	err := db.Update(func(tx *bolt.Tx) error {
		return readJournal(journal, func(e *entry) error {
			if e.Number <= t.writes {
				return nil // The copy is newer.
			}
			if e.Number != t.writes+1 {
				return fmt.Errorf("after write %d the journal has write %d", t.writes, e.Number)
			}
			var err error
			t, err = putEntry(tx, t, e)
			return err
		})
	})
	return t, err
}

// putEntry writes the rows of one write, and gives the tally after it.
func putEntry(tx *bolt.Tx, t tally, e *entry) (tally, error) {
	for _, row := range e.Rows {
		bucket, err := tx.CreateBucketIfNotExists([]byte(row.Table))
		if err != nil {
			return t, err
		}
		if before := bucket.Get(row.Key); before != nil {
			_, sum, err := withoutSum(row.Table, row.Key, before)
			if err != nil {
				return t, err
			}
			t.rows, t.sum = t.rows-1, t.sum^sum
		}
		if row.Text == nil {
			if err := bucket.Delete(row.Key); err != nil {
				return t, err
			}
			continue
		}
		t.rows, t.sum = t.rows+1, t.sum^sumRow(row.Table, row.Key, row.Text)
		if err := bucket.Put(row.Key, withSum(row.Table, row.Key, row.Text)); err != nil {
			return t, err
		}
	}
	t.writes = e.Number
	return t, putTally(tx, t)
}

// copyTo copies a file, or makes an empty one where there is nothing to copy.
func copyTo(path, from string) error {
	into, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	source, err := os.Open(from)
	if err == nil {
		_, err = io.Copy(into, source)
		source.Close()
	} else if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return errors.Join(err, into.Close())
}

// freeName is the first of NAME-1, NAME-2 and so on that is not taken.
func freeName(name string) (string, error) {
	for n := 1; ; n++ {
		numbered := fmt.Sprintf("%s-%d", name, n)
		if _, err := os.Lstat(numbered); errors.Is(err, fs.ErrNotExist) {
			return numbered, nil
		} else if err != nil {
			return "", err
		}
	}
}
