package driver

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestLogsOnAFullDisk holds that a task that writes on goes on: what has no place is
// counted in its log where it would stand, and the lines after it are there again
// when there is room.
func TestLogsOnAFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("file systems cannot be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 500<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	logs := filepath.Join(dir, "logs")
	if err := os.Mkdir(logs, 0o755); err != nil {
		t.Fatal(err)
	}
	r := newRotator(Logs{Dir: logs, Name: "web", MaxFiles: 10, MaxFileSize: 10 << 20}, "stdout")
	const lines = 2000
	for n := range lines {
		line := fmt.Sprintf("line %d %s\n", n, strings.Repeat("x", 1000))
		if written, err := r.Write([]byte(line)); err != nil || written != len(line) {
			t.Fatalf("the task hears of the disk: %d, %v", written, err)
		}
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintln(r, "there is room again")
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(logs, "web.stdout.0"))
	if err != nil {
		t.Fatal(err)
	}
	kept := bytes.Count(text, []byte("line "))
	_, gap, ok := bytes.Cut(text, []byte("\n["))
	var lost int
	if _, err := fmt.Sscanf(string(gap), "%d bytes of output could not be stored and are lost]", &lost); !ok || err != nil {
		t.Fatalf("after %d lines the log goes on with %.200q, %v", kept, gap, err)
	}
	if !bytes.HasSuffix(text, []byte("are lost]\nthere is room again\n")) || kept == 0 || kept == lines {
		t.Errorf("%d of %d lines are kept, and the log ends with %q", kept, lines, text[max(0, len(text)-200):])
	}
	if before := bytes.Index(text, []byte("\n[")); before+lost < lines*1000 {
		t.Errorf("%d bytes are kept and %d are lost, of more than %d", before, lost, lines*1000)
	}
}
