package render

import (
	"fmt"
	"maps"
	"slices"
	"text/template/parse"

	"github.com/hashicorp/hcl/v2"
)

// lint finds what the template parser lets pass, all of it at once: functions
// that do not exist, and `[[. name]]`.
func (r *run) lint(s *source) hcl.Diagnostics {
	l := linter{run: r, source: s}
	for _, tree := range s.trees {
		l.walk(tree.Root)
	}
	return inOrder(l.diags)
}

type linter struct {
	run    *run
	source *source
	diags  hcl.Diagnostics
}

func (l *linter) walk(n parse.Node) {
	switch n := n.(type) {
	case *parse.ListNode:
		if n == nil {
			return
		}
		for _, child := range n.Nodes {
			l.walk(child)
		}
	case *parse.ActionNode:
		l.walk(n.Pipe)
	case *parse.IfNode:
		l.branch(&n.BranchNode)
	case *parse.WithNode:
		l.branch(&n.BranchNode)
	case *parse.RangeNode:
		l.branch(&n.BranchNode)
	case *parse.TemplateNode:
		l.walk(n.Pipe)
		l.template(n)
	case *parse.PipeNode:
		if n == nil {
			return
		}
		for _, c := range n.Cmds {
			l.command(c)
		}
	case *parse.ChainNode:
		l.walk(n.Node)
	case *parse.IdentifierNode:
		l.function(n)
	}
}

func (l *linter) branch(b *parse.BranchNode) {
	l.walk(b.Pipe)
	l.walk(b.List)
	l.walk(b.ElseList)
}

func (l *linter) command(c *parse.CommandNode) {
	if _, dot := c.Args[0].(*parse.DotNode); dot && len(c.Args) > 1 {
		l.spacedDot(c)
		return
	}
	for _, arg := range c.Args {
		l.walk(arg)
	}
}

// spacedDot reports `. name`, which is the dot with an argument.
func (l *linter) spacedDot(c *parse.CommandNode) {
	start, _ := spanOf(l.source.text, c.Args[0])
	_, end := spanOf(l.source.text, c.Args[1])
	hint := "no space may follow the dot of a variable's name"
	if name, ok := c.Args[1].(*parse.IdentifierNode); ok {
		hint = didYouMean("."+name.Ident) + " " + hint
	}
	where := rangeOf(l.source.name, l.source.text, start, end)
	l.diags = append(l.diags, fail(where, "the dot takes no argument", hint)...)
}

func (l *linter) function(n *parse.IdentifierNode) {
	defined := l.run.defined()
	if _, ok := defined[n.Ident]; ok {
		l.source.calls[n.Ident] = true
		return
	}
	hint := ""
	if _, known := l.run.vars[n.Ident]; known {
		hint = didYouMean("."+n.Ident) + " (variables begin with a dot)"
	} else if near := nearest(n.Ident, slices.Sorted(maps.Keys(defined)), (len(n.Ident)+1)/3); near != "" {
		hint = didYouMean(near)
	}
	start, end := spanOf(l.source.text, n)
	l.diags = append(l.diags, undefined(rangeOf(l.source.name, l.source.text, start, end), n.Ident, hint))
}

// template reports a call of a template that the file does not define.
func (l *linter) template(n *parse.TemplateNode) {
	var names []string
	for _, tree := range l.source.trees {
		if tree.Name == n.Name {
			return
		}
		names = append(names, tree.Name)
	}
	hint := "define it in this file with [[ define ]], or render another file with [[ include ]]"
	if near := nearest(n.Name, names, (len(n.Name)+1)/3); near != "" {
		hint = didYouMean(near)
	}
	l.diags = append(l.diags, fail(pointAt(l.source.name, l.source.text, int(n.Pos)), fmt.Sprintf("template %q is not defined", n.Name), hint)...)
}
