package agentconfig

import (
	"bytes"
	"fmt"
	"strconv"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/json"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// A tree is a value of a file, with its place: fields of a block or an object, a
// list, or else a text. Numbers and truth values are texts, too: Nomad takes
// "4646" for 4646. Labels of a block are fields around it, as in JSON.
type tree struct {
	at     hcl.Range
	fields map[string]*tree
	list   []*tree
	text   string
}

// merge puts over over t: fields by name, all else as a whole.
func (t *tree) merge(over *tree) *tree {
	if t == nil || t.fields == nil || over.fields == nil {
		return over
	}
	for name, field := range over.fields {
		t.fields[name] = t.fields[name].merge(field)
	}
	t.at = over.at
	return t
}

// parse reads one file. Text that begins with a brace is JSON.
func parse(name string, text []byte) (*tree, hcl.Diagnostics) {
	if bytes.HasPrefix(bytes.TrimSpace(text), []byte("{")) {
		file, diags := json.Parse(text, name)
		if diags.HasErrors() {
			return nil, diags
		}
		attributes, diags := file.Body.JustAttributes()
		return ofAttributes(hcl.Range{Filename: name, Start: hcl.InitialPos}, attributes, nil, diags)
	}
	keys := map[string]string{}
	file, diags := hclsyntax.ParseConfig(bareKeys(name, text, keys), name, hcl.InitialPos)
	if diags.HasErrors() {
		return nil, diags
	}
	return ofBody(file.Body.(*hclsyntax.Body), keys)
}

// bareKeys replaces quoted keys, which HCL 1 has and HCL 2 does not, by names of
// the same length, so that places stay true. keys gets what they stand for.
func bareKeys(file string, text []byte, keys map[string]string) []byte {
	tokens, _ := hclsyntax.LexConfig(text, file, hcl.InitialPos)
	out := bytes.Clone(text)
	for i := 0; i+3 < len(tokens); i++ {
		four := tokens[i : i+4]
		if four[0].Type != hclsyntax.TokenOQuote || four[1].Type != hclsyntax.TokenQuotedLit || four[2].Type != hclsyntax.TokenCQuote || four[3].Type != hclsyntax.TokenEqual {
			continue
		}
		start, end := four[0].Range.Start.Byte, four[2].Range.End.Byte
		name := fmt.Sprintf("q%0*s", end-start-1, strconv.FormatInt(int64(len(keys)), 36))
		if len(name) != end-start {
			continue // too many keys of one letter: HCL says what it thinks of them
		}
		keys[name] = string(four[1].Bytes)
		copy(out[start:end], name)
	}
	return out
}

func ofBody(body *hclsyntax.Body, keys map[string]string) (*tree, hcl.Diagnostics) {
	attributes := hcl.Attributes{}
	for name, attribute := range body.Attributes {
		attributes[name] = attribute.AsHCLAttribute()
	}
	t, diags := ofAttributes(body.SrcRange, attributes, keys, nil)
	for _, block := range body.Blocks {
		inner, more := ofBody(block.Body, keys)
		diags = append(diags, more...)
		inner.at = block.TypeRange
		for i := len(block.Labels) - 1; i >= 0; i-- {
			inner = &tree{at: block.TypeRange, fields: map[string]*tree{block.Labels[i]: inner}}
		}
		t.fields[block.Type] = t.fields[block.Type].merge(inner)
	}
	return t, diags
}

func ofAttributes(at hcl.Range, attributes hcl.Attributes, keys map[string]string, diags hcl.Diagnostics) (*tree, hcl.Diagnostics) {
	t := &tree{at: at, fields: map[string]*tree{}}
	for name, attribute := range attributes {
		value, more := ofExpr(attribute.Expr, keys)
		diags = append(diags, more...)
		value.at = attribute.NameRange
		if quoted, ok := keys[name]; ok {
			name = quoted
		}
		t.fields[name] = value
	}
	return t, diags
}

// ofExpr reads an object, a list or a plain value. A list of objects is a block
// that stands there several times, as JSON has them.
func ofExpr(expr hcl.Expression, keys map[string]string) (*tree, hcl.Diagnostics) {
	if pairs, diags := hcl.ExprMap(expr); !diags.HasErrors() {
		return ofPairs(expr.Range(), pairs, keys)
	}
	if elements, diags := hcl.ExprList(expr); !diags.HasErrors() {
		return ofList(expr.Range(), elements, keys)
	}
	t := &tree{at: expr.Range()}
	if !numbersSmall(expr) {
		return t, hcl.Diagnostics{mistake(expr.Range(), "this number has too many digits", "")}
	}
	value, diags := expr.Value(nil)
	if diags.HasErrors() || value.IsNull() {
		return t, diags
	}
	text, err := convert.Convert(value, cty.String)
	if err != nil {
		return t, append(diags, mistake(expr.Range(), "this is no plain value", ""))
	}
	t.text = text.AsString()
	return t, diags
}

// numbersSmall tells whether no number of an expression is such as 1e999999999, which
// would take forever to write out.
func numbersSmall(expr hcl.Expression) bool {
	native, ok := expr.(hclsyntax.Expression)
	if !ok { // in JSON
		value, _ := expr.Value(nil)
		return small(value)
	}
	all := true
	hclsyntax.VisitAll(native, func(n hclsyntax.Node) hcl.Diagnostics {
		if literal, ok := n.(*hclsyntax.LiteralValueExpr); ok {
			all = all && small(literal.Val)
		}
		return nil
	})
	return all
}

func small(value cty.Value) bool {
	const maxExponent = 4096
	if value.IsNull() || !value.IsKnown() || value.Type() != cty.Number {
		return true
	}
	f := value.AsBigFloat()
	exponent := f.MantExp(nil)
	return !f.IsInf() && exponent <= maxExponent && exponent >= -maxExponent
}

func ofPairs(at hcl.Range, pairs []hcl.KeyValuePair, keys map[string]string) (*tree, hcl.Diagnostics) {
	t := &tree{at: at, fields: map[string]*tree{}}
	var diags hcl.Diagnostics
	for _, pair := range pairs {
		name := hcl.ExprAsKeyword(pair.Key)
		if quoted, ok := keys[name]; ok {
			name = quoted
		} else if name == "" {
			key, more := pair.Key.Value(nil)
			if diags = append(diags, more...); more.HasErrors() {
				continue
			}
			name = key.AsString()
		}
		value, more := ofExpr(pair.Value, keys)
		diags = append(diags, more...)
		value.at = pair.Key.Range()
		t.fields[name] = value
	}
	return t, diags
}

func ofList(at hcl.Range, elements []hcl.Expression, keys map[string]string) (*tree, hcl.Diagnostics) {
	t := &tree{at: at, list: []*tree{}}
	var diags hcl.Diagnostics
	var blocks *tree
	for _, element := range elements {
		value, more := ofExpr(element, keys)
		diags = append(diags, more...)
		if value.fields != nil {
			blocks = blocks.merge(value)
		}
		t.list = append(t.list, value)
	}
	if blocks != nil {
		return blocks, diags
	}
	return t, diags
}

func mistake(at hcl.Range, summary, hint string) *hcl.Diagnostic {
	return &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: hint, Subject: &at}
}
