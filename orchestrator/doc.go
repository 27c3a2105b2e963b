// Package orchestrator is a small Nomad in one process: it keeps jobs, decides
// about allocations and runs their tasks, and answers Nomad's HTTP API. [Start]
// is what `ostro agent` runs and what the tests run.
//
// Data goes round in one direction:
//
//	httpapi -> state -> loop -> reconcile -> state -> runner -> driver
//	                     ^                              |
//	                     +---------- status ------------+
//
// The package wires the parts and moves values between them. It decides
// nothing about allocations (reconcile does) and knows no HTTP.
package orchestrator
