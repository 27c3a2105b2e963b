// Package state keeps what the orchestrator knows: jobs and their versions,
// evaluations, allocations, deployments and nodes, as nomad/api values in the
// form in which they go over the wire.
//
// Reads go to a [Snapshot], an immutable view that costs nothing to take.
// EVERY value that a snapshot returns is a constant: copy it before changing
// it. Writes go through [Store.Update], one at a time; a write that returned
// without an error is on disk. [Store.Wait] is the one place where a reader
// waits for a change; every blocking query uses it.
//
// The package knows no clock, no chance and no network, and decides nothing
// about allocations: times and IDs come in with the values.
package state
