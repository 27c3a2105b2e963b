package main

import (
	"fmt"
	"io"
	"strings"
	"unicode"
)

// printable makes one line of a text that files, servers or tasks have a part
// in, so that none of them can write to the terminal itself.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n':
			return ' '
		case commands(r):
			return unicode.ReplacementChar
		}
		return r
	}, text)
}

// printableLines is printable for a text that may have several lines.
func printableLines(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = printable(line)
	}
	return strings.Join(lines, "\n")
}

// commands reports whether a terminal takes the character for a command: control
// characters, and those that turn the direction of writing around.
func commands(r rune) bool {
	return r != '\t' && unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r)
}

// printableJSON writes the commands in a JSON text, all of which are within its
// strings, as escapes: programs read the same.
func printableJSON(text []byte) []byte {
	var b strings.Builder
	for _, r := range string(text) {
		if r >= unicode.MaxASCII && commands(r) {
			fmt.Fprintf(&b, `\u%04x`, r)
		} else {
			b.WriteRune(r)
		}
	}
	return []byte(b.String())
}

// jsonWriter is for whole JSON texts.
type jsonWriter struct{ io.Writer }

func (w jsonWriter) Write(text []byte) (int, error) {
	if _, err := w.Writer.Write(printableJSON(text)); err != nil {
		return 0, err
	}
	return len(text), nil
}
