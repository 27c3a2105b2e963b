package jobspec

import (
	"fmt"
	"reflect"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	hcljson "github.com/hashicorp/hcl/v2/json"
	"github.com/hashicorp/nomad/api"
	"github.com/zclconf/go-cty/cty"
)

// parser is the state of one parse.
type parser struct {
	opts   Options
	text   []byte
	eval   *evaluator // of the job file
	plain  *evaluator // of variable values and declarations, which know no references
	fields map[reflect.Type]*fields
	vars   variables
	locals map[string]cty.Value
	diags  hcl.Diagnostics
}

func newParser(text []byte, opts Options) *parser {
	shared := &budget{left: maxProduct}
	return &parser{
		opts:   opts,
		text:   text,
		eval:   &evaluator{src: text, keepUnknown: true, budget: shared},
		plain:  &evaluator{budget: shared},
		fields: map[reflect.Type]*fields{},
		vars:   variables{},
		locals: map[string]cty.Value{},
	}
}

// topLevel is what a job file consists of.
var topLevel = schema{blocks: map[string][]string{
	"variables": nil,
	"variable":  {"name"},
	"locals":    nil,
	"job":       {"name"},
}}

// parse reads the whole file. The result counts only if p.diags has no errors.
func (p *parser) parse(filename string) *Result {
	root, ok := p.root(filename)
	files := p.variableFiles()
	if !ok || p.diags.HasErrors() {
		return nil // what a broken text says beyond its syntax errors is guesswork
	}
	top := p.readRaw(root, topLevel, "the job file")
	p.declare(top)
	p.setVariables(files)
	ctx := p.scope()
	p.evaluateLocals(top, ctx)
	job := p.job(top, ctx, root.missing())
	if p.eval.budget.over && !p.diags.HasErrors() {
		p.report(tooLarge(root.missing())) // try() and can() have hidden it
	}
	if p.diags.HasErrors() {
		return nil
	}
	return &Result{Job: job, Declared: p.vars.names(), Submission: p.submission()}
}

// root parses the syntax of the job file.
func (p *parser) root(filename string) (body, bool) {
	file, diags := parseText(filename, p.text)
	p.report(diags...)
	if file == nil || diags.HasErrors() {
		return body{}, false
	}
	if native, ok := file.Body.(*hclsyntax.Body); ok {
		return body{native: native}, true
	}
	return body{json: file.Body}, true
}

// parseText parses HCL or HCL-JSON, if its shape lets the parsers terminate soon.
func parseText(filename string, text []byte) (*hcl.File, hcl.Diagnostics) {
	if isHCLJSON(text) {
		if diags := checkJSONShape(filename, text); diags.HasErrors() {
			return nil, diags
		}
		return hcljson.Parse(text, filename)
	}
	if diags := checkShape(filename, text, hcl.InitialPos, hclsyntax.LexConfig); diags.HasErrors() {
		return nil, diags
	}
	file, diags := hclsyntax.ParseConfig(text, filename, hcl.InitialPos)
	return file, unclosed(filename, text, diags)
}

// job decodes and normalises the job block.
func (p *parser) job(top content, ctx *hcl.EvalContext, missing hcl.Range) *api.Job {
	_, blocks := top.without("job")
	if len(blocks) == 0 {
		if !p.diags.HasErrors() {
			p.fail(missing, "there is no job block", `A job file has one: job "name" { ... }.`)
		}
		return nil
	}
	if len(blocks) > 1 {
		p.duplicate(blocks[0], blocks[1], "a job file")
	}
	b := blocks[0]
	if b.body.native != nil {
		p.eval.prepareBody(b.body.native)
	}
	b.body.ctx = ctx
	job, common := p.decodeJob(b)
	normalize(job, b.labels[0], common)
	return job
}

// value evaluates an expression. A value that an earlier mistake left unknown is not
// ok, and not reported again.
func (p *parser) value(expr hcl.Expression, ctx *hcl.EvalContext) (cty.Value, bool) {
	v, diags := expr.Value(ctx)
	v, diags = p.eval.measured(v, diags, expr.Range())
	p.report(diags...)
	if diags.HasErrors() {
		return v, false
	}
	if !v.IsWhollyKnown() {
		if !p.diags.HasErrors() {
			p.fail(expr.Range(), "the value cannot be known before the job runs", "Only strings may refer to what the client knows.")
		}
		return v, false
	}
	return v, true
}

// report adds diagnostics of hcl, in our style.
func (p *parser) report(diags ...*hcl.Diagnostic) {
	for _, d := range diags {
		d.Summary = lowerFirst(d.Summary)
	}
	p.diags = append(p.diags, diags...)
}

// fail adds an error.
func (p *parser) fail(at hcl.Range, summary, hint string) {
	p.diags = append(p.diags, &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: hint, Subject: &at})
}

// warn adds a warning.
func (p *parser) warn(at hcl.Range, summary, hint string) {
	p.diags = append(p.diags, &hcl.Diagnostic{Severity: hcl.DiagWarning, Summary: summary, Detail: hint, Subject: &at})
}

func (p *parser) duplicate(first, second block, where string) {
	p.fail(second.defRange, fmt.Sprintf("only one %s block is allowed in %s", first.kind, where),
		fmt.Sprintf("The first one is at line %d.", first.defRange.Start.Line))
}
