package jobspec

import (
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// scope is what the expressions of a job file may refer to.
func (p *parser) scope() *hcl.EvalContext {
	return &hcl.EvalContext{
		Functions: p.functions(p.opts.BaseDir, p.opts.DisableFileFunctions),
		Variables: map[string]cty.Value{
			"var":   p.vars.object(),
			"local": cty.EmptyObjectVal,
		},
	}
}

// local is one attribute of a locals block.
type local struct {
	name    string
	at      hcl.Range
	expr    hcl.Expression
	uses    []string // other locals it refers to
	whole   bool     // it refers to `local` itself, so to all of them
	waiting int      // how many of the locals it uses have no value yet
}

// evaluateLocals gives every local its value, in the order in which they need each
// other, and updates ctx. Nomad: of two locals with the same name in different
// blocks the later one counts.
func (p *parser) evaluateLocals(top content, ctx *hcl.EvalContext) {
	list := p.readLocals(top)
	names := map[string]bool{}
	for _, l := range list {
		if names[l.name] {
			p.warn(l.at, fmt.Sprintf("local.%s is set twice", l.name), "Nomad takes the later one without a word.")
		}
		names[l.name] = true
	}
	users := map[string][]*local{}
	var ready, last []*local
	for _, l := range list {
		for _, name := range l.uses {
			if names[name] {
				users[name] = append(users[name], l)
				l.waiting++
			}
		}
		switch {
		case l.whole:
			last = append(last, l)
		case l.waiting == 0:
			ready = append(ready, l)
		}
	}
	for i := 0; i < len(ready); i++ {
		p.evaluateLocal(ready[i], ctx)
		for _, user := range users[ready[i].name] {
			if user.waiting--; user.waiting == 0 && !user.whole {
				ready = append(ready, user)
			}
		}
		delete(users, ready[i].name)
	}
	for _, l := range list {
		if l.waiting > 0 && !l.whole {
			p.evaluateInCircle(l, ctx)
		}
	}
	for _, l := range last {
		p.evaluateLocal(l, ctx)
	}
}

func (p *parser) readLocals(top content) []*local {
	var list []*local
	_, blocks := top.without("locals")
	for _, b := range blocks {
		for _, attr := range p.topAttributes(b) {
			l := &local{name: attr.Name, at: attr.NameRange}
			for _, t := range attr.Expr.Variables() {
				if t.RootName() == "local" {
					l.use(t)
				}
			}
			if native, ok := attr.Expr.(hclsyntax.Expression); ok {
				l.expr = p.eval.prepare(native)
			} else {
				l.expr = p.eval.prepareJSON(attr.Expr)
			}
			list = append(list, l)
		}
	}
	return list
}

// use notes which local a reference is to.
func (l *local) use(t hcl.Traversal) {
	if len(t) > 1 {
		switch step := t[1].(type) {
		case hcl.TraverseAttr:
			l.uses = append(l.uses, step.Name)
			return
		case hcl.TraverseIndex:
			if step.Key.Type() == cty.String {
				l.uses = append(l.uses, step.Key.AsString())
				return
			}
		}
	}
	l.whole = true
}

func (p *parser) evaluateLocal(l *local, ctx *hcl.EvalContext) {
	v, diags := l.expr.Value(ctx)
	p.report(diags...)
	p.setLocal(l, v, diags, ctx)
}

// evaluateInCircle evaluates a local that directly or indirectly needs itself, which
// is fine only where try or can gives way.
func (p *parser) evaluateInCircle(l *local, ctx *hcl.EvalContext) {
	v, diags := l.expr.Value(ctx)
	if diags.HasErrors() {
		p.fail(l.expr.Range(), fmt.Sprintf("local.%s goes round in a circle", l.name), fmt.Sprintf("It needs %s, which in turn needs it.", strings.Join(l.uses, ", ")))
	}
	p.setLocal(l, v, diags, ctx)
}

func (p *parser) setLocal(l *local, v cty.Value, diags hcl.Diagnostics, ctx *hcl.EvalContext) {
	if diags.HasErrors() {
		v = cty.DynamicVal
	}
	if !p.eval.spend(costOfNode * int64(len(p.locals))) { // each local makes a new object of them all
		p.report(tooLarge(l.at))
		return
	}
	p.locals[l.name] = v
	ctx.Variables["local"] = cty.ObjectVal(p.locals)
}
