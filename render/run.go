package render

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"text/template"
	"text/template/parse"

	"github.com/Masterminds/sprig/v3"
	"github.com/hashicorp/hcl/v2"
)

const (
	maxAttempts = 100 // at the most this many errors are found in one run
	maxCalls    = 1000
	maxIncludes = 100
)

// A run renders a template and what it includes, several times if it must:
// where an attempt fails, the next one leaves out the action at fault, so
// that all errors are found together.
type run struct {
	ctx     context.Context
	opts    Options
	vars    Variables
	sources map[string]*source // by name
	consul  *consul
	sprig   template.FuncMap // never changed
	all     template.FuncMap // see defined

	failed   map[place]bool // actions that later attempts leave out
	reported map[place]bool // variables that something has been said about
	missing  hcl.Diagnostics
	errors   hcl.Diagnostics
	warnings hcl.Diagnostics

	// Of the current attempt.
	misses  int  // how often a missing variable was met
	tainted bool // one was met in this action, so that its error may follow from that
	carried bool // one went into a variable of the template, so that any later error may
	depth   int  // of template calls
	inputs  map[string]any
}

func newRun(ctx context.Context, vars Variables, opts Options) *run {
	if opts.Getenv == nil {
		opts.Getenv = os.Getenv
	}
	return &run{
		ctx: ctx, opts: opts, vars: vars, sources: map[string]*source{}, sprig: sprig.TxtFuncMap(),
		failed: map[place]bool{}, reported: map[place]bool{},
	}
}

// render renders a source that has been parsed.
func (r *run) render(src *source) (*Document, error) {
	for range maxAttempts {
		doc, err := r.attempt(src)
		if err == nil && len(r.missing) == 0 && len(r.errors) == 0 {
			return doc, nil
		}
		if err == nil {
			break
		}
		again, err := r.note(err)
		if err != nil {
			return nil, err
		}
		if !again {
			break
		}
	}
	return nil, inOrder(append(slices.Clone(r.missing), r.errors...))
}

// note records why an attempt failed, and reports whether another one may
// find more.
func (r *run) note(err error) (again bool, final error) {
	if r.ctx.Err() != nil {
		return false, fmt.Errorf("render: %w", context.Cause(r.ctx))
	}
	if isFinal(err) && !errors.Is(err, errTooLarge) {
		return false, fmt.Errorf("render: %w", err)
	}
	f, ok := errors.AsType[*fault](err)
	if !ok {
		return false, err
	}
	if !r.tainted && !r.failed[f.at] {
		r.errors = append(r.errors, f.diagnostic)
	}
	if isFinal(err) || r.failed[f.at] {
		return false, nil
	}
	r.failed[f.at] = true
	return true, nil
}

func (r *run) attempt(src *source) (*Document, error) {
	r.tainted, r.carried, r.depth, r.inputs = false, false, 0, map[string]any{}
	root := cloneMap(r.vars) // templates can change it
	e := &execution{run: r, root: root, data: root}
	doc, err := e.execute(src)
	if err != nil {
		return nil, err
	}
	doc.Name = src.name
	doc.Inputs = r.inputs
	doc.Sources = map[string][]byte{}
	for name, s := range r.sources {
		doc.Sources[name] = s.text
	}
	doc.Warnings = inOrder(r.warnings)
	return doc, nil
}

// source parses a file once in a run.
func (r *run) source(name string, text []byte) (*source, hcl.Diagnostics) {
	if s, known := r.sources[name]; known {
		return s, nil
	}
	s, diags := parseSource(name, text)
	if diags.HasErrors() {
		return nil, diags
	}
	if diags := r.lint(s); diags.HasErrors() {
		return nil, diags
	}
	r.sources[name] = s
	return s, nil
}

// An execution executes one source: the template, or an included file.
type execution struct {
	run    *run
	root   map[string]any // the variables
	data   any            // what the template begins with: root, or what include was given
	source *source
	sites  []site
	out    *output
	parent *execution    // that includes this one
	ended  chan struct{} // closed when nobody takes from its loops any more
}

