package render_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/Masterminds/sprig/v3"
	"github.com/rogpeppe/go-internal/txtar"

	"ostro/render"
)

var update = flag.Bool("update", false, "write what levant renders into the cases that have no deliberate difference")

// A levantCase is a template with its files. Sections of the archive with a
// meaning of their own:
//
//	flags    the command line's -var-file and -var, one in a line
//	options  allow-missing
//	consul   keys and values of Consul's store, as key=value lines
//	want     what the template renders
//	levant   what Levant makes of it where that differs; "error" if it fails
type levantCase struct {
	dir     string
	flags   []string
	options string
	keys    map[string]string
	want    string
	levant  string
	archive *txtar.Archive
}

func levantCases(t *testing.T) map[string]*levantCase {
	t.Helper()
	files, err := filepath.Glob("testdata/levant/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string]*levantCase{}
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		cases[file] = newLevantCase(t, archive)
	}
	if len(cases) < 20 {
		t.Fatalf("only %d cases in testdata/levant", len(cases))
	}
	return cases
}

func newLevantCase(t *testing.T, archive *txtar.Archive) *levantCase {
	c := &levantCase{dir: t.TempDir(), archive: archive, keys: map[string]string{}}
	for _, f := range archive.Files {
		switch text := string(f.Data); f.Name {
		case "flags":
			c.flags = strings.Fields(text)
		case "options":
			c.options = text
		case "want":
			c.want = text
		case "levant":
			c.levant = text
		case "consul":
			for line := range strings.Lines(text) {
				key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
				c.keys[key] = value
			}
		default:
			path := filepath.Join(c.dir, f.Name)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, f.Data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	return c
}

// consulServer answers GET /v1/kv/KEY as Consul does.
func consulServer(t *testing.T, keys map[string]string) string {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		key := strings.TrimPrefix(r.URL.Path, "/v1/kv/")
		value, known := keys[key]
		if !known {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		w.Header().Set("X-Consul-Index", "1")
		json.NewEncoder(w).Encode([]map[string]any{{"Key": key, "Value": []byte(value)}})
	}))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

func TestLevantTemplates(t *testing.T) {
	t.Setenv("RENDER_TEST", "from the environment")
	for file, c := range levantCases(t) {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Chdir(c.dir)
			got, err := c.render(t)
			if err != nil {
				t.Fatal(describe(err))
			}
			if c.want == "" && !*update {
				t.Fatal("the case has no want section")
			}
			if got != c.want && !*update {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

// render renders the case as the command line does.
func (c *levantCase) render(t *testing.T) (string, error) {
	t.Helper()
	var files []string
	set := render.Variables{}
	for _, f := range c.flags {
		if file, ok := strings.CutPrefix(f, "-var-file="); ok {
			files = append(files, file)
		} else if name, value, ok := strings.Cut(strings.TrimPrefix(f, "-var="), "="); ok {
			if err := set.Set(name, value); err != nil {
				return "", err
			}
		}
	}
	if files == nil {
		files = render.DefaultVariableFiles("")
	}
	vars, err := render.LoadVariables(t.Context(), files, nil)
	if err != nil {
		return "", err
	}
	vars.Merge(set)
	options := render.Options{AllowMissing: strings.Contains(c.options, "allow-missing")}
	if len(c.keys) > 0 {
		options.ConsulAddress = consulServer(t, c.keys)
	}
	doc, err := render.File(t.Context(), "job.nomad", vars, options)
	if err != nil {
		return "", err
	}
	return string(doc.Text), nil
}

func TestLevantItself(t *testing.T) {
	levant, err := exec.LookPath("levant")
	if err != nil {
		t.Skip("there is no levant on PATH to compare with")
	}
	t.Setenv("RENDER_TEST", "from the environment")
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for file, c := range levantCases(t) {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			got := c.runLevant(t, levant)
			if *update && c.levant == "" {
				if got == "error" {
					t.Fatal("levant fails; say so in a levant section")
				}
				rewriteWant(t, filepath.Join(here, file), c.archive, got)
				return
			}
			want := c.want
			if c.levant != "" {
				want = c.levant
			}
			if strings.TrimSpace(got) != strings.TrimSpace(want) {
				t.Errorf("levant renders\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func (c *levantCase) runLevant(t *testing.T, levant string) string {
	var out, log bytes.Buffer
	args := append([]string{"render"}, c.flags...)
	if len(c.keys) > 0 {
		args = append(args, "-consul-address="+consulServer(t, c.keys))
	}
	args = append(args, "-out=rendered", "job.nomad")
	cmd := exec.CommandContext(t.Context(), levant, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = c.dir, &out, &log
	if err := cmd.Run(); err != nil {
		t.Logf("levant: %v\n%s%s", err, &out, &log)
		return "error"
	}
	text, err := os.ReadFile(filepath.Join(c.dir, "rendered"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// levantFunctions are the functions of Levant's documentation and those that
// it has beside them.
var levantFunctions = []string{
	"consulKey", "consulKeyExists", "consulKeyOrDefault", "env", "fileContents", "loop", "parseBool", "parseFloat",
	"parseInt", "parseJSON", "parseUint", "replace", "timeNow", "timeNowUTC", "timeNowTimezone", "toLower", "toUpper",
	"add", "subtract", "multiply", "divide", "modulo", "firstRuneToUpper", "firstRuneToLower", "runeToUpper",
	"runeToLower", "spewDump", "spewPrintf", "sprigVersion", "levantAdd", "levantEnv", "levantReplace",
}

func TestLevantFunctionsAreInTheTable(t *testing.T) {
	var templates strings.Builder
	for _, c := range levantCases(t) {
		for _, f := range c.archive.Files {
			if f.Name == "job.nomad" {
				templates.Write(f.Data)
			}
		}
	}
	for _, name := range levantFunctions {
		if strings.HasPrefix(name, "timeNow") {
			continue // see TestTimes
		}
		if !regexp.MustCompile(`\b` + name + `\b`).MatchString(templates.String()) {
			t.Errorf("no case in testdata/levant calls %s", name)
		}
	}
}

func TestFunctionsOfSprigAreThere(t *testing.T) {
	names := slices.Sorted(maps.Keys(sprig.TxtFuncMap()))
	if len(names) < 200 {
		t.Fatalf("sprig has only %d functions", len(names))
	}
	var in strings.Builder
	for _, name := range append(names, levantFunctions...) {
		fmt.Fprintf(&in, "[[ if false ]][[ %s ]][[ end ]]", name)
	}
	text(t, in.String(), nil, render.Options{})
}
