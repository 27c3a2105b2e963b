package jobspec

import (
	"cmp"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/nomad/api"
)

// Lint warns about what parses well and still bites in production. The warnings point
// into text, the file that job was parsed from, as near as they can: what a dynamic
// block or a JSON file has made is at the nearest block that the text has.
func Lint(filename string, text []byte, job *api.Job) hcl.Diagnostics {
	l := &linter{job: job, start: hcl.Range{Filename: filename, Start: hcl.InitialPos, End: hcl.InitialPos}}
	if !isHCLJSON(text) && !isAPIJSON(text) {
		if file, diags := parseText(filename, text); !diags.HasErrors() {
			l.root, _ = file.Body.(*hclsyntax.Body)
		}
	}
	l.lintJob()
	for _, group := range job.TaskGroups {
		l.lintGroup(group)
		for _, task := range group.Tasks {
			l.lintTask(l.taskPath(group, task), task)
		}
	}
	_, warnings := split(l.diags)
	return warnings
}

// linter collects the warnings about one job.
type linter struct {
	job   *api.Job
	root  *hclsyntax.Body // nil where the text is no native HCL
	start hcl.Range
	diags hcl.Diagnostics
}

// step is one block on the way to a place in the text, or at the end an attribute.
type step struct {
	kind  string
	label string // "" is any
	nth   int    // among those that fit, from 0
}

// path leads from the top of the text to a block or attribute.
type path []step

// to extends a path by blocks or an attribute that need neither label nor number.
func (p path) to(kinds ...string) path {
	longer := append(path{}, p...)
	for _, kind := range kinds {
		longer = append(longer, step{kind: kind})
	}
	return longer
}

func (p path) nth(kind string, n int) path { return append(p.to(), step{kind: kind, nth: n}) }

func (p path) labelled(kind, label string) path {
	return append(p.to(), step{kind: kind, label: label})
}

func jobPath() path { return path{{kind: "job"}} }

func groupPath(g *api.TaskGroup) path { return jobPath().labelled("group", deref(g.Name)) }

// taskPath leads to a task, which may stand in the job without a group of its own.
func (l *linter) taskPath(g *api.TaskGroup, t *api.Task) path {
	if p := groupPath(g).labelled("task", t.Name); l.has(p) {
		return p
	}
	return jobPath().labelled("task", t.Name)
}

// warn adds a warning at the place that p leads to.
func (l *linter) warn(p path, summary, hint string) {
	at, _ := l.find(p)
	l.diags = append(l.diags, &hcl.Diagnostic{Severity: hcl.DiagWarning, Summary: summary, Detail: hint, Subject: &at})
}

// has reports whether the text has what p leads to.
func (l *linter) has(p path) bool {
	_, ok := l.find(p)
	return ok
}

// find returns the range of what p leads to, or of the last step that the text has.
func (l *linter) find(p path) (hcl.Range, bool) {
	at, body := l.start, l.root
	for _, s := range p {
		if body == nil {
			return at, false
		}
		if attr := body.Attributes[s.kind]; attr != nil && s.label == "" {
			at, body = attr.SrcRange, nil
			continue
		}
		block := s.in(body)
		if block == nil {
			return at, false
		}
		at, body = block.DefRange(), block.Body
	}
	return at, true
}

// in returns the block of a body that the step leads to, or the content of a dynamic
// block that may have made it. It is nil where there is neither.
func (s step) in(body *hclsyntax.Body) *hclsyntax.Block {
	n := s.nth
	for _, b := range body.Blocks {
		if b.Type != s.kind || s.label != "" && (len(b.Labels) == 0 || b.Labels[0] != s.label) {
			continue
		}
		if n == 0 {
			return b
		}
		n--
	}
	for _, b := range body.Blocks {
		if b.Type == "dynamic" && len(b.Labels) == 1 && b.Labels[0] == s.kind {
			return step{kind: "content"}.in(b.Body)
		}
	}
	return nil
}

// deref is what p points to, or the zero value.
func deref[T any](p *T) T {
	return *cmp.Or(p, new(T))
}

// orDefault is what p points to, or a default.
func orDefault[T any](p *T, def T) T { return *cmp.Or(p, &def) }
