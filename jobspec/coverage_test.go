package jobspec

import (
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/hashicorp/nomad/api"
)

// TestEveryDocumentedNameHasAJob holds the job files against the blocks and attributes
// that the documentation of Nomad's job specification lists.
func TestEveryDocumentedNameHasAJob(t *testing.T) {
	used := usedNames(t)
	blocks := 0
	for line := range strings.Lines(string(readFile(t, "testdata/documented.txt"))) {
		if strings.HasPrefix(line, "#") || strings.TrimSpace(line) == "" {
			continue
		}
		blocks++
		block, names, _ := strings.Cut(strings.TrimSpace(line), ":")
		for _, name := range append(strings.Fields(names), block) {
			if !used[name] {
				t.Errorf("no job file has %s of %s", name, block)
			}
		}
	}
	if blocks < 40 {
		t.Fatalf("testdata/documented.txt lists %d blocks only", blocks)
	}
}

// TestEveryTagHasAJob is the same for what nomad/api knows, documented or not.
func TestEveryTagHasAJob(t *testing.T) {
	used := usedNames(t)
	p := newParser(nil, Options{})
	seen := map[reflect.Type]bool{}
	var visit func(reflect.Type)
	visit = func(ty reflect.Type) {
		for ty.Kind() == reflect.Pointer || ty.Kind() == reflect.Slice || ty.Kind() == reflect.Map {
			ty = ty.Elem()
		}
		if ty.Kind() != reflect.Struct || seen[ty] {
			return
		}
		seen[ty] = true
		f := p.fieldsOf(ty)
		for _, name := range f.schema.names() {
			if !used[name] {
				t.Errorf("no job file has %s of %s", name, ty.Name())
			}
		}
		for _, i := range f.blocks {
			visit(ty.Field(i).Type)
		}
	}
	visit(reflect.TypeFor[api.Job]())
	if len(seen) < 50 {
		t.Fatalf("visited %d types only", len(seen))
	}
}

// usedNames are all names that the job files of testdata set or open a block with.
func usedNames(t *testing.T) map[string]bool {
	name := regexp.MustCompile(`(?m)^\s*(?:dynamic ")?([a-z_]+)"?\s*(?:=|\{|"|\w+ \{)`)
	used := map[string]bool{}
	for _, c := range loadCases(t, "jobs", 120) {
		for _, m := range name.FindAllStringSubmatch(string(c.text(t)), -1) {
			used[m[1]] = true
		}
	}
	return used
}
