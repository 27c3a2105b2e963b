package artifact_test

import (
	"os"
	"os/exec"
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
