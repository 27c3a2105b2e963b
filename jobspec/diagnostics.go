package jobspec

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/agext/levenshtein"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// split orders diagnostics by position, drops repetitions, and separates errors from
// warnings.
func split(diags hcl.Diagnostics) (errs, warnings hcl.Diagnostics) {
	diags = slices.Clone(diags)
	slices.SortStableFunc(diags, func(a, b *hcl.Diagnostic) int {
		x, y := subject(a), subject(b)
		return cmp.Or(cmp.Compare(x.Filename, y.Filename), cmp.Compare(x.Start.Byte, y.Start.Byte))
	})
	diags = slices.CompactFunc(diags, func(a, b *hcl.Diagnostic) bool {
		return a.Severity == b.Severity && a.Summary == b.Summary && a.Detail == b.Detail && subject(a) == subject(b)
	})
	for _, d := range diags {
		if d.Severity == hcl.DiagError {
			errs = append(errs, d)
		} else {
			warnings = append(warnings, d)
		}
	}
	return errs, warnings
}

func subject(d *hcl.Diagnostic) hcl.Range {
	switch {
	case d.Subject != nil:
		return *d.Subject
	case d.Context != nil:
		return *d.Context
	}
	return hcl.Range{}
}

// lowerFirst makes hcl's own summaries read like ours.
func lowerFirst(s string) string {
	r, size := utf8.DecodeRuneInString(s)
	return string(unicode.ToLower(r)) + s[size:]
}

// unknownName reports a name that does not exist, with the nearest one that does.
func (p *parser) unknownName(what, name string, at hcl.Range, valid []string, where string) {
	summary := fmt.Sprintf("unknown %s %q in %s", what, name, where)
	if near := nearest(name, valid); near != "" {
		summary += fmt.Sprintf("; did you mean %q?", near)
	}
	p.fail(at, summary, validNames(where, valid))
}

func validNames(where string, valid []string) string {
	if len(valid) == 0 {
		return where + " is empty."
	}
	return "Valid here: " + strings.Join(valid, ", ") + "."
}

// nearest returns the candidate that a typing mistake away from name, or "".
func nearest(name string, candidates []string) string {
	best, distance := "", min(max(2, len(name)/3), len(name)-2)+1
	for _, c := range candidates {
		if d := levenshtein.Distance(name, c, nil); d < distance {
			best, distance = c, d
		}
	}
	return best
}

func (p *parser) unknownAttribute(attr *hclsyntax.Attribute, s schema, where string) {
	if _, ok := s.blocks[attr.Name]; ok {
		p.fail(attr.NameRange, fmt.Sprintf("%s in %s is a block, not an attribute", attr.Name, where),
			fmt.Sprintf("Remove the equals sign: %s { ... }. Old job files (HCL1) were written with it.", header(attr.Name, s.blocks[attr.Name])))
		return
	}
	p.unknownName("attribute", attr.Name, attr.NameRange, s.names(), where)
}

func (p *parser) unknownBlock(b *hclsyntax.Block, s schema, where string) {
	if _, ok := s.attrs[b.Type]; ok {
		p.fail(b.TypeRange, fmt.Sprintf("%s in %s is an attribute, not a block", b.Type, where),
			fmt.Sprintf("Set it with an equals sign: %s = ...", b.Type))
		return
	}
	p.unknownName("block", b.Type, b.TypeRange, s.names(), where)
}

func (p *parser) unknownProperties(rest hcl.Body, s schema, where string) {
	attrs, _ := rest.JustAttributes()
	for _, attr := range attrs {
		_, isAttr := s.attrs[attr.Name]
		_, isBlock := s.blocks[attr.Name]
		if !isAttr && !isBlock {
			p.unknownName("property", attr.Name, attr.NameRange, s.names(), where)
		}
	}
}

func (p *parser) missingAttribute(name, where string, at hcl.Range) {
	p.fail(at, fmt.Sprintf("%s needs the attribute %q", where, name), fmt.Sprintf("Add %s = ... to it.", name))
}

func (p *parser) wrongLabels(b *hclsyntax.Block, want []string) {
	at := b.OpenBraceRange
	if len(b.Labels) > len(want) {
		at = b.LabelRanges[len(want)]
	}
	p.fail(at, fmt.Sprintf("block %s has %s, not %d", b.Type, labelCount(len(want)), len(b.Labels)),
		fmt.Sprintf("Write %s { ... }.", header(b.Type, want)))
}

func labelCount(n int) string {
	switch n {
	case 0:
		return "no label"
	case 1:
		return "one label"
	}
	return fmt.Sprintf("%d labels", n)
}

// header is how a block begins, with upper-case words for its labels.
func header(kind string, labels []string) string {
	for _, label := range labels {
		kind += fmt.Sprintf(" %q", strings.ToUpper(cmp.Or(label, "name")))
	}
	return kind
}

func (p *parser) wrongType(attr *hcl.Attribute, want cty.Type, err error) {
	p.fail(attr.Expr.Range(), fmt.Sprintf("%s has the wrong type: %s", attr.Name, err), fmt.Sprintf("Its value is a %s.", want.FriendlyName()))
}

// names returns everything a schema allows, sorted.
func (s schema) names() []string {
	all := copied(s.attrs)
	for name := range s.blocks {
		all[name] = false
	}
	return keys(all)
}

func keys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// copied is maps.Clone, never nil.
func copied[V any](m map[string]V) map[string]V {
	c := map[string]V{}
	maps.Copy(c, m)
	return c
}
