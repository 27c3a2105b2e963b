package deploy

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// ErrNoChanges is returned by [Submit] for a job that the server already has,
// when [Options.RefuseNoChanges] is set.
var ErrNoChanges = errors.New("no changes")

// Unreachable says that no server answered before anything was sent.
type Unreachable struct {
	Op    string        // what was being done, such as "read job web"
	After time.Duration // how long it was tried
	Err   error         // the last failure
}

func (e *Unreachable) Error() string {
	return fmt.Sprintf("%s: no answer from nomad within %s: %v", e.Op, e.After, e.Err)
}

func (e *Unreachable) Unwrap() error { return e.Err }

// Refused is a server's no: an invalid job, a missing right, an unknown region.
type Refused struct {
	Op     string // what was being done, such as "register job web"
	Status int    // HTTP status
	Text   string // the server's own words
}

func (e *Refused) Error() string {
	return fmt.Sprintf("%s: nomad refused (%d): %s", e.Op, e.Status, e.Text)
}

// Conflict says that the job on the server is not the one that was planned
// against, and that planning again did not help.
type Conflict struct {
	JobID    string
	Want     uint64 // job modify index that was enforced
	Have     uint64 // index that the server has; 0 when the job does not exist
	Attempts int    // how often a plan was made
	// Now is what would change by now, set where that is not what the first plan
	// showed.
	Now *PlanResult
}

func (e *Conflict) Error() string {
	if e.Now != nil {
		return fmt.Sprintf("job %s was changed by somebody else, and what would change is no longer what was shown: planned at job modify index %d, found %d",
			e.JobID, e.Want, e.Have)
	}
	return fmt.Sprintf("job %s was changed by somebody else: wanted job modify index %d, found %d, planned %d time(s)",
		e.JobID, e.Want, e.Have, e.Attempts)
}

// Unplaceable says that the scheduler's dry run found no room for part of the
// job. Nothing was submitted.
type Unplaceable struct {
	JobID  string
	Groups []GroupFailure
}

func (e *Unplaceable) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "job %s cannot be placed", e.JobID)
	for _, g := range e.Groups {
		fmt.Fprintf(&b, "; group %s: %s", g.Group, strings.Join(g.Reasons, ", "))
	}
	return b.String()
}

// Unsettled says that a register or a launch was sent, its answer was lost, and the
// job could not be read afterwards: it may have taken place or not.
type Unsettled struct {
	JobID  string
	Launch bool  // of a job that is registered
	Err    error // the failure that lost the answer
}

func (e *Unsettled) Error() string {
	what := "registered"
	if e.Launch {
		what = "launched"
	}
	return fmt.Sprintf("contact lost while job %s was being %s; it is unknown whether it was: %v", e.JobID, what, e.Err)
}

func (e *Unsettled) Unwrap() error { return e.Err }
