package render_test

import (
	"os"
	"strings"
	"testing"

	"ostro/render"
)

// BenchmarkText renders a job of 60 lines, as one call of the command does.
func BenchmarkText(b *testing.B) {
	line := "  env { NAME = \"[[ .name ]]\" }\n  count = [[ .count | default 1 ]]\n  # nothing here\n"
	job := "job \"[[ .name ]]\" {\n" + strings.Repeat(line, 20) + "}\n"
	vars := render.Variables{"name": "web", "count": 3}
	for b.Loop() {
		if _, err := render.Text(b.Context(), "job.nomad", job, vars, render.Options{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLoadVariables(b *testing.B) {
	path := b.TempDir() + "/vars.yaml"
	if err := os.WriteFile(path, []byte("name: web\ncount: 3\ndb: {host: a, port: 1}\n"), 0o644); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := render.LoadVariables(b.Context(), []string{path}, nil); err != nil {
			b.Fatal(err)
		}
	}
}
