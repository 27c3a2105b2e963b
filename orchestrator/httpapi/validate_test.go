package httpapi

import (
	"encoding/json"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/nomad/api"
)

// validation.json is what a real Nomad says of jobs with one thing wrong each.
func TestValidationIsNomads(t *testing.T) {
	var cases []struct {
		Name            string
		Job             *api.Job
		Status          int
		Error, Warnings string
	}
	text, err := os.ReadFile("testdata/validation.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	if len(cases) == 0 {
		t.Fatal("no cases")
	}
	s := &server{Config: testConfig(t)}
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			r, err := s.parse(httptest.NewRequest("PUT", "/v1/jobs", strings.NewReader("")))
			if err != nil {
				t.Fatal(err)
			}
			if err := s.canonicalize(r, c.Job); err != nil {
				t.Fatal(err)
			}
			warnings, err := s.validate(c.Job)
			got := ""
			if err != nil {
				got = err.Error()
			}
			if d := cmp.Diff(c.Error, got); d != "" {
				t.Errorf("error (-nomad +ours)\n%s", d)
			}
			if d := cmp.Diff(c.Warnings, warnings); d != "" && c.Error == "" {
				t.Errorf("warnings (-nomad +ours)\n%s", d)
			}
		})
	}
}

func TestServiceName(t *testing.T) {
	for name, want := range map[string]bool{
		"a": true, "9": true, "web-1": true, "Web": true, strings.Repeat("a", 63): true, "${NOMAD_JOB_NAME}-web": true, "${a}${b}": true,
		"": false, "-": false, "web-": false, "-web": false, "we_b": false, "a.b": false, "é": false, "${a}-": false, strings.Repeat("a", 64): false, "a\n": false,
	} {
		if got := isServiceName(name); got != want {
			t.Errorf("isServiceName(%q) is %v", name, got)
		}
	}
}
