package render_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/rogpeppe/go-internal/txtar"

	"ostro/render"
)

// seeds returns the files of all test archives whose name ends in one of the
// suffixes.
func seeds(f *testing.F, suffixes ...string) [][]byte {
	f.Helper()
	var found [][]byte
	archives, err := filepath.Glob("testdata/*/*.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range archives {
		archive, err := txtar.ParseFile(path)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range archive.Files {
			for _, suffix := range suffixes {
				if strings.HasSuffix(file.Name, suffix) {
					found = append(found, file.Data)
				}
			}
		}
	}
	if len(found) == 0 {
		f.Fatalf("no seeds %q in testdata", suffixes)
	}
	return found
}

// FuzzText renders whatever it gets, with a Consul that is not there. It must end soon, and point errors at the template.
func FuzzText(f *testing.F) {
	for _, seed := range seeds(f, "job.nomad", "task.hcl") {
		f.Add(string(seed))
	}
	name := filepath.Join(f.TempDir(), "job.nomad")
	vars := render.Variables{
		"name": "web", "count": 3, "f": 1.5, "list": []any{1, "a", map[string]any{"port": 80}},
		"db": map[string]any{"host": "h"}, "ports": map[int]any{80: "http"}, "null": nil, "quotes": `"\${`,
	}
	opts := render.Options{ConsulAddress: "unix://nowhere", Getenv: func(string) string { return "" }}
	f.Fuzz(func(t *testing.T, in string) {
		for _, slow := range []string{"gen", "derive", "crypt", "getHostByName", "htpasswd", "Cert", "include"} {
			if strings.Contains(in, slow) {
				t.Skip("slow by nature, or reads other files")
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		for _, opts.AllowMissing = range []bool{false, true} {
			doc, err := render.Text(ctx, name, in, vars, opts)
			if err != nil {
				checkPlaces(t, name, in, err)
				continue
			}
			for _, offset := range []int{0, len(doc.Text) / 2, len(doc.Text)} {
				r := hcl.Range{Filename: name, Start: hcl.Pos{Line: 1, Column: 1, Byte: offset}, End: hcl.Pos{Line: 1, Column: 1, Byte: offset + 1}}
				place := doc.Translate(hcl.Diagnostics{{Subject: &r}})[0].Subject
				if len(doc.Text) > 0 && place.Start.Byte > len(in) {
					t.Errorf("byte %d of the output maps to %s, behind the template's end", offset, place)
				}
			}
		}
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("took %s", took)
		}
	})
}

func checkPlaces(t *testing.T, name, in string, err error) {
	diags, ok := err.(hcl.Diagnostics)
	if !ok {
		return // the time was over
	}
	if len(diags) == 0 {
		t.Error("it fails, but nothing says why")
	}
	for _, d := range diags {
		if d.Subject == nil || d.Subject.Filename != name || d.Subject.Start.Byte > len(in) || d.Subject.Start.Line < 1 {
			t.Errorf("error without a place in the template: %v", d)
		}
		if d.Summary == "" || strings.Contains(d.Summary, "ǃ") && !strings.Contains(in, "ǃ") {
			t.Errorf("error that says nothing, or names what is ours: %q", d.Summary)
		}
	}
}

func fuzzVariables(f *testing.F, name string, seeds [][]byte) {
	for _, seed := range seeds {
		f.Add(seed)
	}
	path := filepath.Join(f.TempDir(), name)
	f.Fuzz(func(t *testing.T, in []byte) {
		if err := os.WriteFile(path, in, 0o644); err != nil {
			t.Fatal(err)
		}
		vars, err := render.LoadVariables(t.Context(), []string{path}, nil)
		if err != nil {
			if diags, ok := err.(hcl.Diagnostics); !ok || diags[0].Subject == nil || diags[0].Subject.Filename != path {
				t.Errorf("error without a place: %v", err)
			}
			return
		}
		checkTypes(t, map[string]any(vars))
		other := render.Variables{}
		other.Merge(vars)
		text(t, "[[ . ]][[ . | toJson ]]", other, render.Options{})
	})
}

// checkTypes holds Variables to the types that they promise.
func checkTypes(t *testing.T, v any) {
	switch v := v.(type) {
	case nil, string, bool, int, uint64, float64:
	case map[string]any:
		for _, element := range v {
			checkTypes(t, element)
		}
	case map[int]any:
		for _, element := range v {
			checkTypes(t, element)
		}
	case []any:
		for _, element := range v {
			checkTypes(t, element)
		}
	default:
		t.Errorf("a variable is a %T: %v", v, v)
	}
}

func FuzzYAML(f *testing.F) { fuzzVariables(f, "vars.yaml", seeds(f, ".yaml", ".yml")) }
func FuzzJSON(f *testing.F) { fuzzVariables(f, "vars.json", seeds(f, ".json")) }
func FuzzHCL(f *testing.F)  { fuzzVariables(f, "vars.tf", seeds(f, ".tf", ".tfvars", ".hcl")) }
