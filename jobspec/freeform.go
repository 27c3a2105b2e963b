package jobspec

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"math/big"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// freeForm reads a block whose content only its reader knows: the config of a driver,
// of a proxy, of a secret provider, or a scaling policy.
//
// Nomad: nested blocks become lists of maps, their labels nest as keys of one-element
// lists, and an object that is the value of an attribute is wrapped in a list too.
// An attribute that is null is left out, other than inside a nested block.
func (p *parser) freeForm(b body) map[string]any {
	m := p.freeFormMap(b)
	maps.DeleteFunc(m, func(_ string, v any) bool { return v == nil })
	return m
}

func (p *parser) freeFormMap(b body) map[string]any {
	m := map[string]any{}
	for _, attr := range p.attributes(b) {
		m[attr.Name] = p.freeFormValue(attr.Expr, b.ctx)
	}
	if b.native == nil {
		return m
	}
	lists := map[string][]map[string]any{}
	for _, nb := range b.native.Blocks {
		if !p.eval.spend(costOfBlock) {
			p.report(tooLarge(nb.TypeRange))
			return m
		}
		inner := p.freeFormMap(body{native: nb.Body, ctx: b.ctx})
		for i, label := range slices.Backward(nb.Labels) {
			if label == "" { // Nomad: an empty key is no keyword, so it counts as a reference
				label = interpolation(p.text, nb.LabelRanges[i])
			}
			inner = map[string]any{label: []map[string]any{inner}}
		}
		lists[nb.Type] = append(lists[nb.Type], inner)
	}
	for kind, list := range lists {
		m[kind] = list
	}
	return m
}

func (p *parser) freeFormValue(expr hcl.Expression, ctx *hcl.EvalContext) any {
	v, ok := p.value(expr, ctx)
	if !ok {
		return nil
	}
	goValue, err := plain(v)
	if err != nil {
		p.fail(expr.Range(), err.Error(), "Such a value cannot be sent to Nomad.")
		return nil
	}
	if object, ok := goValue.(map[string]any); ok && isObjectLiteral(expr) {
		return []map[string]any{object}
	}
	return goValue
}

func isObjectLiteral(expr hcl.Expression) bool {
	_, ok := expr.(*hclsyntax.ObjectConsExpr)
	return ok
}

// plain converts a value to Go's own types. Nomad: integers are int where they fit,
// a list of objects is a []map[string]any, any other list a []any.
func plain(v cty.Value) (any, error) {
	ty := v.Type()
	switch {
	case v.IsNull():
		return nil, nil
	case !v.IsKnown():
		return nil, fmt.Errorf("the value is not known")
	case ty == cty.String:
		return v.AsString(), nil
	case ty == cty.Number:
		return plainNumber(v.AsBigFloat()), nil
	case ty == cty.Bool:
		return v.True(), nil
	case ty.IsMapType() || ty.IsObjectType():
		m := map[string]any{}
		for key, elem := range v.Elements() {
			goElem, err := plain(elem)
			if err != nil {
				return nil, err
			}
			m[key.AsString()] = goElem
		}
		return m, nil
	case ty.IsListType() || ty.IsSetType() || ty.IsTupleType():
		return plainList(v)
	}
	return nil, fmt.Errorf("a %s cannot be written as JSON", ty.FriendlyName())
}

func plainList(v cty.Value) (any, error) {
	list := []any{}
	for _, elem := range v.Elements() {
		goElem, err := plain(elem)
		if err != nil {
			return nil, err
		}
		list = append(list, goElem)
	}
	if !ofMaps(v.Type()) {
		return list, nil
	}
	objects := []map[string]any{}
	for _, elem := range list {
		object, ok := elem.(map[string]any)
		if !ok {
			return nil, fmt.Errorf("an element of the list is null")
		}
		objects = append(objects, object)
	}
	return objects, nil
}

// ofMaps reports whether every element of a list, set or tuple type is a map.
func ofMaps(ty cty.Type) bool {
	isMap := func(t cty.Type) bool { return t.IsMapType() || t.IsObjectType() }
	if ty.IsTupleType() {
		types := ty.TupleElementTypes()
		return len(types) > 0 && !slices.ContainsFunc(types, func(t cty.Type) bool { return !isMap(t) })
	}
	return isMap(ty.ElementType())
}

func plainNumber(n *big.Float) any {
	if i, acc := n.Int64(); acc == big.Exact {
		if cmp.Compare(i, math.MinInt) >= 0 && cmp.Compare(i, math.MaxInt) <= 0 {
			return int(i)
		}
		return i
	}
	f, _ := n.Float64()
	return f
}
