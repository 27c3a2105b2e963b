package main

import (
	"bufio"
	"context"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"
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
