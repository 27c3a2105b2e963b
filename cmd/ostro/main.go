// Command ostro takes a commit to a running, healthy Nomad deployment, and says
// truthfully whether it got there.
//
// This package is the only one that reads flags, prints and exits: exit.go is
// the table of exit codes, term.go the whole user-facing voice, and each
// subcommand is a file.
package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() { os.Exit(run(os.Args, os.Stdin, os.Stdout, os.Stderr)) }

// run is the whole program: it gives the exit code and leaves exiting to main.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx := withSignals(context.Background())
	t := newTerm(stdin, stdout, stderr)
	defer t.flush()
	err := newApp(t).RunContext(ctx, args)
	switch {
	case err == nil:
	case isInterrupted(ctx):
		t.interrupted(err)
	default:
		t.failure(err)
	}
	return endCode(ctx, err)
}

// echo is how soon after the first signal a second one is taken for the same:
// timeout(1), for one, sends its signal to the process and to its group.
const echo = 200 * time.Millisecond

// interruption is why a context ended that a signal has cancelled.
type interruption struct{ syscall.Signal }

func (i interruption) Error() string { return "interrupted" }

func isInterrupted(ctx context.Context) bool {
	_, is := errors.AsType[interruption](context.Cause(ctx))
	return is
}

// withSignals ends the context at the first SIGINT, SIGTERM or SIGHUP, with an
// [interruption] as its cause; a further one ends the process at once, as the
// shell would.
func withSignals(parent context.Context) context.Context {
	ctx, cancel := context.WithCancelCause(parent)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	go func() {
		sig, _ := (<-signals).(syscall.Signal)
		first := time.Now()
		cancel(interruption{sig})
		for range signals {
			if time.Since(first) > echo {
				os.Exit(128 + int(sig))
			}
		}
	}()
	return ctx
}

// outliveReaders lets what was begun go on when nobody reads what it says any
// more: writes fail then, and no SIGPIPE ends the process. What it starts has the
// signal as ever.
func outliveReaders() { signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) }
