package simulate

import (
	"time"

	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator/reconcile"
)

func (w *world) putDeployment(d *api.Deployment) {
	ends := !active(d)
	for i, other := range w.deployments {
		if other.ID == d.ID {
			ends = ends && active(other)
			w.deployments[i] = d
			w.ended(d, ends)
			return
		}
	}
	w.deployments = append(w.deployments, d)
	w.ended(d, ends)
}

func (w *world) ended(d *api.Deployment, ends bool) {
	if ends {
		w.say(Event{Kind: Ends, Version: d.JobVersion, Detail: d.Status + ": " + d.StatusDescription})
	}
}

// progress looks at the deployment, and promotes what may be promoted.
func (w *world) progress() {
	d := w.deployment()
	if !active(d) || d.JobVersion != *w.job().Version {
		return
	}
	in := w.progressInput(d)
	changes := reconcile.Progress(in)
	if changes.Deployment == nil && changes.Eval == nil && waitsForPromotion(d) {
		if promoted, err := reconcile.Promote(in, nil, true); err == nil {
			changes = promoted
		}
	}
	w.advance(d, changes)
}

func (w *world) progressInput(d *api.Deployment) reconcile.ProgressInput {
	var allocs []*api.Allocation
	for _, a := range w.sorted() {
		if a.DeploymentID == d.ID {
			allocs = append(allocs, a)
		}
	}
	return reconcile.ProgressInput{
		Now: w.now, NewID: w.id, Deployment: d, Job: w.job(), Versions: w.versions, Allocs: allocs, SameSpec: w.in.SameSpec,
	}
}

func waitsForPromotion(d *api.Deployment) bool {
	for _, group := range d.TaskGroups {
		if group.DesiredCanaries > 0 && !group.Promoted {
			return true
		}
	}
	return false
}

func (w *world) advance(d *api.Deployment, c reconcile.ProgressChanges) {
	w.index++
	if c.Deployment != nil {
		if waitsForPromotion(d) && !waitsForPromotion(c.Deployment) {
			w.say(Event{Kind: Promoted, Version: d.JobVersion})
		}
		w.putDeployment(c.Deployment)
	}
	for _, a := range c.Update {
		w.putAlloc(a)
	}
	if c.RevertTo != nil {
		w.revert(*c.RevertTo)
	}
	if c.Eval != nil {
		c.Eval.JobModifyIndex = *w.job().JobModifyIndex
		w.pending = append(w.pending, c.Eval)
	}
	if !c.CheckAt.IsZero() {
		w.checkAt(c.CheckAt)
	}
}

// checkAt looks at the deployment again at a time.
func (w *world) checkAt(at time.Time) {
	w.at(at, func() { w.progress() })
}

func (w *world) revert(to uint64) {
	for _, job := range w.versions {
		if *job.Version == to {
			w.putVersion(job, *job.Stable)
			w.line.RevertedTo = &to
			w.say(Event{Kind: Reverts, Version: to})
			return
		}
	}
}
