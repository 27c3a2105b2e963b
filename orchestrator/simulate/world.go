package simulate

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator/reconcile"
)

// world is the cluster while its future is told.
type world struct {
	in     Input
	future Future
	now    time.Time
	index  uint64
	ids    int

	versions    []*api.Job // newest first
	allocs      map[string]*api.Allocation
	clients     map[string]*client
	deployments []*api.Deployment // newest last
	pending     []*api.Evaluation
	blocked     *api.Evaluation
	timers      []timer

	line Timeline
}

// timer is something that is due at a time; of two that are due at once the
// earlier made comes first.
type timer struct {
	at time.Time
	do func()
}

func newWorld(in Input, f Future) *world {
	w := &world{
		in: in, future: f, now: in.Start, versions: slices.Clone(in.Versions),
		allocs: map[string]*api.Allocation{}, clients: map[string]*client{},
		line: Timeline{Future: f, Lowest: map[string]int{}},
	}
	for _, job := range in.Versions {
		w.index = max(w.index, *job.JobModifyIndex, *job.ModifyIndex)
	}
	if in.Deployment != nil {
		w.deployments = append(w.deployments, in.Deployment)
	}
	for _, a := range in.Allocs {
		w.index = max(w.index, a.CreateIndex, a.ModifyIndex)
		w.allocs[a.ID] = a
		w.clients[a.ID] = formerClient(a, in.Start)
	}
	return w
}

// id is a new one. IDs follow from the input, so that a future is told the same
// way each time.
func (w *world) id() string {
	w.ids++
	return fmt.Sprintf("%08x-0000-4000-8000-%012x", w.ids, w.in.Start.Unix())
}

func (w *world) at(at time.Time, do func()) {
	i, _ := slices.BinarySearchFunc(w.timers, at, func(t timer, at time.Time) int {
		return cmp.Or(t.at.Compare(at), -1) // behind those of the same time
	})
	w.timers = slices.Insert(w.timers, i, timer{at, do})
}

// next moves the clock on to what is due next, and does all that is due then. It
// tells whether there was anything within the horizon.
func (w *world) next() bool {
	if len(w.timers) == 0 || w.timers[0].at.Sub(w.in.Start) > horizon {
		return false
	}
	if w.timers[0].at.After(w.now) {
		w.level() // what lasts no time does not count
		w.now = w.timers[0].at
	}
	for len(w.timers) > 0 && !w.timers[0].at.After(w.now) {
		due := w.timers[0]
		w.timers = w.timers[1:]
		due.do()
	}
	return true
}

// register stores the new version, and asks for a decision.
func (w *world) register() {
	w.putVersion(w.in.Job, false)
	w.line.Version = *w.job().Version
	w.ask("job-register")
}

func (w *world) putVersion(spec *api.Job, stable bool) {
	w.index++
	job := *spec
	job.Version, job.CreateIndex, job.Stable, job.Stop = new(uint64(0)), new(w.index), &stable, new(false)
	job.JobModifyIndex, job.ModifyIndex = new(w.index), new(w.index)
	if len(w.versions) > 0 {
		job.Version, job.CreateIndex = new(*w.versions[0].Version+1), w.versions[0].CreateIndex
	}
	w.versions = slices.Insert(w.versions, 0, &job)
}

func (w *world) job() *api.Job { return w.versions[0] }

// deployment is the newest one, or nil.
func (w *world) deployment() *api.Deployment {
	if len(w.deployments) == 0 {
		return nil
	}
	return w.deployments[len(w.deployments)-1]
}

func active(d *api.Deployment) bool {
	return d != nil && (d.Status == api.DeploymentStatusRunning || d.Status == api.DeploymentStatusPaused)
}

// ask makes an evaluation.
func (w *world) ask(trigger string) {
	job := w.job()
	w.pending = append(w.pending, &api.Evaluation{
		ID: w.id(), Namespace: *job.Namespace, JobID: *job.ID, Type: *job.Type, Priority: *job.Priority,
		TriggeredBy: trigger, JobModifyIndex: *job.JobModifyIndex, Status: api.EvalStatusPending,
	})
}

