package render

import "text/template/parse"

// Before a tree is executed it is rewritten, on a copy, so that text/template
// tells us where it is and what it looks up:
//
//	text                      [[ ~at 1 ]]text
//	[[ .a.b | f ]]            [[ ~at 2 ]][[ (~check 3 . "a" "b").a.b | f | ~show 2 ]]
//	[[ $x := index .m "k" ]]  [[ ~at 4 ]][[ $x := ~index 5 (~check 6 . "m").m "k" | ~keep ]]
//
// ~check reports the variable if it is missing and returns what the rest of
// the expression is evaluated on. "~" stands for ownPrefix; the names are ours
// alone: a template that calls one of them is refused.
const (
	ownPrefix = "ostroǃ"
	fnAt      = ownPrefix + "at"
	fnCheck   = ownPrefix + "check"
	fnIndex   = ownPrefix + "index"
	fnShow    = ownPrefix + "show"
	fnKeep    = ownPrefix + "keep"
	fnDrop    = ownPrefix + "drop"
	fnGone    = ownPrefix + "gone"
	fnEnter   = ownPrefix + "enter"
	fnLeave   = ownPrefix + "leave"
)

// A site is a place in a template that the run knows: a text, an action, or
// a variable in one.
type site struct {
	source     *source
	start, end int
	text       bool // plain text: offsets in it and in the output advance together
	escaped    bool // an action whose value went through hclString
	tested     bool // a variable that may be missing here, because the template asks whether it is set
	node       parse.Node
}

// A place names a site across several attempts to run the template.
type place struct {
	source *source
	start  int
}

type rewriter struct {
	run     *run
	source  *source
	sites   *[]site
	pending []parse.Node // checks of the node being rewritten, to be made alone if it fails
}

// tree returns a rewritten copy.
func (r *rewriter) tree(t *parse.Tree) *parse.Tree {
	t = t.Copy()
	r.list(t.Root)
	pos := t.Root.Pos
	t.Root.Nodes = append([]parse.Node{action(pos, call(pos, fnEnter))}, t.Root.Nodes...)
	t.Root.Nodes = append(t.Root.Nodes, action(pos, call(pos, fnLeave)))
	return t
}

func (r *rewriter) list(l *parse.ListNode) {
	if l == nil {
		return
	}
	var nodes []parse.Node
	for _, n := range l.Nodes {
		switch n := n.(type) {
		case *parse.TextNode:
			at := r.site(site{start: int(n.Pos), end: int(n.Pos) + len(n.Text), text: true, node: n})
			nodes = append(nodes, mark(n.Pos, at), n)
		case *parse.ActionNode, *parse.IfNode, *parse.RangeNode, *parse.WithNode, *parse.TemplateNode:
			nodes = append(nodes, r.statement(n)...)
		default:
			nodes = append(nodes, n)
		}
	}
	l.Nodes = nodes
}

// statement rewrites one action or block. One that failed in an earlier
// attempt is replaced by its checks, so that the rest of the template can be
// searched for missing variables too.
func (r *rewriter) statement(n parse.Node) []parse.Node {
	pos := n.Position()
	start, end := actionSpan(r.source.text, int(pos))
	at := r.site(site{start: start, end: end, node: n})
	r.pending = nil
	failed := r.run.failed[place{r.source, start}]
	switch n := n.(type) {
	case *parse.ActionNode:
		(*r.sites)[at].escaped = endsIn(n.Pipe, "hclString")
		r.pipe(n.Pipe, false)
		if failed {
			return r.probes(at, n)
		}
		if len(n.Pipe.Decl) == 0 {
			n.Pipe.Cmds = append(n.Pipe.Cmds, command(pos, fnShow, integer(pos, at)))
		} else {
			n.Pipe.Cmds = append(n.Pipe.Cmds, command(pos, fnKeep))
		}
	case *parse.IfNode:
		r.branch(&n.BranchNode, true, failed)
	case *parse.WithNode:
		r.branch(&n.BranchNode, true, failed)
	case *parse.RangeNode:
		r.branch(&n.BranchNode, false, failed)
	case *parse.TemplateNode:
		if n.Pipe != nil {
			r.pipe(n.Pipe, false)
			n.Pipe.Cmds = append(n.Pipe.Cmds, command(pos, fnKeep))
		}
	}
	if failed {
		return r.probes(at, nil)
	}
	return []parse.Node{mark(pos, at), n}
}

func (r *rewriter) branch(b *parse.BranchNode, tested, failed bool) {
	r.pipe(b.Pipe, tested)
	if failed {
		return
	}
	r.list(b.List)
	r.list(b.ElseList)
}

// probes makes the checks of a failed node, and declares its variables.
func (r *rewriter) probes(at int, failed *parse.ActionNode) []parse.Node {
	nodes := []parse.Node{mark(0, at)}
	for _, check := range r.pending {
		nodes = append(nodes, action(0, call(0, fnDrop, check)))
	}
	if failed != nil && len(failed.Pipe.Decl) > 0 {
		failed.Pipe.Cmds = []*parse.CommandNode{command(0, fnGone)}
		nodes = append(nodes, failed)
	}
	return nodes
}

