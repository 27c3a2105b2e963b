package ostro_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// packages says which packages of the module a package may import. One that is
// not listed is an error, and so is a line that has no package.
var packages = map[string]string{
	".":           "",
	"artifact":    "",
	"bench":       "",
	"config":      "",
	"conformance": "",

	"conformance/cmdline": "",

	"deploy":    "placement",
	"jobspec":   "",
	"placement": "",
	"redact":    "",
	"render":    "",
	"tunnel":    "",
	"watch":     "placement",

	"machinetest": "",
	"nomadtest":   "orchestrator orchestrator/orchestratortest nomadtest/freeport",

	"nomadtest/freeport": "",

	"orchestrator":           "orchestrator/*",
	"orchestrator/blob":      "",
	"orchestrator/consul":    "",
	"orchestrator/decide":    "orchestrator/state orchestrator/reconcile",
	"orchestrator/driver":    "",
	"orchestrator/events":    "orchestrator/state",
	"orchestrator/httpapi":   "orchestrator/state orchestrator/events orchestrator/monitor orchestrator/telemetry orchestrator/reconcile orchestrator/decide orchestrator/runner orchestrator/jobdiff orchestrator/webui jobspec",
	"orchestrator/jobdiff":   "",
	"orchestrator/monitor":   "",
	"orchestrator/reconcile": "",
	"orchestrator/runner":    "orchestrator/consul orchestrator/driver orchestrator/template",
	"orchestrator/simulate":  "orchestrator/reconcile",
	"orchestrator/state":     "",
	"orchestrator/telemetry": "orchestrator/state",
	"orchestrator/template":  "",
	"orchestrator/webui":     "",

	"orchestrator/agentconfig":      "",
	"orchestrator/orchestratortest": "orchestrator orchestrator/*",

	"cmd/ostro":  "* orchestrator/*",
	"examples/*": "",

	"tools/release": "",
}

// A rule is about imports, PATH or PATH/... with all below it, and about single
// names, PATH.NAME. Places are packages or files.
type rule struct{ names, places, why string }

// reserved is what nobody but the places may use.
var reserved = []rule{
	{"github.com/urfave/cli/...", "cmd/ostro", "one package reads flags"},
	{"fmt.Print fmt.Printf fmt.Println os.Stdout os.Stderr log", "cmd/ostro examples/* tools/release orchestrator/driver/supervise.go orchestrator/orchestratortest",
		"packages return and one package prints; the supervisor is a process of its own, with a log of its own"},
	{"os.Exit", "cmd/ostro", "one package ends the program"},
	{"os/exec", "cmd/ostro tools/release artifact tunnel orchestrator/driver nomadtest machinetest", "one package of the orchestrator starts processes"},
	{"golang.org/x/crypto/ssh/...", "tunnel", "one package speaks SSH"},
	{"github.com/aws/...", "artifact orchestrator/runner", "one package uploads and one downloads"},
	{"github.com/rclone/gofakes3/...", "orchestrator/blob", "one package is the store of artifacts"},
	{"go.etcd.io/bbolt/...", "orchestrator/state", "one package keeps state on disk"},
	{"github.com/hashicorp/go-metrics/... github.com/prometheus/...", "orchestrator/telemetry", "one package measures"},
	{"github.com/hashicorp/nomad/...", "bench cmd/ostro jobspec deploy watch placement nomadtest orchestrator orchestrator/*", "the others know nothing of Nomad"},
	{"testing", "machinetest nomadtest orchestrator/orchestratortest", "the program is no test"},
}

// forbidden is what the places may not use.
var forbidden = []rule{
	{"time.Now time.Since time.Until time.Sleep time.After time.AfterFunc time.Tick time.NewTicker time.NewTimer",
		"orchestrator/reconcile orchestrator/simulate orchestrator/state watch/judge*.go", "time comes in with the input"},
	{"math/rand/... crypto/rand github.com/google/uuid", "orchestrator/reconcile orchestrator/simulate orchestrator/state watch/judge*.go", "chance comes in with the input"},
	{"context", "orchestrator/reconcile orchestrator/simulate", "a decision waits for nothing"},
}

