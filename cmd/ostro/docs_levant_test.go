package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// levantRows are the rows of the tables in docs/levant.md that begin with a
// pattern, cell by cell.
func levantRows(t *testing.T, first string) (rows [][]string) {
	t.Helper()
	text, err := os.ReadFile("../../docs/levant.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range regexp.MustCompile("(?m)^\\| `("+first+")` \\| (.*) \\|$").FindAllStringSubmatch(string(text), -1) {
		rows = append(rows, append([]string{row[1]}, strings.Split(row[2], " | ")...))
	}
	return rows
}

// What the document says of Levant's functions is what comes out.
func TestDocsLevantFunctions(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("COLOUR", "blue")
	rows, tried := levantRows(t, `\[\[.*\]\]`), 0
	for name, text := range map[string]string{"note.txt": "from a file", "part.txt": "part of [[ .colour ]]"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	template := filepath.Join(dir, "t.nomad")
	for _, row := range rows {
		want, isText := strings.CutPrefix(row[1], "`")
		if !isText {
			continue // it needs Consul or a bucket; TestScripts has these
		}
		tried++
		if err := os.WriteFile(template, []byte(row[0]), 0o600); err != nil {
			t.Fatal(err)
		}
		var out, errs bytes.Buffer
		if code := run([]string{"ostro", "render", "-var", "colour=red", template}, nil, &out, &errs); code != codeOK {
			t.Errorf("%s ends with %d: %s", row[0], code, &errs)
		}
		pattern := "^" + strings.ReplaceAll(regexp.QuoteMeta(strings.TrimSuffix(want, "`")), "…", ".*") + `\s*$`
		if !regexp.MustCompile(pattern).MatchString(out.String()) {
			t.Errorf("%s gives %q, not %s", row[0], &out, want)
		}
	}
	if tried < 28 {
		t.Errorf("%d functions were tried, which is not all", tried)
	}
}

// Each of Levant's flags stands in the document, and is one of ours. Where there
// is a levant, it is asked for its own.
func TestDocsLevantFlags(t *testing.T) {
	var out bytes.Buffer
	ours := map[string][]string{}
	for _, command := range newApp(newTerm(nil, &out, &out)).VisibleCommands() {
		for _, f := range command.VisibleFlags() {
			ours[command.Name] = append(ours[command.Name], f.Names()...)
		}
	}
	documented := map[string][]string{}
	for _, row := range levantRows(t, "-[a-z-]+") {
		if len(row) < 3 {
			continue // the table of what a script needs
		}
		name := strings.TrimPrefix(row[0], "-")
		for command := range strings.SplitSeq(row[1], ", ") {
			documented[command] = append(documented[command], name)
			if !slices.Contains(ours[command], name) {
				t.Errorf("ostro %s has no flag -%s", command, name)
			}
		}
	}
	if len(documented) != 6 {
		t.Errorf("the document has flags of %d commands, not 6", len(documented))
	}
	if _, err := exec.LookPath("levant"); err != nil {
		t.Skip("there is no levant to ask for its flags")
	}
	for command, flags := range documented {
		text, _ := exec.Command("levant", command, "-h").CombinedOutput() // help is no success there
		theirs := regexp.MustCompile(`(?m)^  -([a-z-]+)`).FindAllSubmatch(text, -1)
		if len(theirs) < 4 {
			t.Errorf("levant %s has %d flags", command, len(theirs))
		}
		for _, f := range theirs {
			if !slices.Contains(flags, string(f[1])) {
				t.Errorf("docs/levant.md has no -%s of levant %s", f[1], command)
			}
		}
	}
}
