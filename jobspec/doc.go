// Package jobspec turns the text of a Nomad job file into an api.Job, exactly as
// `nomad job run -output` does.
//
// It reads HCL2, HCL-JSON and API JSON, with input variables, locals, functions
// and dynamic blocks. The blocks and attributes it knows are those of the hcl tags
// of nomad/api; a field that appears there is read here without further code.
//
// It fills only the defaults that Nomad's own parser fills: everything else stays
// null, and the server decides.
//
// All mistakes of a file are reported in one go, as hcl.Diagnostics with the range
// in the text. The package prints nothing, opens no connection, and reads no file
// but those that a file function of the job names (none with
// Options.DisableFileFunctions). Whatever the text, the work is bounded by the
// limits in limits.go.
package jobspec
