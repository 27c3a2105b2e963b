package jobspec

import (
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLint(t *testing.T) {
	for _, c := range loadCases(t, "lint", 4) {
		t.Run(c.file, func(t *testing.T) {
			result, diags := Parse(c.file, c.text(t), Options{})
			if diags.HasErrors() {
				t.Fatal(diags)
			}
			warnings := Lint(c.file, c.text(t), result.Job)
			want := filepath.Join(c.dir, c.file+".want")
			if *update {
				writeFile(t, want, list(warnings))
			}
			if diff := cmp.Diff(string(readFile(t, want)), list(warnings)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			for _, w := range warnings {
				if w.Detail == "" {
					t.Errorf("%q has no hint", w.Summary)
				}
			}
		})
	}
}

// Lint never needs the text: a job from JSON is looked at as well.
func TestLintOfJSON(t *testing.T) {
	text := []byte(`{"job": {"a": {"group": {"g": {"task": {"t": {"driver": "docker", "config": {"image": "redis"}}}}}}}}`)
	result, diags := Parse("a.nomad.json", text, Options{})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	if warnings := Lint("a.nomad.json", text, result.Job); len(warnings) != 1 {
		t.Errorf("got %v, want one warning about the image", warnings)
	}
}
