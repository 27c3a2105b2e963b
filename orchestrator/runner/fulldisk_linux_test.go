package runner

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/nomad/api"
	"golang.org/x/sys/unix"
)

// TestArtifactOnAFullDisk holds that an artifact for which there is no room fails
// its task with the reason, leaves nothing of itself, and that other tasks go on.
func TestArtifactOnAFullDisk(t *testing.T) {
	dir := nodeDir(t)
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=4m"); err != nil {
		t.Skipf("file systems cannot be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	size := map[string]int{"/big": 20 << 20, "/small": 1 << 10}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Write(make([]byte, size[r.URL.Path])) }))
	t.Cleanup(server.Close)
	fetching := func(id, path string) *api.Allocation {
		task := shellTask("web", "exec sleep 1000")
		task.Artifacts = []*api.TaskArtifact{{GetterSource: new(server.URL + path)}}
		return allocation(id, task)
	}
	n := newNode(t, dir)
	n.Sync([]*api.Allocation{fetching("a1", "/big"), allocation("a2", shellTask("web", "exec sleep 1000"))})
	n.awaitStatus("a2", "running")
	failed := n.awaitStatus("a1", "failed").TaskStates["web"]
	told := false
	for _, event := range failed.Events {
		told = told || strings.Contains(event.DisplayMessage, "no space left on device")
	}
	if !told {
		t.Errorf("the events are %+v", failed.Events)
	}
	left, err := filepath.Glob(filepath.Join(dir, "alloc/a1/.fetch-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("parts are left: %v, %v", left, err)
	}
	if err := os.RemoveAll(filepath.Join(dir, "alloc/a1")); err != nil {
		t.Fatal(err)
	}
	n.Sync([]*api.Allocation{fetching("a3", "/small"), allocation("a2", shellTask("web", "exec sleep 1000"))})
	n.awaitStatus("a3", "running")
}
