package render

import (
	"bytes"
	"sort"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// A Document is a rendered template.
type Document struct {
	// Name is the template's name as the caller gave it.
	Name string

	// Text is what the template rendered.
	Text []byte

	// Warnings are about what renders but is likely a mistake.
	Warnings hcl.Diagnostics

	// Sources are the texts of the template and of the files it includes,
	// by the names that diagnostics use.
	Sources map[string][]byte

	// Inputs are what the template took from outside its variables:
	// environment variables by name and Consul keys by path. Those with a
	// secret's name are for the caller to mask.
	Inputs map[string]any

	marks []mapped // by offset
}

// Translate maps ranges in the rendered text, which are those whose file is
// the document's Name, back to the template or to the file it includes. Text
// maps to itself, and what an expression rendered to the expression. Other
// ranges stay as they are, and so do the diagnostics given: the result is a
// copy.
func (d *Document) Translate(diags hcl.Diagnostics) hcl.Diagnostics {
	translated := make(hcl.Diagnostics, len(diags))
	for i, diag := range diags {
		c := *diag
		c.Subject = d.back(diag.Subject)
		c.Context = d.back(diag.Context)
		if diag.Subject != nil && c.Subject != nil {
			c.Detail = d.explain(*diag.Subject, diag.Detail)
		}
		translated[i] = &c
	}
	return translated
}

// explain adds the expression at fault to a hint: its text alone need not
// show what is wrong.
func (d *Document) explain(r hcl.Range, detail string) string {
	m, ok := d.markAt(d.offset(r.Start))
	if r.Filename != d.Name || !ok || m.text {
		return detail
	}
	note := "what " + string(m.source.text[m.start:m.end]) + " renders is at fault"
	if detail == "" {
		return note
	}
	return detail + "; " + note
}

// back maps a range to the template. Its end stays in the same text or
// expression as its start, unless that is text and the end maps behind it.
func (d *Document) back(r *hcl.Range) *hcl.Range {
	if r == nil || r.Filename != d.Name {
		return r
	}
	start := d.offset(r.Start)
	from, ok := d.markAt(start)
	if !ok {
		return r
	}
	src := from.source
	if !from.text {
		return new(rangeOf(src.name, src.text, from.start, from.end))
	}
	begin := from.start + start - from.offset
	end := begin + 1
	if last := max(start, d.offset(r.End)-1); last > start {
		if to, _ := d.markAt(last); to.source == src {
			end = to.end
			if to.text {
				end = to.start + last - to.offset + 1
			}
		}
	}
	return new(rangeOf(src.name, src.text, begin, max(end, begin+1)))
}

// offset is where a position is in the rendered text. Not everybody who
// reports one fills in the byte.
func (d *Document) offset(p hcl.Pos) int {
	if p.Byte == 0 && (p.Line > 1 || p.Column > 1) {
		return offsetAt(d.Text, p.Line, p.Column)
	}
	return min(max(0, p.Byte), len(d.Text))
}

// markAt returns where the byte at an offset comes from.
func (d *Document) markAt(offset int) (mapped, bool) {
	i := sort.Search(len(d.marks), func(i int) bool { return d.marks[i].offset > offset })
	if i == 0 {
		return mapped{}, false
	}
	return d.marks[i-1], true
}

// markInclude maps text that is about to be written at an offset to the file
// that it was included from, line by line, since it may have been indented on
// its way.
func (o *output) markInclude(text string, offset int) {
	if o.include == nil {
		return
	}
	inner := o.include
	lines := bytes.SplitAfter(inner.Text, []byte("\n"))
	from := 0 // offset in inner.Text
	for line := range strings.Lines(text) {
		content := strings.TrimSpace(line)
		for len(lines) > 0 && content != "" {
			candidate := lines[0]
			lines = lines[1:]
			at := from
			from += len(candidate)
			if string(bytes.TrimSpace(candidate)) == content {
				indent := bytes.Index(candidate, []byte(content))
				o.splice(inner, at+indent, len(content), offset+strings.Index(line, content))
				break
			}
		}
		offset += len(line)
	}
}

// splice copies the marks of a piece of an included document.
func (o *output) splice(inner *Document, from, length, to int) {
	first, ok := inner.markAt(from)
	if !ok {
		return
	}
	if first.text {
		first.start += from - first.offset
	}
	first.offset = to
	o.marks = append(o.marks, first)
	next := sort.Search(len(inner.marks), func(i int) bool { return inner.marks[i].offset > from })
	for _, m := range inner.marks[next:] {
		if m.offset >= from+length || len(o.marks) >= maxMarks {
			break
		}
		m.offset += to - from
		o.marks = append(o.marks, m)
	}
}
