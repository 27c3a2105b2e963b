package jobspec

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// prepare replaces the nodes of a parsed expression that must behave differently
// from plain HCL: references to unknown names become their own text, and every node
// that can multiply its input is measured.
func (e *evaluator) prepare(expr hclsyntax.Expression) hclsyntax.Expression {
	switch x := expr.(type) {
	case *hclsyntax.ScopeTraversalExpr:
		return &reference{x, e}
	case *hclsyntax.LiteralValueExpr:
		if x.Val.Type() == cty.Number {
			return &number{x, e}
		}
	case *hclsyntax.BinaryOpExpr:
		x.LHS, x.RHS = e.prepare(x.LHS), e.prepare(x.RHS)
		return &binaryOp{x, e}
	case *hclsyntax.ForExpr:
		x.CollExpr, x.ValExpr = &collection{e.prepare(x.CollExpr), e, x.SrcRange}, e.prepare(x.ValExpr)
		if x.KeyExpr != nil {
			x.KeyExpr = e.prepare(x.KeyExpr)
		}
		if x.CondExpr != nil {
			x.CondExpr = e.prepare(x.CondExpr)
		}
		return &product{x, e}
	case *hclsyntax.SplatExpr:
		x.Source, x.Each = &collection{e.prepare(x.Source), e, x.SrcRange}, e.prepare(x.Each)
		return &product{x, e}
	case *hclsyntax.FunctionCallExpr:
		e.prepareAll(x.Args)
		return &call{x, e}
	case *hclsyntax.TemplateExpr:
		e.prepareAll(x.Parts)
	case *hclsyntax.TupleConsExpr:
		e.prepareAll(x.Exprs)
		return &tuple{x, e}
	case *hclsyntax.ObjectConsExpr:
		for i, item := range x.Items {
			x.Items[i] = hclsyntax.ObjectConsItem{KeyExpr: e.prepare(item.KeyExpr), ValueExpr: e.prepare(item.ValueExpr)}
		}
	case *hclsyntax.ObjectConsKeyExpr:
		// A bare word is the key itself; HCL recognises it by its node's type.
		if _, word := x.Wrapped.(*hclsyntax.ScopeTraversalExpr); !word || x.ForceNonLiteral {
			x.Wrapped = e.prepare(x.Wrapped)
		}
	case *hclsyntax.ConditionalExpr:
		x.Condition, x.TrueResult, x.FalseResult = e.prepare(x.Condition), e.prepare(x.TrueResult), e.prepare(x.FalseResult)
	case *hclsyntax.IndexExpr:
		x.Collection, x.Key = e.prepare(x.Collection), e.prepare(x.Key)
	case *hclsyntax.RelativeTraversalExpr:
		x.Source = e.prepare(x.Source)
	case *hclsyntax.ParenthesesExpr:
		x.Expression = e.prepare(x.Expression)
	case *hclsyntax.TemplateJoinExpr:
		x.Tuple = e.prepare(x.Tuple)
	case *hclsyntax.TemplateWrapExpr:
		x.Wrapped = e.prepare(x.Wrapped)
	case *hclsyntax.UnaryOpExpr:
		x.Val = e.prepare(x.Val)
	}
	return expr
}

func (e *evaluator) prepareAll(exprs []hclsyntax.Expression) {
	for i, x := range exprs {
		exprs[i] = e.prepare(x)
	}
}

// prepareBody prepares every attribute of a native body and the blocks in it.
func (e *evaluator) prepareBody(b *hclsyntax.Body) {
	for _, attr := range b.Attributes {
		attr.Expr = e.prepare(attr.Expr)
	}
	for _, block := range b.Blocks {
		e.prepareBody(block.Body)
	}
}

// reference is a name such as var.x, local.y or attr.kernel.name.
type reference struct {
	*hclsyntax.ScopeTraversalExpr
	e *evaluator
}

// Value is that of the variable where its root is in scope, and otherwise the text
// of the reference in ${}, which the client interpolates when the task starts.
func (r *reference) Value(ctx *hcl.EvalContext) (cty.Value, hcl.Diagnostics) {
	if r.e.keepUnknown && ctx != nil && lookup(ctx, r.Traversal.RootName()) == cty.NilVal {
		text := interpolation(r.e.src, r.Traversal.SourceRange())
		return r.e.measured(cty.StringVal(text), nil, r.SrcRange)
	}
	if d := r.undeclared(ctx); d != nil {
		return cty.DynamicVal, hcl.Diagnostics{d}
	}
	v, diags := r.ScopeTraversalExpr.Value(ctx)
	return r.e.measured(v, diags, r.SrcRange)
}

