package render_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/rogpeppe/go-internal/txtar"

	"ostro/render"
)

// TestErrors renders job.nomad with vars.yaml of each archive, and compares
// the errors, or else the warnings, with its section "want".
func TestErrors(t *testing.T) {
	files, err := filepath.Glob("testdata/errors/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 8 {
		t.Fatalf("only %d cases in testdata/errors", len(files))
	}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got, want := renderArchive(t, archive)
			if *update {
				rewriteWant(t, filepath.Join(here, file), archive, got)
			} else if got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func renderArchive(t *testing.T, archive *txtar.Archive) (got, want string) {
	t.Helper()
	dir := t.TempDir()
	var files []string
	for _, f := range archive.Files {
		if f.Name == "want" {
			want = string(f.Data)
			continue
		}
		path := filepath.Join(dir, f.Name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, f.Data, 0o644); err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(f.Name, "vars.") {
			files = append(files, f.Name)
		}
	}
	t.Chdir(dir)
	vars, err := render.LoadVariables(t.Context(), files, nil)
	if err != nil {
		return describe(err), want
	}
	doc, err := render.File(t.Context(), "job.nomad", vars, render.Options{})
	if err != nil {
		return describe(err), want
	}
	return string(doc.Text) + describeAll(doc.Warnings), want
}

func rewriteWant(t *testing.T, file string, archive *txtar.Archive, want string) {
	kept := archive.Files[:0]
	for _, f := range archive.Files {
		if f.Name != "want" {
			kept = append(kept, f)
		}
	}
	archive.Files = append(kept, txtar.File{Name: "want", Data: []byte(want)})
	if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
		t.Fatal(err)
	}
}

// describe shows diagnostics as file:line:column: summary, and the hint.
func describe(err error) string {
	diags, ok := errors.AsType[hcl.Diagnostics](err)
	if !ok {
		return err.Error() + "\n"
	}
	return describeAll(diags)
}

func describeAll(diags hcl.Diagnostics) string {
	var b strings.Builder
	for _, d := range diags {
		kind := ""
		if d.Severity == hcl.DiagWarning {
			kind = "warning: "
		}
		fmt.Fprintf(&b, "%s:%d:%d: %s%s\n", d.Subject.Filename, d.Subject.Start.Line, d.Subject.Start.Column, kind, d.Summary)
		if d.Detail != "" {
			fmt.Fprintf(&b, "hint: %s\n", d.Detail)
		}
	}
	return b.String()
}
