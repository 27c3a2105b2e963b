package main

import (
	"bytes"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
	"go.yaml.in/yaml/v3"
)

// TestPipelineCommands holds the command lines of bitbucket-pipelines.yml
// against the commands and flags that there are.
func TestPipelineCommands(t *testing.T) {
	text, err := os.ReadFile("../../bitbucket-pipelines.yml")
	if err != nil {
		t.Fatal(err)
	}
	var file any
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	var used []string
	for _, line := range scriptLines(file) {
		words := strings.Fields(line)
		if len(words) == 0 || !strings.HasSuffix(words[0], "ostro") {
			continue
		}
		used = append(used, words[1])
		checkCommandLine(t, line, words[1:])
	}
	if got, want := strings.Join(used, " "), "artifact deploy deploy"; got != want {
		t.Errorf("the pipeline uses %q, not %q", got, want)
	}
}

// scriptLines finds the lines of all scripts in a YAML document, each script
// once, in order.
func scriptLines(node any) (lines []string) {
	switch n := node.(type) {
	case map[string]any:
		script, _ := n["script"].([]any)
		for _, line := range script {
			if text, ok := line.(string); ok {
				lines = append(lines, text)
			}
		}
		for _, key := range []string{"definitions", "pipelines", "default", "branches", "steps", "step", "parallel"} {
			lines = append(lines, scriptLines(n[key])...)
		}
		for key, value := range n {
			if strings.Contains(key, "{") || key == "main" || key == "master" {
				lines = append(lines, scriptLines(value)...)
			}
		}
	case []any:
		for _, item := range n {
			lines = append(lines, scriptLines(item)...)
		}
	}
	return lines
}

// checkCommandLine finds the command and parses its flags, without running it.
func checkCommandLine(t *testing.T, line string, words []string) {
	t.Helper()
	var out bytes.Buffer
	commands := newApp(newTerm(nil, &out, &out)).Commands
	var command *cli.Command
	for len(words) > 0 && !strings.HasPrefix(words[0], "-") {
		found := false
		for _, c := range commands {
			if c.Name == words[0] {
				command, commands, words, found = c, c.Subcommands, words[1:], true
				break
			}
		}
		if !found {
			break
		}
	}
	if command == nil {
		t.Errorf("%s: there is no such command", line)
		return
	}
	set := flag.NewFlagSet(command.Name, flag.ContinueOnError)
	set.SetOutput(&out)
	for _, f := range command.Flags {
		if err := f.Apply(set); err != nil {
			t.Fatal(err)
		}
	}
	if err := set.Parse(words); err != nil {
		t.Errorf("%s: %v", line, err)
	}
	if set.NArg() > 1 {
		t.Errorf("%s: flags behind the argument", line)
	}
}
