package state

import (
	"context"

	"github.com/hashicorp/go-memdb"
)

// Wait reads until the index of what it read is greater than min, or ctx ends;
// it returns the last value read and its index. read takes the watch set of
// what it reads. The end of ctx is not an error: the answer is the current one.
// (Nomad: a blocking query that times out answers with the same index.)
func Wait[T any](ctx context.Context, s *Store, min uint64, read func(*Snapshot, memdb.WatchSet) (T, uint64)) (T, uint64) {
	for {
		watch := memdb.NewWatchSet()
		value, index := read(s.Snapshot(), watch)
		if index > min {
			return value, index
		}
		if watch.WatchCtx(ctx) != nil {
			return value, index
		}
	}
}
