// Package watch follows what a register started to its end and says, truthfully
// and with reasons, how it ended.
//
// The verdict is about one job version: the deployment that the register's
// evaluation made, followed by its ID; without a deployment, the allocations of
// that version. A newer, healthy deployment is evidence of a revert, never of
// success.
//
// Deciding is apart from looking: [Judge] is a pure function of a [Snapshot],
// [Run] reads snapshots until there is a verdict. Run writes to the cluster only
// where its options say so (promote, revert). The package does not print, and
// does not choose exit codes.
package watch
