package ostro_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestReliability holds docs/reliability.md against the code: it has a line for
// each fault, and the tests that it names exist.
func TestReliability(t *testing.T) {
	page := promises(t, "docs/reliability.md")
	if faults := regexp.MustCompile(`(?m)^\| \d+ \|`).FindAll(page, -1); len(faults) < 40 {
		t.Errorf("%d faults, want 40 at least", len(faults))
	}
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
