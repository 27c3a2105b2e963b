package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"go.yaml.in/yaml/v3"
)

// TestDocs runs every console session of the README and the docs, each document in
// a folder and with an orchestrator of its own. Files of a document are those blocks
// whose first line is a comment with nothing but a name, "# run_app.nomad". Lines
// below a command have to come out, "…" standing for anything; "$ echo $?" tells the
// exit code of the command before, which is 0 where nothing is said. "^C" interrupts
// it once the line above has come out.
func TestDocs(t *testing.T) {
	documents, err := filepath.Glob("../../docs/*.md")
	if err != nil || len(documents) < 2 {
		t.Fatalf("there are no documents: %v", err)
	}
	dir, sessions := t.TempDir(), 0
	for _, path := range append(documents, "../../README.md") {
		script, n := scriptOf(t, path)
		if sessions += n; n == 0 {
			continue
		}
		name := strings.ToLower(strings.TrimSuffix(filepath.Base(path), ".md")) + ".txtar"
		if err := os.WriteFile(filepath.Join(dir, name), []byte(script), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if sessions == 0 {
		t.Fatal("the documents have no console session")
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Files: files, Setup: setup, RequireExplicitExec: true, RequireUniqueNames: true,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "said": said, "interrupted": interruptedCommand, "sshd": sshdCommand, "get": get,
		},
		Condition: condition,
	})
}

// said checks that a line came out, on either stream: said REGEXP.
func said(ts *testscript.TestScript, _ bool, args []string) {
	if args[0] == "" {
		return // an empty line of the document keeps things apart
	}
	pattern := regexp.MustCompile("(?m)^" + args[0] + "$")
	if !pattern.MatchString(ts.ReadFile("stdout")) && !pattern.MatchString(ts.ReadFile("stderr")) {
		ts.Fatalf("nothing matches %s", args[0])
	}
}

// interruptedCommand runs a command until a line has come out, interrupts it as
// Ctrl-C does, and checks what comes after that: interrupted BEFORE AFTER COMMAND...
func interruptedCommand(ts *testscript.TestScript, _ bool, args []string) {
	before, after := regexp.MustCompile("(?m)^"+args[0]+"$"), regexp.MustCompile("(?m)^"+args[1]+"$")
	output := ts.MkAbs(".interrupted")
	file, err := os.Create(output)
	ts.Check(err)
	defer file.Close()
	command := exec.Command(args[2], args[3:]...)
	command.Dir, command.Stdout, command.Stderr = ts.MkAbs("."), file, file
	for _, name := range []string{"PATH", "HOME", "PORT", "NOMAD_ADDR"} {
		command.Env = append(command.Env, name+"="+ts.Getenv(name))
	}
	ts.Check(command.Start())
	ts.Defer(func() {
		command.Process.Kill() // it has ended, unless the test failed
		command.Wait()
	})
	awaitTrue(ts, args[0], func() bool { return before.MatchString(ts.ReadFile(output)) })
	ts.Check(command.Process.Signal(os.Interrupt))
	awaitTrue(ts, args[1], func() bool { return after.MatchString(ts.ReadFile(output)) })
}

// elsewhere are the places of the documents that a test cannot go to, and where it
// goes instead.
func elsewhere() *strings.Replacer {
	return strings.NewReplacer(
		"https://nomad.example.com:4646", "http://$REMOTE",
		"-ssh deploy@bastion.example.com", "-ssh $SSH_TARGET -ssh-remote $REMOTE",
		"127.0.0.1:5646", "127.0.0.1:$PORT",
	)
}

// scriptOf makes a script of a document's sessions, and counts them.
func scriptOf(t *testing.T, path string) (script string, sessions int) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var out, files strings.Builder
	out.WriteString("[!has:sshd] skip 'there is no sshd'\nsshd\ncp host.pub $HOME/.ssh/known_hosts\n")
	for _, block := range regexp.MustCompile("(?ms)^```(\\w*)\n(.*?)^```").FindAllStringSubmatch(string(text), -1) {
		kind, body := block[1], block[2]
		first, rest, _ := strings.Cut(body, "\n")
		switch name, isFile := strings.CutPrefix(first, "# "); {
		case kind == "console":
			if strings.Contains(body, "$ go ") {
				continue // .ci/run runs the quick start, on a clone
			}
			sessions++
			writeSession(&out, body)
		case kind == "yaml" && !isFile:
			if err := yaml.Unmarshal([]byte(body), new(any)); err != nil {
				t.Errorf("%s: %v\n%s", path, err, body)
			}
		case isFile && regexp.MustCompile(`^\w[\w./-]*\.\w+$`).MatchString(name):
			fmt.Fprintf(&files, "-- %s --\n%s", name, rest)
		}
	}
	if !strings.Contains(files.String(), "-- "+anyJobName) {
		fmt.Fprintf(&files, "-- %s --\n%s", anyJobName, anyJob)
	}
	return out.String() + files.String(), sessions
}

// anyJobName is a file of which a document need not say what is in it.
const anyJobName = "run_app.nomad"

const anyJob = `job "app" {
  meta {
    git_sha = "[[ .BB_COMMIT ]]"
  }
  update {
    min_healthy_time = "200ms"
    health_check     = "task_states"
  }
  group "app" {
    task "app" {
      driver = "raw_exec"
      config {
        command = "sleep"
        args    = ["1000"]
      }
    }
  }
}
`

// writeSession makes commands and checks of one block.
func writeSession(out *strings.Builder, body string) {
	typed := strings.Split("\n"+strings.TrimRight(body, "\n"), "\n$ ")[1:]
	for i, text := range typed {
		lines := strings.Split(text, "\n")
		if lines[0] == "echo $?" {
			continue
		}
		command, code := "sh -c "+quoted(elsewhere().Replace(lines[0])), "0"
		if i+1 < len(typed) && strings.HasPrefix(typed[i+1], "echo $?\n") {
			_, code, _ = strings.Cut(typed[i+1], "\n")
		}
		if at := slices.Index(lines, "^C"); at > 1 {
			fmt.Fprintf(out, "interrupted %s %s %s\n", quoted(pattern(lines[at-1])), quoted(pattern(lines[at+1])), strings.Replace(command, "'", "'exec ", 1))
			continue
		}
		fmt.Fprintf(out, "exits %s %s\n", code, command)
		for _, line := range lines[1:] {
			fmt.Fprintf(out, "said %s\n", quoted(pattern(line)))
		}
	}
}

// pattern matches a line of a document, in which "…" is anything.
func pattern(line string) string { return strings.ReplaceAll(regexp.QuoteMeta(line), "…", ".*") }

// quoted is a word of a script.
func quoted(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }
