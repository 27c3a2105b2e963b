package main

import (
	"bytes"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

// levantFlags are the flags of Levant 0.4.0, as `levant COMMAND -h` and its
// documentation list them.
var levantFlags = map[string][]string{
	"deploy": {"address", "allow-stale", "canary-auto-promote", "consul-address", "force", "force-batch", "force-count",
		"ignore-no-changes", "log-level", "log-format", "var", "var-file"},
	"dispatch":  {"address", "log-level", "log-format", "meta"},
	"plan":      {"address", "allow-stale", "consul-address", "force-count", "ignore-no-changes", "log-level", "log-format", "var", "var-file"},
	"render":    {"consul-address", "log-level", "log-format", "out", "var", "var-file"},
	"scale-in":  {"address", "allow-stale", "log-level", "log-format", "count", "percent", "task-group"},
	"scale-out": {"address", "allow-stale", "log-level", "log-format", "count", "percent", "task-group"},
}

// TestLevantFlags looks whether a script that calls levant can call ostro: every
// command and flag is known. Where there is a levant, the table is held against it.
func TestLevantFlags(t *testing.T) {
	levant, _ := exec.LookPath("levant")
	for name, flags := range levantFlags {
		t.Run(name, func(t *testing.T) {
			command := commandNamed(t, name)
			for _, f := range flags {
				if !hasFlag(command, f) {
					t.Errorf("ostro %s has no -%s", name, f)
				}
			}
			if levant == "" {
				return
			}
			help, _ := exec.Command(levant, name, "-h").CombinedOutput() // it ends with 1
			found := regexp.MustCompile(`(?m)^\s+-([a-z-]+)`).FindAllStringSubmatch(string(help), -1)
			if len(found) == 0 {
				t.Fatalf("levant %s -h lists no flags:\n%s", name, help)
			}
			for _, match := range found {
				if !slices.Contains(flags, match[1]) {
					t.Errorf("the table has no -%s", match[1])
				}
			}
		})
	}
}

func commandNamed(t *testing.T, name string) *cli.Command {
	t.Helper()
	var out bytes.Buffer
	command := newApp(newTerm(nil, &out, &out)).Command(name)
	if command == nil {
		t.Fatalf("there is no command %s", name)
	}
	return command
}

func hasFlag(command *cli.Command, name string) bool {
	return slices.ContainsFunc(command.Flags, func(f cli.Flag) bool { return slices.Contains(f.Names(), name) })
}

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
