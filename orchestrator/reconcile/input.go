package reconcile

import (
	"time"

	"github.com/hashicorp/nomad/api"
)

// Input is all that a decision about one job depends on.
type Input struct {
	// Now is the time of the decision.
	Now time.Time
	// At is when something happened that was noted in Unix nanoseconds, by the clock
	// of Now. It may be nil, for a clock that nobody has set.
	At func(nanos int64) time.Time
	// NewID gives a new unique ID at each call.
	NewID func() string
	// Eval is the evaluation that asks for the decision.
	Eval *api.Evaluation
	// Job is the current version, canonical; nil when it was purged.
	Job *api.Job
	// Allocs are the allocations of every version of the job.
	Allocs []*api.Allocation
	// Deployment is the newest deployment of the job, or nil.
	Deployment *api.Deployment
	// Blocked is the blocked evaluation of the job, or nil.
	Blocked *api.Evaluation
	// Nodes are all nodes.
	Nodes []*api.Node
	// Usage is what the allocations of all jobs on a node hold; nil is nothing.
	// It is not changed.
	Usage func(nodeID string) *Usage
	// Scheduler is how decisions are made; nil is the default.
	Scheduler *api.SchedulerConfiguration
	// Settled is the version that took over last: until a promotion it runs in
	// the place of what is lost of older ones. It may be nil. SettledBy is the
	// deployment in which it did.
	Settled   *api.Job
	SettledBy *api.Deployment
}

func (in Input) at(nanos int64) time.Time {
	if in.At == nil {
		return time.Unix(0, nanos)
	}
	return in.At(nanos)
}

// Changes are what is to be written, all of it or nothing.
type Changes struct {
	// Eval is the evaluation as it ends.
	Eval *api.Evaluation
	// Evals are further evaluations: new ones, and a blocked one that ended.
	Evals []*api.Evaluation
	// Place are new allocations, each with its node.
	Place []*api.Allocation
	// Update are changed copies of existing allocations.
	Update []*api.Allocation
	// Deployments are new deployments, and changed copies of existing ones.
	Deployments []*api.Deployment
	// Stable says that the job's version has proven itself.
	Stable bool
	// Desired counts per task group what was decided. (Nomad: the annotations
	// of a plan.)
	Desired map[string]*api.DesiredUpdates
}

// Idle tells whether an evaluation that waited goes on waiting, and nothing else
// changes.
func (c Changes) Idle() bool {
	return c.Eval.Status == api.EvalStatusBlocked && len(c.Evals)+len(c.Place)+len(c.Update)+len(c.Deployments) == 0
}

// The fixed descriptions. (Nomad.)
const (
	descNotNeeded   = "alloc not needed due to job update"
	descMigrating   = "alloc is being migrated"
	descUpdating    = "alloc is being updated due to job update"
	descLost        = "alloc is lost since its node is down"
	descTainted     = "alloc not needed as node is tainted"
	descRescheduled = "alloc was rescheduled because it failed"
	// A failed allocation that has a replacement does not say so. (Nomad 2.0.)
	descReplaced    = ""
	descReconnected = "alloc not needed due to disconnected client reconnect"

	descRunning         = "Deployment is running"
	descNeedsPromotion  = "Deployment is running but requires manual promotion"
	descAutoPromotion   = "Deployment is running pending automatic promotion"
	descPaused          = "Deployment is paused"
	descSuccessful      = "Deployment completed successfully"
	descCancelStopped   = "Cancelled because job is stopped"
	descCancelNewer     = "Cancelled due to newer version of job"
	descFailedUnhealthy = "Failed due to unhealthy allocations"
	descFailedDeadline  = "Failed due to progress deadline"
	descFailedByUser    = "Deployment marked as failed"

	descBlockedEval          = "created to place remaining allocations"
	descBlockedTwice         = "existing blocked evaluation exists for job %q"
	descUnblocked            = "evaluation %q successful"
	descReschedulingFollowUp = "created for delayed rescheduling"
	descDisconnectFollowUp   = "created for delayed disconnect timeout"
)

// The triggers of evaluations that this package makes. (Nomad.)
const (
	TriggerQueuedAllocs      = "queued-allocs"
	TriggerReschedule        = "alloc-reschedule"
	TriggerMaxDisconnect     = "max-disconnect-timeout"
	TriggerAllocFailure      = "alloc-failure"
	TriggerDeploymentWatcher = "deployment-watcher"
)

// Terminal tells whether an allocation needs nothing any more: it is to stop,
// or it has ended.
func Terminal(a *api.Allocation) bool {
	return a.DesiredStatus != api.AllocDesiredStatusRun || ended(a)
}

// ended tells whether the tasks of an allocation are over, or given up for lost.
func ended(a *api.Allocation) bool {
	switch a.ClientStatus {
	case api.AllocClientStatusComplete, api.AllocClientStatusFailed, api.AllocClientStatusLost:
		return true
	}
	return false
}

func healthy(a *api.Allocation) bool {
	return a.DeploymentStatus != nil && a.DeploymentStatus.Healthy != nil && *a.DeploymentStatus.Healthy
}

func unhealthy(a *api.Allocation) bool {
	return a.DeploymentStatus != nil && a.DeploymentStatus.Healthy != nil && !*a.DeploymentStatus.Healthy
}

// sameVersion tells whether an allocation runs this version of this life of the job.
func sameVersion(a *api.Allocation, job *api.Job) bool {
	return *a.Job.Version == *job.Version && *a.Job.CreateIndex == *job.CreateIndex
}
