package jobspec

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// body is the content of a block, native or JSON, and the variables in scope there.
type body struct {
	native *hclsyntax.Body // nil in a JSON file
	json   hcl.Body        // nil in a native file
	ctx    *hcl.EvalContext
}

// block is a block of either syntax; those of a dynamic block look like any other.
type block struct {
	kind        string
	labels      []string
	labelRanges []hcl.Range
	kindRange   hcl.Range
	defRange    hcl.Range
	body        body
}

// String is the block as messages call it: group "web".
func (b block) String() string {
	if len(b.labels) == 0 {
		return b.kind
	}
	return fmt.Sprintf("%s %q", b.kind, b.labels[len(b.labels)-1])
}

// schema lists what a body may contain.
type schema struct {
	attrs   map[string]bool     // attribute name to whether it is required
	blocks  map[string][]string // block name to the names of its labels
	dynamic bool                // dynamic blocks may stand for any of the blocks
}

// content is what a body contains, checked against a schema.
type content struct {
	attrs  map[string]*hcl.Attribute
	blocks []block
	ctx    *hcl.EvalContext
}

// missing is where to point for something that should be in the body.
func (b body) missing() hcl.Range {
	if b.native != nil {
		return b.native.MissingItemRange()
	}
	return b.json.MissingItemRange()
}

// read checks a body against a schema and expands its dynamic blocks.
func (p *parser) read(b body, s schema, where string) content {
	s.dynamic = true
	c := p.readRaw(b, s, where)
	for i := 0; i < len(c.blocks); i++ {
		if c.blocks[i].kind == "dynamic" {
			made := p.expand(c.blocks[i], s, where)
			c.blocks = slices.Replace(c.blocks, i, i+1, made...)
			i += len(made) - 1
		}
	}
	return c
}

// readRaw is read without the expansion.
func (p *parser) readRaw(b body, s schema, where string) content {
	var c content
	if b.native != nil {
		c = p.readNative(b, s, where)
	} else {
		c = p.readJSON(b, s, where)
	}
	for _, name := range slices.Sorted(maps.Keys(s.attrs)) {
		if s.attrs[name] && c.attrs[name] == nil {
			p.missingAttribute(name, where, b.missing())
		}
	}
	return c
}

func (p *parser) readNative(b body, s schema, where string) content {
	c := content{attrs: map[string]*hcl.Attribute{}, ctx: b.ctx}
	for _, attr := range sortedAttributes(b.native.Attributes) {
		if _, ok := s.attrs[attr.Name]; !ok {
			p.unknownAttribute(attr, s, where)
			continue
		}
		c.attrs[attr.Name] = attr.AsHCLAttribute()
	}
	for _, nb := range b.native.Blocks {
		labels, ok := s.blocks[nb.Type]
		if nb.Type == "dynamic" && s.dynamic {
			labels, ok = []string{"type"}, true
		}
		if !ok {
			p.unknownBlock(nb, s, where)
			continue
		}
		if len(nb.Labels) != len(labels) {
			p.wrongLabels(nb, labels)
			continue
		}
		c.blocks = append(c.blocks, block{
			kind: nb.Type, labels: nb.Labels, labelRanges: nb.LabelRanges,
			kindRange: nb.TypeRange, defRange: nb.DefRange(),
			body: body{native: nb.Body, ctx: b.ctx},
		})
	}
	return c
}

func (p *parser) readJSON(b body, s schema, where string) content {
	names := &hcl.BodySchema{}
	if s.dynamic {
		names.Blocks = append(names.Blocks, hcl.BlockHeaderSchema{Type: "dynamic", LabelNames: []string{"type"}})
	}
	for name := range s.attrs {
		names.Attributes = append(names.Attributes, hcl.AttributeSchema{Name: name})
	}
	for name, labels := range s.blocks {
		if _, both := s.attrs[name]; !both { // Nomad: `env` and `meta` are always attributes in JSON
			names.Blocks = append(names.Blocks, hcl.BlockHeaderSchema{Type: name, LabelNames: labels})
		}
	}
	raw, rest, diags := b.json.PartialContent(names)
	p.report(diags...)
	c := content{attrs: raw.Attributes, ctx: b.ctx}
	for _, attr := range c.attrs {
		attr.Expr = p.eval.prepareJSON(attr.Expr)
	}
	for _, jb := range raw.Blocks {
		c.blocks = append(c.blocks, block{
			kind: jb.Type, labels: jb.Labels, labelRanges: jb.LabelRanges,
			kindRange: jb.TypeRange, defRange: jb.DefRange,
			body: body{json: jb.Body, ctx: b.ctx},
		})
	}
	p.unknownProperties(rest, s, where)
	return c
}

// sortedAttributes returns attributes in the order of the text.
func sortedAttributes(attrs hclsyntax.Attributes) []*hclsyntax.Attribute {
	return slices.SortedFunc(maps.Values(attrs), func(a, b *hclsyntax.Attribute) int {
		return cmp.Compare(a.SrcRange.Start.Byte, b.SrcRange.Start.Byte)
	})
}

// attributes returns everything in a body that has no schema as attributes in the
// order of the text, without the blocks of a native body.
func (p *parser) attributes(b body) []*hcl.Attribute {
	var list []*hcl.Attribute
	if b.native != nil {
		for _, attr := range sortedAttributes(b.native.Attributes) {
			list = append(list, attr.AsHCLAttribute())
		}
		return list
	}
	attrs, diags := b.json.JustAttributes()
	p.report(diags...)
	for _, attr := range attrs {
		attr.Expr = p.eval.prepareJSON(attr.Expr)
		list = append(list, attr)
	}
	slices.SortFunc(list, func(a, b *hcl.Attribute) int { return cmp.Compare(a.Range.Start.Byte, b.Range.Start.Byte) })
	return list
}