// shapeless are names that do not say what a package is for.
var shapeless = []string{"util", "utils", "helper", "helpers", "common", "types"}

func TestArchitecture(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range sources(t) {
		row, known := f.row()
		if !known {
			t.Errorf("%s: the table has no line for the package %s", f.path, f.dir)
		}
		seen[row] = true
		for _, name := range []string{path.Base(f.dir), strings.TrimSuffix(f.syntax.Name.Name, "_test")} {
			if slices.Contains(shapeless, name) {
				t.Errorf("%s: the name %s does not say what the package is for", f.path, name)
			}
		}
		if !strings.HasSuffix(f.path, "_test.go") {
			check(t, f, packages[row])
		}
	}
	for row := range packages {
		if !seen[row] {
			t.Errorf("the table has a line for %s, where there is no Go file", row)
		}
	}
}

// check holds one file of the program against its line of the table and the rules.
func check(t *testing.T, f source, allowed string) {
	for _, use := range f.uses() {
		at := f.positions.Position(use.at)
		if ours, ok := strings.CutPrefix(use.name, "ostro/"); ok && use.isImport && !contains(allowed, ours) {
			t.Errorf("%s: %s may not import %s", at, f.dir, ours)
		}
		for _, r := range reserved {
			if contains(r.names, use.name) && !contains(r.places, f.dir) && !contains(r.places, f.path) {
				t.Errorf("%s: %s is for %s: %s", at, use.name, r.places, r.why)
			}
		}
		for _, r := range forbidden {
			if contains(r.names, use.name) && (contains(r.places, f.dir) || contains(r.places, f.path)) {
				t.Errorf("%s: %s is not for %s: %s", at, use.name, r.places, r.why)
			}
		}
	}
}

// contains reports whether one of the patterns, which blanks separate, matches
// the name: by path.Match, or as PATH/... with all below it.
func contains(patterns, name string) bool {
	for pattern := range strings.FieldsSeq(patterns) {
		if root, ok := strings.CutSuffix(pattern, "/..."); ok && (name == root || strings.HasPrefix(name, root+"/")) {
			return true
		}
		if matched, _ := path.Match(pattern, name); matched {
			return true
		}
	}
	return false
}

// A source is a Go file of the module.
type source struct {
	path, dir string // from the root, with slashes
	syntax    *ast.File
	positions *token.FileSet
}

// row is the line of the table that is about the file's package.
func (f source) row() (string, bool) {
	for row := range packages {
		if contains(row, f.dir) {
			return row, true
		}
	}
	return "", false
}

// A use is an import path, or PATH.NAME for a name of an imported package.
type use struct {
	name     string
	at       token.Pos
	isImport bool
}

func (f source) uses() []use {
	var uses []use
	imported := map[string]string{} // import paths by what the file calls them
	for _, spec := range f.syntax.Imports {
		name, _ := strconv.Unquote(spec.Path.Value)
		uses = append(uses, use{name, spec.Pos(), true})
		if spec.Name != nil {
			imported[spec.Name.Name] = name
		} else {
			imported[path.Base(name)] = name
		}
	}
	ast.Inspect(f.syntax, func(n ast.Node) bool {
		if selector, ok := n.(*ast.SelectorExpr); ok {
			if ident, ok := selector.X.(*ast.Ident); ok && imported[ident.Name] != "" {
				uses = append(uses, use{imported[ident.Name] + "." + selector.Sel.Name, selector.Pos(), false})
			}
		}
		return true
	})
	return uses
}

// sources parses every Go file of the module, whatever system it is for. It reads
// the files itself, so that no cached answer hides a new one.
func sources(t *testing.T) []source {
	t.Helper()
	var found []source
	positions := token.NewFileSet()
	err := fs.WalkDir(os.DirFS("."), ".", func(file string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == "testdata" || len(file) > 1 && strings.HasPrefix(entry.Name(), ".")):
			return fs.SkipDir
		case entry.IsDir() || path.Ext(file) != ".go":
			return nil
		}
		syntax, err := parser.ParseFile(positions, file, nil, parser.SkipObjectResolution)
		found = append(found, source{file, path.Dir(file), syntax, positions})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(found) == 0 {
		t.Fatal("there is no Go file")
	}
	return found
}
