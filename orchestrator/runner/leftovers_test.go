//go:build unix

package runner

import (
	"path/filepath"
	"slices"
	"testing"

	"github.com/hashicorp/nomad/api"
)

// Nodes that share a supervisor leave each other's tasks alone, also when one of
// them starts anew and finds tasks that it does not know.
func TestNodesShareASupervisor(t *testing.T) {
	dir := nodeDir(t)
	first := newNode(t, filepath.Join(dir, "0"))
	second := first.beside(filepath.Join(dir, "1"))
	a, b := allocation("a1", ticker("web")), allocation("b1", ticker("web"))
	first.Sync([]*api.Allocation{a})
	second.Sync([]*api.Allocation{b})
	first.awaitStatus("a1", "running")
	second.awaitStatus("b1", "running")

	second.Detach()
	second = first.beside(filepath.Join(dir, "1"))
	second.Sync(nil)
	eventually(t, "the second node's stray has ended", func() bool {
		var left []string
		for found, err := range first.drivers.Tasks(t.Context(), dir) {
			if err != nil {
				return false
			}
			left = append(left, found.ID)
		}
		return slices.Equal(left, []string{runID("a1", "web", 1)})
	})
	if u := first.awaitStatus("a1", "running"); u.TaskStates["web"].Restarts != 0 {
		t.Errorf("the first node's task: %v", eventTexts(u))
	}
}
