package reconcile

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"
	goversion "github.com/hashicorp/go-version"
	"github.com/hashicorp/nomad/api"
)

// Ready tells whether a node takes new allocations.
func Ready(node *api.Node) bool {
	return node.Status == api.NodeStatusReady && node.SchedulingEligibility != api.NodeSchedulingIneligible && !node.Drain
}

// inDatacenters knows wildcards. (Nomad: datacenters are patterns, default "*".)
func inDatacenters(job *api.Job, node *api.Node) bool {
	return slices.ContainsFunc(job.Datacenters, func(pattern string) bool {
		match, err := path.Match(pattern, node.Datacenter)
		return err == nil && match
	})
}

func inNodePool(job *api.Job, node *api.Node) bool {
	pool := *job.NodePool
	return pool == api.NodePoolAll || pool == node.NodePool
}

// infeasible gives the first reason why a group cannot run on a node whatever
// is free there, in Nomad's words, or "".
func infeasible(job *api.Job, group *api.TaskGroup, node *api.Node) string {
	constraints := slices.Concat(job.Constraints, group.Constraints)
	for _, task := range group.Tasks {
		if driver := node.Drivers[task.Driver]; driver == nil || !driver.Detected || !driver.Healthy {
			return "missing drivers"
		}
		constraints = append(constraints, task.Constraints...)
	}
	for _, c := range constraints {
		if !holds(c, node) {
			return fmt.Sprintf("%s %s %s", c.LTarget, c.Operand, c.RTarget)
		}
	}
	return ""
}

// holds tells whether a node meets a constraint on its properties. Those on
// other allocations are met here and asked by [placer.distinct].
func holds(c *api.Constraint, node *api.Node) bool {
	if c.Operand == api.ConstraintDistinctHosts || c.Operand == api.ConstraintDistinctProperty {
		return true
	}
	left, leftOK := resolve(c.LTarget, node)
	right, rightOK := resolve(c.RTarget, node)
	switch c.Operand {
	case api.ConstraintAttributeIsSet:
		return leftOK
	case api.ConstraintAttributeIsNotSet:
		return !leftOK
	case "!=", "not":
		return left != right
	}
	return leftOK && rightOK && compare(c.Operand, left, right)
}

func compare(operand, left, right string) bool {
	switch operand {
	case "=", "==", "is", "":
		return left == right
	case "<":
		return order(left, right) < 0
	case "<=":
		return order(left, right) <= 0
	case ">":
		return order(left, right) > 0
	case ">=":
		return order(left, right) >= 0
	case api.ConstraintVersion:
		return versionHolds(left, right)
	case api.ConstraintSemver:
		return semverHolds(left, right)
	case api.ConstraintRegex:
		re, err := regexp.Compile(right)
		return err == nil && re.MatchString(left)
	case api.ConstraintSetContains, api.ConstraintSetContainsAll:
		return !slices.ContainsFunc(set(right), func(v string) bool { return !slices.Contains(set(left), v) })
	case api.ConstraintSetContainsAny:
		return slices.ContainsFunc(set(right), func(v string) bool { return slices.Contains(set(left), v) })
	}
	return false
}

// order compares as numbers where both are, else as text.
func order(left, right string) int {
	var x, y float64
	if _, err := fmt.Sscanf(left, "%g", &x); err == nil {
		if _, err := fmt.Sscanf(right, "%g", &y); err == nil {
			switch {
			case x < y:
				return -1
			case x > y:
				return 1
			}
			return 0
		}
	}
	return strings.Compare(left, right)
}

func versionHolds(version, constraint string) bool {
	v, err := goversion.NewVersion(version)
	if err != nil {
		return false
	}
	want, err := goversion.NewConstraint(constraint)
	return err == nil && want.Check(v)
}

func semverHolds(version, constraint string) bool {
	v, err := semver.NewVersion(version)
	if err != nil {
		return false
	}
	want, err := semver.NewConstraint(constraint)
	return err == nil && want.Check(v)
}

func set(text string) []string {
	parts := strings.Split(text, ",")
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	return parts
}

// resolve reads `${attr.x}`, `${meta.x}` and `${node.x}` off a node; other text
// stands for itself.
func resolve(target string, node *api.Node) (string, bool) {
	name, ok := strings.CutPrefix(target, "${")
	if !ok || !strings.HasSuffix(name, "}") {
		return target, true
	}
	name = strings.TrimSuffix(name, "}")
	fixed := map[string]string{
		"node.unique.id": node.ID, "node.unique.name": node.Name, "node.datacenter": node.Datacenter,
		"node.class": node.NodeClass, "node.pool": node.NodePool, "node.region": "global",
	}
	if value, ok := fixed[name]; ok {
		return value, true
	}
	if attr, ok := strings.CutPrefix(name, "attr."); ok {
		value, ok := node.Attributes[attr]
		return value, ok
	}
	if meta, ok := strings.CutPrefix(name, "meta."); ok {
		value, ok := node.Meta[meta]
		return value, ok
	}
	return "", false
}

// distinct gives the reason why other allocations keep a group off a node:
// distinct_hosts and distinct_property, of the job and of the group.
func (p *placer) distinct(r request, node *api.Node) string {
	for _, c := range r.job.Constraints {
		if why := p.collides(c, r, node, ""); why != "" {
			return why
		}
	}
	for _, c := range r.group.Constraints {
		if why := p.collides(c, r, node, *r.group.Name); why != "" {
			return why
		}
	}
	return ""
}

func (p *placer) collides(c *api.Constraint, r request, node *api.Node, group string) string {
	ours := func(u *usage) (n int) {
		for _, a := range u.allocs {
			if a.JobID == *r.job.ID && a.Namespace == *r.job.Namespace && (group == "" || a.TaskGroup == group) {
				n++
			}
		}
		return n
	}
	switch c.Operand {
	case api.ConstraintDistinctHosts:
		if c.RTarget != "false" && ours(p.on(node)) > 0 {
			return api.ConstraintDistinctHosts
		}
	case api.ConstraintDistinctProperty:
		return p.propertyTaken(c, node, ours)
	}
	return ""
}

func (p *placer) propertyTaken(c *api.Constraint, node *api.Node, ours func(*usage) int) string {
	value, ok := resolve(c.LTarget, node)
	if !ok {
		return fmt.Sprintf("missing property %q", c.LTarget)
	}
	allowed := 1
	if c.RTarget != "" {
		if _, err := fmt.Sscanf(c.RTarget, "%d", &allowed); err != nil {
			return fmt.Sprintf("distinct_property: %q is no number", c.RTarget)
		}
	}
	used := 0
	for _, other := range p.in.Nodes {
		if v, ok := resolve(c.LTarget, other); ok && v == value {
			used += ours(p.on(other))
		}
	}
	if used >= allowed {
		return fmt.Sprintf("distinct_property: %s=%s used by %d allocs", c.LTarget, value, used)
	}
	return ""
}
