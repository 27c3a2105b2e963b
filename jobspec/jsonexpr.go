package jobspec

import (
	"bytes"
	"fmt"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// jsonExpr is a value in an HCL-JSON file. Its strings are templates.
type jsonExpr struct {
	hcl.Expression // of package hcl/v2/json
	e              *evaluator
}

// prepareJSON is prepare for the expressions of an HCL-JSON file.
func (e *evaluator) prepareJSON(expr hcl.Expression) hcl.Expression {
	return &jsonExpr{expr, e}
}

// Value evaluates the templates in a JSON value.
func (x *jsonExpr) Value(ctx *hcl.EvalContext) (cty.Value, hcl.Diagnostics) {
	if ctx == nil {
		return x.Expression.Value(nil)
	}
	if list := x.ExprList(); list != nil {
		return tupleOf(list, ctx)
	}
	if pairs := x.ExprMap(); pairs != nil {
		return objectOf(pairs, ctx)
	}
	v, diags := x.Expression.Value(nil)
	if diags.HasErrors() || v.IsNull() || v.Type() != cty.String {
		return x.e.measured(v, diags, x.Range())
	}
	return x.template(v.AsString(), ctx)
}

// template evaluates a string. Its positions are those of the file as long as the
// string has no escapes.
func (x *jsonExpr) template(text string, ctx *hcl.EvalContext) (cty.Value, hcl.Diagnostics) {
	at := x.StartRange()
	start := hcl.Pos{Line: at.Start.Line, Column: at.Start.Column + 1, Byte: at.Start.Byte + 1}
	if diags := checkShape(at.Filename, []byte(text), start, hclsyntax.LexTemplate); diags.HasErrors() {
		return cty.DynamicVal, diags
	}
	expr, diags := hclsyntax.ParseTemplate([]byte(text), at.Filename, start)
	if diags.HasErrors() {
		return cty.DynamicVal, diags
	}
	if w := x.misread(text, expr, ctx); w != nil {
		diags = append(diags, w)
	}
	v, more := x.e.prepare(expr).Value(ctx)
	return x.e.measured(v, append(diags, more...), at)
}

// misread warns about a reference whose text Nomad takes from the wrong place. Nomad:
// its positions do not count the escapes of a JSON string, the text of a reference is
// cut out of the file by position, and so it is here.
func (x *jsonExpr) misread(text string, expr hclsyntax.Expression, ctx *hcl.EvalContext) *hcl.Diagnostic {
	at := x.Range()
	if at.End.Byte-at.Start.Byte == len(text)+len(`""`) {
		return nil
	}
	for _, t := range expr.Variables() {
		root := t.RootName()
		from := min(t.SourceRange().Start.Byte, len(x.e.src))
		if lookup(ctx, root) != cty.NilVal || bytes.HasPrefix(x.e.src[from:], []byte(root)) {
			continue
		}
		return &hcl.Diagnostic{
			Severity: hcl.DiagWarning,
			Summary:  fmt.Sprintf("the reference to %s comes out garbled, in Nomad as well", root),
			Detail:   "It follows an escape in a JSON string. Write the job as HCL, or do without the escape.",
			Subject:  &at,
		}
	}
	return nil
}

// ExprList returns the elements of a JSON array, nil for other values.
func (x *jsonExpr) ExprList() []hcl.Expression {
	array, ok := x.Expression.(interface{ ExprList() []hcl.Expression })
	if !ok {
		return nil
	}
	list := array.ExprList()
	for i, elem := range list {
		list[i] = x.e.prepareJSON(elem)
	}
	return list
}

// ExprMap returns the properties of a JSON object, nil for other values.
func (x *jsonExpr) ExprMap() []hcl.KeyValuePair {
	object, ok := x.Expression.(interface{ ExprMap() []hcl.KeyValuePair })
	if !ok {
		return nil
	}
	pairs := object.ExprMap()
	for i, pair := range pairs {
		pairs[i] = hcl.KeyValuePair{Key: x.e.prepareJSON(pair.Key), Value: x.e.prepareJSON(pair.Value)}
	}
	return pairs
}

// AsTraversal reads a string as a name: that of an iterator, or of a type.
func (x *jsonExpr) AsTraversal() hcl.Traversal {
	name, ok := x.Expression.(interface{ AsTraversal() hcl.Traversal })
	if !ok {
		return nil
	}
	return name.AsTraversal()
}

// ExprCall reads a string as a call: that of a type constructor.
func (x *jsonExpr) ExprCall() *hcl.StaticCall {
	call, ok := x.Expression.(interface{ ExprCall() *hcl.StaticCall })
	if !ok {
		return nil
	}
	return call.ExprCall()
}

func tupleOf(list []hcl.Expression, ctx *hcl.EvalContext) (cty.Value, hcl.Diagnostics) {
	var diags hcl.Diagnostics
	elems := make([]cty.Value, len(list))
	for i, elem := range list {
		v, more := elem.Value(ctx)
		elems[i], diags = v, append(diags, more...)
	}
	return cty.TupleVal(elems), diags
}

func objectOf(pairs []hcl.KeyValuePair, ctx *hcl.EvalContext) (cty.Value, hcl.Diagnostics) {
	var diags hcl.Diagnostics
	attrs := map[string]cty.Value{}
	for _, pair := range pairs {
		key, more := pair.Key.Value(ctx)
		diags = append(diags, more...)
		v, more := pair.Value.Value(ctx)
		diags = append(diags, more...)

		key, err := convert.Convert(key, cty.String)
		if err != nil || key.IsNull() || !key.IsKnown() {
			diags = append(diags, &hcl.Diagnostic{Severity: hcl.DiagError, Summary: "the key of an object must be a string", Subject: pair.Key.Range().Ptr()})
			continue
		}
		if _, dup := attrs[key.AsString()]; dup {
			diags = append(diags, &hcl.Diagnostic{Severity: hcl.DiagError, Summary: fmt.Sprintf("the object has two properties called %q", key.AsString()), Subject: pair.Key.Range().Ptr()})
			continue
		}
		attrs[key.AsString()] = v
	}
	return cty.ObjectVal(attrs), diags
}

// checkJSONShape is checkShape for a JSON text.
func checkJSONShape(filename string, text []byte) hcl.Diagnostics {
	at := func(i int) *hcl.Range {
		pos := position(text, i)
		return &hcl.Range{Filename: filename, Start: pos, End: pos}
	}
	if len(text) > maxText {
		return hcl.Diagnostics{{Severity: hcl.DiagError, Summary: fmt.Sprintf("the text is larger than %d MiB", maxText>>20), Subject: at(0)}}
	}
	depth, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case c == '\n':
			quoted = false // a string ends with its line, be it closed or not
		case quoted:
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			depth--
		}
		if depth > maxNesting {
			return hcl.Diagnostics{{Severity: hcl.DiagError, Summary: "this is nested too deeply", Detail: fmt.Sprintf("At most %d levels of brackets are read.", maxNesting), Subject: at(i)}}
		}
	}
	return nil
}
