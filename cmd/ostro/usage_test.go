package main

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

// TestHelp reads what every command says of itself: what it does, in one line, and
// examples whose flags there are.
func TestHelp(t *testing.T) {
	var out bytes.Buffer
	for _, c := range newApp(newTerm(nil, &out, &out)).VisibleCommands() {
		if c.Name == "help" {
			continue
		}
		if c.Usage == "" || len(c.Usage) > 90 || strings.HasSuffix(c.Usage, ".") {
			t.Errorf("%s: the usage is %q: want one short line", c.Name, c.Usage)
		}
		found := 0
		for line := range strings.Lines(examples()[c.Name]) {
			_, line, ok := strings.Cut(line, "ostro ")
			line, _, _ = strings.Cut(line, "   ") // what it does
			words := strings.Fields(line)
			if !ok || len(words) == 0 {
				continue
			}
			found++
			if i := slices.IndexFunc(words, func(w string) bool { return w == "--" || w == ">" || strings.HasSuffix(w, ")") }); i >= 0 {
				words = words[:i]
			}
			checkCommandLine(t, "ostro "+line, words)
		}
		if found == 0 {
			t.Errorf("%s: the help has no example", c.Name)
		}
	}
}
