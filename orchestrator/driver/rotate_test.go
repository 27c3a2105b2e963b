package driver

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// logFiles returns the files of web.stdout in dir by name.
func logFiles(t testing.TB, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	for _, n := range LogIndexes(dir, "web.stdout.") {
		name := fmt.Sprint("web.stdout.", n)
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		files[name] = string(data)
	}
	return files
}

func TestRotation(t *testing.T) {
	for _, tc := range []struct {
		name   string
		writes []string
		want   map[string]string
	}{
		{"one file", []string{"a\n", "b\n"}, map[string]string{"web.stdout.0": "a\nb\n"}},
		{"lines stay whole", []string{"12345\n", "12345\n"}, map[string]string{"web.stdout.0": "12345\n", "web.stdout.1": "12345\n"}},
		{"many lines in one write", []string{"1234\n1234\n1234\n"}, map[string]string{"web.stdout.0": "1234\n1234\n", "web.stdout.1": "1234\n"}},
		{"a long line is cut", []string{"1234567890123456\n"}, map[string]string{"web.stdout.0": "1234567890", "web.stdout.1": "123456\n"}},
		{"the oldest go", []string{"1_______\n", "2_______\n", "3_______\n", "4_______\n"},
			map[string]string{"web.stdout.1": "2_______\n", "web.stdout.2": "3_______\n", "web.stdout.3": "4_______\n"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			r := newRotator(Logs{Dir: dir, Name: "web", MaxFiles: 3, MaxFileSize: 10}, "stdout")
			for _, w := range tc.writes {
				fmt.Fprint(r, w)
			}
			r.Close()
			if diff := cmp.Diff(tc.want, logFiles(t, dir)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestRotationGoesOn(t *testing.T) {
	dir := t.TempDir()
	for _, w := range []string{"1__\n", "2__\n", "3__\n"} { // a new supervisor each
		r := newRotator(Logs{Dir: dir, Name: "web", MaxFiles: 2, MaxFileSize: 8}, "stdout")
		fmt.Fprint(r, w)
		r.Close()
	}
	want := map[string]string{"web.stdout.0": "1__\n2__\n", "web.stdout.1": "3__\n"}
	if diff := cmp.Diff(want, logFiles(t, dir)); diff != "" {
		t.Error(diff)
	}
}

func TestRotationLosesNothing(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(t.TempDir(), "")
		if err != nil {
			rt.Fatal(err)
		}
		size := rapid.Int64Range(1, 50).Draw(rt, "size")
		r := newRotator(Logs{Dir: dir, Name: "web", MaxFiles: 1 << 20, MaxFileSize: size}, "stdout")
		writes := rapid.SliceOfN(rapid.StringMatching(`[a-c\n]{0,60}`), 0, 20).Draw(rt, "writes")
		for _, w := range writes {
			if n, err := r.Write([]byte(w)); n != len(w) || err != nil {
				rt.Fatalf("wrote %d of %d: %v", n, len(w), err)
			}
		}
		r.Close()
		var all strings.Builder
		for _, n := range LogIndexes(dir, "web.stdout.") {
			data, err := os.ReadFile(filepath.Join(dir, fmt.Sprint("web.stdout.", n)))
			if err != nil || int64(len(data)) > size {
				rt.Fatalf("file %d has %d bytes, the limit is %d: %v", n, len(data), size, err)
			}
			all.Write(data)
		}
		if want := strings.Join(writes, ""); all.String() != want {
			rt.Fatalf("%q was written, %q is there", want, all.String())
		}
	})
}

func TestRotationMarksGaps(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "logs")
	r := newRotator(Logs{Dir: dir, Name: "web", MaxFiles: 2, MaxFileSize: 1000}, "stdout")
	fmt.Fprint(r, "lost\n") // the folder is not there yet
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(r, "kept\n")
	r.Close()
	want := map[string]string{"web.stdout.0": "\n[5 bytes of output could not be stored and are lost]\nkept\n"}
	if diff := cmp.Diff(want, logFiles(t, dir)); diff != "" {
		t.Error(diff)
	}
}
