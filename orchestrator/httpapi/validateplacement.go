package httpapi

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/hashicorp/go-version"
	"github.com/hashicorp/nomad/api"
)

// comparisons are the operators that need something to compare with.
var comparisons = []string{"=", "==", "is", "!=", "not", "<", "<=", ">", ">="}

func validateConstraints(p *problems, constraints []*api.Constraint) {
	for i, c := range constraints {
		p.within(validateConstraint(c), "Constraint %d validation failed", i+1)
	}
}

func validateConstraint(c *api.Constraint) error {
	p := &problems{}
	p.refuse(c.Operand == "", "Missing constraint operand")
	switch c.Operand {
	case api.ConstraintDistinctHosts:
		return nil
	case api.ConstraintSetContains, api.ConstraintSetContainsAll, api.ConstraintSetContainsAny:
		p.refuse(c.RTarget == "", "Set contains constraint requires an RTarget")
	case api.ConstraintRegex, api.ConstraintVersion, api.ConstraintSemver:
		p.all(validatePattern(c.Operand, c.RTarget, "constraint"))
	case api.ConstraintDistinctProperty:
		if c.RTarget != "" {
			count, err := strconv.ParseUint(c.RTarget, 10, 64)
			p.refuse(err != nil, "Failed to convert RTarget %q to uint64: %v", c.RTarget, err)
			p.refuse(err == nil && count < 1, "Distinct Property must have an allowed count of 1 or greater: %d < 1", count)
		}
	case "is_set", "is_not_set":
		p.refuse(c.RTarget != "", "Operator %q does not support an RTarget", c.Operand)
	default:
		known := slices.Contains(comparisons, c.Operand)
		p.refuse(known && c.RTarget == "", "Operator %q requires an RTarget", c.Operand)
		p.refuse(!known, "Unknown constraint type %q", c.Operand)
	}
	p.refuse(c.LTarget == "", "no attribute provided but is required by operator")
	p.all(validateAttribute(c.LTarget))
	return p.err()
}

// validateAttribute checks that a constraint asks for what a node may have. What is no variable is taken as it stands.
func validateAttribute(target string) error {
	name, variable := strings.CutPrefix(target, "${")
	name, closed := strings.CutSuffix(name, "}")
	group, _, grouped := strings.Cut(name, ".")
	switch {
	case !strings.HasPrefix(target, "$"):
		return nil
	case !variable:
		return textErrorf("attribute %q is missing an opening brace", target)
	case !closed:
		return textErrorf("attribute %q is missing a closing brace", target)
	case slices.Contains(nodeProperties, name), grouped && slices.Contains([]string{"attr", "device", "meta"}, group):
		return nil
	}
	return textErrorf("unsupported attribute %q", target)
}

// nodeProperties are those that a node has beside its attributes and its meta.
var nodeProperties = []string{"node.unique.id", "node.datacenter", "node.unique.name", "node.class", "node.pool"}

// validatePattern checks what an operator compares with that reads it as a
// language of its own.
func validatePattern(operand, pattern, kind string) error {
	switch operand {
	case api.ConstraintRegex:
		if _, err := regexp.Compile(pattern); err != nil {
			return textErrorf("Regular expression failed to compile: %v", err)
		}
	case api.ConstraintVersion:
		if _, err := version.NewConstraint(pattern); err != nil {
			return textErrorf("Version %s is invalid: %v", kind, err)
		}
	case api.ConstraintSemver:
		for part := range strings.SplitSeq(pattern, ",") {
			if !semverConstraint().MatchString(part) {
				return textErrorf("Semver %s is invalid: Malformed constraint: %s", kind, part)
			}
		}
	}
	return nil
}

// semverConstraint is the form of one constraint on a semantic version. (Nomad.)
var semverConstraint = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^\s*(=|!=|>|<|>=|<=)?\s*(` + version.SemverRegexpRaw + `)\s*$`)
})

func validateAffinities(p *problems, jobType string, affinities []*api.Affinity) {
	if jobType == api.JobTypeSystem {
		p.refuse(affinities != nil, "System jobs may not have an affinity block")
		return
	}
	for i, a := range affinities {
		p.within(validateAffinity(a), "Affinity %d validation failed", i+1)
	}
}

func validateAffinity(a *api.Affinity) error {
	p := &problems{}
	switch a.Operand {
	case api.ConstraintSetContains, api.ConstraintSetContainsAll, api.ConstraintSetContainsAny:
		p.refuse(a.RTarget == "", "Set contains operators require an RTarget")
	case api.ConstraintRegex, api.ConstraintVersion, api.ConstraintSemver:
		p.all(validatePattern(a.Operand, a.RTarget, "affinity"))
	default:
		known := slices.Contains(comparisons, a.Operand)
		p.refuse(a.Operand == "", "Missing affinity operand")
		p.refuse(known && a.RTarget == "", "Operator %q requires an RTarget", a.Operand)
		p.refuse(!known, "Unknown affinity operator %q", a.Operand)
	}
	p.refuse(a.LTarget == "", "No LTarget provided but is required")
	p.refuse(a.Weight == nil || *a.Weight == 0, "Affinity weight cannot be zero")
	p.refuse(a.Weight != nil && (*a.Weight > 100 || *a.Weight < -100), "Affinity weight must be within the range [-100,100]")
	return p.err()
}

func validateSpreads(p *problems, jobType string, spreads []*api.Spread) {
	if jobType == api.JobTypeSystem {
		p.refuse(spreads != nil, "System jobs may not have a spread block")
		return
	}
	for i, s := range spreads {
		p.within(validateSpread(s), "Spread %d validation failed", i+1)
	}
}

func validateSpread(s *api.Spread) error {
	p := &problems{}
	p.refuse(s.Attribute == "", "Missing spread attribute")
	p.refuse(s.Weight == nil || *s.Weight <= 0 || *s.Weight > 100, "Spread block must have a positive weight from 0 to 100")
	seen, sum := map[string]bool{}, 0
	for _, target := range s.SpreadTarget {
		p.refuse(seen[target.Value], "Spread target value %q already defined", target.Value)
		p.refuse(target.Percent > 100, "Spread target percentage for value %q must be between 0 and 100", target.Value)
		seen[target.Value] = true
		sum += int(target.Percent)
	}
	if sum > 100 {
		p.all(textErrorf("Sum of spread target percentages must not be greater than 100%%; got %d%%", sum))
	}
	return p.err()
}
