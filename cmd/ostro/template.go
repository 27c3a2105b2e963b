package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/nomad/api"

	"ostro/config"
	"ostro/jobspec"
	"ostro/redact"
	"ostro/render"
	"ostro/watch"
)

// rendered is a template after both languages had their turn.
type rendered struct {
	template string
	text     []byte
	result   *jobspec.Result
	// sources are the texts that diagnostics point into.
	sources map[string][]byte
	// warnings are about the template and the job file, lints about what they
	// say although nothing is wrong with how.
	warnings, lints hcl.Diagnostics
}

func (r rendered) job() *api.Job { return r.result.Job }

// render fills in a template.
func (p *project) render(ctx context.Context, job config.Job) (*render.Document, render.Variables, error) {
	vars, err := p.variables(ctx, job)
	if err != nil {
		return nil, nil, err
	}
	doc, err := render.File(ctx, job.Template, vars, render.Options{
		AllowMissing: p.c.Bool("allow-missing"), ConsulAddress: p.c.String("consul-address"),
		Functions: p.templateFunctions(ctx),
	})
	if err != nil {
		return nil, nil, err
	}
	p.t.mask(redact.Secrets(doc.Inputs, p.secretNames())...)
	return doc, vars, nil
}

// parse renders a template and reads the job in it.
func (p *project) parse(ctx context.Context, job config.Job) (*rendered, error) {
	doc, vars, err := p.render(ctx, job)
	if err != nil && context.Cause(ctx) == errTimeout {
		return nil, withHint(fmt.Errorf("%s was not rendered in the time of -timeout", job.Template),
			"look for a loop without an end, or for a file or server that does not answer")
	}
	if err != nil {
		return nil, err
	}
	r := &rendered{template: job.Template, text: doc.Text, sources: doc.Sources, warnings: doc.Warnings}
	result, diags := jobspec.Parse(doc.Name, doc.Text, jobspec.Options{
		Variables: declared(jobspec.Declared(doc.Name, doc.Text), vars), Environ: os.Environ(),
	})
	if diags.HasErrors() {
		return nil, usageError{doc.Translate(diags)}
	}
	r.result = result
	r.warnings = append(r.warnings, doc.Translate(result.Warnings)...)
	r.lints = doc.Translate(jobspec.Lint(doc.Name, doc.Text, result.Job))
	return r, nil
}

// parseAll reads every template, and refuses a job whose outcome nobody could
// judge.
func (p *project) parseAll(ctx context.Context) ([]*rendered, error) {
	var jobs []*rendered
	for _, job := range p.jobs {
		r, err := p.parse(ctx, job)
		if err != nil {
			return nil, err
		}
		if _, err := watch.For(r.job()); err != nil {
			return nil, usageError{err}
		}
		p.t.diagnostics(r.warnings, r.sources)
		jobs = append(jobs, r)
	}
	return jobs, nil
}

// declared picks the template's variables that the job file declares, too: both
// languages get the same value.
func declared(names []string, vars render.Variables) []string {
	var pairs []string
	for _, name := range names {
		value, ok := vars[name]
		if !ok {
			continue
		}
		text, ok := value.(string)
		if !ok {
			encoded, err := json.Marshal(value)
			if err != nil {
				continue
			}
			text = string(encoded)
		}
		pairs = append(pairs, name+"="+text)
	}
	return pairs
}
