package render

import (
	"bytes"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
)

// fail is one error.
func fail(where hcl.Range, summary, hint string) hcl.Diagnostics {
	return hcl.Diagnostics{{Severity: hcl.DiagError, Summary: summary, Detail: hint, Subject: &where}}
}

// wholeFile is the range of an error about a file as such.
func wholeFile(file string) hcl.Range {
	return hcl.Range{Filename: file, Start: hcl.InitialPos, End: hcl.InitialPos}
}

// pointAt is the range of one byte of src.
func pointAt(file string, src []byte, offset int) hcl.Range {
	return rangeOf(file, src, offset, offset+1)
}

func rangeOf(file string, src []byte, start, end int) hcl.Range {
	return hcl.Range{Filename: file, Start: position(src, start), End: position(src, max(start, end))}
}

// position converts an offset to line and column; columns count characters.
func position(src []byte, offset int) hcl.Pos {
	offset = min(max(0, offset), len(src))
	before := src[:offset]
	start := bytes.LastIndexByte(before, '\n') + 1
	return hcl.Pos{
		Line:   1 + bytes.Count(before, []byte("\n")),
		Column: 1 + utf8.RuneCount(before[start:]),
		Byte:   offset,
	}
}

// offsetAt converts line and column, both from 1, to an offset in src.
func offsetAt(src []byte, line, column int) int {
	offset := 0
	for ; line > 1; line-- {
		n := bytes.IndexByte(src[offset:], '\n')
		if n < 0 {
			return len(src)
		}
		offset += n + 1
	}
	for ; column > 1 && offset < len(src) && src[offset] != '\n'; column-- {
		_, size := utf8.DecodeRune(src[offset:])
		offset += size
	}
	return offset
}
