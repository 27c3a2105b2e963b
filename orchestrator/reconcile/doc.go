// Package reconcile decides. [Compute] takes a job, its allocations, its
// deployment and the nodes, and says which allocations to place, stop and
// update; [Progress] takes a deployment and says whether it goes on, fails or
// reverts. Both are functions of their input alone: time and IDs come in with
// it, there is no clock, no chance, no context and no I/O, and no input is
// changed. The plan endpoint calls the same function and forgets the result.
//
// The rules are Nomad's; README.md numbers them, and the code cites the
// numbers.
package reconcile