func (e *execution) execute(src *source) (*Document, error) {
	e.source = src
	e.out = &output{ctx: e.run.ctx}
	e.ended = make(chan struct{})
	defer close(e.ended)
	t := template.New(mainTree).Option("missingkey=zero")
	rewriter := &rewriter{run: e.run, source: src, sites: &e.sites}
	trees := map[string]*parse.Tree{}
	for _, tree := range src.trees {
		trees[tree.Name] = rewriter.tree(tree)
	}
	t.Funcs(e.functions())
	for _, name := range slices.Sorted(maps.Keys(trees)) {
		if _, err := t.AddParseTree(name, trees[name]); err != nil {
			return nil, fmt.Errorf("render %s: %w", src.name, err)
		}
	}
	err := t.ExecuteTemplate(e.out, mainTree, e.data)
	if err == nil {
		err = e.run.ctx.Err() // a loop that was cut short
	}
	if err != nil {
		return nil, e.fault(err)
	}
	e.lintValues()
	return &Document{Text: e.out.text, marks: e.out.marks}, nil
}

// site returns a site by its number.
func (e *execution) site(n int) (*site, error) {
	if n < 0 || n >= len(e.sites) {
		return nil, fmt.Errorf("no place %d in the template", n)
	}
	return &e.sites[n], nil
}

// own returns the functions that rewritten trees call.
func (e *execution) own() template.FuncMap {
	return template.FuncMap{
		fnAt:    e.at,
		fnCheck: e.check,
		fnIndex: e.index,
		fnShow:  e.show,
		fnKeep:  e.keep,
		fnDrop:  func(any) string { return "" },
		fnGone:  func() any { return absent(nil) },
		fnEnter: e.enter,
		fnLeave: func() string { e.run.depth--; return "" },
	}
}

func (e *execution) at(n int) (string, error) {
	if err := e.run.ctx.Err(); err != nil {
		return "", err
	}
	s, err := e.site(n)
	if err != nil {
		return "", err
	}
	e.out.at(n, s)
	e.run.tainted = e.run.carried
	return "", nil
}

func (e *execution) enter() (string, error) {
	if e.run.depth++; e.run.depth > maxCalls {
		return "", fmt.Errorf("templates call each other more than %d deep", maxCalls)
	}
	return "", nil
}

// include renders another file, relative to this one, with the same
// variables, or with the one given.
func (e *execution) include(file string, data ...any) (string, error) {
	if len(data) > 1 {
		return "", fmt.Errorf("include takes a file and at the most one value, not %d", len(data))
	}
	path := file
	if !filepath.IsAbs(path) {
		path = filepath.Join(e.source.dir(), file)
	}
	if err := e.cycle(path); err != nil {
		return "", err
	}
	text, err := readBounded(e.run.ctx, path)
	if err != nil {
		return "", fmt.Errorf("%s cannot be read: %s", path, reason(err))
	}
	src, diags := e.run.source(path, text)
	if diags.HasErrors() {
		return "", &fault{diagnostic: diags[0], at: e.here()}
	}
	inner := &execution{run: e.run, root: e.root, data: e.root, parent: e}
	if len(data) == 1 {
		inner.data = data[0]
	}
	misses := e.run.misses
	doc, err := inner.execute(src)
	if err != nil {
		return "", err
	}
	e.run.tainted = e.run.misses > misses || e.run.carried
	e.out.include = doc
	return string(doc.Text), nil
}

// cycle refuses a file that is being rendered already.
func (e *execution) cycle(path string) error {
	depth := 0
	for up := e; up != nil; up = up.parent {
		if depth++; up.source.name == path || sameFile(up.source.name, path) {
			return fmt.Errorf("%s includes itself", path)
		}
	}
	if depth > maxIncludes {
		return fmt.Errorf("files include each other more than %d deep", maxIncludes)
	}
	return nil
}

func sameFile(a, b string) bool {
	x, err := os.Stat(a)
	if err != nil {
		return false
	}
	y, err := os.Stat(b)
	return err == nil && os.SameFile(x, y)
}

// here is the place of the action being executed.
func (e *execution) here() place {
	s, err := e.site(e.out.current)
	if err != nil {
		return place{e.source, 0}
	}
	return place{e.source, s.start}
}
