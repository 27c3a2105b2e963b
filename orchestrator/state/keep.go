package state

import (
	"errors"
	"fmt"
	"os"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// failed tells of a write that failed. Where the file shows it nevertheless, it
// could not be synced, and nobody knows what of it will last: a start reads it
// anew, and until then nothing is built on it. (fsync(2): an error is told once,
// and what was not written may be forgotten.)
func (d *disk) failed(cause error) error {
	err := d.bolt.View(func(tx *bolt.Tx) error {
		stored, _, err := storedTally(tx)
		if err == nil && stored.writes != d.tally.writes {
			err = errors.New("the state file holds more than was acknowledged")
		}
		return err
	})
	if err != nil && !errors.Is(err, bolterrors.ErrDatabaseNotOpen) {
		d.broken = fmt.Errorf("%w; nothing more is written: mend the disk and start the agent again: %w", cause, err)
		return d.broken
	}
	return cause
}

// keep notes a write that is durable. Where the journal fails a copy takes its
// place, now or at the next write.
func (d *disk) keep(e *entry) {
	if d.kept+1 == e.Number && d.journal.append(e) == nil {
		d.kept = e.Number
	}
	if d.kept != e.Number || d.journal.size > max(copyEvery, d.copied) {
		d.copy()
	}
}

// copy copies the state file, and begins the journal anew. Where there is no room
// for it the next write tries it again: nobody waits for a copy.
func (d *disk) copy() {
	fresh := d.path(copyFile + ".new")
	err := d.bolt.View(func(tx *bolt.Tx) error {
		file, err := os.OpenFile(fresh, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
		if err != nil {
			return err
		}
		d.copied, err = tx.WriteTo(file)
		return errors.Join(err, file.Sync(), file.Close())
	})
	if err == nil {
		err = os.Rename(fresh, d.path(copyFile))
	}
	if err == nil {
		err = d.journal.clear()
	}
	if err != nil {
		os.Remove(fresh)
		return
	}
	d.kept = d.tally.writes
}
