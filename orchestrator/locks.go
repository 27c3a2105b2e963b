package orchestrator

import (
	"context"
	"log/slog"
	"time"

	"github.com/hashicorp/go-memdb"

	"ostro/orchestrator/state"
)

// freeLocks frees each variable whose lock was not renewed in time, until ctx
// ends.
func freeLocks(ctx context.Context, store *state.Store, log *slog.Logger) {
	locks, index := state.Wait(ctx, store, 0, readLocks)
	for ctx.Err() == nil {
		next := time.Now().Add(idle)
		var due []*state.Lock
		for _, lock := range locks {
			if !lock.Free.After(time.Now()) {
				due = append(due, lock)
			} else if lock.Free.Before(next) {
				next = lock.Free
			}
		}
		if err := freeAll(store, due); err != nil {
			log.Error("cannot free the locks of variables", "error", err)
			next = time.Now().Add(time.Second)
		}
		waiting, cancel := context.WithDeadline(ctx, next)
		locks, index = state.Wait(waiting, store, index, readLocks)
		cancel()
	}
}

func readLocks(snap *state.Snapshot, watch memdb.WatchSet) ([]*state.Lock, uint64) {
	return snap.Locks(watch), snap.TableIndex("variable_locks")
}

// freeAll leaves alone what was renewed, or taken by somebody else, meanwhile.
func freeAll(store *state.Store, due []*state.Lock) error {
	_, err := store.Update(func(tx *state.Txn) error {
		for _, lock := range due {
			if tx.Lock(nil, lock.Namespace, lock.Path) == lock {
				tx.ReleaseLock(lock.Namespace, lock.Path)
			}
		}
		return nil
	})
	return err
}
