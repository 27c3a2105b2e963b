package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/urfave/cli/v2"
	"go.yaml.in/yaml/v3"
)

var updatePipeline = flag.Bool("update-pipeline", false, "rewrite bitbucket-pipelines.yml")

// ownPipeline is this repository's: the one that init writes, with an ostro that is
// built and not fetched.
func ownPipeline() pipeline {
	p := starter{Job: "run_http_server", Go: true, Files: []string{"http-echo"}, CI: "bitbucket"}.pipeline()
	p.Get, p.Fetch = "go build -o dist/ostro ./cmd/ostro", false
	p.Test = []string{"go vet ./examples/...", "go test ./examples/..."}
	p.Target, p.Config = " examples/http-echo", " -config examples/http-echo/ostro.hcl"
	return p
}

// TestOwnPipeline holds bitbucket-pipelines.yml against what init would write.
func TestOwnPipeline(t *testing.T) {
	const path = "../../bitbucket-pipelines.yml"
	want, err := fillIn("bitbucket.yml", ownPipeline())
	if err != nil {
		t.Fatal(err)
	}
	if *updatePipeline {
		if err := os.WriteFile(path, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(have), string(want)); diff != "" {
		t.Errorf("bitbucket-pipelines.yml is not what init writes, run go test ./cmd/ostro -run TestOwnPipeline -update-pipeline:\n%s", diff)
	}
}

// TestPipelineCommands holds the command lines of all pipelines that init writes
// against the commands and flags that there are.
func TestPipelineCommands(t *testing.T) {
	web := starter{Job: "web", Files: []string{"start.sh"}}
	for _, system := range []string{"bitbucket", "github", "gitlab"} {
		for _, withGo := range []bool{false, true} {
			web.CI, web.Go = system, withGo
			text, err := fillIn(system+".yml", web.pipeline())
			if err != nil {
				t.Fatal(err)
			}
			checkPipeline(t, system, text)
		}
	}
	text, err := fillIn("bitbucket.yml", ownPipeline())
	if err != nil {
		t.Fatal(err)
	}
	checkPipeline(t, "our own", text)
}

func checkPipeline(t *testing.T, name string, text []byte) {
	t.Helper()
	var file any
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, text)
	}
	used := map[string]int{}
	for _, line := range scriptLines(file) {
		words := strings.Fields(line)
		if words[0] != "dist/ostro" {
			continue
		}
		used[words[1]]++
		checkCommandLine(t, line, words[1:])
	}
	if used["validate"] != 1 || used["artifact"] != 1 || used["deploy"] != 2 || used["rollback"] < 1 {
		t.Errorf("%s: the pipeline uses %v", name, used)
	}
}

// scriptLines finds the lines of all scripts in a YAML document: lists that are
// called script, and the run of GitHub's steps.
func scriptLines(node any) (lines []string) {
	switch n := node.(type) {
	case map[string]any:
		for key, value := range n {
			script, isList := value.([]any)
			text, isText := value.(string)
			switch {
			case key == "run" && isText:
				lines = append(lines, text)
			case key == "script" && isList:
				for _, line := range script {
					lines = append(lines, fmt.Sprint(line))
				}
			default:
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
	for _, arg := range set.Args() {
		if len(arg) > 1 && strings.HasPrefix(arg, "-") {
			t.Errorf("%s: flags behind the argument", line)
		}
	}
}
