package jobspec

import (
	"fmt"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// expand makes the blocks that a `dynamic "kind" {}` block describes, one for each
// element of for_each, with the iterator in the scope of their bodies.
func (p *parser) expand(dyn block, outer schema, where string) []block {
	kind := dyn.labels[0]
	labelNames, ok := outer.blocks[kind]
	if !ok {
		p.unknownName("block", kind, dyn.labelRanges[0], keys(outer.blocks), where)
		return nil
	}
	spec := schema{
		attrs:  map[string]bool{"for_each": true, "iterator": false},
		blocks: map[string][]string{"content": nil},
	}
	if len(labelNames) > 0 {
		spec.attrs["labels"] = true
	}
	before := len(p.diags)
	c := p.readRaw(dyn.body, spec, fmt.Sprintf("dynamic %q", kind))
	if p.diags[before:].HasErrors() {
		return nil
	}
	if len(c.blocks) != 1 {
		p.fail(dyn.defRange, fmt.Sprintf("dynamic %q needs exactly one content block", kind), "The content block is the body of each block that is made.")
		return nil
	}
	iterator, ok := p.iterator(c.attrs["iterator"], kind)
	if !ok {
		return nil
	}
	each, ok := p.forEach(c.attrs["for_each"], dyn.body.ctx)
	if !ok {
		return nil
	}

	cost := int64(costOfBlock)
	if native := c.blocks[0].body.native; native != nil {
		cost += int64(native.SrcRange.End.Byte - native.SrcRange.Start.Byte)
	}
	var made []block
	for it := each.ElementIterator(); it.Next(); {
		key, value := it.Element()
		if !p.eval.spend(cost) {
			p.report(tooLarge(dyn.defRange))
			return nil
		}
		ctx := dyn.body.ctx.NewChild()
		ctx.Variables = map[string]cty.Value{
			iterator: cty.ObjectVal(map[string]cty.Value{"key": key, "value": value}),
		}
		labels, ranges, ok := p.dynamicLabels(c.attrs["labels"], labelNames, ctx)
		if !ok {
			continue
		}
		inner := c.blocks[0]
		inner.kind, inner.labels, inner.labelRanges = kind, labels, ranges
		inner.body.ctx = ctx
		made = append(made, inner)
	}
	return made
}

// iterator is the name under which the element is known in the content block.
func (p *parser) iterator(attr *hcl.Attribute, kind string) (string, bool) {
	if attr == nil {
		return kind, true
	}
	t, diags := hcl.AbsTraversalForExpr(attr.Expr)
	p.report(diags...)
	if diags.HasErrors() {
		return "", false
	}
	if len(t) != 1 {
		p.fail(attr.Expr.Range(), "iterator must be a single name", "It is the name of the element in the content block.")
		return "", false
	}
	return t.RootName(), true
}

func (p *parser) forEach(attr *hcl.Attribute, ctx *hcl.EvalContext) (cty.Value, bool) {
	v, ok := p.value(attr.Expr, ctx)
	switch {
	case !ok:
		return v, false
	case v.IsNull():
		p.fail(attr.Expr.Range(), "for_each is null", "It needs a list, a set or a map.")
		return v, false
	case !v.CanIterateElements():
		p.fail(attr.Expr.Range(), "for_each needs a list, a set or a map, not a "+v.Type().FriendlyName(), "Each element makes one block.")
		return v, false
	}
	return v, true
}

func (p *parser) dynamicLabels(attr *hcl.Attribute, names []string, ctx *hcl.EvalContext) ([]string, []hcl.Range, bool) {
	if len(names) == 0 {
		return nil, nil, true
	}
	exprs, diags := hcl.ExprList(attr.Expr)
	p.report(diags...)
	if diags.HasErrors() {
		return nil, nil, false
	}
	if len(exprs) != len(names) {
		p.fail(attr.Expr.Range(), fmt.Sprintf("labels needs %d elements, not %d", len(names), len(exprs)), "Write one for each label of the block.")
		return nil, nil, false
	}
	var labels []string
	var ranges []hcl.Range
	for _, expr := range exprs {
		v, ok := p.value(expr, ctx)
		if !ok {
			return nil, nil, false
		}
		v, err := convert.Convert(v, cty.String)
		if err != nil || v.IsNull() {
			p.fail(expr.Range(), "a label must be a string", "It must have a value when the file is parsed.")
			return nil, nil, false
		}
		labels, ranges = append(labels, v.AsString()), append(ranges, expr.Range())
	}
	return labels, ranges, true
}
