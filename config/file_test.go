package config_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/hcl/v2"
	"golang.org/x/tools/txtar"

	"ostro/config"
)

func none(string) string { return "" }

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	if _, err := config.Load(dir, none); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a folder without ostro.hcl: %v, want fs.ErrNotExist", err)
	}
	path := filepath.Join(dir, "ostro.hcl")
	write(t, path, `job "web" { template = "web.nomad" }`)
	for _, named := range []string{dir, path} {
		f, err := config.Load(named, none)
		if err != nil {
			t.Fatal(err)
		}
		if f.Path != path || f.Dir != dir || f.Jobs[0].Template != filepath.Join(dir, "web.nomad") {
			t.Errorf("Load(%q): path %s, folder %s, template %s", named, f.Path, f.Dir, f.Jobs[0].Template)
		}
	}
	write(t, path, `job "web" { template = `)
	_, err := config.Load(path, none)
	diags, ok := errors.AsType[hcl.Diagnostics](err)
	if !ok || diags[0].Subject.Filename != path || diags[0].Subject.Start.Line != 1 {
		t.Errorf("a syntax error is %#v", err)
	}
}

func TestFields(t *testing.T) {
	f, err := config.Parse("ostro.hcl", []byte(`
artifact "web" { files = ["web"] }
environment "b" {
  timeout  = "90s"
  parallel = 2
  token    = env("TOKEN")
  bucket   = "b-bucket"
  ca_cert  = "/etc/ca.pem"
  ssh { identity_files = ["~/.ssh/id", "key"] }
}
environment "a" { protected = true }
`), func(name string) string {
		if name == "HOME" {
			return "/home/joe"
		}
		return ""
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(f.EnvironmentNames(), " "); got != "a b" {
		t.Errorf("environments %q", got)
	}
	b := f.Environments["b"]
	if b.Timeout != 90*time.Second || b.Parallel != 2 || b.Bucket != "b-bucket" || b.Token != "" || b.CACert != "/etc/ca.pem" || b.Range.Start.Line != 3 {
		t.Errorf("environment b is %+v", b)
	}
	if got := strings.Join(b.SSH.IdentityFiles, " "); got != "/home/joe/.ssh/id key" {
		t.Errorf("identity files %q", got)
	}
	if !f.Environments["a"].Protected {
		t.Error("environment a is not protected")
	}
	if _, err := f.Select("bb"); err == nil || !strings.Contains(err.Error(), `did you mean "b"?`) {
		t.Errorf("Select of an unknown environment: %v", err)
	}
	s, err := f.Select("a")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"nothing", "ssh.host.nothing", "ssh.nothing", "variables.nothing"} {
		if v, ok := s.Value(name); ok {
			t.Errorf("Value(%q) = %v", name, v)
		}
	}
}

// getenv is asked for what env() names and for nothing else, and only its
// answers become variables.
func TestEnvironmentIsNotRead(t *testing.T) {
	var asked []string
	f, err := config.Parse("ostro.hcl", []byte(`
variables { a = env("A") }
environment "x" {
  variables { b = env("B", "default") }
}
`), func(name string) string { asked = append(asked, name); return strings.ToLower(name) })
	if err != nil {
		t.Fatal(err)
	}
	s, err := f.Select("x")
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Variables) != 2 || s.Variables["a"] != "a" || s.Variables["b"] != "b" {
		t.Errorf("variables %v", s.Variables)
	}
	for _, name := range asked {
		if name != "A" && name != "B" {
			t.Errorf("the environment was asked for %s", name)
		}
	}
}

// What a flag gives need not be set in the file's way too.
func TestSelectGiven(t *testing.T) {
	f, err := config.Parse("ostro.hcl", []byte(`
bucket = env("BUCKET")
environment "x" {
  ssh = env("BASTION")
  variables { key = env("KEY") }
}
`), none)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.Select("x", "ssh.host", "bucket")
	diags, ok := errors.AsType[hcl.Diagnostics](err)
	if !ok || len(diags) != 1 || diags[0].Subject.Start.Line != 5 {
		t.Errorf("error %v, want that of KEY alone", err)
	}
	s, err := f.Select("x", "ssh.host", "bucket", "variables.key")
	if err != nil {
		t.Fatal(err)
	}
	if _, set := s.Variables["key"]; set || s.SSH.Host != "" || s.Bucket != "" {
		t.Errorf("settings %+v", s.Settings)
	}
}

