package jobspec

import (
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// validation is a rule that the value of a variable must keep.
type validation struct {
	condition hcl.Expression
	message   string
	declared  hcl.Range
}

var validationSchema = schema{attrs: map[string]bool{"condition": true, "error_message": true}}

func (p *parser) declareValidation(v *variable, b block) {
	c := p.readRaw(b.body, validationSchema, "validation")
	rule := validation{declared: b.defRange}
	if attr := c.attrs["error_message"]; attr != nil {
		p.decodeExpression(&hcl.Attribute{Name: "error_message", Expr: p.plainExpr(attr.Expr)}, nil, &rule.message)
		if strings.TrimSpace(rule.message) == "" && !p.diags.HasErrors() {
			p.fail(attr.Expr.Range(), "the error message is blank", "Say what a good value looks like.")
		}
	}
	attr := c.attrs["condition"]
	if attr == nil {
		return
	}
	if !p.refersOnlyTo(v.name, attr.Expr) {
		return
	}
	rule.condition = p.plainExpr(attr.Expr)
	v.validations = append(v.validations, rule)
}

// refersOnlyTo reports whether a condition is about its own variable and nothing else.
func (p *parser) refersOnlyTo(name string, condition hcl.Expression) bool {
	hint := fmt.Sprintf("A condition is about its own variable: var.%s.", name)
	ok, found := true, false
	for _, t := range condition.Variables() {
		attr, isAttr := hcl.TraverseAttr{}, false
		if len(t) > 1 {
			attr, isAttr = t[1].(hcl.TraverseAttr)
		}
		if t.RootName() == "var" && isAttr && attr.Name == name {
			found = true
			continue
		}
		p.fail(t.SourceRange(), fmt.Sprintf("the condition of variable %q refers to something else", name), hint)
		ok = false
	}
	if !found {
		p.fail(condition.Range(), fmt.Sprintf("the condition of variable %q does not look at its value", name), hint)
	}
	return ok && found
}

// validate evaluates a rule on the value of a variable. The mistake is at the value.
func (p *parser) validate(v *variable, rule validation) {
	ctx := &hcl.EvalContext{
		Variables: map[string]cty.Value{"var": cty.ObjectVal(map[string]cty.Value{v.name: v.value})},
		Functions: p.functions("", true),
	}
	result, diags := rule.condition.Value(ctx)
	p.report(diags...)
	if diags.HasErrors() || !result.IsKnown() {
		return
	}
	hint := "The condition must be true or false."
	if result.IsNull() {
		p.fail(rule.condition.Range(), fmt.Sprintf("the condition of variable %q is null", v.name), hint)
		return
	}
	result, err := convert.Convert(result, cty.Bool)
	if err != nil {
		p.fail(rule.condition.Range(), fmt.Sprintf("the condition of variable %q is no bool: %s", v.name, err), hint)
		return
	}
	if result.False() {
		p.fail(v.from, fmt.Sprintf("variable %q has an invalid value: %s", v.name, rule.message),
			fmt.Sprintf("The rule is at line %d of %s.", rule.declared.Start.Line, rule.declared.Filename))
	}
}
