package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/agext/levenshtein"
	"github.com/urfave/cli/v2"
)

// newApp lists the commands.
func newApp(t *terminal) *cli.App {
	app := &cli.App{
		Name:  "ostro",
		Usage: "takes a commit to a running, healthy Nomad deployment, and tells the truth about it",
		Commands: []*cli.Command{
			initCommand(t), deployCommand(t), planCommand(t), renderCommand(t), validateCommand(t),
			watchCommand(t), promoteCommand(t), failCommand(t), rollbackCommand(t), historyCommand(t),
			scaleCommand(t, scaleIn), scaleCommand(t, scaleOut), dispatchCommand(t),
			statusCommand(t), logsCommand(t), stopCommand(t),
			artifactCommand(t), tunnelCommand(t), agentCommand(t),
			fmtCommand(t), configCommand(t), doctorCommand(t), completionCommand(t), versionCommand(t), manCommand(t), superviseCommand(),
		},
		Reader: t.in, Writer: t.out, ErrWriter: t.err,
		Version: Version(),
		// A value of -var may hold a comma.
		DisableSliceFlagSeparator: true,
		// run alone decides how the program ends.
		ExitErrHandler: func(*cli.Context, error) {},
		OnUsageError:   onUsageError,
		// It is called for a help topic that there is not.
		CommandNotFound: func(c *cli.Context, name string) { t.failure(noSuchCommand(name, c.App.VisibleCommands())) },
		Action:          unknownCommand,
	}
	for _, command := range app.Commands {
		prepare(command)
		addExamples(command)
	}
	return app
}

func prepare(command *cli.Command) {
	command.HideHelpCommand = true
	command.OnUsageError = onUsageError
	if len(command.Subcommands) > 0 && command.Action == nil {
		command.Action = unknownSubcommand
	}
	for _, sub := range command.Subcommands {
		prepare(sub)
	}
}

func onUsageError(_ *cli.Context, err error, _ bool) error { return usageError{err} }

func unknownCommand(c *cli.Context) error {
	if c.NArg() == 0 {
		return cli.ShowAppHelp(c)
	}
	return noSuchCommand(c.Args().First(), c.App.VisibleCommands())
}

func unknownSubcommand(c *cli.Context) error {
	if c.NArg() == 0 {
		return usageError{withHint(fmt.Errorf("%s needs a command", c.Command.HelpName), "the commands are %s", strings.Join(names(c.Command.Subcommands), ", "))}
	}
	return noSuchCommand(c.Args().First(), c.Command.Subcommands)
}

func noSuchCommand(typed string, commands []*cli.Command) error {
	err := fmt.Errorf("there is no command %q", typed)
	if near := nearest(typed, names(commands)); near != "" {
		return usageError{withHint(err, "did you mean %q?", near)}
	}
	return usageError{withHint(err, "the commands are %s", strings.Join(names(commands), ", "))}
}

func names(commands []*cli.Command) []string {
	var list []string
	for _, command := range commands {
		list = append(list, command.Name)
	}
	return list
}

// oneArg gives the argument of a command that takes at most one. Flags that
// stand behind it would be dropped without a word: they are refused, with the
// command line as it should be.
func oneArg(c *cli.Context, name string) (string, error) {
	args := c.Args().Slice()
	if len(args) < 2 {
		return c.Args().First(), nil
	}
	if strings.HasPrefix(args[1], "-") {
		return "", usageError{withHint(fmt.Errorf("flags go before %s", name), "%s", flagsFirst(args))}
	}
	return "", usageError{fmt.Errorf("%s takes one %s, not %d arguments", c.Command.HelpName, name, len(args))}
}

// flagsFirst is the command line with its first argument at the end. args are
// the arguments as they were parsed: the last words of the whole.
func flagsFirst(args []string) string {
	before := os.Args[:len(os.Args)-len(args)]
	return commandLine(slices.Concat([]string{"ostro"}, before[1:], args[1:], args[:1]))
}

// commandLine is what to type into a shell to run a command.
func commandLine(words []string) string {
	quoted := make([]string, len(words))
	for i, word := range words {
		if quoted[i] = word; word == "" || strings.ContainsAny(word, " \t\n'\"$*?;&|<>()`\\#~!{}[]") {
			quoted[i] = shellQuote(word)
		}
	}
	return strings.Join(quoted, " ")
}

func requiredArg(c *cli.Context, name string) (string, error) {
	arg, err := oneArg(c, name)
	if err == nil && arg == "" {
		err = usageError{withHint(errors.New("the "+name+" is missing"), "%s %s", c.Command.HelpName, name)}
	}
	return arg, err
}

// nearest is the name that somebody probably meant, or "".
func nearest(typed string, names []string) string {
	best, bestDistance := "", 3
	for _, name := range names {
		if d := levenshtein.Distance(typed, name, nil); d < bestDistance {
			best, bestDistance = name, d
		}
	}
	return best
}
