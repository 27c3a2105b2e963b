package main

import (
	"bytes"
	"sync"
)

// logTail gives the last lines of what a log holds already, and all that come after.
type logTail struct {
	last int               // lines of the past that are wanted
	send func(line string) // is called for one line after the other

	mu      sync.Mutex
	past    int64    // bytes of the past that may still come
	cut     bool     // the past may begin amid a line
	waiting []string // the newest lines of the past
	rest    []byte   // what begins the next line
	live    bool     // the past is sent
}

// write takes the next bytes of a log. One that is followed is in the present once
// all bytes of the past that were asked for have come.
func (l *logTail) write(data []byte, follow bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.past -= int64(len(data))
	for {
		text, next, whole := bytes.Cut(data, []byte("\n"))
		l.rest = append(l.rest, text...)
		if !whole {
			break
		}
		l.line(string(l.rest))
		l.rest, data = l.rest[:0], next
	}
	if follow && l.past <= 0 {
		l.settle()
	}
}

// line takes one line. One of the past waits for those after it, of which only the
// last are wanted, and one more whose beginning may be missing.
func (l *logTail) line(text string) {
	if l.live {
		l.send(text)
		return
	}
	if l.waiting = append(l.waiting, text); len(l.waiting) > l.last+1 {
		l.waiting, l.cut = l.waiting[1:], false
	}
}

// present tells that a log which is followed has no more past.
func (l *logTail) present() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.settle()
}

// end sends what is left, a last line without an end, too.
func (l *logTail) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.rest) > 0 {
		l.line(string(l.rest))
	}
	l.settle()
}

// settle sends the last lines of the past, once.
func (l *logTail) settle() {
	if l.live {
		return
	}
	l.live = true
	if l.cut && l.past <= 0 && len(l.waiting) > 1 {
		l.waiting = l.waiting[1:] // of which the beginning is missing
	}
	for _, line := range l.waiting[max(len(l.waiting)-l.last, 0):] {
		l.send(line)
	}
	l.waiting = nil
}
