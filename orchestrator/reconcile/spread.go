package reconcile

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/hashicorp/nomad/api"
)

// byProperty counts the job's allocations by the value that a property has on
// their nodes; group "" means those of all groups.
func (p *placer) byProperty(target, group string) map[string]int {
	counts := map[string]int{}
	for id, groups := range p.own {
		node := p.byID[id]
		if node == nil {
			continue
		}
		value, ok := resolve(target, node)
		if !ok {
			continue
		}
		for name, n := range groups {
			if n > 0 && (group == "" || name == group) {
				counts[value] += n
			}
		}
	}
	return counts
}

// distinct gives the function that names why other allocations keep a group
// off a node: distinct_hosts and distinct_property, of the job and of the
// group. (Nomad: F3, F4.)
func (p *placer) distinct(r request) func(*api.Node) string {
	hosts := distinctHosts(r.job.Constraints)
	groupHosts := distinctHosts(r.group.Constraints)
	var properties []func(*api.Node) string
	for _, c := range r.job.Constraints {
		if c.Operand == api.ConstraintDistinctProperty {
			properties = append(properties, p.distinctProperty(c, ""))
		}
	}
	for _, c := range r.group.Constraints {
		if c.Operand == api.ConstraintDistinctProperty {
			properties = append(properties, p.distinctProperty(c, *r.group.Name))
		}
	}
	return func(node *api.Node) string {
		for name, n := range p.own[node.ID] {
			if n > 0 && !everywhere(r.job) && (hosts || groupHosts && name == *r.group.Name) {
				return api.ConstraintDistinctHosts
			}
		}
		for _, why := range properties {
			if text := why(node); text != "" {
				return text
			}
		}
		return ""
	}
}

// distinctHosts tells whether a list asks for nodes of one's own; a value that
// is no truth value counts as one.
func distinctHosts(constraints []*api.Constraint) bool {
	i := slices.IndexFunc(constraints, func(c *api.Constraint) bool { return c.Operand == api.ConstraintDistinctHosts })
	if i < 0 {
		return false
	}
	wanted, err := strconv.ParseBool(constraints[i].RTarget)
	return err != nil || wanted
}

func (p *placer) distinctProperty(c *api.Constraint, group string) func(*api.Node) string {
	allowed := 1
	if c.RTarget != "" {
		n, err := strconv.Atoi(c.RTarget)
		if err != nil {
			return func(*api.Node) string { return fmt.Sprintf("distinct_property: %q is no number", c.RTarget) }
		}
		allowed = n
	}
	counts := p.byProperty(c.LTarget, group)
	return func(node *api.Node) string {
		value, ok := resolve(c.LTarget, node)
		if !ok {
			return fmt.Sprintf("missing property %q", c.LTarget)
		}
		if used := counts[value]; used >= allowed {
			return fmt.Sprintf("distinct_property: %s=%s used by %d allocs", c.LTarget, value, used)
		}
		return ""
	}
}

// spreads gives the function that rates a node by how it evens out the group's
// allocations over the values of properties. (Nomad: F9.)
func (p *placer) spreads(r request) func(*api.Node) float64 {
	all := slices.Concat(r.job.Spreads, r.group.Spreads)
	weights := 0.0
	for _, s := range all {
		weights += float64(*s.Weight)
	}
	var boosts []func(*api.Node) float64
	for _, s := range all {
		counts := p.byProperty(s.Attribute, *r.group.Name)
		if len(s.SpreadTarget) == 0 {
			boosts = append(boosts, func(node *api.Node) float64 { return evenBoost(s.Attribute, counts, node) })
			continue
		}
		share := float64(*s.Weight) / max(weights, 1)
		wanted, rest := spreadTargets(s, *r.group.Count)
		boosts = append(boosts, func(node *api.Node) float64 { return targetBoost(s.Attribute, counts, wanted, rest, share, node) })
	}
	return func(node *api.Node) (sum float64) {
		for _, boost := range boosts {
			sum += boost(node)
		}
		return sum
	}
}

// spreadTargets is how many allocations each value is to have, and how many all
// other values are to have together.
func spreadTargets(s *api.Spread, count int) (wanted map[string]float64, rest float64) {
	wanted, rest = map[string]float64{}, float64(count)
	for _, target := range s.SpreadTarget {
		n := float64(target.Percent) / 100 * float64(count)
		wanted[target.Value] = n
		rest -= n
	}
	return wanted, max(rest, 0)
}

// targetBoost is how far a value is from its target, share for an untouched one. One
// that is not wanted at all, or that the node lacks, is -1 whatever the share is.
// (Nomad.)
func targetBoost(attribute string, counts map[string]int, wanted map[string]float64, rest, share float64, node *api.Node) float64 {
	value, ok := resolve(attribute, node)
	if !ok {
		return -1
	}
	want, named := wanted[value]
	used := counts[value]
	if !named {
		want, used = rest, 0
		for other, n := range counts {
			if _, named := wanted[other]; !named {
				used += n
			}
		}
	}
	if want == 0 {
		return -1
	}
	return (want - float64(used+1)) / want * share
}

// evenBoost prefers the values with the fewest allocations.
func evenBoost(attribute string, counts map[string]int, node *api.Node) float64 {
	value, ok := resolve(attribute, node)
	switch {
	case !ok:
		return -1
	case len(counts) == 0:
		return 0
	}
	least, most := 0, 0
	for _, n := range counts {
		if least == 0 || n < least {
			least = n
		}
		most = max(most, n)
	}
	have := counts[value]
	switch {
	case have != least:
		return float64(least-have) / float64(least)
	case least == most:
		return -1
	}
	return float64(most-least) / float64(least)
}