// Selecting changes nothing: a second time gives the same, and the first
// result is not touched by it.
func TestSelectTwice(t *testing.T) {
	f, err := config.Parse("ostro.hcl", []byte(`
variables { m = { a = 1 } }
environment "x" {
  variables { m = { b = 2 } }
}
`), none)
	if err != nil {
		t.Fatal(err)
	}
	first, err := f.Select("x")
	if err != nil {
		t.Fatal(err)
	}
	first.Variables["m"].(map[string]any)["a"] = "changed"
	second, err := f.Select("x")
	if err != nil {
		t.Fatal(err)
	}
	if m := second.Variables["m"].(map[string]any); m["a"] != 1 || m["b"] != 2 {
		t.Errorf("m is %v", m)
	}
	if m := f.Variables["m"].(map[string]any); m["a"] != 1 {
		t.Errorf("m of the file is %v", m)
	}
}

// No file takes the process down, however it nests.
func TestBounds(t *testing.T) {
	for name, text := range map[string]string{
		"brackets":  "a = \n" + strings.Repeat("[", 60_000),
		"blocks":    strings.Repeat("a {\n", 30_000),
		"not":       "bucket = " + strings.Repeat("!", 10_000) + "true\n",
		"minus":     "bucket = " + strings.Repeat("-", 10_000) + "1\n",
		"choice":    "bucket = " + strings.Repeat("true?1:", 18_000) + "1\n",
		"sum":       "bucket = " + strings.Repeat("1+", 10_000) + "1\n",
		"traversal": "bucket = a" + strings.Repeat(".a", 60_000) + "\n",
		"large":     "# " + strings.Repeat("x", 1<<20),
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := config.Parse("ostro.hcl", []byte(text), none); err != nil {
				placed(t, err)
			} else if slices.Contains([]string{"brackets", "blocks", "large"}, name) {
				t.Error("no error")
			}
		})
	}
}

// Whatever the text, there is an error with a place in the file, or a file all
// of whose environments can be asked for.
func FuzzParse(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.txtar")
	if len(files) == 0 {
		f.Fatal("no seeds in testdata")
	}
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(archive.Files[0].Data), "FOO")
	}
	f.Add(`bucket = true ? env("A") : null`, "A")
	f.Add(`variables { a = [for k, v in { x = env("A") } : v] }`, "A")
	f.Add(`secrets = [null, commit]`+"\n"+`timeout = 1e999999`, "")
	f.Fuzz(func(t *testing.T, text, set string) {
		getenv := func(name string) string {
			if name == set {
				return "value"
			}
			return ""
		}
		file, err := config.Parse("ostro.hcl", []byte(text), getenv)
		if err != nil {
			placed(t, err)
			return
		}
		for _, env := range append(file.EnvironmentNames(), "") {
			s, err := file.Select(env)
			if err != nil {
				placed(t, err)
				continue
			}
			for name := range s.Sources {
				s.Value(name)
			}
			if len(s.Jobs) != len(file.Jobs) {
				t.Errorf("%d jobs of %d are selected", len(s.Jobs), len(file.Jobs))
			}
		}
		for _, a := range file.Artifacts {
			if _, err := a.Command("/build"); err != nil {
				placed(t, err)
			}
			if _, _, err := a.Files("/build"); err != nil {
				placed(t, err)
			}
		}
	})
}

func placed(t *testing.T, err error) {
	t.Helper()
	diags, ok := errors.AsType[hcl.Diagnostics](err)
	if !ok || len(diags) == 0 {
		t.Fatalf("error without diagnostics: %v", err)
	}
	for _, d := range diags {
		if d.Subject == nil || d.Subject.Filename != "ostro.hcl" || d.Summary == "" {
			t.Errorf("diagnostic without a place: %+v", d)
		}
	}
}
