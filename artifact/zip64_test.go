//go:build !race

package artifact_test

import (
	"archive/zip"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"ostro/artifact"
)

// zipFile writes the zip of a folder beside it.
func zipFile(t *testing.T, dir string) string {
	t.Helper()
	tree, err := artifact.Gather(t.Context(), artifact.SourceOf("x", dir))
	if err != nil {
		t.Fatal(err)
	}
	out, err := os.Create(dir + ".zip")
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if err := tree.Zip(t.Context(), out); err != nil {
		t.Fatal(err)
	}
	return out.Name()
}

// infoZIP has unzip check every file of an archive.
func infoZIP(t *testing.T, path string) {
	t.Helper()
	program, err := exec.LookPath("unzip")
	if err != nil {
		t.Log("Info-ZIP's unzip is not on PATH: only Go's reader checks the archive")
		return
	}
	if out, err := exec.Command(program, "-tq", path).CombinedOutput(); err != nil {
		t.Errorf("unzip -t: %v\n%s", err, out)
	}
}

// A file of more than 4 GiB, and one behind it: with the race detector that would
// take a quarter of an hour.
func TestFileOfSeveralGigabytes(t *testing.T) {
	if os.Getenv("OSTRO_TEST") != "full" {
		t.Skip("takes half a minute: set OSTRO_TEST=full to run this test")
	}
	dir := filepath.Join(t.TempDir(), "tree")
	write(t, dir, map[string]string{"a-large": "", "behind": "the end\n"})
	const size = 4<<30 + 12345
	large, err := os.OpenFile(filepath.Join(dir, "a-large"), os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := large.WriteAt([]byte("last"), size-4); err != nil { // the rest is a hole
		t.Fatal(err)
	}
	large.Close()
	path := zipFile(t, dir)
	r, err := zip.OpenReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if got := r.File[0].UncompressedSize64; got != size {
		t.Errorf("the directory says %d bytes, want %d", got, size)
	}
	behind, err := r.Open("behind")
	if err != nil {
		t.Fatal(err)
	}
	defer behind.Close()
	if got, err := io.ReadAll(behind); err != nil || string(got) != "the end\n" {
		t.Errorf("the file behind the large one is %q, %v", got, err)
	}
	infoZIP(t, path)
}

// More files than the 16 bits of the old directory can count.
func TestManyFiles(t *testing.T) {
	if os.Getenv("OSTRO_TEST") != "full" {
		t.Skip("takes some seconds: set OSTRO_TEST=full to run this test")
	}
	const count = 1<<16 + 10
	dir := filepath.Join(t.TempDir(), "tree")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for i := range count {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprint(i)), fmt.Append(nil, i), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	path := zipFile(t, dir)
	r, err := zip.OpenReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if len(r.File) != count {
		t.Errorf("%d files, want %d", len(r.File), count)
	}
	infoZIP(t, path)
}
