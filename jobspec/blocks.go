package jobspec

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/nomad/api"
)

// with returns a copy of a schema that takes some of its blocks as attributes too
// (`env = {...}`), and further blocks.
func (s schema) with(asAttribute []string, blocks map[string][]string) schema {
	s = schema{attrs: copied(s.attrs), blocks: copied(s.blocks)}
	for _, name := range asAttribute {
		s.attrs[name] = false
	}
	for name, labels := range blocks {
		s.blocks[name] = labels
	}
	return s
}

// decodeJob reads the job block. Tasks, vault and secrets at job level are not part
// of api.Job: they are returned for the normalisation.
func (p *parser) decodeJob(b block) (*api.Job, shared) {
	job := &api.Job{}
	f := p.fieldsOf(reflect.TypeFor[api.Job]())
	c := p.read(b.body, f.schema.with([]string{"meta"}, map[string][]string{
		"vault": nil, "secret": {"name"}, "task": {"name"},
	}), b.String())
	c = p.mapAttribute(c, "meta", &job.Meta)
	p.assign(c, f, reflect.ValueOf(job).Elem(), b.String())

	if _, vaults := c.without("vault"); len(vaults) > 1 {
		p.duplicate(vaults[0], vaults[1], b.String())
	}
	return job, p.decodeShared(c.blocks)
}

// shared are the blocks of a job or a group that apply to the tasks in it.
type shared struct {
	vault   *api.Vault // the last one
	secrets []*api.Secret
	tasks   []*api.Task // job level only
}

func (p *parser) decodeShared(blocks []block) shared {
	var s shared
	for _, b := range blocks {
		switch b.kind {
		case "vault":
			s.vault = &api.Vault{}
			p.decode(b, reflect.ValueOf(s.vault).Elem())
		case "secret":
			secret := &api.Secret{}
			p.decode(b, reflect.ValueOf(secret).Elem())
			s.secrets = append(s.secrets, secret)
		case "task":
			task := &api.Task{}
			p.decode(b, reflect.ValueOf(task).Elem())
			s.tasks = append(s.tasks, task)
		}
	}
	return s
}

// decodeGroup reads a group. Its vault and secret blocks go to those of its tasks
// that have none. Nomad: mistakes in these two are not errors, and of several vault
// blocks the last counts.
func (p *parser) decodeGroup(b block, group *api.TaskGroup) {
	f := p.fieldsOf(reflect.TypeFor[api.TaskGroup]())
	c := p.read(b.body, f.schema.with([]string{"meta"}, map[string][]string{
		"vault": nil, "secret": {"name"},
	}), b.String())
	c = p.mapAttribute(c, "meta", &group.Meta)
	p.assign(c, f, reflect.ValueOf(group).Elem(), b.String())

	rest, _ := c.without("task") // these are in the group already
	before := len(p.diags)
	s := p.decodeShared(rest.blocks)
	for _, d := range p.diags[before:] {
		d.Severity = hcl.DiagWarning
		d.Detail = strings.TrimSpace(d.Detail + " Nomad passes over mistakes in the vault and secret blocks of a group.")
	}
	for _, task := range group.Tasks {
		if task.Vault == nil {
			task.Vault = s.vault
		}
		// Nomad 2.0 gives a task that has secrets of its own these twice, and not
		// the group's; that is not done here.
		task.Secrets = append(task.Secrets, s.secrets...)
	}
	p.checkGroupScaling(c, group.Scaling)
}

// checkGroupScaling fills the type of a group's scaling policy and requires its max.
func (p *parser) checkGroupScaling(c content, policy *api.ScalingPolicy) {
	if policy == nil {
		return
	}
	if policy.Type == "" {
		policy.Type = "horizontal"
	}
	for _, b := range c.blocks {
		if b.kind != "scaling" {
			continue
		}
		if policy.Type != "horizontal" {
			p.fail(b.defRange, fmt.Sprintf("scaling of a group cannot have type %q", policy.Type), `Leave type out; it is "horizontal".`)
		}
		if policy.Max == nil && !p.has(b.body, "max") {
			p.missingAttribute("max", "scaling", b.body.missing())
		}
		return
	}
}

// has reports whether a body sets an attribute, be it to null.
func (p *parser) has(b body, name string) bool {
	for _, attr := range p.attributes(b) {
		if attr.Name == name {
			return true
		}
	}
	return false
}

func (p *parser) decodeTask(b block, task *api.Task) {
	f := p.fieldsOf(reflect.TypeFor[api.Task]())
	c := p.read(b.body, f.schema.with([]string{"env", "meta"}, map[string][]string{
		"scaling": {"name"},
	}), b.String())
	c = p.mapAttribute(c, "env", &task.Env)
	c = p.mapAttribute(c, "meta", &task.Meta)
	c, policies := c.without("scaling")
	p.assign(c, f, reflect.ValueOf(task).Elem(), b.String())
	p.decodeTaskScaling(policies, task)
}

// decodeTaskScaling reads the scaling blocks of a task, which are labelled cpu or mem.
func (p *parser) decodeTaskScaling(blocks []block, task *api.Task) {
	types := map[string]string{"cpu": "vertical_cpu", "mem": "vertical_mem"}
	seen := map[string]bool{}
	for _, b := range blocks {
		label := strings.ToLower(b.labels[0])
		want, ok := types[label]
		if !ok {
			p.fail(b.labelRanges[0], fmt.Sprintf("scaling of a task cannot be called %q", b.labels[0]), `It is scaling "cpu" or scaling "mem".`)
			continue
		}
		if seen[label] {
			p.fail(b.defRange, fmt.Sprintf("only one scaling %q block is allowed in a task", label), "Keep one of them.")
			continue
		}
		seen[label] = true
		policy := &api.ScalingPolicy{}
		p.decode(b, reflect.ValueOf(policy).Elem())
		if policy.Type == "" {
			policy.Type = want
		}
		if policy.Type != want {
			p.fail(b.defRange, fmt.Sprintf("scaling %q cannot have type %q", label, policy.Type), fmt.Sprintf("Leave type out; it is %q.", want))
			continue
		}
		task.ScalingPolicies = append(task.ScalingPolicies, policy)
	}
}

// mapAttribute decodes a block of strings that is written as an attribute, such as
// env = {...}, which also allows keys that are no identifiers. It returns the content
// without that attribute.
func (p *parser) mapAttribute(c content, name string, target *map[string]string) content {
	attr := c.attrs[name]
	if attr == nil {
		return c
	}
	delete(c.attrs, name)
	rest, blocks := c.without(name)
	if len(blocks) > 0 {
		p.fail(blocks[0].defRange, fmt.Sprintf("%s is set as an attribute and as a block", name), "Keep one of the two.")
		return rest
	}
	m := map[string]string{}
	p.decodeExpression(attr, c.ctx, &m)
	*target = m
	return rest
}

// without splits off the blocks of one kind.
func (c content) without(kind string) (rest content, blocks []block) {
	rest = content{attrs: c.attrs, ctx: c.ctx}
	for _, b := range c.blocks {
		if b.kind == kind {
			blocks = append(blocks, b)
		} else {
			rest.blocks = append(rest.blocks, b)
		}
	}
	return rest, blocks
}
