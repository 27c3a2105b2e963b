package main

import (
	"regexp"
	"slices"
	"strings"

	"ostro/jobspec"
)

// warnUnread warns of a variable of the command line that none of the templates
// reads: its name is nowhere in them, nor in what they include, and they do not
// look at the variables as a whole.
func (p *project) warnUnread(jobs ...*rendered) {
	jobs = slices.DeleteFunc(jobs, func(r *rendered) bool { return r == nil })
	for _, pair := range slices.Concat(p.c.StringSlice("var"), p.c.StringSlice("var-json")) {
		name, _, _ := strings.Cut(pair, "=")
		top, _, _ := strings.Cut(name, ".")
		if top == "BB_COMMIT" || slices.ContainsFunc(jobs, func(r *rendered) bool { return r.reads(top) }) {
			continue
		}
		p.t.warn("nothing reads the variable %s of -var", name)
		if near := nearest(top, words(jobs)); near != "" {
			p.t.line(warnLevel, "hint: ", "did you mean \""+near+"\"?")
		}
	}
}

// reads reports whether the template may read a variable.
func (r *rendered) reads(name string) bool {
	if slices.Contains(jobspec.Declared(r.template, r.text), name) {
		return true
	}
	word := regexp.MustCompile(`\b` + regexp.QuoteMeta(name) + `\b`)
	for _, text := range r.sources {
		if word.Match(text) || readsAll.Match(includes.ReplaceAll(text, nil)) {
			return true
		}
	}
	return false
}

var (
	// includes hands all variables to another template, which is searched itself.
	includes = regexp.MustCompile(`(include|template)\s+"[^"]*"\s+[.$]`)
	// readsAll is an action that uses the variables as a whole, or by a name that
	// is known only when it runs.
	readsAll = regexp.MustCompile(`\[\[[^\]]*[\s(]([.$])([\s)|]|-?\]\])`)
	// field is a variable in a template.
	field = regexp.MustCompile(`\[\[[^\]]*?\.([A-Za-z_][A-Za-z0-9_]*)`)
)

// words are the names that the templates read.
func words(jobs []*rendered) []string {
	var list []string
	for _, r := range jobs {
		list = append(list, jobspec.Declared(r.template, r.text)...)
		for _, text := range r.sources {
			for _, m := range field.FindAllSubmatch(text, -1) {
				list = append(list, string(m[1]))
			}
		}
	}
	return list
}
