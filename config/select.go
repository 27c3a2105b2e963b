package config

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// Selection is what holds in one environment.
type Selection struct {
	// Environment is the chosen one, or nil.
	Environment *Environment
	// Settings are the top level's with the environment's over them.
	Settings
	// Jobs are in the order of their dependencies, else of the file. Their
	// Variables and VariableFiles hold those of the whole: top level, then the
	// job's own, then the environment's, later ones winning.
	Jobs []Job
	// Sources is where each value was given, by its dotted name, such as bucket,
	// ssh.host or variables.datacenter.
	Sources map[string]hcl.Range
	// Pending are the values that were left out because they name the commit
	// and File.Commit is empty.
	Pending hcl.Diagnostics
}

// Select evaluates what holds in the environment of that name; the empty name
// means the top level alone. An env() without value and without default is an
// error here and only here. Errors in the file are hcl.Diagnostics.
//
// given are dotted names, as in Sources, of settings that a flag or the process
// environment gives anyway: an env() without value is no error there. A name
// such as variables stands for all below it.
//
// Select may be called before the commit is known, and again afterwards.
func (f *File) Select(env string, given ...string) (*Selection, error) {
	chosen, ok := f.Environments[env]
	if env != "" && !ok {
		return nil, fmt.Errorf("environment %q is not in %s: %s", env, f.Path, suggest(env, f.EnvironmentNames()))
	}
	d := f.decoder(true)
	d.scope.commitLater, d.scope.given = true, given
	s := &Selection{}
	d.decode(f.body, &s.Settings, "ostro.hcl", "job", "artifact", "environment")
	s.Sources = d.set
	top := s.Settings
	if chosen != nil {
		s.Environment = &Environment{Name: env, Range: chosen.Range}
		f.overlay(d, s)
	}
	f.selectJobs(d, s, top)
	if d.diags.HasErrors() {
		return nil, sorted(d.diags)
	}
	s.Pending = sorted(d.pending)
	return s, nil
}

// overlay decodes the environment's block over the top level.
func (f *File) overlay(d *decoder, s *Selection) {
	b := f.block("environment", s.Environment.Name)
	sub := d.child(d.scope)
	sub.decode(b.Body, s.Environment, fmt.Sprintf("environment %q", s.Environment.Name))
	d.add(sub)
	s.dropOtherWay(sub.set, s.Environment.Standalone)
	s.Settings = overlaid(s.Settings, s.Environment.Settings, sub.set)
	maps.Copy(s.Sources, sub.set)
}

// dropOtherWay forgets how the top level reaches Nomad where the environment
// has a way of its own.
func (s *Selection) dropOtherWay(set map[string]hcl.Range, standalone bool) {
	_, address := set["address"]
	_, ssh := set["ssh.host"]
	if address || ssh {
		s.Standalone = false
		delete(s.Sources, "standalone")
	}
	if standalone {
		s.Address, s.SSH = "", SSH{}
		maps.DeleteFunc(s.Sources, func(name string, _ hcl.Range) bool {
			return name == "address" || strings.HasPrefix(name, "ssh.")
		})
	}
}

// overlaid returns base with what was set in over. Maps merge deeply, lists of
// variable files and secrets add up.
func overlaid(base, over Settings, set map[string]hcl.Range) Settings {
	files := slices.Concat(base.VariableFiles, over.VariableFiles)
	secrets := slices.Concat(base.Secrets, over.Secrets)
	overlayFields(reflect.ValueOf(&base).Elem(), reflect.ValueOf(&over).Elem(), set, "")
	base.VariableFiles, base.Secrets = files, secrets
	return base
}

func overlayFields(base, over reflect.Value, set map[string]hcl.Range, prefix string) {
	from := fields(over)
	for i, to := range fields(base) {
		switch to.value.Kind() {
		case reflect.Struct:
			overlayFields(to.value, from[i].value, set, prefix+to.name+".")
		case reflect.Map:
			to.value.Set(reflect.ValueOf(merged(to.value.Interface().(map[string]any), from[i].value.Interface().(map[string]any))))
		default:
			if _, ok := set[prefix+to.name]; ok {
				to.value.Set(from[i].value)
			}
		}
	}
}

// merged merges maps deeply without changing either; over wins.
func merged(base, over map[string]any) map[string]any {
	out := map[string]any{}
	maps.Copy(out, base)
	for name, value := range over {
		a, aMap := out[name].(map[string]any)
		b, bMap := value.(map[string]any)
		if aMap && bMap {
			value = merged(a, b)
		}
		out[name] = value
	}
	return out
}

// selectJobs evaluates the jobs and puts each after those that it depends on.
func (f *File) selectJobs(d *decoder, s *Selection, top Settings) {
	var env Settings
	if s.Environment != nil {
		env = s.Environment.Settings
	}
	byName := map[string]Job{}
	for _, j := range f.Jobs {
		b := f.block("job", j.Name)
		j = d.job(b, fmt.Sprintf("job %q", j.Name))
		j.Variables = merged(merged(top.Variables, j.Variables), env.Variables)
		j.VariableFiles = slices.Concat(top.VariableFiles, j.VariableFiles, env.VariableFiles)
		byName[j.Name] = j
	}
	placed := map[string]bool{}
	var place func(name string)
	place = func(name string) {
		if placed[name] {
			return
		}
		placed[name] = true
		for _, dependency := range byName[name].DependsOn {
			if _, ok := byName[dependency]; ok {
				place(dependency)
			}
		}
		s.Jobs = append(s.Jobs, byName[name])
	}
	for _, j := range f.Jobs {
		place(j.Name)
	}
}

// block finds a labelled block that decoding has found to be there.
func (f *File) block(kind, label string) *hclsyntax.Block {
	i := slices.IndexFunc(f.body.Blocks, func(b *hclsyntax.Block) bool {
		return b.Type == kind && len(b.Labels) == 1 && b.Labels[0] == label
	})
	return f.body.Blocks[i]
}

// Value returns a setting by its dotted name, as in Sources.
func (s *Selection) Value(name string) (any, bool) {
	return lookup(reflect.ValueOf(&s.Settings).Elem(), name)
}

func lookup(v reflect.Value, name string) (any, bool) {
	head, rest, nested := strings.Cut(name, ".")
	for _, f := range fields(v) {
		switch {
		case f.name != head:
		case nested && f.value.Kind() == reflect.Struct:
			return lookup(f.value, rest)
		case nested && f.value.Kind() == reflect.Map:
			v, ok := f.value.Interface().(map[string]any)[rest]
			return v, ok
		case !nested:
			return f.value.Interface(), true
		}
	}
	return nil, false
}
