package render_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"

	"ostro/render"
)

func TestSet(t *testing.T) {
	tests := []struct {
		name  string
		paths []string
		want  string
		fails string
	}{
		{"simple", []string{"a"}, "map[a:v]", ""},
		{"nested", []string{"a.b.c", "a.d"}, "map[a:map[b:map[c:v] d:v]]", ""},
		{"a value in place of a map", []string{"a.b", "a"}, "map[a:v]", ""},
		{"a map in place of a value", []string{"a", "a.b"}, "", `variable "a.b": "a" already has a value that is not a map`},
		{"an empty name", []string{""}, "", `variable "": a name is empty`},
		{"an empty part", []string{"a..b"}, "", `variable "a..b": a name is empty`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			vars := render.Variables{}
			var err error
			for _, path := range tt.paths {
				err = errors.Join(err, vars.Set(path, "v"))
			}
			if tt.fails != "" {
				if err == nil || err.Error() != tt.fails {
					t.Errorf("got %v, want %s", err, tt.fails)
				}
				return
			}
			if err != nil || fmt.Sprint(vars) != tt.want {
				t.Errorf("got %v, %v, want %s", vars, err, tt.want)
			}
		})
	}
}

func TestMerge(t *testing.T) {
	over := render.Variables{
		"a": map[string]any{"y": 2, "deep": map[string]any{"n": 2}}, "list": []any{3}, "value": map[string]any{"z": 1},
		"ports": map[int]any{443: "https"}, "map": 1,
	}
	vars := render.Variables{
		"a": map[string]any{"x": 1, "y": 1, "deep": map[string]any{"m": 1}}, "list": []any{1, 2}, "value": 1,
		"ports": map[int]any{80: "http"}, "map": map[string]any{"gone": 1},
	}
	vars.Merge(over)
	want := render.Variables{
		"a": map[string]any{"x": 1, "y": 2, "deep": map[string]any{"m": 1, "n": 2}}, "list": []any{3}, "value": map[string]any{"z": 1},
		"ports": map[int]any{80: "http", 443: "https"}, "map": 1,
	}
	if !reflect.DeepEqual(vars, want) {
		t.Errorf("got %v, want %v", vars, want)
	}
	if err := vars.Set("value.z", 9); err != nil {
		t.Fatal(err)
	}
	if over["value"].(map[string]any)["z"] != 1 {
		t.Error("what was merged in is shared")
	}
}

