package config

import (
	"fmt"
	"math/big"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

// scope is what expressions can refer to. While it is not final, what only an
// environment or a commit can tell is an unknown value instead of an error.
type scope struct {
	getenv   func(string) string
	commit   string
	buildDir string
	artifact bool // build_dir is known as a name
	final    bool
	// commitLater: what names the commit, while that is not known, is put off.
	commitLater bool
	// given are the dotted names of settings that a flag replaces.
	given []string
}

// maxDigits is the size in bits beyond which a number is refused.
const maxDigits = 4096

const theCommit = "the commit"

// missing marks an unknown value with what would make it known.
type missing struct{ what string }

func (s *scope) context() *hcl.EvalContext {
	variables := map[string]cty.Value{"commit": orMissing(s.commit, theCommit)}
	if s.artifact {
		variables["build_dir"] = orMissing(s.buildDir, "build_dir")
	}
	return &hcl.EvalContext{Variables: variables, Functions: s.functions()}
}

func orMissing(value, what string) cty.Value {
	if value == "" {
		return cty.UnknownVal(cty.String).Mark(missing{what})
	}
	return cty.StringVal(value)
}

func (s *scope) functions() map[string]function.Function {
	return map[string]function.Function{
		"env":        s.env(),
		"format":     stdlib.FormatFunc,
		"join":       stdlib.JoinFunc,
		"lower":      stdlib.LowerFunc,
		"replace":    stdlib.ReplaceFunc,
		"split":      stdlib.SplitFunc,
		"substr":     stdlib.SubstrFunc,
		"trimprefix": stdlib.TrimPrefixFunc,
		"trimspace":  stdlib.TrimSpaceFunc,
		"upper":      stdlib.UpperFunc,
	}
}

// env is env(NAME) and env(NAME, DEFAULT). An empty variable counts as unset, as
// pipelines pass those that they do not have.
func (s *scope) env() function.Function {
	return function.New(&function.Spec{
		Params:   []function.Parameter{{Name: "name", Type: cty.String}},
		VarParam: &function.Parameter{Name: "default", Type: cty.String},
		Type:     function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			if len(args) > 2 {
				return cty.NilVal, function.NewArgErrorf(2, "env takes a name and a default")
			}
			name := args[0].AsString()
			if v := s.getenv(name); v != "" {
				return cty.StringVal(v), nil
			}
			if len(args) == 2 {
				return args[1], nil
			}
			return orMissing("", "environment variable "+name), nil
		},
	})
}

// value evaluates e as a value of type want; want may be the dynamic type. It
// is false after an error, and where the value is not known yet.
func (d *decoder) value(e hclsyntax.Expression, want cty.Type) (cty.Value, bool) {
	ctx := d.scope.context()
	if !d.namesKnown(e, ctx) || !d.numbersSmall(e) {
		return cty.NilVal, false
	}
	v, diags := e.Value(ctx)
	if diags.HasErrors() {
		d.diags = append(d.diags, diags...)
		return cty.NilVal, false
	}
	v, marks := v.UnmarkDeep()
	if d.scope.final && len(marks) > 0 {
		for m := range marks {
			d.missing(e, m.(missing).what)
		}
		return cty.NilVal, false
	}
	v, err := convert.Convert(v, want)
	if err != nil {
		d.errorf(e.Range(), "", "want %s: %s", friendly(want), err)
		return cty.NilVal, false
	}
	if d.scope.final && !v.IsWhollyKnown() {
		d.errorf(e.Range(), "", "this value cannot be known before the deployment")
	}
	return v, v.IsWhollyKnown()
}

func friendly(t cty.Type) string {
	switch {
	case t == cty.String:
		return "a string"
	case t == cty.Bool:
		return "true or false"
	case t == cty.Number:
		return "a number"
	}
	return "a list of strings"
}

