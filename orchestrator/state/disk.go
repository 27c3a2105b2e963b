package state

import (
	"bytes"
	"crypto/cipher"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/hashicorp/go-memdb"
	"github.com/hashicorp/nomad/api"
	bolt "go.etcd.io/bbolt"
)

// copyEvery is how long the journal grows at least before the state file is copied,
// in bytes. It grows to the size of what is copied: a write in a large state is to cost
// no more than one in a small state.
const copyEvery = 16 << 20

// disk keeps each row of each table as JSON under its key, one bucket a table,
// in one bbolt file. A write is one bbolt transaction: whole or not at all.
//
// Beside it stand a copy, and the journal of what was written since: bbolt does
// not notice when its pages are damaged, and what was acknowledged is not to be
// lost by that.
type disk struct {
	dir     string
	bolt    *bolt.DB
	tally   tally
	journal *journal
	// kept is the number of the last write that copy and journal hold.
	kept uint64
	// copied is the size of the last copy in bytes, 0 where this process made none.
	copied int64
	// broken, when set, refuses all writes.
	broken error
	keys   map[string]keys
	// seal encrypts what is secret; nil where nothing is to be encrypted.
	seal cipher.AEAD
}

// ErrLocked is returned by [Open] when another process has the state open.
var ErrLocked = errors.New("another process has this state open")

// openDisk opens the state in dir. A state file that is damaged is put aside, under
// the name that is told, and made again of its copy and the journal.
func openDisk(dir string, seal cipher.AEAD) (d *disk, aside string, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, "", fmt.Errorf("make the state folder: %w", err)
	}
	d = &disk{dir: dir, keys: primaryKeys(), seal: seal}
	d.bolt, d.tally, err = openWhole(d.path(stateFile))
	if err != nil && !errors.Is(err, errDamaged) {
		return nil, "", err
	}
	// Its lock keeps others away from the journal, too.
	var journalErr error
	if d.journal, journalErr = openJournal(d.path(journalFile)); journalErr != nil {
		return nil, "", errors.Join(journalErr, d.close())
	}
	if err == nil && d.behind() {
		err = errors.Join(fmt.Errorf("%w: it lacks what was written last", errDamaged), d.bolt.Close())
	}
	if err != nil {
		damage := err
		if aside, d.bolt, d.tally, err = repair(dir); err != nil {
			return nil, "", errors.Join(fmt.Errorf("%w, and its copy is of no use: bring back the folder %s from a backup, or remove it: %w", damage, dir, err), d.close())
		}
	}
	if err := d.adopt(); err != nil {
		return nil, "", errors.Join(err, d.close())
	}
	if d.kept = d.journal.last; d.kept != d.tally.writes {
		d.copy()
	}
	return d, aside, nil
}

// adopt counts the rows of an earlier version, which kept no tally, as one write.
func (d *disk) adopt() error {
	if d.tally.writes > 0 || d.tally.rows == 0 {
		return nil
	}
	d.tally.writes = 1
	return d.bolt.Update(func(tx *bolt.Tx) error { return putTally(tx, d.tally) })
}

// behind tells whether the state file is older than what stands beside it.
func (d *disk) behind() bool {
	if d.tally.writes < d.journal.last {
		return true
	}
	_, err := os.Stat(d.path(copyFile))
	return d.tally.writes == 0 && err == nil
}

func (d *disk) path(name string) string { return filepath.Join(d.dir, name) }

func (d *disk) close() (err error) {
	if d.bolt != nil {
		err = d.bolt.Close()
	}
	if d.journal != nil {
		err = errors.Join(err, d.journal.close())
		d.journal = nil
	}
	return err
}

// write stores changed rows and removes deleted ones.
func (d *disk) write(changes Changes) error {
	if d.broken != nil {
		return d.broken
	}
	e := &entry{Number: d.tally.writes + 1}
	for _, change := range changes {
		row, err := d.row(change)
		if err != nil {
			return fmt.Errorf("encode a row of %s: %w", change.Table, err)
		}
		e.Rows = append(e.Rows, row)
	}
	var after tally
	err := d.bolt.Update(func(tx *bolt.Tx) (err error) {
		after, err = putEntry(tx, d.tally, e)
		return err
	})
	if err != nil {
		return d.failed(err)
	}
	d.tally = after
	d.keep(e)
	return nil
}

