package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"ostro/config"
	"ostro/redact"
	"ostro/render"
)

// variables are what a template gets: what we know, and over it what the user
// says.
func (p *project) variables(ctx context.Context, job config.Job) (render.Variables, error) {
	vars := render.Variables{}
	if p.standalone() {
		vars.Merge(standaloneVariables())
	}
	if bucket := p.bucket(); bucket != "" {
		vars["s3_binary_path"] = bucket
	}
	given, err := p.userVariables(ctx, job)
	if err != nil {
		return nil, err
	}
	vars.Merge(given)
	if p.commit.Tag != "" {
		vars["BB_COMMIT"] = p.commit.Tag
	}
	p.t.mask(redact.Secrets(vars, p.secretNames())...)
	return vars, nil
}

// userVariables merges, lowest first, the configuration, the variable files in
// order, NOMAD_VAR_* and the flags.
func (p *project) userVariables(ctx context.Context, job config.Job) (render.Variables, error) {
	vars := render.Variables{}
	vars.Merge(render.Variables(job.Variables))
	files := slices.Concat(job.VariableFiles, p.c.StringSlice("var-file"))
	if !p.c.IsSet("var-file") {
		files = slices.Concat(render.DefaultVariableFiles(""), files)
	}
	loaded, err := p.loadVariables(ctx, files)
	if err != nil {
		return nil, usageError{err}
	}
	vars.Merge(loaded)
	for _, pair := range os.Environ() {
		if name, value, ok := strings.Cut(pair, "="); ok && strings.HasPrefix(name, nomadVariable) {
			vars[strings.TrimPrefix(name, nomadVariable)] = value
		}
	}
	flags, err := p.flagVariables()
	if err != nil {
		return nil, usageError{err}
	}
	vars.Merge(flags)
	return vars, nil
}

// nomadVariable begins the environment variables that set a variable of a job
// file, as for the nomad command line.
const nomadVariable = "NOMAD_VAR_"

// loadVariables reads variable files; stdin can be read once only.
func (p *project) loadVariables(ctx context.Context, files []string) (render.Variables, error) {
	key := strings.Join(files, "\x00")
	if loaded, ok := p.loaded[key]; ok {
		return loaded, nil
	}
	loaded, err := render.LoadVariables(ctx, files, p.t.in)
	if err == nil {
		p.loaded[key] = loaded
	}
	return loaded, err
}

// standaloneVariables stand for the keys that a production template hands to
// the nodes. The agent's own store needs none: its nodes know its keys.
func standaloneVariables() render.Variables {
	const unused = "unused-in-standalone-mode"
	return render.Variables{"aws_access_key_id": unused, "aws_secret_access_key": unused, "aws_access_key_secret": unused}
}

// flagVariables are those of -var, as text, and of -var-json.
func (p *project) flagVariables() (render.Variables, error) {
	vars := render.Variables{}
	for _, pair := range p.c.StringSlice("var") {
		name, value, ok := strings.Cut(pair, "=")
		if !ok {
			return nil, withHint(fmt.Errorf("-var %s has no value", pair), "-var NAME=VALUE")
		}
		if err := vars.Set(name, value); err != nil {
			return nil, fmt.Errorf("-var %s: %w", name, err)
		}
	}
	for _, pair := range p.c.StringSlice("var-json") {
		name, text, ok := strings.Cut(pair, "=")
		if !ok {
			return nil, withHint(fmt.Errorf("-var-json %s has no value", pair), "-var-json NAME=JSON")
		}
		value, err := render.JSONValue(text)
		if err == nil {
			err = vars.Set(name, value)
		}
		if err != nil {
			return nil, fmt.Errorf("-var-json %s: %w", name, err)
		}
	}
	return vars, nil
}

func (p *project) flagVariable(name string) string {
	value := ""
	for _, pair := range p.c.StringSlice("var") {
		if k, v, ok := strings.Cut(pair, "="); ok && k == name {
			value = v
		}
	}
	return value
}
