package runner

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"

	"ostro/orchestrator/driver"
)

// driverConfig is a task's config block with its templates evaluated. Everywhere else in a job a reference that means
// nothing stays as it is; here, where whole expressions are allowed, it is an error (Nomad).
func (e taskEnv) driverConfig(config map[string]any) (map[string]any, error) {
	c := configReader{env: e}
	values := c.each(config)
	if len(c.problems) > 0 {
		return nil, c.problems
	}
	return values, nil
}

// A configReader evaluates the strings of a config block.
type configReader struct {
	env      taskEnv
	eval     *hcl.EvalContext // made for the first template: most blocks have none
	problems driver.InvalidConfig
}

func (c *configReader) each(config map[string]any) map[string]any {
	all := make(map[string]any, len(config))
	for _, key := range slices.Sorted(maps.Keys(config)) {
		all[c.text(key)] = c.value(config[key])
	}
	return all
}

func (c *configReader) value(value any) any {
	switch v := value.(type) {
	case string:
		return c.text(v)
	case []string:
		return c.list(len(v), func(i int) any { return v[i] })
	case []any:
		return c.list(len(v), func(i int) any { return v[i] })
	case []map[string]any:
		return c.list(len(v), func(i int) any { return v[i] })
	case map[string]any:
		return c.each(v)
	}
	return value
}

func (c *configReader) list(length int, at func(int) any) []any {
	all := make([]any, length)
	for i := range all {
		all[i] = c.value(at(i))
	}
	return all
}

func (c *configReader) text(s string) string {
	if !strings.ContainsAny(s, "$%") {
		return s
	}
	if c.eval == nil {
		c.eval = &hcl.EvalContext{Variables: c.env.variables(), Functions: configFunctions()}
	}
	expr, diags := hclsyntax.ParseTemplate([]byte(s), "config", hcl.InitialPos)
	if !diags.HasErrors() {
		var value cty.Value
		if value, diags = expr.Value(c.eval); !diags.HasErrors() {
			text, err := convert.Convert(value, cty.String)
			if err == nil && !text.IsNull() {
				return text.AsString()
			}
			c.problems = append(c.problems, fmt.Sprintf("Inappropriate value: %s is no text", s))
			return ""
		}
	}
	for _, d := range diags {
		c.problems = append(c.problems, d.Summary+": "+d.Detail)
	}
	return ""
}

// configFunctions are those that a config block may call (Nomad).
func configFunctions() map[string]function.Function {
	return map[string]function.Function{
		"abs": stdlib.AbsoluteFunc, "coalesce": stdlib.CoalesceFunc, "concat": stdlib.ConcatFunc, "hasindex": stdlib.HasIndexFunc,
		"int": stdlib.IntFunc, "jsondecode": stdlib.JSONDecodeFunc, "jsonencode": stdlib.JSONEncodeFunc, "length": stdlib.LengthFunc,
		"lower": stdlib.LowerFunc, "max": stdlib.MaxFunc, "min": stdlib.MinFunc, "reverse": stdlib.ReverseFunc,
		"strlen": stdlib.StrlenFunc, "substr": stdlib.SubstrFunc, "upper": stdlib.UpperFunc,
	}
}

// variables are what an expression may refer to: the environment by its names and as `env["NAME"]`, and the node's
// attributes and meta, also below `node`.
func (e taskEnv) variables() map[string]cty.Value {
	root, env := variableTree{}, map[string]cty.Value{}
	for key, value := range e.env {
		env[key] = cty.StringVal(value)
		root.add(key, value)
	}
	for key, value := range e.attrs() {
		root.add(key, value)
		if !strings.HasPrefix(key, "node.") {
			root.add("node."+key, value)
		}
	}
	all := root.values()
	all["env"] = cty.MapVal(env)
	return all
}

// A variableTree has the parts of dotted names as its levels. Its leaves are strings.
type variableTree map[string]any

// add puts a value into the tree. Of a name that is also the beginning of others, these win (Nomad).
func (t variableTree) add(name, value string) {
	first, rest, nested := strings.Cut(name, ".")
	below, isTree := t[first].(variableTree)
	switch {
	case !nested && !isTree:
		t[first] = value
	case nested:
		if !isTree {
			below = variableTree{}
			t[first] = below
		}
		below.add(rest, value)
	}
}

func (t variableTree) values() map[string]cty.Value {
	all := make(map[string]cty.Value, len(t))
	for name, value := range t {
		switch v := value.(type) {
		case string:
			all[name] = cty.StringVal(v)
		case variableTree:
			all[name] = cty.ObjectVal(v.values())
		}
	}
	return all
}
