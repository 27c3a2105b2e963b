package jobspec

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/nomad/api"
)

// Every job that the parser's tests know can be written, and read again.
func TestWrite(t *testing.T) {
	files, err := filepath.Glob("testdata/jobs/*.golden")
	if err != nil || len(files) < 50 {
		t.Fatalf("there are too few jobs: %d, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".golden"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			parsed, diags := Parse(file, text, Options{})
			if diags.HasErrors() {
				t.Fatal(diags)
			}
			written, err := Write(parsed.Job)
			if err != nil {
				t.Fatal(err)
			}
			again, diags := Parse("job.nomad", written, Options{})
			if diags.HasErrors() {
				t.Fatalf("%v\n%s", diags, written)
			}
			if diff := cmp.Diff(asJSON(t, parsed.Job), asJSON(t, again.Job)); diff != "" {
				t.Errorf("%s\n%s", diff, written)
			}
		})
	}
}

func asJSON(t *testing.T, job *api.Job) string {
	t.Helper()
	text, err := json.MarshalIndent(job, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// What is left out is what Canonicalize fills in, and it is filled in again.
func TestShorten(t *testing.T) {
	text, err := os.ReadFile("testdata/shorten/web.json")
	if err != nil {
		t.Fatal(err)
	}
	var job, short *api.Job
	if err := json.Unmarshal(text, &job); err != nil {
		t.Fatal(err)
	}
	if short, err = Shorten(job); err != nil {
		t.Fatal(err)
	}
	written, err := Write(short)
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("testdata/shorten/web.hcl")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(written)); diff != "" {
		t.Error(diff)
	}
}
