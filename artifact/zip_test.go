package artifact_test

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"ostro/artifact"
)

// file is what a tree holds under a name: content and whether it may be executed.
type file struct {
	content string
	exec    bool
}

// anyTree draws a tree of up to 6 files, in which no name is both a file and a folder. Some files are as long as
// several blocks of the compressor, or end exactly where a block does.
func anyTree(t *rapid.T) map[string]file {
	segment := rapid.SampledFrom([]string{"a", "b", "app", "é", "日本", "with space", ".hidden", "-dash", "UPPER", "upper"})
	length := rapid.SampledFrom([]int{0, 0, 1, 2, 3, 5, 9, 30, 100, 200, 300, 500, 1000, 2000, 5000, 9000, 20000, 70000, 1<<20 - 1, 1 << 20, 1<<20 + 1})
	tree := map[string]file{}
	for range rapid.IntRange(1, 6).Draw(t, "files") {
		folders := rapid.SliceOfN(segment, 0, 3).Draw(t, "folders")
		for i := range folders {
			folders[i] += ".d"
		}
		name := strings.Join(append(folders, segment.Draw(t, "name")), "/")
		n := length.Draw(t, "length")
		content := noise(uint64(n), n)
		if rapid.Bool().Draw(t, "compressible") {
			content = strings.Repeat("ab\n", n/3)
		}
		tree[name] = file{content, rapid.Bool().Draw(t, "executable")}
	}
	return tree
}

func (f file) mode() fs.FileMode {
	if f.exec {
		return 0o755
	}
	return 0o644
}

func put(t testing.TB, dir string, tree map[string]file) {
	t.Helper()
	for name, f := range tree {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(f.content), f.mode()), os.Chmod(path, f.mode())); err != nil {
			t.Fatal(err)
		}
	}
}

// readZip reads all files with Go's reader, which checks sizes and CRCs.
func readZip(t testing.TB, data []byte) map[string]file {
	t.Helper()
	r, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	tree := map[string]file{}
	for _, f := range r.File {
		rc, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(rc)
		if err != nil {
			t.Fatalf("%s: %v", f.Name, err)
		}
		rc.Close()
		tree[f.Name] = file{string(content), f.Mode()&0o111 != 0}
	}
	return tree
}

