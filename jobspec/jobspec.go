package jobspec

import (
	"bytes"
	"path/filepath"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/nomad/api"
)

// Options says where the values of a job file's variables come from and what the
// file may do. The zero value is a strict parse without any values.
type Options struct {
	Variables            []string // NAME=VALUE in order, as given with -var
	VariableFiles        []File   // variable files in order, HCL2 or HCL-JSON
	Environ              []string // process environment; only NOMAD_VAR_* is looked at
	Lenient              bool     // values for undeclared variables are warnings (nomad -hcl2-strict=false)
	BaseDir              string   // where file functions start; default is the folder of the job file
	DisableFileFunctions bool     // file functions are errors, as on a server
}

// File is a text with the name under which diagnostics show it.
type File struct {
	Name string
	Text []byte
}

// Result is a parsed job file.
type Result struct {
	Job        *api.Job
	Submission *api.JobSubmission // the original text and variables, for Nomad's UI
	Declared   []string           // names of the variables the file declares, sorted
	Warnings   hcl.Diagnostics
}

// Parse reads a job file: HCL2, HCL-JSON when the first byte that is not a space is
// '{', or API JSON, an object {"Job": {...}} or a job by itself. The diagnostics
// returned are errors only, ordered by position; the result is nil when there are any.
func Parse(filename string, text []byte, opts Options) (*Result, hcl.Diagnostics) {
	if isAPIJSON(text) {
		return parseAPIJSON(filename, text, opts)
	}
	if opts.BaseDir == "" {
		opts.BaseDir = filepath.Dir(filename)
	}
	p := newParser(text, opts)
	result := p.parse(filename)
	errs, warnings := split(p.diags)
	if len(errs) > 0 {
		return nil, errs
	}
	result.Warnings = warnings
	return result, nil
}

// Declared returns the names of the variables that a job file declares, sorted. It
// is best effort: a file with syntax errors gives what could be read.
func Declared(filename string, text []byte) []string {
	if isAPIJSON(text) {
		return nil
	}
	p := newParser(text, Options{})
	root, ok := p.root(filename)
	if !ok {
		return nil
	}
	p.declare(p.readRaw(root, topLevel, "the job file"))
	return p.vars.names()
}

// isHCLJSON reports whether Nomad reads text as HCL-JSON. Nomad: only spaces are
// skipped before the brace; after a tab or newline the text counts as native HCL.
func isHCLJSON(text []byte) bool {
	return bytes.HasPrefix(bytes.TrimLeft(text, " "), []byte("{"))
}
