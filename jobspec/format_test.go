package jobspec

import (
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

func TestFormat(t *testing.T) {
	archives, err := filepath.Glob("testdata/format/*.txtar")
	if err != nil || len(archives) == 0 {
		t.Fatalf("no cases in testdata/format: %v", err)
	}
	for _, name := range archives {
		t.Run(filepath.Base(name), func(t *testing.T) {
			files := txtar.Parse(readFile(t, name)).Files
			in, want := files[0].Data, files[1].Data
			got := Format(in)
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if again := Format(got); string(again) != string(got) {
				t.Errorf("formatting twice differs: %s", cmp.Diff(string(got), string(again)))
			}
		})
	}
}

// Whatever the text, formatting changes blanks only.
func FuzzFormat(f *testing.F) {
	for _, c := range loadCases(f, "jobs", 120) {
		f.Add(c.text(f))
	}
	f.Add([]byte("a=1[[ .x ]]\n[[ if eq .a \"]]\" ]][[ end ]]\nb   = [[.c]]"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if got := Format(text); withoutBlanks(string(got)) != withoutBlanks(string(text)) {
			t.Errorf("%q became %q", text, got)
		}
	})
}
