package simulate

import (
	"maps"

	"github.com/hashicorp/nomad/api"
)

func (w *world) say(e Event) {
	e.At = w.now.Sub(w.in.Start)
	w.line.Events = append(w.line.Events, e)
}

func (w *world) event(kind Kind, a *api.Allocation, detail string) {
	w.say(Event{Kind: kind, Allocation: a.Name, Group: a.TaskGroup, Node: a.NodeName, Version: *a.Job.Version, Detail: detail})
}

// level notes how many serve now, where that has changed.
func (w *world) level() {
	serving := map[string]int{}
	for _, group := range w.in.Job.TaskGroups {
		serving[*group.Name] = 0
	}
	for id, c := range w.clients {
		if c.serves {
			serving[w.allocs[id].TaskGroup]++
		}
	}
	for group, n := range serving {
		if lowest, known := w.line.Lowest[group]; !known || n < lowest {
			w.line.Lowest[group] = n
		}
	}
	if n := len(w.line.Levels); n > 0 && maps.Equal(w.line.Levels[n-1].Serving, serving) {
		return
	}
	w.line.Levels = append(w.line.Levels, Level{w.now.Sub(w.in.Start), serving})
}

// end is the whole timeline.
func (w *world) end() Timeline {
	t := w.line
	if n := len(t.Events); n > 0 {
		t.Took = t.Events[n-1].At
	}
	d := w.deployment()
	current := d != nil && d.JobVersion == *w.job().Version
	if d := w.made(); d != nil {
		t.Reason = d.StatusDescription
	}
	switch {
	case len(w.timers) > 0 && !w.over() || current && active(d):
		t.Outcome = Endless
	case t.RevertedTo != nil && (!current || d.Status == api.DeploymentStatusSuccessful):
		t.Outcome = Reverted
	case !current:
		t.Outcome = Running
	case d.Status == api.DeploymentStatusSuccessful && t.RevertedTo == nil:
		t.Outcome = Successful
	default:
		t.Outcome = Failed
	}
	return t
}

// made is the deployment of the new version, or nil.
func (w *world) made() *api.Deployment {
	for _, d := range w.deployments {
		if d.JobVersion == w.line.Version {
			return d
		}
	}
	return nil
}
