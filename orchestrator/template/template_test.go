package template

import (
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/nomad/api"
)

func world() World {
	variable := &api.Variable{Namespace: "default", Path: "nomad/jobs/web", Items: map[string]string{"user": "me", "password": "s3cr3t"}}
	return World{
		Env: map[string]string{"NOMAD_JOB_ID": "web"}, Namespace: "default", Region: "global",
		Now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		Read: func(path string) (string, error) {
			if path == "local/a" {
				return "content of a", nil
			}
			return "", fs.ErrNotExist
		},
		Nomad: Nomad{
			Variable: func(namespace, path string) *api.Variable {
				if namespace == "default" && path == "nomad/jobs/web" {
					return variable
				}
				return nil
			},
			Variables: func(_, prefix string) []*api.Variable {
				if strings.HasPrefix("nomad/jobs/web", prefix) {
					return []*api.Variable{variable}
				}
				return nil
			},
			Services: func(_, name string) []*api.ServiceRegistration {
				all := []*api.ServiceRegistration{
					{ID: "2", ServiceName: "db", AllocID: "b", Address: "10.0.0.2", Port: 5432, Tags: []string{"replica"}},
					{ID: "1", ServiceName: "db", AllocID: "a", Address: "10.0.0.1", Port: 5432, Tags: []string{"primary"}},
				}
				if name == "" || name == "db" {
					return all
				}
				return nil
			},
		},
	}
}

func TestExecute(t *testing.T) {
	for text, want := range map[string]string{
		`{{ env "NOMAD_JOB_ID" }} {{ env "HOME" }}.`:                                                  "web .",
		`{{ envOrDefault "X" "y" }}`:                                                                  "y",
		`{{ with nomadVar "nomad/jobs/web" }}{{ .user }}:{{ .password }}{{ end }}`:                    "me:s3cr3t",
		`{{ (nomadVar "nomad/jobs/web").user | toUpper }}`:                                            "",
		`{{ range (nomadVar "nomad/jobs/web").Tuples }}{{ .K }}={{ .V }} {{ end }}`:                   "password=s3cr3t user=me ",
		`{{ nomadVar "nomad/jobs/web@default" | toJSON }}`:                                            `{"password":"s3cr3t","user":"me"}`,
		`{{ (nomadVar "nomad/jobs/web").Metadata.Path }}`:                                             "nomad/jobs/web",
		`{{ if nomadVarExists "nomad/jobs/other" }}yes{{ else }}no{{ end }}`:                          "no",
		`{{ range nomadVarList "nomad" }}{{ . }}{{ end }}{{ range nomadVarList "other" }}x{{ end }}`:  "nomad/jobs/web",
		`{{ range nomadService "db" }}{{ .Address }}:{{ .Port }} {{ end }}`:                           "10.0.0.1:5432 10.0.0.2:5432 ",
		`{{ range nomadService "replica.db" }}{{ .Address }}{{ end }}{{ len (nomadService "none") }}`: "10.0.0.20",
		`{{ len (nomadService 1 "key" "db") }}`:                                                       "1",
		`{{ range nomadServices }}{{ .Name }}{{ .Tags }}{{ end }}`:                                    "db[primary replica]",
		`{{ file "local/a" }}`:                                                                                    "content of a",
		`{{ "a,b,c" | split "," | join "-" }}`:                                                                    "a-b-c",
		`{{ "aGk=" | base64Decode }} {{ base64Encode "hi" }}`:                                                     "hi aGk=",
		`{{ with parseJSON "{\"a\":[1,2]}" }}{{ index .a 1 }}{{ end }}`:                                           "2",
		`{{ with "a: 1" | parseYAML }}{{ .a }}{{ end }}`:                                                          "1",
		`{{ range loop 2 5 }}{{ . }}{{ end }}{{ range loop "2" }}{{ . }}{{ end }}`:                                "23401",
		`{{ add 1 2 }} {{ 5 | subtract 2 }} {{ divide 2 9 }} {{ modulo 4 9 }} {{ multiply 1.5 2 }}`:               "3 3 4 1 3",
		`{{ "abc" | regexReplaceAll "b+" "X" }} {{ "abc" | regexMatch "^a" }} {{ replaceAll "a" "b" "aa" }}`:      "aXc true bb",
		`{{ in (split "," "a,b") "b" }} {{ contains "x" (split "," "a,b") }} {{ in "hello" "ell" }}`:              "true false true",
		`{{ timestamp }} {{ timestamp "unix" }} {{ timestamp "2006" }}`:                                           "2026-01-02T03:04:05Z 1767323045 2026",
		`{{ sprig_upper "x" }} {{ sprig_default "d" "" }} {{ toTitle "two words" }}`:                              "X d Two Words",
		`{{ scratch.Set "a" 1 }}{{ scratch.Get "a" }}{{ scratch.MapSet "m" "k" "v" }}{{ scratch.MapValues "m" }}`: "1[v]",
		`{{ define "t" }}<{{ . }}>{{ end }}{{ executeTemplate "t" 5 }}`:                                           "<5>",
		`{{ $m := parseJSON "{}" }}{{ $m.nope }}`:                                                                 "<no value>",
		`{{ "a=1,b=2" | splitToMap "," "=" | toJSON }} {{ indent 2 "a\nb" }}`:                                     "{\"a\":\"1\",\"b\":\"2\"}   a\n  b",
		`{{ sha256Hex "a" | len }} {{ md5sum "a" }} {{ trimSpace " x " }} {{ parseInt "7" }}`:                     "64 0cc175b9c0f1b6a831c399e269772661 x 7",
	} {
		got, err := Template{Text: text}.Execute(world())
		if want == "" { // an item is no string: Nomad says so, too
			if err == nil {
				t.Errorf("%s: %q, want an error", text, got.Text)
			}
			continue
		}
		if err != nil || string(got.Text) != want || len(got.Missing) > 0 {
			t.Errorf("%s: %q, missing %v, %v; want %q", text, got.Text, got.Missing, err, want)
		}
	}
}

