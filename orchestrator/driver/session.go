package driver

import (
	"context"
	"io"
)

// A Talker is a driver in whose tasks somebody can run a program and talk to it.
type Talker interface {
	// Talk runs a program in the surroundings of the running task t until the program ends, and gives its exit code. It
	// kills the program when ctx ends. The error is about a program that could not be run.
	Talk(ctx context.Context, t Task, s Session) (code int, err error)
}

// A Session is a program that somebody talks to.
type Session struct {
	Args           []string
	Stdin          io.Reader
	Stdout, Stderr io.Writer   // with a terminal, all goes to Stdout
	TTY            bool        // run on a terminal of its own
	Sizes          <-chan Size // of the terminal; nil when it never changes
}

// Size is that of a terminal, in characters.
type Size struct{ Rows, Columns uint16 }
