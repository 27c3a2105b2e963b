package reconcile

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"

	goversion "github.com/hashicorp/go-version"
	"github.com/hashicorp/nomad/api"
)

// holds tells whether a node meets a constraint or an affinity on its
// properties. Constraints on other allocations are met here and asked by
// [placer.distinct]. A property that the node lacks is like an empty one to "!=".
// (Nomad: F2.)
func holds(operand, leftTarget, rightTarget string, node *api.Node) bool {
	if operand == api.ConstraintDistinctHosts || operand == api.ConstraintDistinctProperty {
		return true
	}
	left, leftOK := resolve(leftTarget, node)
	right, rightOK := resolve(rightTarget, node)
	switch operand {
	case api.ConstraintAttributeIsSet:
		return leftOK
	case api.ConstraintAttributeIsNotSet:
		return !leftOK
	case "!=", "not":
		return left != right
	}
	return leftOK && rightOK && compare(operand, left, right)
}

func compare(operand, left, right string) bool {
	switch operand {
	case "=", "==", "is", "":
		return left == right
	case "<", "<=", ">", ">=":
		return inOrder(operand, order(left, right))
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

// order compares as whole numbers where both are, else as numbers, else as
// text. (Nomad.)
func order(left, right string) int {
	if x, y, ok := both(left, right, func(s string) (int64, error) { return strconv.ParseInt(s, 10, 64) }); ok {
		return cmp.Compare(x, y)
	}
	if x, y, ok := both(left, right, func(s string) (float64, error) { return strconv.ParseFloat(s, 64) }); ok {
		return cmp.Compare(x, y)
	}
	return strings.Compare(left, right)
}

func both[T any](left, right string, parse func(string) (T, error)) (x, y T, ok bool) {
	x, err := parse(left)
	y, err2 := parse(right)
	return x, y, err == nil && err2 == nil
}

func versionHolds(version, constraint string) bool {
	v, err := goversion.NewVersion(version)
	if err != nil {
		return false
	}
	want, err := goversion.NewConstraint(constraint)
	return err == nil && want.Check(v)
}

// semverHolds knows comparisons of proper semantic versions, in their order:
// a pre-release comes before its release. (Nomad: no wildcards, no "~>".)
func semverHolds(text, constraint string) bool {
	v, err := goversion.NewVersion(text)
	if err != nil {
		return false
	}
	for part := range strings.SplitSeq(constraint, ",") {
		part = strings.TrimSpace(part)
		bare := strings.TrimLeft(part, "!<>=")
		want, err := goversion.NewSemver(strings.TrimSpace(bare))
		if err != nil || !inOrder(strings.TrimSuffix(part, bare), v.Compare(want)) {
			return false
		}
	}
	return true
}

// inOrder tells whether the outcome of a comparison is what an operator wants.
func inOrder(operator string, outcome int) bool {
	switch operator {
	case "", "=":
		return outcome == 0
	case "!=":
		return outcome != 0
	case "<":
		return outcome < 0
	case "<=":
		return outcome <= 0
	case ">":
		return outcome > 0
	case ">=":
		return outcome >= 0
	}
	return false
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
	if !ok {
		return target, true
	}
	name = strings.TrimSuffix(name, "}")
	switch name {
	case "node.unique.id":
		return node.ID, true
	case "node.unique.name":
		return node.Name, true
	case "node.datacenter":
		return node.Datacenter, true
	case "node.class":
		return node.NodeClass, true
	case "node.pool":
		return node.NodePool, true
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
