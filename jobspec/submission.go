package jobspec

import (
	"maps"
	"strings"

	"github.com/hashicorp/nomad/api"
	"github.com/zclconf/go-cty/cty"
)

// submission keeps the original texts, which Nomad stores with the job. Nomad: values
// of flags and the environment travel as strings where the variable is a string,
// number, bool or has no type; the others are appended to the variable files as HCL.
func (p *parser) submission() *api.JobSubmission {
	sub := &api.JobSubmission{Source: string(p.text), Format: "hcl2", VariableFlags: map[string]string{}}
	if isHCLJSON(p.text) {
		sub.Format = "json"
	}
	var files strings.Builder
	for _, f := range p.opts.VariableFiles {
		files.Write(f.Text)
		files.WriteByte('\n')
	}
	values := environValues(p.opts.Environ)
	maps.Copy(values, flagValues(p.opts.Variables))

	var complex []string
	for _, name := range keys(values) {
		if v := p.vars[name]; v != nil && !travelsAsText(v.typ) {
			complex = append(complex, name+" = "+values[name])
		} else {
			sub.VariableFlags[name] = values[name]
		}
	}
	sub.Variables = files.String()
	if len(complex) > 0 {
		if sub.Variables != "" {
			sub.Variables = strings.TrimRight(sub.Variables, "\n") + "\n\n"
		}
		sub.Variables += strings.Join(complex, "\n")
	}
	return sub
}

func travelsAsText(t cty.Type) bool {
	return t == cty.NilType || t == cty.String || t == cty.Number || t == cty.Bool
}

// environValues returns the NOMAD_VAR_ variables of a process environment by name.
func environValues(environ []string) map[string]string {
	m := map[string]string{}
	for _, entry := range environ {
		if entry, ok := strings.CutPrefix(entry, envPrefix); ok {
			if name, value, ok := strings.Cut(entry, "="); ok && name != "" {
				m[name] = value
			}
		}
	}
	return m
}

// flagValues returns the values of -var flags by name.
func flagValues(flags []string) map[string]string {
	m := map[string]string{}
	for _, flag := range flags {
		name, value, _ := strings.Cut(flag, "=")
		m[name] = value
	}
	return m
}
