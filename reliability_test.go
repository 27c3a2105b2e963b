package ostro_test

import (
	"fmt"
	"go/ast"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestReliability holds docs/reliability.md against the code: it has a line for
// each fault, and the tests that it names exist.
func TestReliability(t *testing.T) {
	page := promises(t, "docs/reliability.md")
	faults := regexp.MustCompile(`(?m)^\| \d+ \|.*$`).FindAllString(string(page), -1)
	if len(faults) < 40 {
		t.Errorf("%d faults, want 40 at least", len(faults))
	}
	tried := slices.DeleteFunc(slices.Clone(faults), func(line string) bool { return strings.Contains(line, "not tried") })
	t.Logf("%d of %d faults are tried", len(tried), len(faults))
	for what, want := range map[string]string{
		"Faults above that are tried":                         fmt.Sprintf("%d of %d", len(tried), len(faults)),
		"Steps that CI simulates":                             number(t, ".ci/run", `-steps (\d+)`),
		"Histories in which the agent is killed with SIGKILL": number(t, "orchestrator/histories_test.go", `"full":\s+count = (\d+)`),
		"Fuzz targets":                                        strconv.Itoa(fuzzTargets(t)),
	} {
		if line := "\n| " + what + " | " + want + " |"; !strings.Contains(strings.ReplaceAll(string(page), ",", ""), line) {
			t.Errorf("the page does not say %s", line)
		}
	}
}

// number is what a file has in the place of a pattern's group.
func number(t *testing.T, path, pattern string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(pattern).FindSubmatch(text)
	if found == nil {
		t.Fatalf("there is no %s in %s", pattern, path)
	}
	return string(found[1])
}

func fuzzTargets(t *testing.T) (n int) {
	for _, f := range sources(t) {
		for _, d := range f.syntax.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && strings.HasPrefix(fn.Name.Name, "Fuzz") {
				n++
			}
		}
	}
	return n
}

// TestSecurity holds SECURITY.md against the code.
func TestSecurity(t *testing.T) { promises(t, "SECURITY.md") }

// promises is a page whose tests exist.
func promises(t *testing.T, path string) []byte {
	t.Helper()
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("`([a-z/]+)\\.((?:Test|Fuzz)\\w+)`").FindAllStringSubmatch(string(page), -1)
	for _, n := range named {
		if !hasFunction(t, n[1], n[2]) {
			t.Errorf("there is no %s in %s", n[2], n[1])
		}
	}
	scripts := regexp.MustCompile("`(\\w+\\.txtar)`").FindAllStringSubmatch(string(page), -1)
	for _, s := range scripts {
		if _, err := os.Stat(filepath.Join("cmd/ostro/testdata", s[1])); err != nil {
			t.Error(err)
		}
	}
	if len(named) == 0 || len(scripts) == 0 {
		t.Error("no test is named")
	}
	return page
}

func hasFunction(t *testing.T, dir, name string) bool {
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "func "+name+"(") {
			return true
		}
	}
	return false
}
