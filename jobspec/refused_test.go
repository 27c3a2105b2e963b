package jobspec

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestRefusedFiles holds every mistake's place, words and hint against FILE.want,
// which lists them as FILE:LINE:COLUMN: summary.
func TestRefusedFiles(t *testing.T) {
	for _, c := range loadCases(t, "refused", 60) {
		t.Run(c.file, func(t *testing.T) {
			result, diags := Parse(c.file, c.text(t), c.options(t))
			if result != nil || !diags.HasErrors() {
				t.Fatal("accepted")
			}
			want := filepath.Join(c.dir, c.file+".want")
			if *update {
				writeFile(t, want, list(diags))
			}
			if diff := cmp.Diff(string(readFile(t, want)), list(diags)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			for _, d := range diags {
				if d.Subject == nil || d.Subject.Start.Line == 0 {
					t.Errorf("%q has no place", d.Summary)
				}
				if d.Detail == "" {
					t.Errorf("%q has no hint", d.Summary)
				}
			}
		})
	}
}

func TestRefusedFilesAreRefusedByNomad(t *testing.T) {
	nomad := nomadOnPath(t)
	for _, c := range loadCases(t, "refused", 60) {
		t.Run(c.file, func(t *testing.T) {
			t.Parallel()
			if out, _, err := c.nomad(nomad); err == nil {
				t.Errorf("nomad accepts it: %s", out)
			}
		})
	}
}

func TestHints(t *testing.T) {
	cases := map[string]struct{ text, summary, hint string }{
		"nearest attribute": {
			"job \"a\" {\n  prioriti = 5\n}\n",
			`unknown attribute "prioriti" in job "a"; did you mean "priority"?`, "Valid here: affinity, all_at_once, constraint",
		},
		"nearest block": {
			"job \"a\" {\n  grup \"b\" {}\n}\n",
			`unknown block "grup" in job "a"; did you mean "group"?`, "group, id, meta",
		},
		"HCL1": {
			"job \"a\" {\n  group = {\n  }\n}\n",
			`group in job "a" is a block, not an attribute`, `Remove the equals sign: group "NAME" { ... }. Old job files (HCL1)`,
		},
		"attribute": {
			"job \"a\" {\n  type {}\n}\n",
			`type in job "a" is an attribute, not a block`, "type = ...",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, diags := Parse("a.nomad.hcl", []byte(c.text), Options{})
			if len(diags) != 1 || diags[0].Summary != c.summary || !strings.Contains(diags[0].Detail, c.hint) {
				t.Errorf("got %v, want %s (%s)", diags, c.summary, c.hint)
			}
		})
	}
}