func readDir(t testing.TB, dir string) map[string]file {
	t.Helper()
	tree := map[string]file{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, _ := filepath.Rel(dir, path)
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		info, err := d.Info()
		tree[filepath.ToSlash(name)] = file{string(content), info.Mode()&0o111 != 0}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

func TestUnzipGivesTheTree(t *testing.T) {
	unzip, err := exec.LookPath("unzip")
	if err != nil {
		t.Log("Info-ZIP's unzip is not on PATH: only Go's reader checks the archives")
	}
	rapid.Check(t, func(rt *rapid.T) {
		want := anyTree(rt)
		dir, err := os.MkdirTemp(t.TempDir(), "")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		put(t, filepath.Join(dir, "in"), want)
		tree, err := artifact.Gather(t.Context(), artifact.SourceOf("x", filepath.Join(dir, "in")))
		if err != nil {
			rt.Fatal(err)
		}
		data := zipped(t, tree)
		if got := readZip(t, data); !maps.Equal(got, want) {
			rt.Fatalf("Go's reader finds other files: %v", slices.Sorted(maps.Keys(got)))
		}
		if !bytes.Equal(zipped(t, tree), data) {
			rt.Fatal("the same tree gave other bytes")
		}
		if unzip == "" {
			return
		}
		path, out := filepath.Join(dir, "x.zip"), filepath.Join(dir, "out")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(unzip, "-q", path, "-d", out)
		cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
		if text, err := cmd.CombinedOutput(); err != nil {
			rt.Fatalf("unzip: %v\n%s", err, text)
		}
		if got := readDir(t, out); !maps.Equal(got, want) {
			rt.Fatalf("unzip finds other files: %v", slices.Sorted(maps.Keys(got)))
		}
	})
}

// words is text that each level of compression takes differently.
func words(n int) string {
	dictionary := strings.Fields("the south wind takes a commit to running healthy deployment and says truthfully whether it got there")
	var b strings.Builder
	for i, c := range []byte(noise(3, n/6)) {
		b.WriteString(dictionary[int(c)*(i%7+1)%len(dictionary)])
		b.WriteByte(" \n"[c>>7])
	}
	return b.String()
}

// The bytes must not depend on the machine: these hashes may change only together with the format.
func TestZipBytesAreFixed(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, map[string]file{"bin/app": {strings.Repeat("0123456789abcdef\n", 200_000), true}, "é.txt": {"hello\n", false}, "empty": {}, "words": {words(300_000), false}})
	tree, err := artifact.Gather(t.Context(), artifact.Source{Name: "x", Dir: dir, Paths: []string{"."}})
	if err != nil {
		t.Fatal(err)
	}
	for _, procs := range []int{1, 2, 8} {
		before := runtime.GOMAXPROCS(procs)
		sum, err := tree.SHA256(t.Context())
		runtime.GOMAXPROCS(before)
		if want := "de848a169075e90ddf1e850dcbf5211750893645bc5acd4be72b61fa7a0b68dc"; err != nil || sum != want {
			t.Errorf("with %d processors: %s, want %s (%v)", procs, sum, want, err)
		}
	}
	if want := "4ffe020e59d0384c3c149bf327660aa2c2e5620f18ec9168faa8011a9eb06bfc"; tree.Digest() != want {
		t.Errorf("digest %s, want %s", tree.Digest(), want)
	}
}

func TestDigestSeesWhatMatters(t *testing.T) {
	digest := func(name string, f file) string {
		dir := t.TempDir()
		put(t, dir, map[string]file{name: f})
		tree, err := artifact.Gather(t.Context(), artifact.Source{Name: "x", Dir: dir, Paths: []string{"."}})
		if err != nil {
			t.Fatal(err)
		}
		return tree.Digest()
	}
	base := digest("a", file{"x", false})
	if again := digest("a", file{"x", false}); again != base {
		t.Error("the same content in another folder has another digest")
	}
	for what, other := range map[string]string{
		"name": digest("b", file{"x", false}), "content": digest("a", file{"y", false}), "mode": digest("a", file{"x", true}),
	} {
		if other == base {
			t.Errorf("another %s has the same digest", what)
		}
	}
}

func TestZipRefusesAChangedFile(t *testing.T) {
	for name, change := range map[string]func(path string) error{
		"other content": func(p string) error { return os.WriteFile(p, []byte("HELLO"), 0o644) },
		"longer":        func(p string) error { return os.WriteFile(p, []byte("hello!"), 0o644) },
		"shorter":       func(p string) error { return os.Truncate(p, 2) },
		"removed":       os.Remove,
	} {
		dir := t.TempDir()
		write(t, dir, map[string]string{"app": "hello"})
		tree, err := artifact.Gather(t.Context(), artifact.Source{Name: "x", Dir: dir, Paths: []string{"app"}})
		if err != nil {
			t.Fatal(err)
		}
		if err := change(filepath.Join(dir, "app")); err != nil {
			t.Fatal(err)
		}
		if err := tree.Zip(t.Context(), io.Discard); err == nil || !strings.Contains(err.Error(), "app") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

type failingWriter struct{ left int }

var errFull = errors.New("disk full")

func (w *failingWriter) Write(p []byte) (int, error) {
	if w.left -= len(p); w.left < 0 {
		return 0, errFull
	}
	return len(p), nil
}

func TestZipEndsWithItsWriterAndContext(t *testing.T) {
	tree := gather(t, map[string]string{"a": noise(1, 5<<20), "b": "x"})
	if err := tree.Zip(t.Context(), &failingWriter{left: 1 << 20}); !errors.Is(err, errFull) {
		t.Errorf("a writer that fails: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := tree.Zip(ctx, io.Discard); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that has ended: %v", err)
	}
}
