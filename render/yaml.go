package render

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"go.yaml.in/yaml/v3"
)

// parseYAML reads the first document of a YAML file as Levant's YAML 1.1
// reader does: yes, no, on and off are booleans, dates are strings, and of
// two equal keys the later one wins.
func parseYAML(file string, src []byte) (map[string]any, hcl.Diagnostics) {
	var document yaml.Node
	if err := yaml.Unmarshal(src, &document); err != nil {
		return nil, yamlError(file, src, err)
	}
	if document.Kind == 0 || len(document.Content) == 0 {
		return nil, nil // empty, or nothing but comments
	}
	old(&document, true)
	var value any
	if err := document.Decode(&value); err != nil {
		return nil, yamlError(file, src, err)
	}
	switch value := plain(value).(type) {
	case nil:
		return nil, nil
	case map[string]any:
		return value, nil
	}
	top := document.Content[0]
	return nil, fail(pointAt(file, src, offsetAt(src, top.Line, top.Column)),
		"a variable file holds a map of names and values", "write `name: value` lines")
}

// old gives scalars the meaning they have in YAML 1.1, and drops the earlier
// of equal keys. top is set down to the map of the variables.
func old(n *yaml.Node, top bool) {
	switch n.Kind {
	case yaml.ScalarNode:
		if n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) == 0 {
			oldScalar(n)
		}
	case yaml.MappingNode:
		n.Content = lastOfEach(n.Content)
		for i := 0; i+1 < len(n.Content); i += 2 {
			oldKey(n.Content[i], top)
			old(n.Content[i+1], false)
		}
	default:
		for _, child := range n.Content {
			old(child, top && n.Kind == yaml.DocumentNode)
		}
	}
}

// oldKey makes a key the text that was written, so that a template finds
// "yes" and "2001-01-01". Only integers within nested maps stay what they are.
func oldKey(n *yaml.Node, top bool) {
	tag := n.ShortTag()
	if n.Kind == yaml.ScalarNode && tag != "!!merge" && (top || tag != "!!int") {
		n.Tag = "!!str"
	}
}

func oldScalar(n *yaml.Node) {
	switch n.ShortTag() {
	case "!!str":
		switch n.Value {
		case "y", "Y", "yes", "Yes", "YES", "on", "On", "ON":
			n.Tag, n.Value = "!!bool", "true"
		case "n", "N", "no", "No", "NO", "off", "Off", "OFF":
			n.Tag, n.Value = "!!bool", "false"
		}
	case "!!timestamp":
		n.Tag = "!!str"
	case "!!float":
		// Whole numbers too large for 64 bits would lose their digits.
		if strings.Trim(n.Value, "+-0123456789") == "" {
			n.Tag = "!!str"
		}
	}
}

func lastOfEach(content []*yaml.Node) []*yaml.Node {
	last := map[string]int{}
	for i := 0; i+1 < len(content); i += 2 {
		if content[i].Kind == yaml.ScalarNode {
			last[content[i].Value] = i
		}
	}
	if 2*len(last) == len(content) {
		return content
	}
	var kept []*yaml.Node
	for i := 0; i+1 < len(content); i += 2 {
		if j, known := last[content[i].Value]; content[i].Kind != yaml.ScalarNode || known && j == i {
			kept = append(kept, content[i], content[i+1])
		}
	}
	return kept
}

// plain converts what the YAML library makes to the types of Variables.
func plain(value any) any {
	switch value := value.(type) {
	case map[string]any:
		for k, v := range value {
			value[k] = plain(v)
		}
	case map[any]any:
		return plainMap(value)
	case []any:
		for i, v := range value {
			value[i] = plain(v)
		}
	case int64:
		if value >= math.MinInt && value <= math.MaxInt {
			return int(value)
		}
	}
	return value
}

func plainMap(m map[any]any) any {
	ints, strs := map[int]any{}, map[string]any{}
	for k, v := range m {
		v = plain(v)
		if i, ok := k.(int); ok {
			ints[i] = v
		}
		strs[fmt.Sprint(k)] = v
	}
	if len(ints) == len(m) {
		return ints
	}
	return strs
}

// yamlError gives the library's error ("yaml: line 3: ...") a place.
func yamlError(file string, src []byte, err error) hcl.Diagnostics {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	if typeErr, ok := errors.AsType[*yaml.TypeError](err); ok {
		text = strings.Join(typeErr.Errors, "; ")
	}
	line := 1
	if m := regexp.MustCompile(`^line (\d+): `).FindStringSubmatch(text); m != nil {
		line, _ = strconv.Atoi(m[1])
		text = strings.TrimPrefix(text, m[0])
	}
	return fail(pointAt(file, src, offsetAt(src, line, 1)), "not valid YAML: "+text, "")
}
