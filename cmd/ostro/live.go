package main

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"sync"
	"time"
	"unicode/utf8"

	"golang.org/x/term"

	"ostro/watch"
)

// live keeps a table at the end of a terminal, below the lines that are written.
// It is the writer of these lines, so that it can take the table away first and
// draw it again below.
//
// The escape sequences are written by hand: they are few, and a library for
// them costs each command, `ostro render` too, what its start costs.
type live struct {
	mu    sync.Mutex
	out   io.Writer
	size  func() (width, height int)
	mask  func(string) string
	color bool
	now   func() time.Time

	views map[string]watch.View // by job
	drawn []int                 // lengths of the table's lines on the screen
	stop  chan struct{}         // ends the redrawing; nil while there is no table

	text    bytes.Buffer // what is to be written
	lineEnd string       // ends its lines: those over an earlier table clear what it had there
}

// Escape sequences: to the begin of the line N lines up; clear to the end of the
// line, and of the screen; colours.
const (
	lineUp     = "\x1b[%dF"
	clearLine  = "\x1b[K"
	clearBelow = "\x1b[J"
	colorRed   = "\x1b[31m"
	colorGreen = "\x1b[32m"
	colorDim   = "\x1b[2m"
	colorOff   = "\x1b[0m"
)

// newLive is the table of the terminal that file is.
func newLive(file *os.File, mask func(string) string) *live {
	size := func() (int, int) {
		width, height, err := term.GetSize(int(file.Fd()))
		if err != nil || width <= 0 || height <= 0 {
			return 80, 24
		}
		return width, height
	}
	return &live{out: file, size: size, mask: mask, color: os.Getenv("NO_COLOR") == "", now: time.Now, views: map[string]watch.View{}}
}

// Write writes lines above the table. A text that does not end its line takes the
// table off the screen until the next one.
func (l *live) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rewind()
	l.text.Write(bytes.ReplaceAll(p, []byte("\n"), []byte(l.lineEnd)))
	if bytes.HasSuffix(p, []byte("\n")) {
		l.draw()
	}
	if err := l.flush(); err != nil {
		return 0, err
	}
	return len(p), nil
}

// show draws the table with a new view of a job.
func (l *live) show(job string, v watch.View) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.views[job] = v
	if l.stop == nil {
		l.stop = make(chan struct{})
		go l.tick(l.stop)
	}
	l.redraw()
}

// hide leaves the last table of a job as lines among the others.
func (l *live) hide(job string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	v, shown := l.views[job]
	if !shown {
		return
	}
	l.rewind()
	delete(l.views, job)
	width, _ := l.size()
	for _, row := range l.finalRows(job, v, width) {
		l.text.WriteString(row + l.lineEnd)
	}
	l.draw()
	l.flush()
	if len(l.views) == 0 && l.stop != nil {
		close(l.stop)
		l.stop = nil
	}
}

// tick redraws the table each second, for the times in it.
func (l *live) tick(stop chan struct{}) {
	t := time.NewTicker(time.Second)
	defer t.Stop()
	for {
		select {
		case <-stop:
			return
		case <-t.C:
			l.mu.Lock()
			l.redraw()
			l.mu.Unlock()
		}
	}
}

func (l *live) redraw() {
	l.rewind()
	l.draw()
	l.flush()
}

// rewind goes to where the table begins, to write over it. Where the screen has
// become narrower meanwhile, its lines have been wrapped.
func (l *live) rewind() {
	width, _ := l.size()
	up := 0
	for _, length := range l.drawn {
		up += max(1, (length+width-1)/width)
	}
	l.drawn, l.lineEnd = nil, "\n"
	if up > 0 {
		fmt.Fprintf(&l.text, lineUp, up)
		l.lineEnd = clearLine + "\n"
	}
}

// draw writes the tables of all jobs, as far as the screen reaches.
func (l *live) draw() {
	width, height := l.size()
	var rows []row
	for _, job := range slices.Sorted(maps.Keys(l.views)) {
		rows = append(rows, l.rows(job, l.views[job], max(3, (height-2)/len(l.views)))...)
	}
	for _, r := range rows[:min(len(rows), max(1, height-1))] {
		text := l.fit(r, width)
		l.drawn = append(l.drawn, utf8.RuneCountInString(text))
		l.text.WriteString(l.paint(text, r.color) + l.lineEnd)
	}
}

// flush writes all in one piece, so that the screen does not flicker, and clears
// what is left of an earlier table. (Cleared first, some terminals would keep each
// table in their history.)
func (l *live) flush() error {
	if l.lineEnd != "\n" {
		l.text.WriteString(clearBelow)
	}
	_, err := l.out.Write(l.text.Bytes())
	l.text.Reset()
	return err
}