// pipe rewrites a pipeline in place. tested says that its value is only
// looked at, so that what gives the value may be missing.
func (r *rewriter) pipe(p *parse.PipeNode, tested bool) {
	for i, c := range p.Cmds {
		mayMiss := tested
		if i+1 < len(p.Cmds) {
			next := p.Cmds[i+1]
			mayMiss = tolerates(next, len(next.Args), len(next.Args)+1, tested && i+2 == len(p.Cmds))
		}
		r.command(c, mayMiss, i > 0)
	}
}

// command rewrites a command; piped says that a value comes in from the left.
func (r *rewriter) command(c *parse.CommandNode, tested, piped bool) {
	count := len(c.Args)
	if piped {
		count++
	}
	isIndex := false
	for i, arg := range c.Args {
		if id, ok := arg.(*parse.IdentifierNode); ok && i == 0 {
			isIndex = id.Ident == "index"
			continue
		}
		mayMiss := tested && count == 1
		if i > 0 {
			mayMiss = tolerates(c, i, count, tested)
		}
		c.Args[i] = r.operand(arg, mayMiss)
	}
	if isIndex {
		start, end := spanOf(r.source.text, c.Args[0])
		at := r.site(site{start: start, end: end, tested: tested, node: c.Args[0]})
		c.Args = append([]parse.Node{identifier(c.Pos, fnIndex), integer(c.Pos, at)}, c.Args[1:]...)
	}
}

// tolerates reports whether a command can do with a missing variable as its
// argument i of count, the function's name being 0. tested is the same for
// the command's value.
func tolerates(c *parse.CommandNode, i, count int, tested bool) bool {
	id, ok := c.Args[0].(*parse.IdentifierNode)
	if !ok {
		return false
	}
	last := i == count-1
	switch id.Ident {
	case "not", "empty":
		return true
	case "all", "any":
		return true
	case "default":
		return last || tested
	case "or", "and", "coalesce":
		return !last || tested
	}
	return false
}

// operand returns what stands in for an argument.
func (r *rewriter) operand(n parse.Node, tested bool) parse.Node {
	switch n := n.(type) {
	case *parse.FieldNode:
		return r.chain(n, &parse.DotNode{NodeType: parse.NodeDot, Pos: n.Pos}, n.Ident, tested)
	case *parse.VariableNode:
		if len(n.Ident) > 1 {
			variable := &parse.VariableNode{NodeType: parse.NodeVariable, Pos: n.Pos, Ident: n.Ident[:1]}
			return r.chain(n, variable, n.Ident[1:], tested)
		}
	case *parse.ChainNode:
		return r.chain(n, r.operand(n.Node, false), n.Field, tested)
	case *parse.PipeNode:
		r.pipe(n, tested)
	}
	return n
}

// chain returns (~check SITE on "field"...).field...
func (r *rewriter) chain(n, on parse.Node, fields []string, tested bool) parse.Node {
	start, end := spanOf(r.source.text, n)
	at := r.site(site{start: start, end: end, tested: tested, node: n})
	pos := parse.Pos(start)
	args := []parse.Node{integer(pos, at), on}
	for _, field := range fields {
		args = append(args, str(pos, field))
	}
	check := pipeline(pos, command(pos, fnCheck, args...))
	switch on.(type) {
	case *parse.DotNode, *parse.VariableNode:
		r.pending = append(r.pending, check)
	}
	return &parse.ChainNode{NodeType: parse.NodeChain, Pos: pos, Node: check, Field: fields}
}

// site registers a site and returns its number.
func (r *rewriter) site(s site) int {
	s.source = r.source
	*r.sites = append(*r.sites, s)
	return len(*r.sites) - 1
}

func endsIn(p *parse.PipeNode, function string) bool {
	last := p.Cmds[len(p.Cmds)-1]
	id, ok := last.Args[0].(*parse.IdentifierNode)
	return ok && id.Ident == function
}

// The nodes of a rewritten tree.

func mark(pos parse.Pos, at int) parse.Node {
	return action(pos, call(pos, fnAt, integer(pos, at)))
}

func action(pos parse.Pos, p *parse.PipeNode) parse.Node {
	return &parse.ActionNode{NodeType: parse.NodeAction, Pos: pos, Pipe: p}
}

func call(pos parse.Pos, function string, args ...parse.Node) *parse.PipeNode {
	return pipeline(pos, command(pos, function, args...))
}

func pipeline(pos parse.Pos, cmds ...*parse.CommandNode) *parse.PipeNode {
	return &parse.PipeNode{NodeType: parse.NodePipe, Pos: pos, Cmds: cmds}
}

func command(pos parse.Pos, function string, args ...parse.Node) *parse.CommandNode {
	all := append([]parse.Node{identifier(pos, function)}, args...)
	return &parse.CommandNode{NodeType: parse.NodeCommand, Pos: pos, Args: all}
}

func identifier(pos parse.Pos, name string) *parse.IdentifierNode {
	return parse.NewIdentifier(name).SetPos(pos)
}

func integer(pos parse.Pos, i int) parse.Node {
	return &parse.NumberNode{NodeType: parse.NodeNumber, Pos: pos, IsInt: true, Int64: int64(i)}
}

func str(pos parse.Pos, s string) parse.Node {
	return &parse.StringNode{NodeType: parse.NodeString, Pos: pos, Text: s}
}