// settle makes all decisions that are to be made now.
func (w *world) settle() {
	for len(w.pending) > 0 {
		eval := w.pending[0]
		w.pending = w.pending[1:]
		if eval.WaitUntil.After(w.now) {
			w.at(eval.WaitUntil, func() { w.pending = append(w.pending, eval) })
			continue
		}
		w.apply(reconcile.Compute(w.input(eval)))
		w.progress()
	}
}

func (w *world) input(eval *api.Evaluation) reconcile.Input {
	usage := map[string]*reconcile.Usage{}
	for _, a := range w.in.Others {
		hold(usage, a)
	}
	for _, a := range w.allocs {
		hold(usage, a)
	}
	return reconcile.Input{
		Now: w.now, NewID: w.id, Eval: eval, Job: w.job(), Allocs: w.sorted(), Deployment: w.deployment(), Blocked: w.blocked,
		Nodes: w.in.Nodes, Usage: func(id string) *reconcile.Usage { return usage[id] }, Settled: w.settled(),
	}
}

func hold(usage map[string]*reconcile.Usage, a *api.Allocation) {
	if !reconcile.Holds(a) {
		return
	}
	if usage[a.NodeID] == nil {
		usage[a.NodeID] = &reconcile.Usage{}
	}
	usage[a.NodeID].Add(a)
}

// settled is the version before the one that waits for a promotion. (Nomad: P7.)
func (w *world) settled() *api.Job {
	if len(w.versions) < 2 {
		return nil
	}
	return w.versions[1]
}

func (w *world) sorted() []*api.Allocation {
	var list []*api.Allocation
	for _, a := range w.allocs {
		list = append(list, a)
	}
	slices.SortFunc(list, func(a, b *api.Allocation) int {
		return cmp.Or(cmp.Compare(a.CreateIndex, b.CreateIndex), cmp.Compare(a.ID, b.ID))
	})
	return list
}

// apply takes a decision into effect.
func (w *world) apply(c reconcile.Changes) {
	w.index++
	for _, d := range c.Deployments {
		w.putDeployment(d)
		if c.Stable && d.Status == api.DeploymentStatusSuccessful {
			w.markStable(d.JobVersion)
		}
	}
	for _, a := range c.Update {
		w.putAlloc(a)
	}
	for _, a := range c.Place {
		w.putAlloc(a)
	}
	for group, metric := range c.Eval.FailedTGAllocs {
		if c.Eval.TriggeredBy != reconcile.TriggerQueuedAllocs {
			w.say(Event{Kind: Unplaced, Group: group, Version: *w.job().Version, Detail: fmt.Sprint(metric.CoalescedFailures + 1)})
		}
	}
	for _, e := range append(c.Evals, c.Eval) {
		switch {
		case e.Status == api.EvalStatusPending:
			w.pending = append(w.pending, e)
		case e.Status == api.EvalStatusBlocked:
			w.blocked = e
		case w.blocked != nil && e.ID == w.blocked.ID:
			w.blocked = nil
		}
	}
}

func (w *world) markStable(version uint64) {
	for i, job := range w.versions {
		if *job.Version == version {
			stable := *job
			stable.Stable = new(true)
			w.versions[i] = &stable
		}
	}
}

// freed gives what waits for room another try.
func (w *world) freed() {
	if w.blocked != nil {
		again := *w.blocked
		again.Status = api.EvalStatusPending
		w.blocked = nil
		w.pending = append(w.pending, &again)
	}
}

// over tells whether there is nothing more to tell: the deployment of the
// current version has ended, and no allocation is on its way in or out.
func (w *world) over() bool {
	d := w.deployment()
	if d == nil || active(d) || d.JobVersion != *w.job().Version || len(w.pending) > 0 {
		return false
	}
	for _, c := range w.clients {
		if c.phase == waiting || c.phase == ending {
			return false
		}
	}
	return true
}