func TestDefaultVariableFiles(t *testing.T) {
	tests := []struct {
		there []string
		want  string
	}{
		{nil, ""},
		{[]string{"levant.tf", "levant.json"}, "levant.json"},
		{[]string{"levant.tf", "levant.json", "levant.yml", "levant.yaml"}, "levant.yaml"},
		{[]string{"ostro.hcl", "ostro.tf"}, "ostro.tf"},
		{[]string{"ostro.yml", "levant.tf", "ostro.json"}, "levant.tf ostro.yml"},
	}
	for _, tt := range tests {
		dir := t.TempDir()
		for _, name := range tt.there {
			if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Mkdir(filepath.Join(dir, "levant.d"), 0o755); err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, path := range render.DefaultVariableFiles(dir) {
			if filepath.Dir(path) != dir {
				t.Errorf("%s is not in %s", path, dir)
			}
			names = append(names, filepath.Base(path))
		}
		if got := strings.Join(names, " "); got != tt.want {
			t.Errorf("of %q: got %q, want %q", tt.there, got, tt.want)
		}
	}
}

func TestStandardInput(t *testing.T) {
	tests := []struct{ in, want string }{
		{"", "map[]"},
		{` {"a": {"b": 1000000}}`, "map[a:map[b:1000000]]"},
		{"a:\n  b: yes\n", "map[a:map[b:true]]"},
		{"# a comment\na = 1\nb = { c = \"x\" }\n", "map[a:1 b:map[c:x]]"},
		{"variable \"a\" {\n  default = 1\n}\n", "map[a:1]"},
		{"a = \n", "-:1:5: Invalid expression"},
		{"a: [\n", "-:1:1: not valid YAML"},
		{"{", "-:1:2: not valid JSON"},
	}
	for _, tt := range tests {
		vars, err := render.LoadVariables(t.Context(), []string{"-"}, strings.NewReader(tt.in))
		got := fmt.Sprint(vars)
		if err != nil {
			got = describe(err)
		}
		if !strings.HasPrefix(got, tt.want) {
			t.Errorf("%q: got %s, want %s", tt.in, got, tt.want)
		}
	}
	if _, err := render.LoadVariables(t.Context(), []string{"-"}, nil); err == nil {
		t.Error("there is no stdin, but no error")
	}
	if _, err := render.LoadVariables(t.Context(), []string{"-"}, iotest.ErrReader(errors.New("broken pipe"))); err == nil || !strings.Contains(err.Error(), "broken pipe") {
		t.Errorf("got %v", err)
	}
}

func TestLoadVariablesStops(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := render.LoadVariables(ctx, []string{"x.yaml"}, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	// A pipe that nobody writes to holds nobody.
	ctx, cancel = context.WithCancel(t.Context())
	stdin, nobody := io.Pipe()
	defer nobody.Close()
	begun := readFunc(func(p []byte) (int, error) {
		cancel()
		return stdin.Read(p)
	})
	if _, err := render.LoadVariables(ctx, []string{"-"}, begun); err == nil || !strings.Contains(err.Error(), "context canceled") {
		t.Errorf("got %v", err)
	}
}

// A readFunc is a reader.
type readFunc func([]byte) (int, error)

func (f readFunc) Read(p []byte) (int, error) { return f(p) }

func TestFilesThatCannotBeRead(t *testing.T) {
	_, err := render.LoadVariables(t.Context(), []string{"no/such.yaml", "no/such.json", "x.toml", "noextension"}, nil)
	got := describe(err)
	for _, want := range []string{"no/such.yaml:1:1: the variable file cannot be read", "no/such.json:1:1", "x.toml:1:1: x.toml is not a variable file", "noextension:1:1"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in\n%s", want, got)
		}
	}
}

// Parsers recurse; what would take the whole stack is refused.
func TestDeepVariableFilesAreRefused(t *testing.T) {
	const many = 1_000_000
	for name, in := range map[string]string{
		"brackets.tf":     "a = " + strings.Repeat("[", many),
		"not.tf":          "a = " + strings.Repeat("!", many) + "true",
		"minus.tf":        "a = " + strings.Repeat("- ", many) + "1",
		"conditional.tf":  "a = " + strings.Repeat("true ? ", many) + "1",
		"template.tf":     `a = "` + strings.Repeat("%{ if true }", many) + `"`,
		"objects.json":    strings.Repeat(`{"a":`, many),
		"flow.yaml":       strings.Repeat("[", many),
		"sequences.yaml":  strings.Repeat("- ", many),
		"allowed.not.tf":  "a = " + strings.Repeat("!", 9_000) + "1",
		"allowed.if.tf":   `a = "` + strings.Repeat("%{ if true }", 9_000) + `"`,
		"allowed.cond.tf": "a = " + strings.Repeat("true ? ", 9_000) + "1",
	} {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(in), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := render.LoadVariables(t.Context(), []string{path}, nil); err == nil {
			t.Errorf("%s is read", name)
		}
	}
}

func TestJSONValue(t *testing.T) {
	got, err := render.JSONValue(`{"a": [1000000, 1.5, "x", null]}`)
	want := map[string]any{"a": []any{1000000, 1.5, "x", nil}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v", got, err)
	}
	for in, want := range map[string]string{"{": "at byte 2: it ends too early", "1 2": "something follows", "nul": "at byte", "": "ends too early"} {
		if _, err := render.JSONValue(in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v", in, err)
		}
	}
}
