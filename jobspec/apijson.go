package jobspec

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/nomad/api"
)

// JSON renders a job exactly as `nomad job run -output` prints it.
func JSON(job *api.Job) ([]byte, error) {
	text, err := json.MarshalIndent(struct{ Job *api.Job }{job}, "", "    ")
	if err != nil {
		return nil, fmt.Errorf("render job as JSON: %w", err)
	}
	return append(text, '\n'), nil
}

// isAPIJSON tells API JSON from HCL-JSON, which `nomad job run` has a flag for: an
// object with a Job in it, or the ID or groups of a job, and nothing that HCL-JSON has.
func isAPIJSON(text []byte) bool {
	text = bytes.TrimLeft(text, " \t\r\n")
	if !bytes.HasPrefix(text, []byte("{")) || len(text) > maxText {
		return false
	}
	found := false
	for name := range topLevelNames(text) {
		if _, hcl := topLevel.blocks[name]; hcl {
			return false
		}
		found = found || name == "Job" || name == "ID" || name == "TaskGroups"
	}
	return found
}

// topLevelNames yields the property names of a JSON object, as far as it is sound.
func topLevelNames(text []byte) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		d := json.NewDecoder(bytes.NewReader(text))
		d.Token() // the opening brace
		for d.More() {
			name, err := d.Token()
			if err != nil {
				return
			}
			var skipped json.RawMessage
			ok := yield(fmt.Sprint(name))
			if err := d.Decode(&skipped); err != nil || !ok {
				return
			}
		}
	}
}

// parseAPIJSON reads a job as Nomad's HTTP API takes it. Nomad: whatever follows the
// first JSON value, and fields it does not know, are ignored.
func parseAPIJSON(filename string, text []byte, opts Options) (*Result, hcl.Diagnostics) {
	if len(opts.Variables)+len(opts.VariableFiles) > 0 {
		return nil, hcl.Diagnostics{{
			Severity: hcl.DiagError,
			Summary:  "API JSON has no variables to set",
			Detail:   "Leave -var and the variable files out, or write the job as HCL.",
			Subject:  &hcl.Range{Filename: filename, Start: hcl.InitialPos, End: hcl.InitialPos},
		}}
	}
	var file struct {
		Nested *api.Job `json:"Job"`
		api.Job
	}
	if err := json.NewDecoder(bytes.NewReader(text)).Decode(&file); err != nil {
		return nil, hcl.Diagnostics{jsonError(filename, text, err)}
	}
	job := &file.Job
	if file.Nested != nil {
		job = file.Nested
	}
	return &Result{Job: job, Submission: &api.JobSubmission{Source: string(text), Format: "json"}}, nil
}

// jsonError gives an error of encoding/json its place in the text.
func jsonError(filename string, text []byte, err error) *hcl.Diagnostic {
	offset := len(text)
	summary := "this is no API JSON: " + err.Error()
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		offset = int(syntax.Offset) - 1
	}
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		offset = int(wrong.Offset) - 1
		summary = fmt.Sprintf("%s needs a %s, not a %s", wrong.Field, wrong.Type, wrong.Value)
	}
	at := position(text, offset)
	return &hcl.Diagnostic{
		Severity: hcl.DiagError,
		Summary:  summary,
		Subject:  &hcl.Range{Filename: filename, Start: at, End: at},
	}
}

// position is that of a byte in a text.
func position(text []byte, offset int) hcl.Pos {
	before := text[:min(max(offset, 0), len(text))]
	line := bytes.Count(before, []byte("\n"))
	column := utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:])
	return hcl.Pos{Line: line + 1, Column: column + 1, Byte: len(before)}
}