func (d *disk) row(change memdb.Change) (entryRow, error) {
	if change.Deleted() {
		return entryRow{Table: change.Table, Key: d.key(change.Table, change.Before)}, nil
	}
	text, err := d.encode(change.Table, change.After)
	return entryRow{Table: change.Table, Key: d.key(change.Table, change.After), Text: text}, err
}

// load reads every row into txn, jobs before the allocations that run them.
func (d *disk) load(txn *memdb.Txn) error {
	return d.bolt.View(func(tx *bolt.Tx) error {
		for _, table := range slices.Concat(loadOrder(), historyOrder(), catalogueOrder()) {
			bucket := tx.Bucket([]byte(table.name))
			if bucket == nil {
				continue
			}
			err := bucket.ForEach(func(key, value []byte) error {
				row, err := d.decode(txn, table, key, value)
				if err != nil {
					return fmt.Errorf("read row %q of %s: %w", bytes.Trim(key, "\x00"), table.name, err)
				}
				return txn.Insert(table.name, row)
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
}

func (d *disk) decode(txn *memdb.Txn, table diskTable, key, value []byte) (any, error) {
	text, _, err := withoutSum(table.name, key, value)
	if err == nil {
		text, err = d.openRow(table.name, key, text)
	}
	if err != nil {
		return nil, err
	}
	return table.decode(txn, text)
}

// allocRow is an allocation without its job, which many allocations share.
type allocRow struct {
	Alloc                       *api.Allocation
	JobCreateIndex, JobRevision uint64
}

func (d *disk) encode(table string, row any) ([]byte, error) {
	if alloc, ok := row.(*api.Allocation); ok {
		bare := *alloc
		bare.Job = nil
		return json.Marshal(allocRow{&bare, *alloc.Job.CreateIndex, *alloc.Job.Version})
	}
	text, err := json.Marshal(row)
	if err != nil {
		return nil, err
	}
	return d.sealRow(table, row, text)
}

func fromDisk(txn *memdb.Txn, row *allocRow) (*api.Allocation, error) {
	alloc := row.Alloc
	spec, err := txn.First(tableSpecs, byID, alloc.Namespace, alloc.JobID,
		versionKey(row.JobCreateIndex), versionKey(row.JobRevision))
	if err != nil {
		return nil, err
	}
	if spec == nil {
		return nil, fmt.Errorf("version %d of job %q is missing", row.JobRevision, alloc.JobID)
	}
	alloc.Job = spec.(*api.Job)
	return alloc, nil
}

type diskTable struct {
	name   string
	decode func(*memdb.Txn, []byte) (any, error)
}

func loadOrder() []diskTable {
	return []diskTable{
		{tableIndex, plain[tableRow]}, {tableNodes, plain[api.Node]},
		{tableJobs, plain[api.Job]}, {tableVersions, plain[api.Job]}, {tableSpecs, plain[api.Job]},
		{tableSubmissions, plain[submissionRow]}, {tableEvals, plain[api.Evaluation]}, {tableDeployments, plain[api.Deployment]},
		{tableAllocs, func(txn *memdb.Txn, value []byte) (any, error) {
			row := &allocRow{}
			if err := json.Unmarshal(value, row); err != nil {
				return nil, err
			}
			return fromDisk(txn, row)
		}},
	}
}

func plain[T any](_ *memdb.Txn, value []byte) (any, error) {
	row := new(T)
	return row, json.Unmarshal(value, row)
}

func primaryKeys() map[string]keys {
	primary := map[string]keys{}
	for name, table := range schema().Tables {
		primary[name] = table.Indexes[byID].Indexer.(keys)
	}
	return primary
}

func (d *disk) key(table string, row any) []byte { return joinKey(d.keys[table](row)) }
