package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLogTail(t *testing.T) {
	const (
		present = "<no more past>"
		end     = "<end>"
	)
	for _, c := range []struct {
		name   string
		last   int
		past   int64 // bytes that were asked for
		follow bool
		comes  []string
		want   []string
	}{
		{"the last of many", 2, 100, false, []string{"a\nb\n", "c\nd\n", end}, []string{"c", "d"}},
		{"fewer than wanted", 9, 100, false, []string{"a\nb\n", end}, []string{"a", "b"}},
		{"nothing", 9, 100, false, []string{end}, nil},
		{"none wanted", 0, 0, false, []string{"a\n", end}, nil},
		{"without an end", 2, 100, false, []string{"a\nb\nc", end}, []string{"b", "c"}},
		{"a line in pieces", 2, 100, false, []string{"a", "b", "c\n", "d", end}, []string{"abc", "d"}},
		{"begins amid a line", 9, 5, false, []string{"a\nb\nc", end}, []string{"b", "c"}},
		{"amid a line, which is not wanted", 1, 5, false, []string{"a\nb\nc", end}, []string{"c"}},
		{"all amid one line", 9, 5, false, []string{"abcde", end}, []string{"abcde"}},
		{"followed", 1, 100, true, []string{"a\nb\n", present, "c\n", "d\ne", end}, []string{"b", "c", "d", "e"}},
		{"the past is known by its bytes", 1, 4, true, []string{"a\nb\n", "c\nd\n", end}, []string{"b", "c", "d"}},
		{"a line of past and present", 1, 100, true, []string{"a\nb\nc", present, "d\n", end}, []string{"b", "cd"}},
		{"the present comes twice", 1, 2, true, []string{"a\n", present, "b\n", present, end}, []string{"a", "b"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			l := &logTail{last: c.last, past: c.past, cut: c.past > 0, send: func(line string) { got = append(got, line) }}
			for _, s := range c.comes {
				switch s {
				case present:
					l.present()
				case end:
					l.end()
				default:
					l.write([]byte(s), c.follow)
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A log of many lines, or of one that is long, is not kept but for what is wanted.
func TestLogTailIsSmall(t *testing.T) {
	l := &logTail{last: 3, past: 1 << 40, send: func(string) {}}
	for range 10000 {
		l.write([]byte(strings.Repeat("line\n", 10)), false)
	}
	if n := len(l.waiting); n > 4 {
		t.Errorf("%d lines wait", n)
	}
	if !slices.Equal(l.waiting, []string{"line", "line", "line", "line"}) {
		t.Errorf("%q", l.waiting)
	}
}
