package main

import (
	"context"
	"errors"

	"github.com/hashicorp/hcl/v2"

	"ostro/deploy"
	"ostro/watch"
)

// The exit codes. The README has the same table, with the words.
const (
	codeOK          = 0 // the deployment that this run made is successful
	codeError       = 1 // failed before or outside the deployment
	codeUsage       = 2 // wrong usage, template, variable, job file or config
	codeFailed      = 3 // the deployment failed and nothing was reverted
	codeReverted    = 4 // the deployment failed and the job was reverted
	codeUnknown     = 5 // the outcome is unknown
	codeSuperseded  = 6 // somebody deployed a newer version, or stopped the job
	codeUnplaceable = 7 // no node fits
	codeChanges     = 2 // plan -detailed-exitcode: there is something to change
	// 130 and 143: interrupted by SIGINT or SIGTERM, see endCode.
)

// usageError is a mistake of whoever typed the command line.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// verdictError is the end of a deployment that is not a success. What there is
// to say has been said.
type verdictError struct{ verdict watch.Verdict }

func (e verdictError) Error() string { return e.verdict.Summary }

// unknownError is what keeps a watch from a verdict after the job was
// registered.
type unknownError struct{ error }

func (e unknownError) Unwrap() error { return e.error }

// changesError ends a plan that found something to change, where
// -detailed-exitcode asks.
type changesError struct{ error }

// endCode is what the process ends with: 128 and the signal that interrupted it,
// as a shell has it, else what the error says.
func endCode(ctx context.Context, err error) int {
	if err == nil {
		return codeOK
	}
	if by, ok := errors.AsType[interruption](context.Cause(ctx)); ok {
		return 128 + int(by.Signal)
	}
	return exitCode(err)
}

// exitCode maps an error to the table.
func exitCode(err error) int {
	if v, ok := errors.AsType[verdictError](err); ok {
		return verdictCode(v.verdict.Outcome)
	}
	if c, ok := errors.AsType[commandError](err); ok {
		return c.code()
	}
	if _, ok := errors.AsType[changesError](err); ok {
		return codeChanges
	}
	if _, ok := errors.AsType[usageError](err); ok {
		return codeUsage
	}
	if _, ok := errors.AsType[hcl.Diagnostics](err); ok {
		return codeUsage
	}
	if _, ok := errors.AsType[*deploy.Unplaceable](err); ok {
		return codeUnplaceable
	}
	if _, ok := errors.AsType[*deploy.Unsettled](err); ok {
		return codeUnknown
	}
	if _, ok := errors.AsType[unknownError](err); ok {
		return codeUnknown
	}
	return codeError
}

func verdictCode(o watch.Outcome) int {
	switch o {
	case watch.Successful, watch.ReadyForPromotion:
		return codeOK
	case watch.Failed, watch.NothingRuns:
		return codeFailed
	case watch.Reverted:
		return codeReverted
	case watch.Superseded:
		return codeSuperseded
	case watch.Unplaceable:
		return codeUnplaceable
	}
	return codeUnknown
}
