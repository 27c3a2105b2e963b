package render

import (
	"bytes"
	"cmp"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/template/parse"

	"github.com/hashicorp/hcl/v2"
)

const (
	leftDelim  = "[["
	rightDelim = "]]"

	// mainTree is the name of what a file holds outside of define. No
	// template can define one of that name.
	mainTree = "main\x00"
)

// A source is a parsed template file.
type source struct {
	name  string // as diagnostics show it
	text  []byte
	trees []*parse.Tree
	calls map[string]bool // the functions it calls
}

// dir is the folder that relative names in the source begin from.
func (s *source) dir() string { return filepath.Dir(s.name) }

// parseSource parses a template, without asking whether its functions exist.
func parseSource(name string, text []byte) (*source, hcl.Diagnostics) {
	s := &source{name: name, text: text, calls: map[string]bool{}}
	if at := nestsTooDeep(string(text)); at >= 0 {
		return nil, fail(pointAt(name, text, at), "blocks nest more than "+strconv.Itoa(maxDepth)+" deep", "")
	}
	tree := parse.New(mainTree)
	tree.Mode = parse.SkipFuncCheck
	trees := map[string]*parse.Tree{}
	if _, err := tree.Parse(string(text), leftDelim, rightDelim, trees); err != nil {
		return nil, syntaxError(s, err)
	}
	// In the order of the file, so that errors come in that order too.
	s.trees = slices.SortedFunc(maps.Values(trees), func(a, b *parse.Tree) int {
		return cmp.Or(cmp.Compare(a.Root.Pos, b.Root.Pos), cmp.Compare(a.Name, b.Name))
	})
	return s, nil
}

// nestsTooDeep returns where blocks nest deeper than maxDepth, or -1: the
// parser would take the whole stack for them.
func nestsTooDeep(text string) int {
	depth := 0
	for at := 0; ; {
		i := strings.Index(text[at:], leftDelim)
		if i < 0 {
			return -1
		}
		at += i + len(leftDelim)
		words := strings.TrimLeft(strings.TrimPrefix(text[at:min(len(text), at+64)], "-"), " \t\r\n")
		switch word := words[:wordLength(words)]; word {
		case "if", "range", "with", "block", "define", "else":
			depth++ // the parser recurses at "else if" too
		case "end":
			depth = max(0, depth-1)
		}
		if depth > maxDepth {
			return at
		}
	}
}

func wordLength(s string) int {
	for i, r := range s {
		if r != '_' && (r < 'a' || r > 'z') {
			return i
		}
	}
	return len(s)
}

// spanOf returns the place of a node in its source. The parser gives a chain
// of fields the place of its second one.
func spanOf(src []byte, n parse.Node) (start, end int) {
	start = int(n.Position())
	text := ""
	switch n := n.(type) {
	case *parse.FieldNode:
		text = n.String()
		if len(n.Ident) > 1 {
			start -= len(n.Ident[0]) + 1
		}
	case *parse.VariableNode:
		text = n.String()
		if len(n.Ident) > 1 {
			start -= len(n.Ident[0])
		}
	case *parse.ChainNode:
		for _, field := range n.Field {
			text += "." + field
		}
	case *parse.IdentifierNode:
		text = n.Ident
	}
	if start < 0 || start+len(text) > len(src) || string(src[start:start+len(text)]) != text {
		start = int(n.Position())
		text = ""
	}
	return start, min(start+max(1, len(text)), len(src))
}

// actionSpan widens a place within an action to its delimiters.
func actionSpan(src []byte, at int) (start, end int) {
	at = min(at, len(src))
	start, end = at, at
	if i := bytes.LastIndex(src[:at], []byte(leftDelim)); i >= 0 {
		start = i
	}
	if i := bytes.Index(src[at:], []byte(rightDelim)); i >= 0 {
		end = at + i + len(rightDelim)
	}
	return start, end
}
