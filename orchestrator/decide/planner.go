package decide

import (
	"sync"

	"github.com/hashicorp/go-memdb"
	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator/reconcile"
	"ostro/orchestrator/state"
)

// Planner decides about evaluations. It keeps the sums of what the allocations
// on each node hold up to date with every write, so that a decision costs the
// same however many allocations there are.
type Planner struct {
	Clock

	mu    sync.Mutex
	usage map[string]*reconcile.Usage
}

// NewPlanner makes a planner that knows of no allocations.
func NewPlanner(clock Clock) *Planner {
	return &Planner{Clock: clock, usage: map[string]*reconcile.Usage{}}
}

// Load counts what the state holds already. It is called once, before the
// first decision.
func (p *Planner) Load(snap *state.Snapshot) {
	for _, a := range snap.Allocs(nil) {
		p.count(nil, a)
	}
}

// Committed counts what a write changed. The store calls it after each.
func (p *Planner) Committed(_ uint64, changes state.Changes) {
	for _, change := range changes {
		p.note(change)
	}
}

func (p *Planner) note(change memdb.Change) {
	before, _ := change.Before.(*api.Allocation)
	after, _ := change.After.(*api.Allocation)
	p.count(before, after)
}

func (p *Planner) count(before, after *api.Allocation) {
	held := before != nil && reconcile.Holds(before)
	holds := after != nil && reconcile.Holds(after)
	if held == holds && (!holds || before.AllocatedResources == after.AllocatedResources) {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if held {
		p.on(before.NodeID).Remove(before)
	}
	if holds {
		p.on(after.NodeID).Add(after)
	}
}

func (p *Planner) on(node string) *reconcile.Usage {
	u := p.usage[node]
	if u == nil {
		u = &reconcile.Usage{}
		p.usage[node] = u
	}
	return u
}

// Usage is what the allocations on a node hold, or nil. It is not to be changed
// and holds while no write is under way.
func (p *Planner) Usage(node string) *reconcile.Usage {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.usage[node]
}

// Evaluation lets reconcile decide about an evaluation's job, on the state that
// the transaction is about to change. The transaction has not changed
// allocations yet: those are counted when it is written.
func (p *Planner) Evaluation(tx *state.Txn, eval *api.Evaluation) reconcile.Changes {
	in := reconcile.Input{
		Now: p.Now(), At: p.at, NewID: p.NewID, Eval: eval,
		Job:        tx.Job(nil, eval.Namespace, eval.JobID),
		Allocs:     tx.AllocsByJob(nil, eval.Namespace, eval.JobID),
		Deployment: tx.LatestDeployment(nil, eval.Namespace, eval.JobID),
		Blocked:    tx.BlockedEval(nil, eval.Namespace, eval.JobID),
		Nodes:      tx.Nodes(nil),
		Usage:      p.Usage,
		Scheduler:  tx.SchedulerConfig(nil),
	}
	if d := in.Deployment; d != nil && state.Active(d) && canaries(d) {
		in.Settled, in.SettledBy = settled(tx, eval.Namespace, eval.JobID)
	}
	return reconcile.Compute(in)
}

func canaries(d *api.Deployment) bool {
	for _, group := range d.TaskGroups {
		if group.DesiredCanaries > 0 && !group.Promoted {
			return true
		}
	}
	return false
}

// settled is the newest version of a job that nobody has to promote any more, with
// its deployment. (Nomad: P7.)
func settled(tx *state.Txn, namespace, jobID string) (*api.Job, *api.Deployment) {
	for _, d := range tx.DeploymentsByJob(nil, namespace, jobID) {
		if !canaries(d) {
			return tx.Version(nil, namespace, jobID, d.JobVersion), d
		}
	}
	return nil, nil
}
