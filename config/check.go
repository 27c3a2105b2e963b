package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// check looks at what blocks say about each other.
func (f *File) check(d *decoder) {
	d.checkWay(f.Settings)
	jobs := make([]string, len(f.Jobs))
	for i, j := range f.Jobs {
		jobs[i] = j.Name
	}
	for _, j := range f.Jobs {
		for _, other := range j.DependsOn {
			f.checkReference(d, fmt.Sprintf("job %q", j.Name), "job", other, jobs, f.attribute("job", j.Name, "depends_on", j.Range))
		}
	}
	for _, name := range f.EnvironmentNames() {
		e := f.Environments[name]
		if e.Requires != "" {
			f.checkReference(d, fmt.Sprintf("environment %q", name), "environment", e.Requires, f.EnvironmentNames(), f.attribute("environment", name, "requires", e.Range))
		}
	}
	if d.diags.HasErrors() {
		return
	}
	f.checkCycle(d, "job", "depends_on", jobs, func(name string) []string { return f.Jobs[slices.Index(jobs, name)].DependsOn })
	f.checkCycle(d, "environment", "requires", f.EnvironmentNames(), func(name string) []string {
		if r := f.Environments[name].Requires; r != "" {
			return []string{r}
		}
		return nil
	})
}

func (f *File) checkReference(d *decoder, who, kind, name string, known []string, at hcl.Range) {
	if !slices.Contains(known, name) {
		d.errorf(at, suggest(name, known), "%s names the %s %q, which does not exist", who, kind, name)
	}
}

// checkCycle refuses blocks that wait for each other.
func (f *File) checkCycle(d *decoder, kind, attribute string, all []string, next func(string) []string) {
	done := map[string]bool{}
	var walk func(name string, way []string) bool
	walk = func(name string, way []string) bool {
		if i := slices.Index(way, name); i >= 0 {
			circle := append(way[i:], name)
			d.errorf(f.attribute(kind, name, attribute, hcl.Range{Filename: f.Path}), "remove one of them", "%s goes in a circle: %s", attribute, strings.Join(circle, " -> "))
			return false
		}
		if done[name] {
			return true
		}
		for _, n := range next(name) {
			if !walk(n, append(slices.Clone(way), name)) {
				return false
			}
		}
		done[name] = true
		return true
	}
	for _, name := range all {
		if !walk(name, nil) {
			return
		}
	}
}

// attribute is where a named block gives an attribute, else def.
func (f *File) attribute(kind, label, name string, def hcl.Range) hcl.Range {
	for _, b := range f.body.Blocks {
		if b.Type == kind && len(b.Labels) == 1 && b.Labels[0] == label {
			if a, ok := b.Body.Attributes[name]; ok {
				return a.Expr.Range()
			}
		}
	}
	return def
}
