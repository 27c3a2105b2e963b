package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"
)

// manCommand is for those who package ostro.
func manCommand(t *terminal) *cli.Command {
	return &cli.Command{
		Name: "man", Usage: "write the man pages, ostro.1 and one for each command", ArgsUsage: "FOLDER", Hidden: true,
		Action: func(c *cli.Context) error {
			folder, err := requiredArg(c, "FOLDER")
			if err != nil {
				return err
			}
			if err := os.MkdirAll(folder, 0o755); err != nil {
				return fmt.Errorf("make the folder: %w", err)
			}
			for name, page := range manPages(c.App) {
				if err := os.WriteFile(filepath.Join(folder, name+".1"), []byte(page), 0o644); err != nil {
					return fmt.Errorf("write the man page: %w", err)
				}
			}
			return nil
		},
	}
}

// manPages are the pages by name, ostro-deploy for example.
func manPages(app *cli.App) map[string]string {
	var commands []manEntry
	pages := map[string]string{}
	for _, c := range app.VisibleCommands() {
		if c.Name == "help" {
			continue
		}
		commands = append(commands, manEntry{"ostro " + c.Name, c.Usage + ", see ostro-" + c.Name + "(1)"})
		pages["ostro-"+c.Name] = commandPage(c)
	}
	m := newManPage("ostro", app.Usage)
	m.section("SYNOPSIS", "ostro COMMAND [FLAGS] [ARGUMENT]")
	m.section("DESCRIPTION", "Flags go before the argument; -var and --var are the same. Results go to stdout, everything else to stderr.")
	m.entries("COMMANDS", commands)
	m.entries("EXIT STATUS", exitCodes())
	m.section("FILES", "ostro.hcl keeps the jobs, the artifacts and the environments; ostro config shows what comes of it.")
	pages["ostro"] = m.String()
	return pages
}

// exitCodes is the table of exit.go in words.
func exitCodes() []manEntry {
	return []manEntry{
		{"0", "the deployment is successful, or nothing has to change and what runs is healthy"},
		{"1", "failed before or outside the deployment"},
		{"2", "wrong usage, template, variable, job file or configuration: nothing was touched"},
		{"3", "the deployment failed and nothing was reverted"},
		{"4", "the deployment failed and the job was reverted"},
		{"5", "the outcome is unknown: the time is up, or contact lost for good"},
		{"6", "superseded by a newer version, or the job was stopped"},
		{"7", "cannot be placed: no node fits"},
		{"130, 143", "interrupted"},
	}
}

func commandPage(c *cli.Command) string {
	m := newManPage("ostro-"+c.Name, c.Usage)
	m.section("SYNOPSIS", strings.TrimSpace("ostro "+c.Name+" [FLAGS] "+c.ArgsUsage))
	m.description(c)
	if len(c.Subcommands) == 0 {
		m.entries("OPTIONS", flagEntries(c))
	}
	for _, sub := range c.Subcommands {
		if !sub.Hidden {
			m.section(strings.ToUpper(c.Name+" "+sub.Name), sub.Usage+": ostro "+strings.TrimSpace(c.Name+" "+sub.Name+" [FLAGS] "+sub.ArgsUsage))
			m.list(flagEntries(sub))
		}
	}
	m.section("SEE ALSO", "ostro(1)")
	return m.String()
}

// manEntry is a word with what it means.
type manEntry struct{ word, meaning string }

func flagEntries(c *cli.Command) []manEntry {
	var entries []manEntry
	for _, f := range c.VisibleFlags() {
		d, ok := f.(cli.DocGenerationFlag)
		if !ok || f.Names()[0] == "help" {
			continue
		}
		word, usage := "-"+f.Names()[0], d.GetUsage()
		if _, rest, found := strings.Cut(usage, "`"); found {
			placeholder, _, _ := strings.Cut(rest, "`")
			word += " " + placeholder
		}
		entries = append(entries, manEntry{word, strings.ReplaceAll(usage, "`", "")})
	}
	return entries
}

// manPage is a page in the man macros.
type manPage struct{ strings.Builder }

func newManPage(name, usage string) *manPage {
	m := &manPage{}
	fmt.Fprintf(m, ".TH %s 1 \"\" \"ostro %s\" \"Ostro\"\n", roff(strings.ToUpper(name)), release)
	m.section("NAME", name+" - "+usage)
	return m
}

func (m *manPage) section(title, text string) {
	fmt.Fprintf(m, ".SH %s\n%s\n", roff(title), roff(text))
}

func (m *manPage) entries(title string, entries []manEntry) {
	if len(entries) > 0 {
		fmt.Fprintf(m, ".SH %s\n", roff(title))
		m.list(entries)
	}
}

func (m *manPage) list(entries []manEntry) {
	for _, e := range entries {
		fmt.Fprintf(m, ".TP\n.B %s\n%s\n", roff(e.word), roff(e.meaning))
	}
}

// description is what the help says: its examples are laid out as they stand.
func (m *manPage) description(c *cli.Command) {
	text, lines, _ := strings.Cut(c.Description, "Examples:\n")
	if text = strings.TrimSpace(text); text != "" {
		m.section("DESCRIPTION", text)
	}
	if lines != "" {
		fmt.Fprintf(m, ".SH EXAMPLES\n.nf\n%s\n.fi\n", roff(strings.ReplaceAll(strings.TrimSpace(lines), "\n   ", "\n")))
	}
}

// roff keeps a text from being read as a command or a dash from becoming another.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(text)
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
			lines[i] = `\&` + line
		}
	}
	return strings.Join(lines, "\n")
}
