package jobspec

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
)

// With -update the goldens of testdata/jobs are made anew by the nomad on PATH, and
// testdata/VERSION says which one that was.
var update = flag.Bool("update", false, "make the goldens anew with the nomad on PATH")

// jobCase is a job file of testdata with what goes with it: NAME.args has command
// line arguments and NOMAD_VAR_ variables, one a line.
type jobCase struct {
	dir, file string
	args      []string
	environ   []string
}

func (c jobCase) golden() string { return filepath.Join(c.dir, c.file+".golden") }

func (c jobCase) text(t testing.TB) []byte { return readFile(t, filepath.Join(c.dir, c.file)) }

// options are those that the arguments stand for.
func (c jobCase) options(t testing.TB) Options {
	opts := Options{Environ: c.environ, BaseDir: c.dir}
	for i, arg := range c.args {
		switch arg {
		case "-hcl2-strict=false":
			opts.Lenient = true
		case "-var":
			opts.Variables = append(opts.Variables, c.args[i+1])
		case "-var-file":
			name := c.args[i+1]
			opts.VariableFiles = append(opts.VariableFiles, File{name, readFile(t, filepath.Join(c.dir, name))})
		}
	}
	return opts
}

// nomad runs `nomad job run -output` on the case in its folder.
func (c jobCase) nomad(nomad string) (stdout, stderr string, err error) {
	var out, errs strings.Builder
	cmd := exec.Command(nomad, append(append([]string{"job", "run", "-output"}, c.args...), c.file)...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = c.dir, &out, &errs
	cmd.Env = append(os.Environ(), c.environ...)
	err = cmd.Run()
	return out.String(), errs.String(), err
}

// loadCases reads the job files of a folder of testdata, of which there must be some.
func loadCases(t testing.TB, folder string, atLeast int) []jobCase {
	t.Helper()
	dir := filepath.Join("testdata", folder)
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var cases []jobCase
	for _, e := range entries {
		name, isHCL := strings.CutSuffix(e.Name(), ".nomad.hcl")
		name, isJSON := strings.CutSuffix(name, ".nomad.json")
		if !isHCL && !isJSON {
			continue
		}
		c := jobCase{dir: dir, file: e.Name()}
		if text, err := os.ReadFile(filepath.Join(dir, name+".args")); err == nil {
			for line := range strings.Lines(string(text)) {
				line = strings.TrimRight(line, "\n")
				if strings.HasPrefix(line, envPrefix) {
					c.environ = append(c.environ, line)
				} else {
					c.args = append(c.args, line)
				}
			}
		}
		cases = append(cases, c)
	}
	if len(cases) < atLeast {
		t.Fatalf("%s has %d job files, want at least %d", dir, len(cases), atLeast)
	}
	return cases
}

func readFile(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// parsed is the job of a case as `nomad job run -output` would print it.
func parsed(t *testing.T, c jobCase) string {
	t.Helper()
	result, diags := Parse(c.file, c.text(t), c.options(t))
	if diags.HasErrors() {
		t.Fatalf("refused:\n%s", list(diags))
	}
	text, err := JSON(result.Job)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// list shows diagnostics one a line, as FILE:LINE:COLUMN: summary.
func list(diags hcl.Diagnostics) string {
	var b strings.Builder
	for _, d := range diags {
		at := subject(d)
		b.WriteString(strings.Join([]string{at.Filename, strconv.Itoa(at.Start.Line), strconv.Itoa(at.Start.Column), " " + d.Summary}, ":") + "\n")
	}
	return b.String()
}

// nomadOnPath returns the nomad to ask, and skips the test where there is none.
func nomadOnPath(t *testing.T) string {
	t.Helper()
	nomad, err := exec.LookPath("nomad")
	if err != nil {
		t.Skip("no nomad on PATH to compare with")
	}
	return nomad
}

func TestJobsParseAsInTheGoldens(t *testing.T) {
	if *update {
		makeGoldens(t)
	}
	for _, c := range append(loadCases(t, "jobs", 120), loadCases(t, "differs", 3)...) {
		t.Run(c.file, func(t *testing.T) {
			if diff := cmp.Diff(string(readFile(t, c.golden())), parsed(t, c)); diff != "" {
				t.Errorf("-nomad +ours:\n%s", diff)
			}
		})
	}
}

func makeGoldens(t *testing.T) {
	nomad := nomadOnPath(t)
	for _, c := range loadCases(t, "jobs", 120) {
		out, errs, err := c.nomad(nomad)
		if err != nil {
			t.Errorf("nomad refuses %s: %s", c.file, errs)
			continue
		}
		writeFile(t, c.golden(), out)
	}
	version, err := exec.Command(nomad, "version").Output()
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join("testdata", "VERSION"), string(version))
	for _, c := range loadCases(t, "differs", 3) {
		writeFile(t, c.golden(), parsed(t, c))
	}
}

func writeFile(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestJobsParseAsInNomad asks the nomad on PATH, which may be newer than the goldens.
func TestJobsParseAsInNomad(t *testing.T) {
	nomad := nomadOnPath(t)
	for _, c := range loadCases(t, "jobs", 120) {
		t.Run(c.file, func(t *testing.T) {
			t.Parallel()
			want, errs, err := c.nomad(nomad)
			if err != nil {
				t.Fatalf("nomad refuses it: %s", errs)
			}
			if diff := cmp.Diff(want, parsed(t, c)); diff != "" {
				t.Errorf("-nomad +ours:\n%s", diff)
			}
		})
	}
}

// The bugs of Nomad 2.0 that are not copied: an interpolation that is followed by a
// closing brace gets another one, and a task with secrets of its own gets these
// twice, without those of its group.
func TestBugsOfNomadAreNotCopied(t *testing.T) {
	nomad := nomadOnPath(t)
	for _, c := range loadCases(t, "differs", 3) {
		t.Run(c.file, func(t *testing.T) {
			theirs, errs, err := c.nomad(nomad)
			if err != nil {
				t.Fatalf("nomad refuses it: %s", errs)
			}
			if theirs == parsed(t, c) {
				t.Errorf("this nomad has the bug fixed: move %s to jobs", c.file)
			}
		})
	}
}