// undeclared is the diagnostic for a var.x or local.x that the file does not declare.
func (r *reference) undeclared(ctx *hcl.EvalContext) *hcl.Diagnostic {
	kinds := map[string]string{"var": "variable", "local": "local"}
	kind := kinds[r.Traversal.RootName()]
	if kind == "" || len(r.Traversal) < 2 || ctx == nil {
		return nil
	}
	step, isAttr := r.Traversal[1].(hcl.TraverseAttr)
	declared := lookup(ctx, r.Traversal.RootName())
	if !isAttr || !declared.Type().IsObjectType() || declared.Type().HasAttribute(step.Name) {
		return nil
	}
	summary := fmt.Sprintf("there is no %s %q", kind, step.Name)
	names := keys(declared.Type().AttributeTypes())
	if near := nearest(step.Name, names); near != "" {
		summary += fmt.Sprintf("; did you mean %q?", near)
	}
	return &hcl.Diagnostic{
		Severity: hcl.DiagError,
		Summary:  summary,
		Detail:   "Declared are: " + cmp.Or(strings.Join(names, ", "), "none") + ".",
		Subject:  &step.SrcRange,
	}
}

// lookup returns the variable of that name that is in scope, NilVal if none is.
func lookup(ctx *hcl.EvalContext, name string) cty.Value {
	for ; ctx != nil; ctx = ctx.Parent() {
		if v, ok := ctx.Variables[name]; ok {
			return v
		}
	}
	return cty.NilVal
}

// interpolation is the source text of a reference as a run-time interpolation. The
// blanks inside an enclosing ${ } are kept as they are written.
//
// Nomad 2.0 adds a brace too many where the interpolation is followed by a closing
// brace (`${NOMAD_ALLOC_ID}}`); that is not done here.
func interpolation(src []byte, at hcl.Range) string {
	start, end := min(at.Start.Byte, len(src)), min(at.End.Byte, len(src)) // positions in JSON are not exact
	open := start - 1
	for open >= 1 && src[open] == ' ' {
		open--
	}
	if open < 1 || src[open] != '{' || src[open-1] != '$' {
		return "${" + string(src[start:end]) + "}"
	}
	return string(src[open-1:end]) + closing(src, end)
}

// closing is the text from the end of a reference to the brace that closes its
// interpolation, or just a brace where the reference is part of a larger expression.
func closing(src []byte, end int) string {
	if end < len(src) && src[end] == '}' {
		return "}"
	}
	i := end + 1
	for i < len(src) && src[i] == ' ' {
		i++
	}
	if i < len(src) && src[i] == '}' {
		return string(src[end : i+1])
	}
	return "}"
}

// number is a number that stands in the text.
type number struct {
	*hclsyntax.LiteralValueExpr
	e *evaluator
}

// Value measures the number: 1e999999999 is short in the text only.
func (n *number) Value(*hcl.EvalContext) (cty.Value, hcl.Diagnostics) {
	return n.e.measured(n.Val, nil, n.SrcRange)
}

// binaryOp is an operator between two operands.
type binaryOp struct {
	*hclsyntax.BinaryOpExpr
	e *evaluator
}

// Value evaluates both operands whatever the operator is. Nomad: && and || do not
// short-circuit, so a mistake in the right operand is always a mistake.
func (b *binaryOp) Value(ctx *hcl.EvalContext) (cty.Value, hcl.Diagnostics) {
	lhs, diags := b.LHS.Value(ctx)
	rhs, more := b.RHS.Value(ctx)
	if diags = append(diags, more...); diags.HasErrors() {
		return cty.UnknownVal(b.Op.Type), diags
	}
	op := *b.BinaryOpExpr
	op.LHS = &hclsyntax.LiteralValueExpr{Val: lhs, SrcRange: b.LHS.Range()}
	op.RHS = &hclsyntax.LiteralValueExpr{Val: rhs, SrcRange: b.RHS.Range()}
	v, diags := op.Value(ctx)
	return b.e.measured(v, diags, b.SrcRange)
}

// collection is what a for-expression or a splat walks over.
type collection struct {
	hclsyntax.Expression
	e    *evaluator
	loop hcl.Range // the text that each round may write out
}

// Value accounts for one round of the loop per element.
func (c *collection) Value(ctx *hcl.EvalContext) (cty.Value, hcl.Diagnostics) {
	v, diags := c.Expression.Value(ctx)
	round := costOfRound + int64(c.loop.End.Byte-c.loop.Start.Byte)
	if !c.e.spend(round * int64(lengthOf(v))) {
		return cty.DynamicVal, append(diags, tooLarge(c.Range()))
	}
	return v, diags
}

// product is an expression whose value may be larger than its text.
type product struct {
	hclsyntax.Expression
	e *evaluator
}

func (p *product) Value(ctx *hcl.EvalContext) (cty.Value, hcl.Diagnostics) {
	v, diags := p.Expression.Value(ctx)
	return p.e.measured(v, diags, p.Range())
}

// call is a function call. It stays recognisable as one, which the types of convert need.
type call struct {
	*hclsyntax.FunctionCallExpr
	e *evaluator
}

func (c *call) Value(ctx *hcl.EvalContext) (cty.Value, hcl.Diagnostics) {
	v, diags := c.FunctionCallExpr.Value(ctx)
	return c.e.measured(v, diags, c.Range())
}

// tuple is a list that stands in the text. It stays recognisable as one, which the
// labels of dynamic blocks need.
type tuple struct {
	*hclsyntax.TupleConsExpr
	e *evaluator
}

func (t *tuple) Value(ctx *hcl.EvalContext) (cty.Value, hcl.Diagnostics) {
	v, diags := t.TupleConsExpr.Value(ctx)
	return t.e.measured(v, diags, t.SrcRange)
}
