//go:build unix

package runner

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"
)

// Of the allocations that have ended the folders of the last fifty stay, and on a short disk only the new ones.
func TestCollect(t *testing.T) {
	n := newNode(t, nodeDir(t))
	var all []*api.Allocation
	for i := range keptFolders + 2 {
		task := &api.Task{Name: "web", Driver: "mock_driver", Config: map[string]any{"run_for": fmt.Sprintf("%dms", i)}}
		a := allocation(fmt.Sprintf("a%02d", i), task)
		a.Job.Type = new("batch")
		all = append(all, a)
	}
	all = append(all, allocation("live", shellTask("web", "exec sleep 1000")))
	n.Sync(all)
	n.awaitStatus("live", "running")
	ended := []*api.Allocation{all[len(all)-1]}
	for _, a := range all[:len(all)-1] {
		n.awaitStatus(a.ID, "complete")
		a = new(*a)
		a.ClientStatus = "complete"
		ended = append(ended, a)
	}
	left := func() (count int) {
		entries, err := os.ReadDir(allocsDir(n.conf.Dir))
		if err != nil {
			t.Fatal(err)
		}
		return len(entries)
	}
	n.collect(time.Now(), true)
	if got := left(); got != len(all) {
		t.Errorf("%d folders before the server knows of the end", got)
	}
	n.Sync(ended)
	eventually(t, "collected", func() bool {
		n.collect(time.Now(), true)
		return left() <= keptFolders+1 // one that has just ended may still be busy with it
	})
	if got := left(); got != keptFolders+1 {
		t.Errorf("%d folders", got)
	}
	n.collect(time.Now().Add(time.Hour), true)
	if got := left(); got != 1 {
		t.Errorf("%d folders on a short disk", got)
	}
	if _, err := n.List("a00", "/"); err == nil || err.Error() != `Unknown allocation "a00"` {
		t.Errorf("list: %v", err)
	}
	n.awaitStatus("live", "running")
}
