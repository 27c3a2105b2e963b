package reconcile

import (
	"cmp"
	"slices"
	"time"

	"github.com/hashicorp/nomad/api"
)

// TriggerNodeDrain is the trigger of the evaluations of a drain. (Nomad.)
const TriggerNodeDrain = "node-drain"

// The outcomes of a drain. (Nomad.)
const (
	DrainDraining api.DrainStatus = "draining"
	DrainComplete api.DrainStatus = "complete"
	DrainCanceled api.DrainStatus = "canceled"
)

// DrainInput is all that the next step of a node's drain depends on.
type DrainInput struct {
	Now time.Time
	// Node is a node with a drain strategy.
	Node *api.Node
	// Allocs are the allocations on the node.
	Allocs []*api.Allocation
	// Job is the current version of a job, or nil.
	Job func(namespace, id string) *api.Job
	// JobAllocs are the allocations of a job on all nodes.
	JobAllocs func(namespace, id string) []*api.Allocation
}

// DrainChanges are what the next step of a drain changes.
type DrainChanges struct {
	// Move are allocations that are told to move, as changed copies.
	Move []*api.Allocation
	// Done says that the drain is over; Deadline, that it ended by its deadline.
	Done, Deadline bool
	// CheckAt is when to look again, if nothing happens before; zero for never.
	CheckAt time.Time
}

// Drain decides what leaves a node next: of each group of a service as many as
// its migrate block lets, measured by what is healthy on any node; of other
// jobs nothing before the deadline, so that their work may end; and system jobs
// when everything else has left. A drain by force begins like any other, and ends
// at once. (Nomad: S5.)
func Drain(in DrainInput) DrainChanges {
	strategy := in.Node.DrainStrategy
	deadline, limited := drainDeadline(strategy)
	if limited && !deadline.After(in.Now) {
		if first := in.services(); strategy.Deadline < 0 && len(first) > 0 && !in.begun() {
			return DrainChanges{Move: first, CheckAt: in.Now}
		}
		return DrainChanges{Move: in.rest(), Done: true, Deadline: true}
	}
	if in.left() {
		return DrainChanges{Move: in.rest(), Done: true}
	}
	return DrainChanges{Move: in.services(), CheckAt: deadline}
}

// services lists what may leave the node of all services now.
func (in DrainInput) services() []*api.Allocation {
	var moved []*api.Allocation
	seen := map[[2]string]bool{}
	for _, a := range in.Allocs {
		key := [2]string{a.Namespace, a.JobID}
		if seen[key] || Terminal(a) || *a.Job.Type != api.JobTypeService {
			continue
		}
		seen[key] = true
		moved = append(moved, in.service(a.Namespace, a.JobID)...)
	}
	return moved
}

// begun tells whether something was told to leave the node already.
func (in DrainInput) begun() bool {
	return slices.ContainsFunc(in.Allocs, func(a *api.Allocation) bool { return isSet(a.DesiredTransition.Migrate) })
}

// drainDeadline is when a drain is forced; it never is where limited is false.
func drainDeadline(s *api.DrainStrategy) (at time.Time, limited bool) {
	switch {
	case s.Deadline == 0:
		return time.Time{}, false
	case s.Deadline < 0:
		return s.StartedAt, true
	}
	return s.ForceDeadline, true
}

// left tells whether only system jobs are still on the node.
func (in DrainInput) left() bool {
	return !slices.ContainsFunc(in.Allocs, func(a *api.Allocation) bool {
		return *a.Job.Type != api.JobTypeSystem && !ended(a)
	})
}

// rest is everything that is still on the node and may not stay.
func (in DrainInput) rest() []*api.Allocation {
	var rest []*api.Allocation
	for _, a := range in.Allocs {
		stays := *a.Job.Type == api.JobTypeSystem && in.Node.DrainStrategy.IgnoreSystemJobs
		if !Terminal(a) && !stays && !isSet(a.DesiredTransition.Migrate) {
			rest = append(rest, move(a))
		}
	}
	return rest
}

// move is a copy of an allocation that is told to move. The work of a batch job
// is not begun anew elsewhere.
func move(a *api.Allocation) *api.Allocation {
	moved := *a
	moved.DesiredTransition.Migrate = new(true)
	if *a.Job.Type == api.JobTypeBatch {
		moved.DesiredTransition.MigrateDisablePlacement = new(true)
	}
	return &moved
}

// service lists what may leave the node of one service now.
func (in DrainInput) service(namespace, id string) []*api.Allocation {
	job := in.Job(namespace, id)
	if job == nil {
		return nil
	}
	healthy := map[string]int{}
	here := map[string][]*api.Allocation{}
	for _, a := range in.JobAllocs(namespace, id) {
		if Terminal(a) || isSet(a.DesiredTransition.Migrate) {
			continue
		}
		if a.DeploymentStatus != nil && a.DeploymentStatus.Healthy != nil {
			healthy[a.TaskGroup]++
		}
		if a.NodeID == in.Node.ID {
			here[a.TaskGroup] = append(here[a.TaskGroup], a)
		}
	}
	var moved []*api.Allocation
	for _, group := range job.TaskGroups {
		allocs := here[*group.Name]
		if group.Migrate == nil {
			continue
		}
		slices.SortFunc(allocs, func(a, b *api.Allocation) int {
			return cmp.Or(cmp.Compare(nameIndex(a.Name), nameIndex(b.Name)), cmp.Compare(a.ID, b.ID))
		})
		n := healthy[*group.Name] - (*group.Count - *group.Migrate.MaxParallel)
		for _, a := range allocs[:max(min(n, len(allocs)), 0)] {
			moved = append(moved, move(a))
		}
	}
	return moved
}
