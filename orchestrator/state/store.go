package state

import (
	"crypto/cipher"
	"fmt"
	"sync"

	"github.com/hashicorp/go-memdb"
)

// firstIndex is where the count of writes starts. (Levant asks with index 1
// and takes an answer of 1 for no news: the first index must be greater.)
const firstIndex = 2

// Changes are the rows that one write touched, in order.
type Changes = memdb.Changes

// Config says where a store lives and who hears of its writes.
type Config struct {
	// Dir is the folder of the state file; empty keeps the state in memory.
	Dir string
	// Committed, when set, is called after each write with the write's index
	// and what it changed, in the order of the writes and one at a time. It
	// must not block and must not write.
	Committed func(index uint64, changes Changes)
	// Seal, when set, encrypts variables, tokens and keys on disk. It makes its own
	// nonces. (crypto/cipher: NewGCMWithRandomNonce.)
	Seal cipher.AEAD
}

// Store holds the tables. It is safe for concurrent use.
type Store struct {
	db        *memdb.MemDB
	disk      *disk
	committed func(uint64, Changes)
	writing   sync.Mutex
	aside     string
}

// Aside is the file that holds a state that was damaged when it was opened, and
// was made again since, or empty. Nothing that was written is lost by it.
func (s *Store) Aside() string { return s.aside }

// Open reads the state in c.Dir, or starts an empty one. A second process that
// opens the same folder gets an error.
func Open(c Config) (*Store, error) {
	db, err := memdb.NewMemDB(schema())
	if err != nil {
		return nil, fmt.Errorf("make the state tables: %w", err)
	}
	s := &Store{db: db, committed: c.Committed}
	if s.committed == nil {
		s.committed = func(uint64, Changes) {}
	}
	txn := db.Txn(true)
	if c.Dir != "" {
		if s.disk, s.aside, err = openDisk(c.Dir, c.Seal); err != nil {
			return nil, err
		}
		if err := s.disk.load(txn); err != nil {
			txn.Abort()
			s.disk.close()
			return nil, err
		}
	}
	seed(txn)
	txn.Commit()
	return s, nil
}

// Close releases the state file. Snapshots stay readable.
func (s *Store) Close() error {
	s.writing.Lock()
	defer s.writing.Unlock()
	if s.disk == nil {
		return nil
	}
	return s.disk.close()
}

// Snapshot gives the state as of now.
func (s *Store) Snapshot() *Snapshot { return &Snapshot{txn: s.db.Txn(false)} }

// Update runs fn in a write transaction and makes its changes durable and
// visible, all or none. It returns the index of the write, or, where fn
// changed nothing, the current one. An error from fn undoes what fn did and is
// returned as it is.
func (s *Store) Update(fn func(*Txn) error) (uint64, error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	tx := s.begin()
	defer tx.txn.Abort() // nothing, once it is committed
	if err := fn(tx); err != nil {
		return 0, err
	}
	changes := tx.finish()
	if len(changes) == 0 {
		return tx.Index - 1, nil
	}
	if s.disk != nil {
		if err := s.disk.write(changes); err != nil {
			return 0, fmt.Errorf("write the state: %w", err)
		}
	}
	tx.txn.Commit()
	s.committed(tx.Index, changes)
	return tx.Index, nil
}

// Try runs fn as [Store.Update] does and then forgets what it changed: it
// shows what a write would do.
func (s *Store) Try(fn func(*Txn) error) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	tx := s.begin()
	defer tx.txn.Abort()
	return fn(tx)
}

func (s *Store) begin() *Txn {
	txn := s.db.Txn(true)
	txn.TrackChanges()
	tx := &Txn{Snapshot: Snapshot{txn: txn}}
	tx.Index = tx.Snapshot.Index() + 1
	return tx
}
