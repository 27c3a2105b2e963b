package jobspec

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// unclosed reduces what the parser says about a string or heredoc without an end
// to the mistake itself: all that comes after it the parser takes for text, and
// finds fault with each line of that.
func unclosed(filename string, text []byte, diags hcl.Diagnostics) hcl.Diagnostics {
	line := 0
	for _, d := range diags {
		if d.Summary == "Invalid multi-line string" && d.Subject != nil && (line == 0 || d.Subject.Start.Line < line) {
			line = d.Subject.Start.Line
		}
	}
	if line > 0 {
		before := slices.DeleteFunc(slices.Clone(diags), func(d *hcl.Diagnostic) bool { return subject(d).Start.Line >= line })
		return append(before, unclosedQuote(filename, text, line))
	}
	if d := unclosedHeredoc(filename, text); d != nil && slices.ContainsFunc(diags, isUnterminated) {
		return append(slices.DeleteFunc(slices.Clone(diags), isUnterminated), d)
	}
	return diags
}

func isUnterminated(d *hcl.Diagnostic) bool { return d.Summary == "Unterminated template string" }

// unclosedQuote points at the quote that opens the string: the last one of its
// line.
func unclosedQuote(filename string, text []byte, line int) *hcl.Diagnostic {
	start := lineStart(text, line)
	rest, _, _ := bytes.Cut(text[start:], []byte("\n"))
	at := max(0, bytes.LastIndexByte(rest, '"'))
	return &hcl.Diagnostic{
		Severity: hcl.DiagError, Summary: "the string that begins here is not closed",
		Detail:  `Put a " where it ends, on the same line. A text of several lines is written as a heredoc, <<EOT.`,
		Subject: new(rangeAt(filename, line, start, at, at+1)),
	}
}

var heredoc = regexp.MustCompile(`<<-?([A-Za-z_][A-Za-z0-9_-]*)\r?\n`)

// unclosedHeredoc finds the first heredoc that no line ends, nil when there is
// none.
func unclosedHeredoc(filename string, text []byte) *hcl.Diagnostic {
	for offset := 0; ; {
		m := heredoc.FindSubmatchIndex(text[offset:])
		if m == nil {
			return nil
		}
		begin, end, mark := offset+m[0], offset+m[1], string(text[offset+m[2]:offset+m[3]])
		offset = end
		closed := false
		for l := range strings.Lines(string(text[end:])) {
			offset += len(l)
			if closed = strings.TrimSpace(l) == mark; closed {
				break
			}
		}
		if !closed {
			line := 1 + bytes.Count(text[:begin], []byte("\n"))
			start := lineStart(text, line)
			return &hcl.Diagnostic{
				Severity: hcl.DiagError, Summary: fmt.Sprintf("the heredoc that begins here is not closed: no line holds %s alone", mark),
				Detail:  fmt.Sprintf("Add a line with nothing but %s where the text ends.", mark),
				Subject: new(rangeAt(filename, line, start, begin-start, end-start-1)),
			}
		}
	}
}

// lineStart is the offset of a line, counted from 1.
func lineStart(text []byte, line int) int {
	offset := 0
	for range line - 1 {
		next := bytes.IndexByte(text[offset:], '\n')
		if next < 0 {
			break
		}
		offset += next + 1
	}
	return offset
}

// rangeAt is a range within one line, given by offsets from its start.
func rangeAt(filename string, line, start, from, to int) hcl.Range {
	return hcl.Range{
		Filename: filename,
		Start:    hcl.Pos{Line: line, Column: from + 1, Byte: start + from},
		End:      hcl.Pos{Line: line, Column: to + 1, Byte: start + to},
	}
}
