package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/urfave/cli/v2"
	"golang.org/x/term"
)

// asker gives a function that finds a value: the flag's, where it was given, else,
// on a terminal, what somebody answers, else what it has otherwise.
func (t *terminal) asker(ctx context.Context, c *cli.Context) func(flag, question, otherwise string) string {
	interactive := t.tty && isTerminal(t.in)
	var lines *bufio.Reader
	if interactive {
		lines = bufio.NewReader(t.in)
	}
	return func(flag, question, otherwise string) string {
		if c.IsSet(flag) {
			return c.String(flag)
		}
		if !interactive || ctx.Err() != nil {
			return otherwise
		}
		shown := ""
		if otherwise != "" {
			shown = " [" + otherwise + "]"
		}
		fmt.Fprintf(t.err, "ostro: %s%s: ", question, shown)
		t.err.Flush()
		answer := make(chan string, 1)
		go func() {
			line, _ := lines.ReadString('\n')
			answer <- strings.TrimSpace(line)
		}()
		select {
		case <-ctx.Done():
		case line := <-answer:
			if line != "" {
				return line
			}
		}
		return otherwise
	}
}

// passphrase asks for the passphrase of a key, where there is somebody to ask.
func (t *terminal) passphrase() func(ctx context.Context, key string, again bool) ([]byte, error) {
	if !isTerminal(t.in) || !t.tty {
		return nil
	}
	return func(ctx context.Context, key string, again bool) ([]byte, error) {
		question := "passphrase of %s: "
		if again {
			question = "that does not open %s, once more: "
		}
		fmt.Fprintf(t.err, "ostro: "+question, printable(key))
		t.err.Flush()
		defer fmt.Fprintln(t.err)
		return hidden(ctx, t.in.(*os.File))
	}
}

// hidden reads a line that is not shown. When the context ends, the terminal is as
// it was before.
func hidden(ctx context.Context, from *os.File) ([]byte, error) {
	before, err := term.GetState(int(from.Fd()))
	if err != nil {
		return nil, err
	}
	type answer struct {
		line []byte
		err  error
	}
	answers := make(chan answer, 1)
	go func() {
		line, err := term.ReadPassword(int(from.Fd()))
		answers <- answer{line, err}
	}()
	select {
	case a := <-answers:
		return a.line, a.err
	case <-ctx.Done():
		return nil, errors.Join(context.Cause(ctx), term.Restore(int(from.Fd()), before))
	}
}
