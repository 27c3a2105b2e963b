//go:build unix

package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// TestRelease builds a release in two clones: both have the same bytes, the
// checksums hold, and the bill of materials names what is in the binary.
func TestRelease(t *testing.T) {
	if os.Getenv("OSTRO_TEST") != "full" {
		t.Skip("OSTRO_TEST is not full: no release is built")
	}
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("there is no git")
	}
	one, two := releaseOf(t, "one"), releaseOf(t, "two/deeper")
	entries, err := os.ReadDir(one)
	if err != nil || len(entries) < 4 {
		t.Fatalf("the release has %d files: %v", len(entries), err)
	}
	for _, e := range entries {
		if e.Type().IsRegular() && !bytes.Equal(read(t, one, e.Name()), read(t, two, e.Name())) {
			t.Errorf("%s is not the same in both folders", e.Name())
		}
	}
	name := "ostro_9.8.7_" + runtime.GOOS + "_" + runtime.GOARCH
	out, err := exec.Command(filepath.Join(one, name), "version").CombinedOutput()
	if err != nil || !strings.HasPrefix(string(out), "ostro 9.8.7 (commit ") || strings.Contains(string(out), "unknown") {
		t.Errorf("ostro version: %s, %v", out, err)
	}
	check := exec.Command("sha256sum", "-c", "--quiet", "SHA256SUMS")
	check.Dir = one
	if out, err := check.CombinedOutput(); err != nil {
		t.Errorf("sha256sum: %v\n%s", err, out)
	}
	var bill struct {
		BOMFormat  string
		Components []struct{ Name, Version, PURL string }
	}
	if err := json.Unmarshal(read(t, one, name+".cdx.json"), &bill); err != nil {
		t.Fatal(err)
	}
	found := false
	for _, c := range bill.Components {
		found = found || c.Name == "github.com/hashicorp/nomad/api" && c.PURL == "pkg:golang/"+c.Name+"@"+c.Version
	}
	if bill.BOMFormat != "CycloneDX" || !found {
		t.Errorf("the bill of materials has %d components, and not nomad/api", len(bill.Components))
	}
	read(t, one, "man/ostro-deploy.1")
}

func releaseOf(t *testing.T, folder string) string {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	clone := filepath.Join(t.TempDir(), folder)
	for _, argv := range [][]string{
		{"git", "-c", "safe.directory=*", "clone", "-q", "-s", root, clone},
		{"go", "run", "-C", filepath.Join(root, "tools"), "./release", "-root", clone, "-out", clone + ".release", "-version", "9.8.7", "-platforms", runtime.GOOS + "/" + runtime.GOARCH},
	} {
		command := exec.Command(argv[0], argv[1:]...)
		command.Env = append(os.Environ(), "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*")
		if out, err := command.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", argv, err, out)
		}
	}
	return clone + ".release"
}

func read(t *testing.T, folder, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder, name))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestImage builds the container image as `make image` does, and runs it.
func TestImage(t *testing.T) {
	if os.Getenv("OSTRO_TEST") != "full" {
		t.Skip("OSTRO_TEST is not full: no image is built")
	}
	if err := exec.Command("docker", "info").Run(); err != nil {
		t.Skip("there is no docker:", err)
	}
	if _, err := exec.LookPath("make"); err != nil {
		t.Skip("there is no make")
	}
	const image = "ostro-test-image"
	build := exec.Command("make", "-C", "../..", "image", "IMAGE="+image, "CONTEXT="+t.TempDir())
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("make image: %v\n%s", err, out)
	}
	t.Cleanup(func() { exec.Command("docker", "rmi", "-f", image).Run() })
	out, err := exec.Command("docker", "run", "--rm", image, "version").CombinedOutput()
	if err != nil || !strings.HasPrefix(string(out), "ostro ") {
		t.Errorf("docker run: %v\n%s", err, out)
	}
	// An artifact can be made of files alone: there is a folder for what is temporary.
	dir := t.TempDir()
	for name, text := range map[string]string{"start.sh": "exec sleep 1\n", "ostro.hcl": "artifact \"web\" {\n  files = [\"start.sh\"]\n}\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	out, err = exec.Command("docker", "run", "--rm", "-v", dir+":/work", image, "artifact", "build", "-commit", "1a2b3c4").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "web_1a2b3c4.zip") {
		t.Errorf("ostro artifact build in the image: %v\n%s", err, out)
	}
}