func TestDelimiters(t *testing.T) {
	got, err := Template{Text: `<< env "NOMAD_JOB_ID" >> {{ }}`, Left: "<<", Right: ">>"}.Execute(world())
	if err != nil || string(got.Text) != "web {{ }}" {
		t.Errorf("%q, %v", got.Text, err)
	}
}

func TestMissing(t *testing.T) {
	text := `{{ nomadVar "b/c" }}{{ with nomadVar "a@other.eu" }}{{ .x }}{{ end }}{{ nomadVarListSafe "none" }}{{ file "local/b" }}`
	got, err := Template{Text: text}.Execute(world())
	want := []string{"file(local/b)", "nomad.var.block(a@other.eu)", "nomad.var.block(b/c@default.global)", "nomad.var.list(none@default.global)"}
	if diff := cmp.Diff(want, got.Missing); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
}

func TestErrors(t *testing.T) {
	for text, want := range map[string]string{
		`{{ nope }}`:                              `parse: template: :1: function "nope" not defined`,
		`{{ parseInt "abc" }}`:                    `execute: template: :1:3: executing "" at <parseInt "abc">: error calling parseInt: parseInt: strconv.ParseInt: parsing "abc": invalid syntax`,
		`{{ plugin "ls" }}`:                       `execute: template: :1:3: executing "" at <plugin "ls">: error calling plugin: function is disabled`,
		`{{ $m := parseJSON "{}" }}{{ $m.nope }}`: `execute: template: :1:31: executing "" at <$m.nope>: map has no entry for key "nope"`,
		`{{ (nomadVar "nomad/jobs/web").password.Value | parseInt }}`:                 `[redacted]`,
		`{{ define "t" }}{{ executeTemplate "t" }}{{ end }}{{ executeTemplate "t" }}`: "without end",
		`{{ key "a" }}`:    "needs Consul",
		`{{ secret "a" }}`: "needs Vault",
		`{{ divide 0 1 }}`: "division by zero",
	} {
		_, err := Template{Text: text, ErrorOnMissing: true}.Execute(world())
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}
