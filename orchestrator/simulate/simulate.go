package simulate

import (
	"time"

	"github.com/hashicorp/nomad/api"
)

// Future is how the new version behaves. Older versions always behave.
type Future int

const (
	Good         Future = iota // all goes well
	Crashes                    // its tasks end as soon as they have started
	NeverHealthy               // its tasks run and never become healthy
)

// Input is a cluster at the moment of the registration.
type Input struct {
	Start time.Time
	// Job is the new version, canonical; Version and the indexes are set by Run.
	Job *api.Job
	// Versions are the kept versions of the job, newest first; none for a new job.
	Versions []*api.Job
	// Allocs are those of the job, Others those of all other jobs.
	Allocs, Others []*api.Allocation
	// Deployment is the newest deployment of the job, or nil.
	Deployment *api.Deployment
	Nodes      []*api.Node
	// SameSpec tells whether two versions say the same, but for what the server
	// sets.
	SameSpec func(a, b *api.Job) bool
}

// Kind is what happens.
type Kind string

// The kinds of events.
const (
	Starts    Kind = "starts"
	Healthy   Kind = "healthy"
	Unhealthy Kind = "unhealthy"
	Restarts  Kind = "restarts" // it has crashed, and is about to try again
	Fails     Kind = "fails"
	Stops     Kind = "stops"
	Updates   Kind = "updates" // in place
	Unplaced  Kind = "unplaced"
	Promoted  Kind = "promoted"
	Reverts   Kind = "reverts"
	Ends      Kind = "ends" // the deployment
)

// Event is one thing that happens. What does not apply is empty.
type Event struct {
	At         time.Duration `json:"-"` // since the registration
	Kind       Kind          `json:"kind"`
	Allocation string        `json:"allocation,omitempty"` // its name, such as web.g[0]
	Group      string        `json:"group,omitempty"`
	Node       string        `json:"node,omitempty"`
	Version    uint64        `json:"version"`
	Detail     string        `json:"detail,omitempty"`
}

// Level is how many allocations of each group serve from a moment on.
type Level struct {
	At      time.Duration
	Serving map[string]int
}

// Outcome is how a rollout ends.
type Outcome string

// The outcomes.
const (
	Successful Outcome = "successful"
	Failed     Outcome = "failed"   // and nothing older came back
	Reverted   Outcome = "reverted" // and an older version came back
	Running    Outcome = "running"  // no deployment answers for it; what was to start has started
	Endless    Outcome = "endless"  // it does not come to rest within the horizon
)

// Timeline is what happens in one future.
type Timeline struct {
	Future  Future
	Version uint64 // of the new job
	Events  []Event
	Levels  []Level // changes only; the first is that before the registration
	Took    time.Duration
	Outcome Outcome
	// RevertedTo is the version that came back, where one did.
	RevertedTo *uint64
	// Lowest is the least that each group served.
	Lowest map[string]int
	// Reason is what the deployment says of its end, "" where there is none.
	Reason string
}

// horizon is how far a future is told.
const horizon = time.Hour * 3

// Run tells one future.
func Run(in Input, f Future) Timeline {
	w := newWorld(in, f)
	w.level()
	w.register()
	w.settle()
	for !w.over() && w.next() {
		w.settle()
	}
	w.level()
	return w.end()
}
