// Package httpapi answers Nomad's HTTP API out of a [state.Store].
//
// A handler takes a request and returns a value or an error; one adapter turns
// that into JSON with Nomad's headers, or into Nomad's plain-text error. All
// routes stand in one list, and every blocking query goes through state.Wait.
//
// The package writes jobs, what was asked for, and the evaluations that this
// calls for. It decides nothing about allocations: a plan, a promotion, the end
// of a deployment are asked of package decide. It starts no task, opens no
// connection, and never prints.
package httpapi
