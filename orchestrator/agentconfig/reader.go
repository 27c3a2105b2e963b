package agentconfig

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
)

// reader takes fields out of one block. What nobody took by the end of the block
// is left out.
type reader struct {
	name  string // the dotted name of the block, with its dot; "" at the top
	block *tree
	taken map[string]bool
	*findings
}

// findings are what reading has brought up so far.
type findings struct {
	diags   hcl.Diagnostics
	leftOut []LeftOut
}

func (r reader) take(name string) *tree {
	r.taken[name] = true
	if r.block == nil {
		return nil
	}
	return r.block.fields[name]
}

func (r reader) errorf(at hcl.Range, format string, args ...any) {
	r.diags = append(r.diags, mistake(at, fmt.Sprintf(format, args...), ""))
}

// plain is the text of a field that is neither a block nor a list, and whether it
// is there.
func (r reader) plain(name string) (string, *tree) {
	t := r.take(name)
	if t != nil && (t.fields != nil || t.list != nil) {
		r.errorf(t.at, "%s%s is one value, not a block or a list", r.name, name)
		t = nil
	}
	if t == nil {
		return "", nil
	}
	return t.text, t
}

func (r reader) text(name string, into *string) {
	if text, t := r.plain(name); t != nil {
		*into = text
	}
}

func (r reader) number(name string, into *int) {
	text, t := r.plain(name)
	if t == nil {
		return
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		r.errorf(t.at, "%s%s is no whole number: %q", r.name, name, text)
		return
	}
	*into = n
}

func (r reader) truth(name string, into *bool) {
	text, t := r.plain(name)
	if t == nil {
		return
	}
	truth, err := strconv.ParseBool(text)
	if err != nil {
		r.errorf(t.at, "%s%s is neither true nor false: %q", r.name, name, text)
		return
	}
	*into = truth
}

// duration takes "10s", and a plain number as nanoseconds. (Nomad.)
func (r reader) duration(name string, into *time.Duration) {
	text, t := r.plain(name)
	if t == nil {
		return
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		*into = time.Duration(n)
		return
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		r.errorf(t.at, "%s%s is no duration: %q", r.name, name, text)
		return
	}
	*into = d
}

// size takes "100GB", "64 MiB" or a plain number of bytes. (Nomad: the units of go-humanize.)
func (r reader) size(name string, into *int64) {
	text, t := r.plain(name)
	if t == nil {
		return
	}
	digits := strings.TrimRight(text, "BbKkMmGgTti ")
	n, err := strconv.ParseFloat(digits, 64)
	unit, known := map[string]float64{
		"": 1, "b": 1, "k": 1e3, "kb": 1e3, "m": 1e6, "mb": 1e6, "g": 1e9, "gb": 1e9, "t": 1e12, "tb": 1e12,
		"ki": 1 << 10, "kib": 1 << 10, "mi": 1 << 20, "mib": 1 << 20, "gi": 1 << 30, "gib": 1 << 30, "ti": 1 << 40, "tib": 1 << 40,
	}[strings.ToLower(strings.TrimSpace(text[len(digits):]))]
	if err != nil || !known || n < 0 {
		r.errorf(t.at, "%s%s is no size such as 100MB: %q", r.name, name, text)
		return
	}
	*into = int64(n * unit)
}

func (r reader) texts(name string, into *[]string) {
	t := r.take(name)
	if t == nil {
		return
	}
	if t.list == nil {
		r.errorf(t.at, "%s%s is a list", r.name, name)
		return
	}
	*into = nil
	for _, element := range t.list {
		*into = append(*into, element.text)
	}
}

// words takes a text of names with commas between them.
func (r reader) words(name string, into *[]string) {
	text, t := r.plain(name)
	if t == nil {
		return
	}
	*into = strings.FieldsFunc(text, func(c rune) bool { return c == ',' || c == ' ' })
}

// pairs takes a block of free names.
func (r reader) pairs(name string, into *map[string]string) {
	t := r.take(name)
	if t == nil {
		return
	}
	if t.fields == nil {
		r.errorf(t.at, "%s%s is a block", r.name, name)
		return
	}
	*into = map[string]string{}
	for key, value := range t.fields {
		(*into)[key] = value.text
	}
}

// block reads a nested block, which may be missing: then read finds nothing in it.
func (r reader) nested(name string, read func(reader)) {
	t := r.take(name)
	if t != nil && t.fields == nil {
		r.errorf(t.at, "%s%s is a block", r.name, name)
		t = nil
	}
	inner := reader{name: r.name + name + ".", block: t, taken: map[string]bool{}, findings: r.findings}
	read(inner)
	inner.end()
}

// labelled reads blocks that bear a name each, in the order of the names.
func (r reader) labelled(name string, read func(label string, r reader)) {
	t := r.take(name)
	if t == nil {
		return
	}
	inner := reader{name: r.name + name + ".", block: t, taken: map[string]bool{}, findings: r.findings}
	for _, label := range slices.Sorted(maps.Keys(t.fields)) {
		inner.nested(label, func(r reader) { read(label, r) })
	}
}

// silent are names that change nothing that could be missed: left out, they are
// not worth a line.
func (r reader) silent(names ...string) {
	for _, name := range names {
		r.taken[name] = true
	}
}

// end notes what was not taken.
func (r reader) end() {
	if r.block == nil {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(r.block.fields)) {
		if !r.taken[name] {
			r.leftOut = append(r.leftOut, LeftOut{Name: strings.TrimSuffix(r.name+name, "."), At: r.block.fields[name].at})
		}
	}
}
