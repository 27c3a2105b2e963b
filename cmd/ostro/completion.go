package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

func completionCommand(t *terminal) *cli.Command {
	return &cli.Command{
		Name: "completion", Usage: "print a script that completes commands and flags in a shell", ArgsUsage: "SHELL",
		Description: "SHELL is bash, zsh, fish or powershell.",
		Action: func(c *cli.Context) error {
			shell, err := requiredArg(c, "SHELL")
			if err != nil {
				return err
			}
			words := wordsOf(c.App.VisibleCommands())
			switch shell {
			case "bash":
				t.result("%s", bashCompletion(words))
			case "zsh":
				t.result("%s", zshCompletion(words))
			case "fish":
				t.result("%s", fishCompletion(words))
			case "powershell":
				t.result("%s", powershellCompletion(words))
			default:
				return usageError{withHint(fmt.Errorf("there is no completion for %q", shell), "the shells are bash, zsh, fish, powershell")}
			}
			return nil
		},
	}
}

// word is a command or a flag with what it is for.
type word struct{ text, usage string }

// place is a command line up to a command, and what may follow.
type place struct {
	path  []string
	words []word
}

// wordsOf gives every place where something can be completed, ostro alone first.
func wordsOf(commands []*cli.Command) []place {
	top := place{}
	var below []place
	for _, c := range commands {
		top.words = append(top.words, word{c.Name, c.Usage})
		below = append(below, placesBelow(nil, c)...)
	}
	return append([]place{top}, below...)
}

func placesBelow(path []string, c *cli.Command) []place {
	here := place{path: append(slices.Clone(path), c.Name)}
	var below []place
	for _, sub := range c.Subcommands {
		if !sub.Hidden {
			here.words = append(here.words, word{sub.Name, sub.Usage})
			below = append(below, placesBelow(here.path, sub)...)
		}
	}
	for _, f := range c.VisibleFlags() {
		usage := ""
		if documented, ok := f.(cli.DocGenerationFlag); ok {
			usage = strings.ReplaceAll(documented.GetUsage(), "`", "")
		}
		for _, name := range f.Names() {
			here.words = append(here.words, word{"-" + name, usage})
		}
	}
	return append([]place{here}, below...)
}

func (p place) texts() string {
	var texts []string
	for _, w := range p.words {
		texts = append(texts, w.text)
	}
	return strings.Join(texts, " ")
}

// deepestFirst puts a command after its subcommands, as the scripts ask in order.
func deepestFirst(places []place) []place {
	return slices.SortedStableFunc(slices.Values(places), func(a, b place) int { return len(b.path) - len(a.path) })
}

func bashCompletion(places []place) string {
	var cases strings.Builder
	for _, p := range deepestFirst(places) {
		pattern := "*"
		if len(p.path) > 0 {
			pattern = fmt.Sprintf("%q*", strings.Join(p.path, " ")+" ")
		}
		fmt.Fprintf(&cases, "    %s) words=%q ;;\n", pattern, p.texts())
	}
	return fmt.Sprintf(`# Completion of ostro for bash: source <(ostro completion bash)
_ostro() {
  local cur=${COMP_WORDS[COMP_CWORD]} words
  case "${COMP_WORDS[*]:1:COMP_CWORD-1} " in
%s  esac
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -o default -F _ostro ostro`, cases.String())
}

func zshCompletion(places []place) string {
	var cases strings.Builder
	for _, p := range deepestFirst(places) {
		pattern := "*"
		if len(p.path) > 0 {
			pattern = fmt.Sprintf("%q*", strings.Join(p.path, " ")+" ")
		}
		fmt.Fprintf(&cases, "    %s) list=(\n", pattern)
		for _, w := range p.words {
			fmt.Fprintf(&cases, "      %s\n", shellQuote(strings.ReplaceAll(w.text, ":", `\:`)+":"+w.usage))
		}
		cases.WriteString("    ) ;;\n")
	}
	return fmt.Sprintf(`#compdef ostro
# Completion of ostro for zsh: source <(ostro completion zsh)
_ostro() {
  local -a list
  case "${words[2,CURRENT-1]} " in
%s  esac
  _describe ostro list || _files
}
compdef _ostro ostro`, cases.String())
}

func fishCompletion(places []place) string {
	var b strings.Builder
	b.WriteString("# Completion of ostro for fish: ostro completion fish > ~/.config/fish/completions/ostro.fish")
	for _, p := range places {
		when := "__fish_use_subcommand"
		if len(p.path) > 0 {
			var seen []string
			for _, name := range p.path {
				seen = append(seen, "__fish_seen_subcommand_from "+name)
			}
			when = strings.Join(seen, "; and ")
		}
		for _, w := range p.words {
			option := "-a " + shellQuote(w.text)
			if name, ok := strings.CutPrefix(w.text, "-"); ok {
				option = "-o " + shellQuote(name)
			}
			fmt.Fprintf(&b, "\ncomplete -c ostro -n %s %s -d %s", shellQuote(when), option, shellQuote(w.usage))
		}
	}
	return b.String()
}

func powershellCompletion(places []place) string {
	var cases strings.Builder
	for _, p := range deepestFirst(places) {
		fmt.Fprintf(&cases, "    if ($line.StartsWith('ostro %s')) { return @(", strings.TrimPrefix(strings.Join(p.path, " ")+" ", " "))
		for i, w := range p.words {
			if i > 0 {
				cases.WriteString(", ")
			}
			cases.WriteString(powershellQuote(w.text))
		}
		cases.WriteString(") }\n")
	}
	return fmt.Sprintf(`# Completion of ostro for PowerShell: ostro completion powershell | Out-String | Invoke-Expression
Register-ArgumentCompleter -Native -CommandName ostro -ScriptBlock {
  param($word, $ast, $position)
  $line = (@('ostro') + @($ast.CommandElements | Select-Object -Skip 1 | ForEach-Object { $_.ToString() }) -join ' ') + ' '
  $words = & {
%s  }
  $words | Where-Object { $_ -like "$word*" } | ForEach-Object { [System.Management.Automation.CompletionResult]::new($_) }
}`, cases.String())
}

func shellQuote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

func powershellQuote(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }
