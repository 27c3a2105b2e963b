package httpapi

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/nomad/api"

	"ostro/jobspec"
)

// parseJob turns a job file into JSON. It reads no file of this machine.
func (s *server) parseJob(r *request) (any, error) {
	req := api.JobsParseRequest{}
	if err := decode(r, &req); err != nil {
		return nil, err
	}
	if req.JobHCL == "" {
		return nil, badRequest("Job spec is empty")
	}
	options := jobspec.Options{DisableFileFunctions: true, Lenient: true}
	if req.Variables != "" {
		options.VariableFiles = []jobspec.File{{Name: "input.hcl", Text: []byte(req.Variables)}}
	}
	result, diagnostics := jobspec.Parse("input.hcl", []byte(req.JobHCL), options)
	if diagnostics.HasErrors() {
		return nil, jobParseError(diagnosticsText(diagnostics))
	}
	if req.Canonicalize {
		result.Job.Canonicalize()
	}
	return answer{value: result.Job}, nil
}

// diagnosticsText puts every problem on one line of its own.
func diagnosticsText(diagnostics hcl.Diagnostics) string { return diagnostics.Error() }
