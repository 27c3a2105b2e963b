package config_test

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
	"golang.org/x/tools/txtar"

	"ostro/config"
)

var update = flag.Bool("update", false, "rewrite the expected parts of testdata/*.txtar")

// Each archive holds ostro.hcl, optionally env (NAME=VALUE lines) and commit,
// and what comes out: load, and select or select-NAME for each environment.
func TestGolden(t *testing.T) {
	files, _ := filepath.Glob("testdata/*.txtar")
	if len(files) == 0 {
		t.Fatal("no test cases in testdata")
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) { golden(t, file) })
	}
}

func golden(t *testing.T, file string) {
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	given := map[string]string{}
	var got []txtar.File
	for _, f := range archive.Files {
		switch f.Name {
		case "ostro.hcl", "env", "commit":
			given[f.Name] = string(f.Data)
			got = append(got, f)
		}
	}
	for _, f := range outcome(given) {
		got = append(got, txtar.File{Name: f.Name, Data: f.Data})
	}
	text := txtar.Format(&txtar.Archive{Comment: archive.Comment, Files: got})
	if *update {
		if err := os.WriteFile(file, text, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(string(txtar.Format(archive)), string(text)); diff != "" {
		t.Errorf("%s (- want, + got; -update rewrites):\n%s", file, diff)
	}
}

// outcome is what loading and each selection gives, as text.
func outcome(given map[string]string) []txtar.File {
	getenv := func(name string) string {
		for line := range strings.Lines(given["env"]) {
			if n, v, ok := strings.Cut(strings.TrimSpace(line), "="); ok && n == name {
				return v
			}
		}
		return ""
	}
	f, err := config.Parse("dir/ostro.hcl", []byte(given["ostro.hcl"]), getenv)
	if err != nil {
		return []txtar.File{{Name: "load", Data: []byte(errorText(err))}}
	}
	f.Commit = strings.TrimSpace(given["commit"])
	out := []txtar.File{{Name: "load", Data: []byte(artifactText(f))}}
	for _, env := range append([]string{""}, f.EnvironmentNames()...) {
		name := "select"
		if env != "" {
			name += "-" + env
		}
		s, err := f.Select(env)
		text := ""
		if err != nil {
			text = errorText(err)
		} else {
			text = selectionText(s)
		}
		out = append(out, txtar.File{Name: name, Data: []byte(text)})
	}
	return out
}

func errorText(err error) string {
	diags, ok := errors.AsType[hcl.Diagnostics](err)
	if !ok {
		return err.Error() + "\n"
	}
	var b strings.Builder
	for _, d := range diags {
		fmt.Fprintf(&b, "%s:%d:%d: %s\n", d.Subject.Filename, d.Subject.Start.Line, d.Subject.Start.Column, d.Summary)
		if d.Detail != "" {
			fmt.Fprintf(&b, "  hint: %s\n", d.Detail)
		}
	}
	return b.String()
}

func artifactText(f *config.File) string {
	var b strings.Builder
	for _, a := range f.Artifacts {
		fmt.Fprintf(&b, "artifact %s dir=%s key=%q ignore=%q\n", a.Name, a.Dir, a.Key, a.Ignore)
		command, err := a.Command("/build")
		if err != nil {
			b.WriteString(errorText(err))
			continue
		}
		environ, _ := a.Environ("/build")
		fmt.Fprintf(&b, "  build %q env %q\n", command, environ)
		dir, paths, err := a.Files("/build")
		if err != nil {
			b.WriteString(errorText(err))
			continue
		}
		fmt.Fprintf(&b, "  files %q in %s\n", paths, dir)
	}
	return b.String()
}

func selectionText(s *config.Selection) string {
	var b strings.Builder
	if s.Environment != nil {
		fmt.Fprintf(&b, "environment %s protected=%v requires=%q\n", s.Environment.Name, s.Environment.Protected, s.Environment.Requires)
	}
	for _, name := range slices.Sorted(maps.Keys(s.Sources)) {
		v, ok := s.Value(name)
		if !ok {
			continue
		}
		fmt.Fprintf(&b, "%s = %#v (line %d)\n", name, v, s.Sources[name].Start.Line)
	}
	if len(s.Pending) > 0 {
		b.WriteString("pending:\n" + errorText(s.Pending))
	}
	for _, j := range s.Jobs {
		fmt.Fprintf(&b, "job %s template=%s after=%q files=%q variables=%v\n", j.Name, j.Template, j.DependsOn, j.VariableFiles, j.Variables)
	}
	return b.String()
}
