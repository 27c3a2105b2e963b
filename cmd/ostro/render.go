package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/urfave/cli/v2"

	"ostro/artifact"
	"ostro/jobspec"
)

func renderCommand(t *terminal) *cli.Command {
	return &cli.Command{
		Name: "render", Usage: "print the job that a template makes", ArgsUsage: "[TEMPLATE]",
		Flags: join(templateFlags(), configFlags(), artifactFlags(), logFlags(), []cli.Flag{
			&cli.StringFlag{Name: "out", Usage: "write to `FILE` instead"},
			&cli.BoolFlag{Name: "json", Usage: "print the job as JSON, as nomad job run -output does"},
		}),
		Action: func(c *cli.Context) error {
			p, err := openForTemplate(c, t)
			if err != nil {
				return err
			}
			defer p.close()
			if len(p.jobs) > 1 {
				return usageError{withHint(fmt.Errorf("%s has %d jobs", p.file.Path, len(p.jobs)), "name one template")}
			}
			text, err := p.renderedText(c)
			if err != nil {
				return err
			}
			if path := c.String("out"); path != "" {
				if err := os.WriteFile(path, text, 0o600); err != nil {
					return fmt.Errorf("write the rendered job: %w", err)
				}
				return nil
			}
			// What was asked for is given whole: secrets are masked only in
			// what is told beside it.
			if _, err := t.raw.Write(text); err != nil {
				return fmt.Errorf("print the rendered job: %w", err)
			}
			return nil
		},
	}
}

// renderedText is the template's text, or the JSON of the job in it.
func (p *project) renderedText(c *cli.Context) ([]byte, error) {
	if !c.Bool("json") {
		doc, _, err := p.render(c.Context, p.jobs[0])
		if err != nil {
			return nil, err
		}
		return doc.Text, nil
	}
	r, err := p.parse(c.Context, p.jobs[0])
	if err != nil {
		return nil, err
	}
	text, err := jobspec.JSON(r.job())
	return printableJSON(text), err
}

// openForTemplate opens the project of a command that works on templates alone.
func openForTemplate(c *cli.Context, t *terminal) (*project, error) {
	target, err := oneArg(c, "TEMPLATE")
	if err != nil {
		return nil, err
	}
	p, err := openProject(c.Context, t, c, target)
	if err != nil {
		return nil, err
	}
	return p, p.needJobs()
}

func validateCommand(t *terminal) *cli.Command {
	return &cli.Command{
		Name: "validate", Usage: "render, parse and lint a template, without touching anything", ArgsUsage: "[TEMPLATE]",
		Flags: join(templateFlags(), configFlags(), artifactFlags(), logFlags(), []cli.Flag{
			&cli.BoolFlag{Name: "json", Usage: "print the parsed job as JSON"},
		}),
		Action: func(c *cli.Context) error {
			p, err := openForTemplate(c, t)
			if err != nil {
				return err
			}
			defer p.close()
			p.supposeRest()
			var failures []error
			var valid []*rendered
			for _, job := range p.jobs {
				r, err := p.parse(c.Context, job)
				if err != nil {
					t.failure(err)
					failures = append(failures, err)
					continue
				}
				t.diagnostics(append(r.warnings, r.lints...), r.sources)
				valid = append(valid, r)
				if err := p.reportValid(c, r); err != nil {
					return err
				}
			}
			if len(valid) == len(p.jobs) {
				p.warnUnread(valid...)
			}
			if len(failures) > 0 {
				return told{errors.Join(failures...)}
			}
			return nil
		},
	}
}

// supposeRest has validate go on without a bucket and a commit: only what is uploaded
// needs them.
func (p *project) supposeRest() {
	if p.noCommit != nil {
		p.noCommit, p.commit = nil, artifact.Commit{Full: "0000000", Tag: "0000000"}
	}
	if p.bucket() == "" {
		p.config.Bucket = "bucket"
	}
}

func (p *project) reportValid(c *cli.Context, r *rendered) error {
	if !c.Bool("json") {
		p.t.result("%s is valid: job %q", r.template, *r.job().ID)
		return nil
	}
	text, err := jobspec.JSON(r.job())
	if err != nil {
		return fmt.Errorf("encode the job: %w", err)
	}
	_, err = jsonWriter{p.t.raw}.Write(text)
	return err
}
