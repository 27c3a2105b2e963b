package render_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"ostro/render"
)

// at finds the n-th occurrence, from 0, of a text, as a parser would report it.
func at(t *testing.T, doc *render.Document, text string, n int) *hcl.Range {
	t.Helper()
	offset := -1
	for range n + 1 {
		next := strings.Index(string(doc.Text[offset+1:]), text)
		if next < 0 {
			t.Fatalf("%q does not occur %d times in\n%s", text, n+1, doc.Text)
		}
		offset += 1 + next
	}
	before := string(doc.Text[:offset])
	line := strings.Count(before, "\n") + 1
	column := len([]rune(before[strings.LastIndexByte(before, '\n')+1:])) + 1
	start := hcl.Pos{Line: line, Column: column, Byte: offset}
	end := hcl.Pos{Line: line, Column: column + len([]rune(text)), Byte: offset + len(text)}
	return &hcl.Range{Filename: doc.Name, Start: start, End: end}
}

// quoted returns what a range holds in its file.
func quoted(doc *render.Document, r *hcl.Range) string {
	return string(doc.Sources[r.Filename][r.Start.Byte:r.End.Byte])
}

func TestTranslate(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	files := map[string]string{
		"job.nomad": `[[/* a comment
over two lines */ -]]

job "[[ .name ]]" {
[[- range .groups ]]
  group "[[ . ]]" {
    oops = 1
  }
[[- end ]]
[[ include "parts/task.hcl" | indent 4 ]]
  é = 5 wrong
  [[ template "block" . ]]
}
[[ define "block" ]]in block[[ end ]]
`,
		"parts/task.hcl": "# first line\ntask \"[[ .name ]]\" {\n  drivr = [[ .driver ]]\n}\n",
	}
	if err := os.Mkdir("parts", 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.FromSlash(name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	vars := render.Variables{"name": "web", "groups": []any{"a", "b"}, "driver": "raw_exec"}
	doc, err := render.File(t.Context(), "job.nomad", vars, render.Options{})
	if err != nil {
		t.Fatal(describe(err))
	}
	tests := []struct {
		text         string
		n            int
		file, source string
		line, column int
		hint         string
	}{
		{"job", 0, "job.nomad", "job", 4, 1, ""},
		{"web", 0, "job.nomad", "[[ .name ]]", 4, 6, "what [[ .name ]] renders is at fault"},
		{"oops", 0, "job.nomad", "oops", 7, 5, ""},
		{"oops", 1, "job.nomad", "oops", 7, 5, ""},
		{`group "b"`, 0, "job.nomad", `group "[[ . ]]"`, 6, 3, ""},
		{"wrong", 0, "job.nomad", "wrong", 11, 9, ""},
		{"first line", 0, filepath.Join("parts", "task.hcl"), "first line", 1, 3, ""},
		{"drivr", 0, filepath.Join("parts", "task.hcl"), "drivr", 3, 3, ""},
		{"raw_exec", 0, filepath.Join("parts", "task.hcl"), "[[ .driver ]]", 3, 11, "what [[ .driver ]] renders is at fault"},
		{"in block", 0, "job.nomad", "in block", 14, 21, ""},
	}
	for _, tt := range tests {
		for _, bytes := range []bool{true, false} {
			r := at(t, doc, tt.text, tt.n)
			if !bytes {
				r.Start.Byte, r.End.Byte = 0, 0
			}
			given := hcl.Diagnostics{{Summary: "x", Subject: r, Context: r}}
			got := doc.Translate(given)[0]
			s := got.Subject
			if s.Filename != tt.file || s.Start.Line != tt.line || s.Start.Column != tt.column || quoted(doc, s) != tt.source {
				t.Errorf("%q %d: got %s, which is %q; want %s:%d:%d and %q", tt.text, tt.n, s, quoted(doc, s), tt.file, tt.line, tt.column, tt.source)
			}
			if *got.Context != *s {
				t.Errorf("%q: the context is %s, the subject %s", tt.text, got.Context, s)
			}
			if got.Detail != tt.hint {
				t.Errorf("%q: hint %q, want %q", tt.text, got.Detail, tt.hint)
			}
			if given[0].Subject != r || given[0].Detail != "" {
				t.Errorf("%q: the diagnostics given were changed", tt.text)
			}
		}
	}
}

func TestTranslateLeavesOthersAlone(t *testing.T) {
	doc, err := render.Text(t.Context(), "job.nomad", "a\n", nil, render.Options{})
	if err != nil {
		t.Fatal(describe(err))
	}
	other := &hcl.Range{Filename: "vars.hcl", Start: hcl.InitialPos, End: hcl.InitialPos}
	got := doc.Translate(hcl.Diagnostics{{Summary: "x", Subject: other}, {Summary: "y"}})
	if *got[0].Subject != *other || got[1].Subject != nil {
		t.Errorf("got %v", got)
	}
	if empty := (&render.Document{}).Translate(hcl.Diagnostics{{Subject: &hcl.Range{}}}); len(empty) != 1 {
		t.Errorf("got %v", empty)
	}
}

// Every byte of a template without actions is its own place.
func TestTranslatePlainText(t *testing.T) {
	text := "job \"é\" {\n  a = 1\n}\n"
	doc, err := render.Text(t.Context(), "job.nomad", text, nil, render.Options{})
	if err != nil {
		t.Fatal(describe(err))
	}
	for offset := range text {
		r := hcl.Range{Filename: "job.nomad", Start: hcl.Pos{Byte: offset}, End: hcl.Pos{Byte: offset + 1}}
		if offset == 0 {
			r.Start = hcl.InitialPos
		}
		if got := doc.Translate(hcl.Diagnostics{{Subject: &r}})[0].Subject; got.Start.Byte != offset {
			t.Errorf("byte %d maps to %s", offset, got)
		}
	}
}

func FuzzHCLString(f *testing.F) {
	for _, seed := range []string{"", "plain", `say "hi"`, `C:\temp`, "two\nlines\r\n\t", "${a}", "%{ if }", "$${a}", "$$${", "$", "%%{", "${", "\x00\x1b", "é\u2028"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.ToValidUTF8(text, "") != text {
			t.Skip("HCL is UTF-8")
		}
		doc, err := render.Text(t.Context(), "x", `a = "[[ .text | hclString ]]"`, render.Variables{"text": text}, render.Options{})
		if err != nil {
			t.Fatal(describe(err))
		}
		file, diags := hclsyntax.ParseConfig(doc.Text, "x", hcl.InitialPos)
		if diags.HasErrors() {
			t.Fatalf("%q renders %s: %s", text, doc.Text, diags)
		}
		value, diags := file.Body.(*hclsyntax.Body).Attributes["a"].Expr.Value(nil)
		if diags.HasErrors() {
			t.Fatalf("%q renders %s: %s", text, doc.Text, diags)
		}
		// HCL strings are normalised; so is what is compared with them.
		want := normalised(text)
		if value.AsString() != want {
			t.Errorf("%q renders %s, which is %q", text, doc.Text, value.AsString())
		}
		if len(doc.Warnings) > 0 {
			t.Errorf("%q: %s", text, describeAll(doc.Warnings))
		}
	})
}
