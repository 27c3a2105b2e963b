package jobspec

import (
	"strconv"

	"github.com/hashicorp/nomad/api"
)

// comparisons are the attributes of a constraint or affinity that set its operator
// and its value in one. Nomad: where a block has several, the last of this list wins.
var (
	constraintComparisons = []string{
		api.ConstraintVersion, api.ConstraintSemver, api.ConstraintRegex, api.ConstraintSetContains,
	}
	affinityComparisons = []string{
		api.ConstraintVersion, api.ConstraintSemver, api.ConstraintRegex,
		api.ConstraintSetContainsAny, api.ConstraintSetContainsAll, api.ConstraintSetContains,
	}
)

// targets are the attributes that constraint and affinity have in common.
var targets = map[string]bool{"attribute": false, "value": false, "operator": false}

func comparisonSchema(names ...[]string) schema {
	s := schema{attrs: map[string]bool{}}
	for name := range targets {
		s.attrs[name] = false
	}
	for _, list := range names {
		for _, name := range list {
			s.attrs[name] = false
		}
	}
	return s
}

// decodeConstraint reads a constraint. Nomad: it accepts set_contains_all,
// set_contains_any, is_set and is_not_set as attributes and ignores them; they work
// through `operator` only.
func (p *parser) decodeConstraint(b block, target *api.Constraint) {
	ignored := []string{
		api.ConstraintSetContainsAll, api.ConstraintSetContainsAny,
		api.ConstraintAttributeIsSet, api.ConstraintAttributeIsNotSet,
	}
	extra := []string{api.ConstraintDistinctHosts, api.ConstraintDistinctProperty}
	c := p.read(b.body, comparisonSchema(constraintComparisons, ignored, extra), b.String())
	for _, name := range ignored {
		p.stringOf(c, name)
	}
	target.LTarget, target.RTarget, target.Operand = p.stringOf(c, "attribute"), p.stringOf(c, "value"), p.stringOf(c, "operator")
	for _, name := range constraintComparisons {
		if s := p.stringOf(c, name); s != "" {
			target.Operand, target.RTarget = name, s
		}
	}
	if attr := c.attrs[api.ConstraintDistinctHosts]; attr != nil {
		var distinct *bool
		p.decodeExpression(attr, c.ctx, &distinct)
		if distinct != nil {
			target.Operand, target.RTarget = api.ConstraintDistinctHosts, strconv.FormatBool(*distinct)
		}
	}
	if s := p.stringOf(c, api.ConstraintDistinctProperty); s != "" {
		target.Operand, target.LTarget = api.ConstraintDistinctProperty, s
	}
	if target.Operand == "" {
		target.Operand = "="
	}
}

func (p *parser) decodeAffinity(b block, target *api.Affinity) {
	c := p.read(b.body, comparisonSchema(affinityComparisons, []string{"weight"}), b.String())
	target.LTarget, target.RTarget, target.Operand = p.stringOf(c, "attribute"), p.stringOf(c, "value"), p.stringOf(c, "operator")
	if attr := c.attrs["weight"]; attr != nil {
		var weight *float64
		p.decodeExpression(attr, c.ctx, &weight)
		if weight != nil {
			target.Weight = new(int8(int64(*weight))) // Nomad: a weight beyond int8 wraps around
		}
	}
	for _, name := range affinityComparisons {
		if s := p.stringOf(c, name); s != "" {
			target.Operand, target.RTarget = name, s
		}
	}
	if target.Operand == "" {
		target.Operand = "="
	}
}

// stringOf is the value of an attribute as a string, empty where it is absent or null.
func (p *parser) stringOf(c content, name string) string {
	attr := c.attrs[name]
	if attr == nil {
		return ""
	}
	var s *string
	p.decodeExpression(attr, c.ctx, &s)
	if s == nil {
		return ""
	}
	return *s
}
