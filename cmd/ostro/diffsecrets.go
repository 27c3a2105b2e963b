package main

import (
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/nomad/api"

	"ostro/redact"
)

// maskDiff keeps the secrets of a diff off the screen: not only those that the
// variables of this run hold, but also those that the running job was given.
func (p *project) maskDiff(d *api.JobDiff) {
	if d == nil {
		return
	}
	p.maskBody(d.Fields, d.Objects)
	for _, g := range d.TaskGroups {
		p.maskBody(g.Fields, g.Objects)
		for _, t := range g.Tasks {
			p.maskBody(t.Fields, t.Objects)
		}
	}
}

func (p *project) maskBody(fields []*api.FieldDiff, objects []*api.ObjectDiff) {
	for _, f := range fields {
		name := fieldKey(f.Name)
		p.maskValue(name, f.Old)
		p.maskValue(name, f.New)
		p.maskAssigned(f.Old)
		p.maskAssigned(f.New)
		if strings.Contains(f.Old+f.New, "\n") {
			p.maskFormerLines(f.Old, f.New)
		} else {
			p.maskFormer(f.Old, f.New)
		}
	}
	for _, o := range objects {
		p.maskBody(o.Fields, o.Objects)
	}
}

// fieldKey is the name that somebody gave a value: DB of Env[DB].
func fieldKey(field string) string {
	if _, key, found := strings.Cut(field, "["); found {
		return strings.TrimSuffix(key, "]")
	}
	return field
}

// maskValue masks a value that has a secret's name.
func (p *project) maskValue(name, value string) {
	p.t.mask(redact.Secrets(map[string]any{name: value}, p.secretNames())...)
}

// assignment is a line such as PASSWORD=x, or password: "x",
var assignment = regexp.MustCompile(`(?m)^\s*(?:export\s+)?["']?([\w.-]+)["']?\s*[:=]\s*["']?([^"'\n]+?)["']?,?\s*$`)

// maskAssigned masks what a text of several lines assigns to a secret's name. A
// reference that the node resolves is no secret.
func (p *project) maskAssigned(text string) {
	for _, m := range assignment.FindAllStringSubmatch(text, -1) {
		if !strings.Contains(m[2], "{{") && !strings.Contains(m[2], "${") {
			p.maskValue(m[1], m[2])
		}
	}
}

// maskFormer masks in an old value what stands where the new one has a secret,
// or the whole old value where the two do not resemble each other.
func (p *project) maskFormer(before, after string) {
	if shape := p.secretShape(after); shape != nil && before != after {
		found := shape.FindStringSubmatch(before)
		if found == nil {
			found = []string{"", before}
		}
		p.maskFound(found[1:])
	}
}

// maskFormerLines does so line by line: a new line with a secret says what an
// old one hides.
func (p *project) maskFormerLines(before, after string) {
	old, now := strings.Split(before, "\n"), strings.Split(after, "\n")
	for _, line := range now {
		shape := p.secretShape(line)
		if shape == nil {
			continue
		}
		for _, former := range old {
			if found := shape.FindStringSubmatch(former); found != nil && !slices.Contains(now, former) {
				p.maskFound(found[1:])
			}
		}
	}
}

func (p *project) maskFound(values []string) {
	for _, value := range values {
		p.maskValue("secret", value)
	}
}

// secretShape matches texts that differ from this one in its secrets alone, and
// captures theirs; nil where it holds none.
func (p *project) secretShape(text string) *regexp.Regexp {
	parts := strings.Split(p.t.redactor.String(text), redact.Mask)
	if len(parts) == 1 {
		return nil
	}
	for i, part := range parts {
		parts[i] = regexp.QuoteMeta(part)
	}
	return regexp.MustCompile("^" + strings.Join(parts, "(.+)") + "$")
}
