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
)

var updateReference = flag.Bool("update-reference", false, "rewrite docs/reference.md")

const referencePath = "../../docs/reference.md"

// TestReference holds docs/reference.md against the commands and flags that there
// are.
func TestReference(t *testing.T) {
	var out bytes.Buffer
	out.WriteString("# Reference\n\nEvery command and flag, as the program knows them. `go test ./cmd/ostro -run TestReference -update-reference` writes this file.\n")
	for _, command := range newApp(newTerm(nil, &out, &out)).VisibleCommands() {
		if command.Name != "help" {
			writeCommand(&out, "ostro", command)
		}
	}
	if *updateReference {
		if err := os.WriteFile(referencePath, out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(referencePath)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(have), out.String()); diff != "" {
		t.Errorf("docs/reference.md is out of date, run go test ./cmd/ostro -run TestReference -update-reference:\n%s", diff)
	}
}

func writeCommand(out *bytes.Buffer, parent string, command *cli.Command) {
	name := parent + " " + command.Name
	arguments := command.ArgsUsage
	if len(command.Subcommands) > 0 && command.Action == nil {
		arguments = "COMMAND"
	}
	fmt.Fprintf(out, "\n## %s\n\n`%s`: %s.\n", name, strings.TrimSpace(name+" "+arguments), command.Usage)
	if flags := command.VisibleFlags(); len(flags) > 0 {
		out.WriteString("\n| flag | meaning |\n|---|---|\n")
		for _, f := range flags {
			fmt.Fprintf(out, "| `%s` | %s |\n", flagLine(f), flagMeaning(f))
		}
	}
	for _, sub := range command.Subcommands {
		if !sub.Hidden {
			writeCommand(out, name, sub)
		}
	}
}

// flagLine is the flag with what it takes, "-env NAME".
func flagLine(f cli.Flag) string {
	line := "-" + f.Names()[0]
	if placeholder, _ := placeholderOf(f); placeholder != "" {
		line += " " + placeholder
	}
	return line
}

func flagMeaning(f cli.Flag) string {
	_, usage := placeholderOf(f)
	if d, ok := f.(cli.DocGenerationFlag); ok && d.TakesValue() && d.GetDefaultText() == "" && d.GetValue() != "" && d.GetValue() != "0" && d.GetValue() != "0s" && d.GetValue() != "[]" {
		usage += fmt.Sprintf(" (default: %s)", strings.Trim(d.GetValue(), `"`))
	}
	return strings.ReplaceAll(usage, "|", `\|`)
}

// placeholderOf takes the word between backquotes out of a usage. (urfave/cli.)
func placeholderOf(f cli.Flag) (placeholder, usage string) {
	d, ok := f.(cli.DocGenerationFlag)
	if !ok {
		return "", ""
	}
	_, rest, found := strings.Cut(d.GetUsage(), "`")
	if !found {
		if d.TakesValue() {
			return "VALUE", d.GetUsage()
		}
		return "", d.GetUsage()
	}
	placeholder, _, _ = strings.Cut(rest, "`")
	return placeholder, strings.ReplaceAll(d.GetUsage(), "`", "")
}
