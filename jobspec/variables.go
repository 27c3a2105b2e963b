package jobspec

import (
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// envPrefix marks the environment variables that set job variables.
const envPrefix = "NOMAD_VAR_"

// variable is an input variable of the job file.
type variable struct {
	name        string
	declared    hcl.Range
	typ         cty.Type // NilType where neither a type nor a default says
	value       cty.Value
	from        hcl.Range // where the value was set
	set         bool
	validations []validation
}

// variables are the input variables by name.
type variables map[string]*variable

func (vs variables) names() []string { return keys(vs) }

// object is the value of `var` in expressions.
func (vs variables) object() cty.Value {
	values := map[string]cty.Value{}
	for name, v := range vs {
		values[name] = v.value
	}
	return cty.ObjectVal(values)
}

var variableSchema = schema{
	attrs:  map[string]bool{"description": false, "default": false, "type": false},
	blocks: map[string][]string{"validation": nil},
}

// declare reads the variable and variables blocks.
func (p *parser) declare(top content) {
	for _, b := range top.blocks {
		switch b.kind {
		case "variable":
			p.declareVariable(b)
		case "variables":
			for _, attr := range p.topAttributes(b) {
				value, diags := p.plainExpr(attr.Expr).Value(nil)
				p.report(diags...)
				p.addVariable(&variable{name: attr.Name, declared: attr.NameRange, typ: value.Type(), value: value, from: attr.Expr.Range(), set: true})
			}
		}
	}
}

// topAttributes returns the attributes of a variables or locals block.
func (p *parser) topAttributes(b block) []*hcl.Attribute {
	if b.body.native != nil {
		for _, nested := range b.body.native.Blocks {
			p.fail(nested.TypeRange, fmt.Sprintf("%s takes no blocks", b.kind), "Write NAME = VALUE.")
		}
		return p.attributes(b.body)
	}
	// Names of a JSON object are only names here; its values are prepared by the caller.
	attrs, diags := b.body.json.JustAttributes()
	p.report(diags...)
	return inOrder(attrs)
}

// plainExpr measures an expression that may not refer to anything.
func (p *parser) plainExpr(expr hcl.Expression) hcl.Expression {
	if native, ok := expr.(hclsyntax.Expression); ok {
		return p.plain.prepare(native)
	}
	return expr
}

func (p *parser) addVariable(v *variable) {
	if first, dup := p.vars[v.name]; dup {
		p.fail(v.declared, fmt.Sprintf("variable %q is declared twice", v.name), fmt.Sprintf("The first time is at line %d.", first.declared.Start.Line))
		return
	}
	p.vars[v.name] = v
}

func (p *parser) declareVariable(b block) {
	v := &variable{name: b.labels[0], declared: b.defRange, typ: cty.NilType, value: cty.DynamicVal}
	if !hclsyntax.ValidIdentifier(v.name) {
		p.fail(b.labelRanges[0], fmt.Sprintf("%q is no name for a variable", v.name), "A name has letters, digits, underscores and dashes, and starts with a letter or underscore.")
	}
	c := p.readRaw(b.body, variableSchema, b.String())
	if attr := c.attrs["description"]; attr != nil {
		var text string
		p.decodeExpression(&hcl.Attribute{Name: "description", Expr: p.plainExpr(attr.Expr)}, nil, &text)
	}
	if attr := c.attrs["type"]; attr != nil {
		typ, diags := typeexpr.Type(attr.Expr)
		p.report(diags...)
		if !diags.HasErrors() {
			v.typ = typ
		}
	}
	if attr := c.attrs["default"]; attr != nil {
		value, diags := p.plainExpr(attr.Expr).Value(nil)
		p.report(diags...)
		p.setVariable(v, value, attr.Expr.Range(), "the default of")
		if v.typ == cty.NilType {
			v.typ = v.value.Type()
		}
	}
	for _, vb := range c.blocks {
		p.declareValidation(v, vb)
	}
	p.addVariable(v)
}

// setVariable gives a variable a value, converted to its type.
func (p *parser) setVariable(v *variable, value cty.Value, from hcl.Range, what string) {
	if v.typ != cty.NilType {
		converted, err := convert.Convert(value, v.typ)
		if err != nil {
			p.fail(from, fmt.Sprintf("%s variable %q does not fit its type: %s", what, v.name, err), "The variable is declared as "+typeexpr.TypeString(v.typ)+".")
			converted = cty.DynamicVal
		}
		value = converted
	}
	v.value, v.from, v.set = value, from, true
}

// setVariables takes the values from outside. Nomad: the environment is the weakest,
// then the files in order, then the flags; the last one counts.
func (p *parser) setVariables(files []hcl.Body) {
	for _, entry := range p.opts.Environ {
		name, text, ok := strings.Cut(strings.TrimPrefix(entry, envPrefix), "=")
		if v := p.vars[name]; ok && v != nil && strings.HasPrefix(entry, envPrefix) {
			p.setText(v, text, envPrefix+name)
		}
	}
	for _, f := range files {
		p.setFromFile(f)
	}
	p.setFromFlags()
	for _, name := range p.vars.names() {
		p.checkVariable(p.vars[name])
	}
}

// setFromFlags takes the -var flags. Nomad: of several for one variable only the last
// is looked at, and a flag without a value sets nothing.
func (p *parser) setFromFlags() {
	last := map[string]string{}
	for _, flag := range p.opts.Variables {
		if name, text, ok := strings.Cut(flag, "="); ok {
			last[name] = text
		}
	}
	for _, name := range keys(last) {
		source := "-var " + name
		if v := p.vars[name]; v != nil {
			p.setText(v, last[name], source)
		} else {
			p.undeclared(name, hcl.Range{Filename: source, Start: hcl.InitialPos, End: hcl.InitialPos})
		}
	}
}

// setText sets a variable from a flag or the environment. Nomad: text for a string,
// a number or a variable without a type is taken as it is; other types are read as
// an HCL expression.
func (p *parser) setText(v *variable, text, source string) {
	at := hcl.Range{Filename: source, Start: hcl.InitialPos, End: hcl.InitialPos}
	value := cty.StringVal(text)
	if v.typ != cty.String && v.typ != cty.Number && v.typ != cty.NilType {
		expr, diags := parseExpression(source, []byte(text))
		p.report(diags...)
		if diags.HasErrors() {
			v.set = true
			return
		}
		value, diags = p.plain.prepare(expr).Value(nil)
		p.report(diags...)
	}
	p.setVariable(v, value, at, "the value of")
}

func parseExpression(source string, text []byte) (hclsyntax.Expression, hcl.Diagnostics) {
	if diags := checkShape(source, text, hcl.InitialPos, hclsyntax.LexExpression); diags.HasErrors() {
		return nil, diags
	}
	return hclsyntax.ParseExpression(text, source, hcl.InitialPos)
}

func (p *parser) undeclared(name string, at hcl.Range) {
	summary := fmt.Sprintf("variable %q is set but the job file does not declare it", name)
	if near := nearest(name, p.vars.names()); near != "" {
		summary += fmt.Sprintf("; did you mean %q?", near)
	}
	hint := fmt.Sprintf("Declare it in the job file: variable %q {}.", name)
	if p.opts.Lenient {
		p.warn(at, summary, hint)
		return
	}
	p.fail(at, summary, hint)
}

// checkVariable reports a variable without a value, or with one that breaks a rule.
func (p *parser) checkVariable(v *variable) {
	if !v.set {
		p.fail(v.declared, fmt.Sprintf("variable %q has no value", v.name), fmt.Sprintf("Set it with -var %s=..., in a variable file or as %s%s, or give it a default.", v.name, envPrefix, v.name))
		return
	}
	for _, rule := range v.validations {
		p.validate(v, rule)
	}
}
