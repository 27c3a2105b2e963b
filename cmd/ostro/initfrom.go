package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/nomad/api"

	"ostro/deploy"
	"ostro/jobspec"
	"ostro/redact"
	"ostro/render"
)

// takeOver makes the files for a job that runs already. Its template is the one with
// which the server says that nothing would change.
func (in *initialization) takeOver(ctx context.Context, id string) ([]startFile, error) {
	p, err := openConfig(in.t, in.c, "")
	if err != nil {
		return nil, err
	}
	to, err := p.connect(ctx)
	if err != nil {
		return nil, err
	}
	defer to.close()
	job, _, err := to.client.Jobs().Info(id, queryOf(in.c))
	if err != nil {
		return nil, jobError(err, id)
	}
	commit := job.Meta[p.commitMeta()]
	if !regexp.MustCompile(`^[0-9a-f]{7,40}(-dirty-[0-9a-f]+)?$`).MatchString(commit) {
		commit = ""
	}
	text, err := p.templateOf(ctx, to, job, in.Template, commit)
	if err != nil {
		return nil, err
	}
	in.adviseTakeover(p, job, commit)
	if !in.c.IsSet("staging") && in.c.IsSet("address") {
		in.Staging = in.reach("staging", in.c.String("address"))
	} else if !in.c.IsSet("staging") && in.c.IsSet("ssh") {
		in.Staging = in.reach("staging", in.c.String("ssh"))
	}
	rest, err := in.configuration()
	return append([]startFile{{in.Template, text, 0o644}}, rest...), err
}

// adviseTakeover says what to do next, and what to look at in the template.
func (in *initialization) adviseTakeover(p *project, job *api.Job, commit string) {
	in.next = p.commandFor("plan", "") + " "
	if commit != "" {
		in.next = p.commandFor("plan", "", "-commit", commit) + " "
	} else {
		in.t.warn("job %q does not say of which commit it is: add meta { %s = \"[[ .BB_COMMIT ]]\" }", *job.ID, p.commitMeta())
	}
	if found := secretsIn(job); len(found) > 0 {
		in.t.warn("%s holds secrets: make variables of %s before you commit it", in.Template, strings.Join(found, ", "))
	}
}

// templateOf is a template that makes the job, the most readable one of those that
// the server finds to change nothing. commit, where there is one, becomes BB_COMMIT.
func (p *project) templateOf(ctx context.Context, to *target, job *api.Job, name, commit string) ([]byte, error) {
	var errs []error
	for _, write := range []func() ([]byte, error){
		func() ([]byte, error) { return submittedText(ctx, to.client, job) },
		func() ([]byte, error) {
			short, err := jobspec.Shorten(job)
			if err != nil {
				return nil, err
			}
			return jobspec.Write(short)
		},
		func() ([]byte, error) { return jobspec.Write(job) },
		func() ([]byte, error) { return jobspec.JSON(job) },
	} {
		text, err := write()
		if err == nil {
			text = asTemplate(text, commit)
			err = p.changesNothing(ctx, to, name, text, commit)
		}
		if err == nil {
			return text, nil
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		p.t.debug("%v", err)
		errs = append(errs, err)
	}
	return nil, withHint(fmt.Errorf("no template makes job %q as it runs: %w", *job.ID, errs[len(errs)-1]), "-log-level debug tells more")
}

// submittedText is what somebody once submitted, comments included, if it stands for
// the job by itself.
func submittedText(ctx context.Context, client *api.Client, job *api.Job) ([]byte, error) {
	source := deploy.Source(ctx, client, job)
	switch {
	case source == nil || source.Source == "":
		return nil, errors.New("the server keeps no source of the job")
	case source.Format != "hcl2":
		return nil, fmt.Errorf("the source of the job is %s", source.Format)
	case len(source.VariableFlags) > 0 || source.Variables != "":
		return nil, errors.New("the source of the job has variables")
	}
	return []byte(source.Source), nil
}

// asTemplate makes a template that renders to the text.
func asTemplate(text []byte, commit string) []byte {
	template := strings.ReplaceAll(string(text), "[[", `[[ "[[" ]]`)
	if commit != "" {
		template = strings.ReplaceAll(template, commit, "[[ .BB_COMMIT ]]")
	}
	return []byte(template)
}

// changesNothing asks the server what a deploy of the template would change.
func (p *project) changesNothing(ctx context.Context, to *target, name string, text []byte, commit string) error {
	doc, err := render.Text(ctx, name, string(text), render.Variables{"BB_COMMIT": commit}, render.Options{})
	if err != nil {
		return err
	}
	parsed, diags := jobspec.Parse(name, doc.Text, jobspec.Options{})
	if diags.HasErrors() {
		return diags
	}
	plan, err := p.plan(ctx, to, parsed.Job)
	if err != nil {
		return p.planFailure(err)
	}
	if !plan.NoChange() {
		var lines []string
		for _, line := range plan.Diff() {
			lines = append(lines, line.String())
		}
		return fmt.Errorf("the template would change the job: %s", strings.Join(lines, "; "))
	}
	return nil
}

// secretsIn names the values of a job that look like secrets.
func secretsIn(job *api.Job) []string {
	var found []string
	look := func(where string, values map[string]string) {
		for _, name := range slices.Sorted(maps.Keys(values)) {
			if redact.SecretName(name) && values[name] != "" && !strings.HasPrefix(values[name], "${") {
				found = append(found, where+" "+name)
			}
		}
	}
	look("meta", job.Meta)
	for _, group := range job.TaskGroups {
		look(*group.Name+".meta", group.Meta)
		for _, task := range group.Tasks {
			look(task.Name+".env", task.Env)
			look(task.Name+".meta", task.Meta)
			for _, a := range task.Artifacts {
				look(task.Name+".artifact.options", a.GetterOptions)
				look(task.Name+".artifact.headers", a.GetterHeaders)
			}
		}
	}
	return found
}
