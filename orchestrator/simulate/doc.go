// Package simulate foretells a rollout. [Run] plays the registration of a new
// version on a virtual clock: the decisions are those of package reconcile, the
// nodes are a model, and what comes out is a [Timeline] of which allocation
// starts and stops when, and how many serve in between.
//
// The model of a task: it starts at once and serves as soon as it is healthy,
// which it is after the minimal time of its group. One that crashes does so at
// once, as often as its restart policy lets it, without the jitter. A task that
// is stopped ends after its shutdown delay. An allocation waits on its node for
// the end of the one that it replaces. What goes through a promotion is promoted
// as soon as it may be.
//
// The package is pure: no clock, no chance, no I/O, and no input is changed.
package simulate
