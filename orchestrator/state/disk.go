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
	"time"

	"github.com/hashicorp/go-memdb"
	"github.com/hashicorp/nomad/api"
	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// lockWait is how long a start waits for a process that is still closing the
// same state file.
const lockWait = 2 * time.Second

// disk keeps each row of each table as JSON under its key, one bucket a table,
// in one bbolt file. A write is one bbolt transaction: whole or not at all.
type disk struct {
	bolt *bolt.DB
	keys map[string]keys
	// seal encrypts what is secret; nil where nothing is to be encrypted.
	seal cipher.AEAD
}

// ErrLocked is returned by [Open] when another process has the state open.
var ErrLocked = errors.New("another process has this state open")

func openDisk(dir string, seal cipher.AEAD) (*disk, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the state folder: %w", err)
	}
	path := filepath.Join(dir, "state.db")
	db, err := bolt.Open(path, 0o600, &bolt.Options{Timeout: lockWait, FreelistType: bolt.FreelistMapType})
	if errors.Is(err, bolterrors.ErrTimeout) {
		return nil, fmt.Errorf("open %s: %w", path, ErrLocked)
	}
	if err != nil {
		return nil, fmt.Errorf("open the state file %s: %w", path, err)
	}
	return &disk{db, primaryKeys(), seal}, nil
}

func (d *disk) close() error { return d.bolt.Close() }

// write stores changed rows and removes deleted ones.
func (d *disk) write(changes Changes) error {
	return d.bolt.Update(func(tx *bolt.Tx) error {
		for _, change := range changes {
			bucket, err := tx.CreateBucketIfNotExists([]byte(change.Table))
			if err != nil {
				return err
			}
			if change.Deleted() {
				if err := bucket.Delete(d.key(change.Table, change.Before)); err != nil {
					return err
				}
				continue
			}
			value, err := d.encode(change.Table, change.After)
			if err != nil {
				return fmt.Errorf("encode a row of %s: %w", change.Table, err)
			}
			if err := bucket.Put(d.key(change.Table, change.After), value); err != nil {
				return err
			}
		}
		return nil
	})
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
	text, err := d.openRow(table.name, key, value)
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
