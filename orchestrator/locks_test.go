package orchestrator

import (
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator/state"
)

// TestLocksLapse runs in a bubble, where time passes at once.
func TestLocksLapse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, err := state.Open(state.Config{})
		if err != nil {
			t.Fatal(err)
		}
		put := func(free time.Duration) {
			_, err := store.Update(func(tx *state.Txn) error {
				tx.PutVariable(&api.Variable{Namespace: "default", Path: "leader", Lock: &api.VariableLock{ID: "x"}})
				tx.PutLock(&state.Lock{Namespace: "default", Path: "leader", ID: "x", Free: time.Now().Add(free)})
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		held := func() bool { return store.Snapshot().Variable(nil, "default", "leader").Lock != nil }
		put(time.Minute)
		go freeLocks(t.Context(), store, slog.New(slog.DiscardHandler))
		time.Sleep(50 * time.Second)
		put(time.Minute) // renewed
		time.Sleep(50 * time.Second)
		if !held() {
			t.Error("a lock that was renewed lapsed")
		}
		time.Sleep(11 * time.Second)
		synctest.Wait()
		if held() {
			t.Error("a lock that was not renewed did not lapse")
		}
	})
}
