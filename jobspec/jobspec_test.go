package jobspec

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/nomad/api"
)

func mustParse(t *testing.T, text string, opts Options) *Result {
	t.Helper()
	result, diags := Parse("job.nomad.hcl", []byte(text), opts)
	if diags.HasErrors() {
		t.Fatalf("refused:\n%s", list(diags))
	}
	return result
}

func TestDeclared(t *testing.T) {
	cases := map[string]struct {
		text string
		want []string
	}{
		"both forms":         {"variable \"b\" {}\nvariables {\n  a = 1\n}\njob \"j\" {}\n", []string{"a", "b"}},
		"none":               {"job \"j\" {}\n", nil},
		"HCL-JSON":           {`{"variable": {"x": {}}, "job": {"j": {}}}`, []string{"x"}},
		"API JSON":           {`{"Job": {"ID": "x"}}`, nil},
		"mistakes elsewhere": {"variable \"a\" {}\nnope {}\n", []string{"a"}},
		"no HCL":             {"}{", nil},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got := Declared("job", []byte(c.text))
			if len(got) != len(c.want) || cmp.Diff(strings.Join(c.want, " "), strings.Join(got, " ")) != "" {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestSubmission(t *testing.T) {
	const declarations = "variable \"s\" {}\nvariable \"n\" {\n  type = number\n}\nvariable \"l\" {\n  type = list(string)\n}\nvariable \"m\" {\n  type = map(string)\n}\njob \"j\" {}\n"
	opts := Options{
		Environ:       []string{"NOMAD_VAR_s=env", "NOMAD_VAR_m={a=1}", "NOMAD_VAR_other=x", "HOME=/root"},
		VariableFiles: []File{{"a.vars", []byte("n = 1\n")}, {"b.vars", []byte("n = 2\n")}},
		Variables:     []string{"s=flag", "l=[\"x\"]"},
	}
	want := &api.JobSubmission{
		Source:        declarations,
		Format:        "hcl2",
		VariableFlags: map[string]string{"s": "flag", "other": "x"},
		Variables:     "n = 1\n\nn = 2\n\nl = [\"x\"]\nm = {a=1}",
	}
	if diff := cmp.Diff(want, mustParse(t, declarations, opts).Submission); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if got := mustParse(t, `{"job": {"j": {}}}`, Options{}).Submission.Format; got != "json" {
		t.Errorf("format of HCL-JSON is %q", got)
	}
}

func TestOnlyTheLastFlagCounts(t *testing.T) {
	text := "variable \"n\" {\n  type = number\n}\njob \"j\" {\n  priority = var.n\n}\n"
	result := mustParse(t, text, Options{Variables: []string{"n=many", "n", "n=5"}})
	if *result.Job.Priority != 5 {
		t.Errorf("got %d", *result.Job.Priority)
	}
}

func TestUndeclaredVariablesAreWarningsWhenLenient(t *testing.T) {
	opts := Options{Variables: []string{"nope=1"}, VariableFiles: []File{{"f", []byte("other = 1\n")}}, Lenient: true}
	result := mustParse(t, "job \"j\" {}\n", opts)
	want := "-var nope:1:1: variable \"nope\" is set but the job file does not declare it\nf:1:1: variable \"other\" is set but the job file does not declare it\n"
	if diff := cmp.Diff(want, list(result.Warnings)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestWarnings(t *testing.T) {
	cases := map[string]struct{ text, want string }{
		"mistake in the vault block of a group": {
			"job \"j\" {\n  group \"g\" {\n    vault {\n      rol = \"x\"\n    }\n  }\n}\n",
			"job.nomad.hcl:4:7: unknown attribute \"rol\" in vault; did you mean \"role\"?\n",
		},
		"local set twice": {
			"locals {\n  a = 1\n}\nlocals {\n  a = 2\n}\njob \"j\" {}\n",
			"job.nomad.hcl:5:3: local.a is set twice\n",
		},
		"escape before a reference in JSON": {
			`{"job": {"j": {"meta": {"a": "\"${NOMAD_X}"}}}}`,
			"job.nomad.hcl:1:30: the reference to NOMAD_X comes out garbled, in Nomad as well\n",
		},
		"escape before a variable in JSON": {
			`{"variables": {"x": 1}, "job": {"j": {"meta": {"a": "\"${var.x}"}}}}`, "",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, list(mustParse(t, c.text, Options{}).Warnings)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestFileFunctionsCanBeDisabled(t *testing.T) {
	for _, call := range []string{`file("x")`, `filebase64("x")`, `fileexists("x")`, `join("", fileset(".", "*"))`, `abspath("x")`, `basename("x")`, `dirname("x")`, `pathexpand("x")`} {
		text := "job \"j\" {\n  region = \"${" + call + "}\"\n}\n"
		_, diags := Parse("job", []byte(text), Options{DisableFileFunctions: true})
		if len(diags) == 0 || !strings.Contains(diags[0].Detail, "disabled") {
			t.Errorf("%s: %v", call, diags)
		}
	}
}

func TestAPIJSON(t *testing.T) {
	cases := map[string]struct{ text, id, refused string }{
		"nested":           {`{"Job": {"ID": "a", "TaskGroups": [{"Name": "g"}]}}`, "a", ""},
		"bare":             {"\n\t{\"ID\": \"b\", \"Type\": \"batch\"}", "b", ""},
		"rubbish behind":   {`{"Job": {"ID": "c"}} rest`, "c", ""},
		"unknown field":    {`{"Job": {"ID": "d", "Nope": 1}}`, "d", ""},
		"wrong type":       {"{\"Job\": {\n  \"ID\": 5}}", "", "job.nomad.hcl:2:9: Job.ID needs a string, not a number\n"},
		"syntax":           {`{"Job": {"ID": }}`, "", "job.nomad.hcl:1:16: this is no API JSON: invalid character '}' looking for beginning of value\n"},
		"HCL-JSON instead": {`{"job": {"e": {}}}`, "e", ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			result, diags := Parse("job.nomad.hcl", []byte(c.text), Options{})
			if c.refused != "" {
				if diff := cmp.Diff(c.refused, list(diags)); diff != "" {
					t.Errorf("-want +got:\n%s", diff)
				}
				return
			}
			if diags.HasErrors() || *result.Job.ID != c.id {
				t.Fatalf("got %v, %v", result, diags)
			}
		})
	}
	if _, diags := Parse("a", []byte(`{"Job": {}}`), Options{Variables: []string{"a=1"}}); !diags.HasErrors() {
		t.Error("variables are taken for API JSON")
	}
}

// What JSON prints is API JSON again, of the same job. Integers beyond 2^53 in the
// config of a driver lose digits on the way, in Nomad as well.
func TestJSONRoundTrip(t *testing.T) {
	for _, c := range loadCases(t, "jobs", 120) {
		if strings.HasPrefix(c.file, "config_numbers") {
			continue
		}
		text := parsed(t, c)
		result, diags := Parse(c.file, []byte(text), Options{})
		if diags.HasErrors() {
			t.Fatalf("%s: %v", c.file, diags)
		}
		again, err := JSON(result.Job)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(text, string(again)); diff != "" {
			t.Errorf("%s:\n%s", c.file, diff)
		}
	}
}

// FuzzParse: no text makes the parser panic, hang or give neither job nor error.
func FuzzParse(f *testing.F) {
	for _, folder := range []string{"jobs", "differs", "refused", "lint"} {
		for _, c := range loadCases(f, folder, 3) {
			f.Add(c.text(f))
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		result, diags := Parse("job", text, Options{DisableFileFunctions: true})
		if (result == nil) != diags.HasErrors() {
			t.Fatalf("result %v with %v", result, diags)
		}
		if result != nil {
			Lint("job", text, result.Job)
		}
		Declared("job", text)
	})
}

// FuzzVariableFile is FuzzParse for variable files and flags.
func FuzzVariableFile(f *testing.F) {
	f.Add([]byte("a = [1]\nb = \"x\"\n"))
	f.Add([]byte(`{"a": ["x"], "b": 5}`))
	f.Add([]byte("b = [for x in [1, 2] : x]"))
	f.Fuzz(func(t *testing.T, text []byte) {
		job := []byte("variable \"a\" {\n  type    = list(string)\n  default = []\n}\nvariable \"b\" {\n  default = null\n}\njob \"j\" {}\n")
		for _, opts := range []Options{
			{VariableFiles: []File{{"f", text}}},
			{Variables: []string{"a=" + string(text), "b=" + string(text)}},
		} {
			if result, diags := Parse("job", job, opts); (result == nil) != diags.HasErrors() {
				t.Fatalf("result %v with %v", result, diags)
			}
		}
	})
}