// namesKnown reports each name and function in e that the scope does not have.
func (d *decoder) namesKnown(e hclsyntax.Expression, ctx *hcl.EvalContext) bool {
	ok := true
	for _, t := range e.Variables() {
		if _, known := ctx.Variables[t.RootName()]; known {
			continue
		}
		ok = false
		hint := fmt.Sprintf("a text needs quotes: %q", t.RootName())
		if t.RootName() == "build_dir" {
			hint = "build_dir exists in build, files and env of an artifact only"
		} else if s := suggest(t.RootName(), []string{"build_dir", "commit"}); s[:3] == "did" {
			hint = s
		}
		d.errorf(t.SourceRange(), hint, "there is no value named %q", t.RootName())
	}
	for _, call := range calls(e) {
		if _, known := ctx.Functions[call.Name]; known {
			continue
		}
		ok = false
		var known []string
		for name := range ctx.Functions {
			known = append(known, name)
		}
		slices.Sort(known)
		d.errorf(call.NameRange, suggest(call.Name, known), "there is no function %q", call.Name)
	}
	return ok
}

// numbersSmall refuses numbers such as 1e999999999 and 1e-999999999, which would take forever to
// write out.
func (d *decoder) numbersSmall(e hclsyntax.Expression) bool {
	ok := true
	hclsyntax.VisitAll(e, func(n hclsyntax.Node) hcl.Diagnostics {
		literal, isLiteral := n.(*hclsyntax.LiteralValueExpr)
		if !isLiteral || literal.Val.Type() != cty.Number || literal.Val.IsNull() {
			return nil
		}
		f := literal.Val.AsBigFloat()
		if size := f.MantExp(nil); f.IsInf() || size > maxDigits || size < -maxDigits {
			ok = false
			d.errorf(literal.SrcRange, "write it in quotes if it is a text", "this number has too many digits")
		}
		return nil
	})
	return ok
}

// missing reports a value that the chosen environment needs, at the call of
// env() where there is one.
func (d *decoder) missing(e hclsyntax.Expression, what string) {
	group, _, _ := strings.Cut(d.current, ".")
	if slices.Contains(d.scope.given, d.current) || slices.Contains(d.scope.given, group) {
		return
	}
	at, hint := e.Range(), "name it with -commit"
	for _, call := range calls(e) {
		if name, ok := literalArg(call); ok && what == "environment variable "+name {
			at = call.Range()
			hint = fmt.Sprintf("set it, or give a default: env(%q, \"...\")", name)
		}
	}
	if what == theCommit && d.scope.commitLater {
		d.pending = append(d.pending, diagnostic(at, hint, what+" is not known"))
		return
	}
	d.errorf(at, hint, "%s is not set", what)
}

func literalArg(call *hclsyntax.FunctionCallExpr) (string, bool) {
	if call.Name != "env" || len(call.Args) == 0 {
		return "", false
	}
	v, diags := call.Args[0].Value(nil)
	if diags.HasErrors() || v.IsNull() || v.Type() != cty.String {
		return "", false
	}
	return v.AsString(), true
}

// calls lists the function calls in e.
func calls(e hclsyntax.Expression) []*hclsyntax.FunctionCallExpr {
	var out []*hclsyntax.FunctionCallExpr
	hclsyntax.VisitAll(e, func(n hclsyntax.Node) hcl.Diagnostics {
		if call, ok := n.(*hclsyntax.FunctionCallExpr); ok {
			out = append(out, call)
		}
		return nil
	})
	return out
}

// toGo turns a known value into what templates work with.
func toGo(v cty.Value) any {
	switch {
	case v.IsNull():
		return nil
	case v.Type() == cty.String:
		return v.AsString()
	case v.Type() == cty.Bool:
		return v.True()
	case v.Type() == cty.Number:
		return number(v)
	case v.Type().IsObjectType() || v.Type().IsMapType():
		out := map[string]any{}
		for name, e := range v.AsValueMap() {
			out[name] = toGo(e)
		}
		return out
	}
	out := []any{}
	for _, e := range v.AsValueSlice() {
		out = append(out, toGo(e))
	}
	return out
}

// number is an int where the value is whole and fits, a uint64 or a string of
// digits beyond that, else a float64: what variable files give for the same text.
func number(v cty.Value) any {
	f := v.AsBigFloat()
	if n, accuracy := f.Int64(); accuracy == big.Exact {
		return int(n)
	}
	if n, accuracy := f.Uint64(); accuracy == big.Exact {
		return n
	}
	if f.IsInt() {
		return f.Text('f', 0)
	}
	x, _ := f.Float64()
	return x
}
