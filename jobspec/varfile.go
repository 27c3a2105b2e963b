package jobspec

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/hashicorp/hcl/v2"
)

// variableFiles parses the syntax of the variable files.
func (p *parser) variableFiles() []hcl.Body {
	var files []hcl.Body
	for _, f := range p.opts.VariableFiles {
		file, diags := parseText(f.Name, f.Text)
		p.report(diags...)
		if file != nil && !diags.HasErrors() {
			files = append(files, file.Body)
		}
	}
	return files
}

// setFromFile sets the variables that a file has values for.
func (p *parser) setFromFile(f hcl.Body) {
	declarations, _, _ := f.PartialContent(&hcl.BodySchema{
		Blocks: []hcl.BlockHeaderSchema{{Type: "variable", LabelNames: []string{"name"}}},
	})
	for _, b := range declarations.Blocks {
		p.fail(b.TypeRange, fmt.Sprintf("variable %q cannot be declared in a variable file", b.Labels[0]),
			fmt.Sprintf("Declare it in the job file; here its value is set: %s = ...", b.Labels[0]))
	}
	if len(declarations.Blocks) > 0 {
		return
	}
	attrs, diags := f.JustAttributes()
	p.report(diags...)
	for _, attr := range inOrder(attrs) {
		v := p.vars[attr.Name]
		if v == nil {
			p.undeclared(attr.Name, attr.NameRange)
			continue
		}
		value, diags := p.plainExpr(attr.Expr).Value(nil)
		p.report(diags...)
		p.setVariable(v, value, attr.Expr.Range(), "the value of")
	}
}

// inOrder returns attributes in the order of the text.
func inOrder(attrs hcl.Attributes) []*hcl.Attribute {
	return slices.SortedFunc(maps.Values(attrs), func(a, b *hcl.Attribute) int {
		return cmp.Compare(a.Range.Start.Byte, b.Range.Start.Byte)
	})
}
