package runner

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"fmt"
	"hash/crc32"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/nomad/api"
)

// fetchZip downloads an archive for a task, and checks that nothing of it got out of
// the task's folder, that nothing is left half done, and that no link or set-user-ID
// program came out of it.
func fetchZip(t *testing.T, archive []byte) (map[string]string, error) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Write(archive) }))
	defer server.Close()
	beside := t.TempDir() // what a name with ".." could reach
	source := server.URL + "/a.zip"
	found, err := fetchOne(t, &api.TaskArtifact{GetterSource: &source}, nil, nil)
	around := filepath.Dir(beside)
	walked := filepath.WalkDir(around, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(around, path)
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		_, inAlloc, _ := strings.Cut(name, string(filepath.Separator))
		if !e.IsDir() && !strings.HasPrefix(inAlloc, filepath.Join("web", "local")) && !strings.HasPrefix(inAlloc, ".fetch-web") {
			t.Errorf("%s is outside of the task's folder, and of the one for parts, which the task never sees", name)
		}
		if info.Mode()&(fs.ModeSymlink|fs.ModeSetuid|fs.ModeSetgid|fs.ModeDevice|fs.ModeNamedPipe) != 0 {
			t.Errorf("%s has the mode %s", name, info.Mode())
		}
		return nil
	})
	if walked != nil {
		t.Fatal(walked)
	}
	if entries, readErr := os.ReadDir(around); readErr != nil || len(entries) != 2 {
		t.Errorf("beside the allocation there are %v, %v", entries, readErr)
	}
	if err != nil && len(found) > 0 {
		t.Errorf("the download fails with %v, and leaves %v", err, found)
	}
	return found, err
}

// rawZip makes a zip without asking whether its names are good.
func rawZip(t testing.TB, entries ...*zip.FileHeader) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := zip.NewWriter(&buf)
	for _, header := range entries {
		f, err := w.CreateHeader(header)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(header.Name, "/") {
			continue
		}
		if _, err := f.Write([]byte("/etc/passwd")); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func entry(name string, mode fs.FileMode) *zip.FileHeader {
	header := &zip.FileHeader{Name: name, Method: zip.Deflate}
	header.SetMode(mode)
	return header
}

func hostileZips(t testing.TB) map[string][]byte {
	many := make([]*zip.FileHeader, unpackMaxFiles+1)
	for i := range many {
		many[i] = entry(fmt.Sprint(i), 0o644)
	}
	return map[string][]byte{
		"up":                rawZip(t, entry("good", 0o644), entry("../../../bad", 0o644)),
		"up inside":         rawZip(t, entry("a/../../../../bad", 0o644)),
		"absolute":          rawZip(t, entry("/tmp/ostro-zip-slip", 0o644)),
		"backslashes":       rawZip(t, entry(`..\..\bad`, 0o644)),
		"link, then below":  rawZip(t, entry("link", fs.ModeSymlink|0o777), entry("link/bad", 0o644)),
		"set-user-ID":       rawZip(t, entry("root", fs.ModeSetuid|fs.ModeSetgid|0o755)),
		"file and folder":   rawZip(t, entry("a", 0o644), entry("a/b", 0o644)),
		"twice":             rawZip(t, entry("a", 0o644), entry("a", 0o755)),
		"too many":          rawZip(t, many...),
		"cut":               rawZip(t, entry("a", 0o644))[:40],
		"empty":             rawZip(t),
		"more than told":    lyingZip(t, 10<<20, 11),
		"less than told":    lyingZip(t, 11, 10<<20),
		"method of its own": otherMethod(rawZip(t, entry("a", 0o644))),
	}
}

// otherMethod has the one file of an archive compressed in a way that nobody knows.
func otherMethod(archive []byte) []byte {
	const methodAt = 10 // within the header of a file in the directory
	archive[bytes.Index(archive, []byte("PK\x01\x02"))+methodAt] = 99
	return archive
}

// lyingZip holds a file of zeros whose header tells another size.
func lyingZip(t testing.TB, size int, told uint64) []byte {
	t.Helper()
	var packed, buf bytes.Buffer
	deflate, err := flate.NewWriter(&packed, flate.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	zeros := make([]byte, size)
	if _, err := deflate.Write(zeros); err != nil {
		t.Fatal(err)
	}
	if err := deflate.Close(); err != nil {
		t.Fatal(err)
	}
	w := zip.NewWriter(&buf)
	header := entry("a", 0o644)
	header.CRC32, header.CompressedSize64, header.UncompressedSize64 = crc32.ChecksumIEEE(zeros), uint64(packed.Len()), told
	f, err := w.CreateRaw(header)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(packed.Bytes()); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// A hostile archive gets nowhere.
func TestFetchHostileZip(t *testing.T) {
	refused := map[string]bool{"up": true, "up inside": true, "too many": true, "cut": true, "link, then below": true, "file and folder": true, "more than told": true, "less than told": true, "method of its own": true}
	for name, archive := range hostileZips(t) {
		t.Run(name, func(t *testing.T) {
			found, err := fetchZip(t, archive)
			if refused[name] && err == nil {
				t.Errorf("it is taken, and leaves %v", found)
			}
			if _, err := os.Lstat("/tmp/ostro-zip-slip"); err == nil {
				t.Error("an absolute name got out")
			}
		})
	}
}

// FuzzZip: whatever an archive holds, nothing of it leaves the task's folder.
func FuzzZip(f *testing.F) {
	for name, archive := range hostileZips(f) {
		if name != "too many" {
			f.Add(archive)
		}
	}
	f.Fuzz(func(t *testing.T, archive []byte) { fetchZip(t, archive) })
}
