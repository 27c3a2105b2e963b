package state

import (
	"time"

	"github.com/hashicorp/go-memdb"
	"github.com/hashicorp/nomad/api"
)

// Lock says until when the lock of a variable holds. Its row is there as long
// as the variable is locked.
type Lock struct {
	Namespace, Path, ID string
	// Expires is when it can no longer be renewed, Free when somebody else can
	// have it.
	Expires, Free time.Time
}

// Lock is the lock of a variable, or nil.
func (s *Snapshot) Lock(ws memdb.WatchSet, namespace, path string) *Lock {
	return first[Lock](s, ws, tableLocks, byID, namespace, path)
}

// Locks are the locks that are held.
func (s *Snapshot) Locks(ws memdb.WatchSet) []*Lock { return all[Lock](s, ws, tableLocks, byID) }

// PutLock stores until when a lock holds; the variable itself says that it is
// locked. It takes ownership.
func (tx *Txn) PutLock(lock *Lock) { tx.insert(tableLocks, lock) }

// ReleaseLock frees a variable and keeps its items. It returns the variable, or
// nil where there is none.
func (tx *Txn) ReleaseLock(namespace, path string) *api.Variable {
	tx.deleteLock(namespace, path)
	old := tx.Variable(nil, namespace, path)
	if old == nil || old.Lock == nil {
		return old
	}
	free := *old
	free.Lock = nil
	tx.PutVariable(&free)
	return &free
}

func (tx *Txn) deleteLock(namespace, path string) {
	if lock := tx.Lock(nil, namespace, path); lock != nil {
		tx.delete(tableLocks, lock)
	}
}
