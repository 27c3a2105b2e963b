// Command ostro takes a commit to a running, healthy Nomad deployment, and says
// truthfully whether it got there.
//
// This package is the only one that reads flags, prints and exits: exit.go is
// the table of exit codes, term.go the whole user-facing voice, and each
// subcommand is a file.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"
)

func main() { os.Exit(run(os.Args, os.Stdin, os.Stdout, os.Stderr)) }

// run is the whole program: it gives the exit code and leaves exiting to main.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, interrupted := withSignals(context.Background())
	t := newTerm(stdin, stdout, stderr)
	defer t.flush()
	err := newApp(t).RunContext(ctx, args)
	if err == nil {
		return codeOK
	}
	if sig := interrupted(); sig != 0 && ctx.Err() != nil {
		t.interrupted(err)
		return 128 + int(sig)
	}
	t.failure(err)
	return exitCode(err)
}

// echo is how soon after the first signal a second one is taken for the same:
// timeout(1), for one, sends its signal to the process and to its group.
const echo = 200 * time.Millisecond

// withSignals ends the context at the first SIGINT, SIGTERM or SIGHUP; a further
// one ends the process at once, as the shell would.
func withSignals(parent context.Context) (context.Context, func() syscall.Signal) {
	ctx, cancel := context.WithCancel(parent)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	var got atomic.Int64
	go func() {
		sig, _ := (<-signals).(syscall.Signal)
		got.Store(int64(sig))
		first := time.Now()
		cancel()
		for range signals {
			if time.Since(first) > echo {
				os.Exit(128 + int(sig))
			}
		}
	}()
	return ctx, func() syscall.Signal { return syscall.Signal(got.Load()) }
}
