package render

import (
	"context"
	"errors"
	"fmt"
)

// errTooLarge ends a run whose output or one of whose values passes MaxSize.
var errTooLarge = fmt.Errorf("the template renders more than %d MiB", MaxSize>>20)

// maxMarks bounds the memory that the map back to the template takes.
const maxMarks = 1 << 20

// An output collects what a template renders, and what of it came from where.
type output struct {
	ctx     context.Context
	text    []byte
	current int // the site being executed
	marks   []mapped
	values  []value
	include *Document // what include returned last in this action
}

// mapped says that the output from offset on comes from a place in a source.
type mapped struct {
	offset int
	source *source
	start  int  // the place in the source
	end    int  // for an action, the end of its place
	text   bool // offsets advance together
}

// A value is what an action wrote into the output.
type value struct{ start, end, site int }

// Write appends to the output; text/template calls it once for each text and
// each value.
func (o *output) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if err := o.ctx.Err(); err != nil {
		return 0, err
	}
	if len(o.text)+len(p) > MaxSize {
		return 0, errTooLarge
	}
	o.text = append(o.text, p...)
	return len(p), nil
}

// at says that what is written from now on comes from a site.
func (o *output) at(n int, s *site) {
	o.current, o.include = n, nil
	if len(o.marks) < maxMarks {
		o.marks = append(o.marks, mapped{offset: len(o.text), source: s.source, start: s.start, end: s.end, text: s.text})
	}
}

// isFinal reports whether an error ends the run whatever else there is.
func isFinal(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, errTooLarge)
}
