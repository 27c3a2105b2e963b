package render

import (
	"bytes"
	"fmt"
	"math/big"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// maxOperators bounds how deep operators can nest without any brackets, for
// which the parser takes stack, and time that grows with the square.
const maxOperators = 10_000

func operators(src []byte) int {
	n := 0
	for _, operator := range []string{"!", "?", "--", "- -", "%{"} {
		n += bytes.Count(src, []byte(operator))
	}
	return n
}

// parseHCL reads attributes, and the defaults of variable blocks. Other
// blocks are left alone, so that a whole Terraform file can be read. A
// variable without default is not set.
func parseHCL(file string, src []byte) (map[string]any, hcl.Diagnostics) {
	if operators(src) > maxOperators {
		return nil, fail(wholeFile(file), fmt.Sprintf("more than %d operators stand in it", maxOperators), "")
	}
	parsed, diags := hclsyntax.ParseConfig(src, file, hcl.InitialPos)
	if diags.HasErrors() {
		return nil, diags
	}
	body := parsed.Body.(*hclsyntax.Body)
	vars := map[string]any{}
	for name, attribute := range body.Attributes {
		value, valueDiags := attribute.Expr.Value(nil)
		diags = append(diags, valueDiags...)
		if !valueDiags.HasErrors() {
			vars[name] = fromCty(value)
		}
	}
	for _, block := range body.Blocks {
		if block.Type == "variable" {
			diags = append(diags, addDefault(vars, block)...)
		}
	}
	if diags.HasErrors() {
		return nil, inOrder(diags)
	}
	return vars, nil
}

// addDefault sets a variable block's default, converted to its type.
func addDefault(vars map[string]any, block *hclsyntax.Block) hcl.Diagnostics {
	if len(block.Labels) != 1 {
		return fail(block.TypeRange, "a variable block has one label, its name", `write variable "name" { ... }`)
	}
	attribute, there := block.Body.Attributes["default"]
	if !there {
		return nil
	}
	value, diags := attribute.Expr.Value(nil)
	if diags.HasErrors() {
		return diags
	}
	if typ, typed := block.Body.Attributes["type"]; typed {
		want, typeDiags := declaredType(typ.Expr)
		if typeDiags.HasErrors() {
			return typeDiags
		}
		converted, err := convert.Convert(value, want)
		if err != nil {
			return fail(attribute.Expr.Range(), fmt.Sprintf("the default of variable %q does not have its type: %s", block.Labels[0], err), "")
		}
		value = converted
	}
	vars[block.Labels[0]] = fromCty(value)
	return nil
}

// declaredType reads a type constraint, in Terraform's old form as well, where
// it is one of the strings "string", "list" and "map".
func declaredType(expr hcl.Expression) (cty.Type, hcl.Diagnostics) {
	if value, diags := expr.Value(nil); !diags.HasErrors() && value.Type() == cty.String && value.IsKnown() && !value.IsNull() {
		switch value.AsString() {
		case "string":
			return cty.String, nil
		case "list":
			return cty.List(cty.DynamicPseudoType), nil
		case "map":
			return cty.Map(cty.DynamicPseudoType), nil
		}
	}
	switch hcl.ExprAsKeyword(expr) {
	case "list":
		return cty.List(cty.DynamicPseudoType), nil
	case "map":
		return cty.Map(cty.DynamicPseudoType), nil
	}
	want, _, diags := typeexpr.TypeConstraintWithDefaults(expr)
	return want, diags
}

// fromCty converts to the types of Variables. As in Levant, attributes of
// objects that are null are left out.
func fromCty(value cty.Value) any {
	value, _ = value.Unmark()
	if value.IsNull() || !value.IsKnown() {
		return nil
	}
	switch typ := value.Type(); {
	case typ == cty.String:
		return value.AsString()
	case typ == cty.Bool:
		return value.True()
	case typ == cty.Number:
		return fromBig(value.AsBigFloat())
	case typ.IsObjectType() || typ.IsMapType():
		m := map[string]any{}
		for k, v := range value.AsValueMap() {
			if element := fromCty(v); element != nil {
				m[k] = element
			}
		}
		return m
	case typ.IsListType() || typ.IsTupleType() || typ.IsSetType():
		list := []any{}
		for _, v := range value.AsValueSlice() {
			list = append(list, fromCty(v))
		}
		return list
	}
	return nil
}

func fromBig(f *big.Float) any {
	if f.IsInt() {
		if whole, _ := f.Int(nil); len(whole.Bits()) < 64 {
			return number(whole.String())
		}
	}
	short, _ := f.Float64()
	return short
}
