package watch

import (
	"time"

	"github.com/hashicorp/nomad/api"
)

// Outcome is how a watch ended.
type Outcome int

const (
	Unknown           Outcome = iota // timed out, contact lost, or nothing left to judge by
	Successful                       // the version runs and is healthy, or has completed
	Failed                           // it failed, and nothing older came back in its place
	Reverted                         // it failed, and an older version runs again
	NothingRuns                      // it failed, and the revert ended at a stopped version
	Superseded                       // somebody registered another version, or stopped the job
	Unplaceable                      // no node fits
	ReadyForPromotion                // canaries are healthy, and the watch was to end there
)

func (o Outcome) String() string {
	names := [...]string{"unknown", "successful", "failed", "reverted", "nothing runs", "superseded", "unplaceable", "ready for promotion"}
	if o < 0 || int(o) >= len(names) {
		return "invalid"
	}
	return names[o]
}

// Verdict is the end of a watch and why it came to that.
type Verdict struct {
	Outcome    Outcome
	Summary    string          // one line without a full stop
	Deployment *api.Deployment // ours, nil where there is none
	Rollback   *api.Deployment // the one that brought, or should have brought, the older version back

	RevertedTo   *uint64  // the version whose specification runs again
	RevertedJob  *api.Job // the job that runs again
	SupersededBy *uint64  // the newer version, nil when the job was stopped or purged

	Reasons  []Reason // what failed, one entry per distinct way
	Unplaced []Unplaced

	// Run adds what it saw last.
	Job     *api.Job                  // as it is on the server now, nil when it is gone
	Allocs  []*api.AllocationListStub // of the version judged
	Elapsed time.Duration             // of the watch
}

// Reason is one way in which allocations failed, shown by one of them.
type Reason struct {
	AllocID, Group, Task string
	JobVersion           uint64
	Count                int      // allocations that failed alike, this one included
	Status               string   // client status and what it says of itself
	Events               []string // the task's last events, oldest first
	ExitCode             *int     // of the task's last end by itself, nil when it never did
	LogStream            string   // stderr or stdout: where LogTail comes from
	LogTail              string   // last lines that the task wrote, control characters escaped
	Command              string   // shows more
}

// Unplaced is a group for which the scheduler finds no node.
type Unplaced struct {
	Group   string
	Count   int      // allocations that wait for a node
	Reasons []string // in words, one reason each
}
