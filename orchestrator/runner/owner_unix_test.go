//go:build unix

package runner

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// TestOwnerOfALink holds that a link which an artifact brings gives nothing away but itself. Who may not change owners
// is refused for the link, not for where it leads.
func TestOwnerOfALink(t *testing.T) {
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink("nowhere", link); err != nil {
		t.Fatal(err)
	}
	if err := ownerOf("nobody")(link); errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the link was followed: %v", err)
	}
}
