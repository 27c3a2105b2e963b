package watch

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/nomad/api"
)

// View is how far a watch is, for a screen that is drawn anew each time.
type View struct {
	Begun, Deadline time.Time // of the watch
	Lost            bool      // the server does not answer; the rest is as it was last seen
	Deployments     []DeploymentView
}

// DeploymentView is one job version: that which is judged, or the one that a
// revert made.
type DeploymentView struct {
	Version uint64
	ID      string    // "" where there is no deployment
	Status  string    // of the deployment, else of the job
	Due     time.Time // when it fails unless it gets on, zero where it does not
	Groups  []GroupView
	Allocs  []AllocView // those that are not settled: failed, coming, leaving
}

// GroupView counts the allocations of a group.
type GroupView struct {
	Name                                string
	Desired, Placed, Healthy, Unhealthy int
	Failed                              int // for good, though they may have been healthy before
	Canaries                            int // desired ones that are not promoted
	Unplaced                            int // that wait for a node
}

// AllocView is an allocation on its way: up, down, or wrong.
type AllocView struct {
	ID, Name, Node string
	Version        uint64
	Status         string // in a few words
	Restarts       int
	Since          time.Time // it was made
	Failed         bool      // or unhealthy
	Leaving        bool      // it is on its way out
}

// view makes a view of what was seen last.
func (w *watcher) view() View {
	v := View{Begun: w.start, Deadline: w.deadline, Lost: w.lost}
	if w.last == nil || w.last.Job == nil {
		return v
	}
	for _, t := range w.last.targets() {
		v.Deployments = append(v.Deployments, w.last.deploymentView(t))
	}
	return v
}

func (s *Snapshot) deploymentView(t Target) DeploymentView {
	v := DeploymentView{Version: t.JobVersion, Status: deref(s.Job.Status)}
	if d := s.deployment(t); d != nil {
		v.ID, v.Status = d.ID, d.Status
		waits := d.Status == api.DeploymentStatusRunning && s.canariesReady(d)
		if waits {
			v.Status += ", waits for promotion"
		}
		for _, name := range slices.Sorted(maps.Keys(d.TaskGroups)) {
			g := d.TaskGroups[name]
			view := GroupView{Name: name, Desired: g.DesiredTotal, Placed: g.PlacedAllocs, Healthy: g.HealthyAllocs, Unhealthy: g.UnhealthyAllocs}
			if !g.Promoted {
				view.Canaries = g.DesiredCanaries
			}
			if by := g.RequireProgressBy; d.Status == api.DeploymentStatusRunning && !waits && g.HealthyAllocs < g.DesiredTotal && !by.IsZero() && (v.Due.IsZero() || by.Before(v.Due)) {
				v.Due = by
			}
			v.Groups = append(v.Groups, view)
		}
	} else {
		v.Groups = s.groupsWithoutDeployment(t)
	}
	s.addFailures(t, v.Groups)
	v.Allocs = s.unsettled(t)
	return v
}

// addFailures counts what a deployment does not: allocations without a node, and
// those that failed after they were healthy.
func (s *Snapshot) addFailures(t Target, groups []GroupView) {
	of := func(name string) *GroupView {
		if i := slices.IndexFunc(groups, func(g GroupView) bool { return g.Name == name }); i >= 0 {
			return &groups[i]
		}
		return &GroupView{}
	}
	for _, u := range s.unplaced() {
		of(u.Group).Unplaced = u.Count
	}
	for _, a := range s.allocs(t) {
		if failedForGood(a) && !isUnhealthy(a) {
			of(a.TaskGroup).Failed++
		}
	}
}

func (s *Snapshot) groupsWithoutDeployment(t Target) []GroupView {
	var list []GroupView
	for _, g := range s.Job.TaskGroups {
		view := GroupView{Name: deref(g.Name), Desired: s.expected(g)}
		for _, a := range s.allocs(t) {
			if a.TaskGroup != view.Name {
				continue
			}
			view.Placed++
			if a.ClientStatus == api.AllocClientStatusComplete || a.ClientStatus == api.AllocClientStatusRunning && isHealthy(a) {
				view.Healthy++
			}
		}
		list = append(list, view)
	}
	return list
}

// unsettled are the allocations that a line is worth: the target's that are
// neither healthy nor over, and older ones that are on their way out.
func (s *Snapshot) unsettled(t Target) []AllocView {
	ours := s.allocs(t)
	var list []AllocView
	for _, a := range s.Allocs {
		mine := slices.Contains(ours, a)
		goes := !wantedRunning(a) && a.ClientStatus == api.AllocClientStatusRunning
		comes := mine && wantedRunning(a) && !isHealthy(a) && a.ClientStatus != api.AllocClientStatusComplete
		if !goes && !comes && !(mine && hasFailed(a)) {
			continue
		}
		v := AllocView{ID: a.ID, Name: a.Name, Node: a.NodeName, Version: a.JobVersion, Status: a.ClientStatus, Since: time.Unix(0, a.CreateTime), Failed: hasFailed(a) || isUnhealthy(a)}
		if goes {
			v.Status, v.Leaving, v.Failed = "stopping", true, false
		} else if isUnhealthy(a) {
			v.Status += ", unhealthy"
		}
		for _, state := range a.TaskStates {
			v.Restarts += int(state.Restarts)
		}
		list = append(list, v)
	}
	slices.SortFunc(list, func(a, b AllocView) int {
		return cmp.Or(cmp.Compare(a.rank(), b.rank()), cmp.Compare(a.Version, b.Version), byIndex(a.Name, b.Name), strings.Compare(a.ID, b.ID))
	})
	return list
}

// rank orders allocations by how much they need to be seen.
func (a AllocView) rank() int {
	switch {
	case a.Failed:
		return 0
	case a.Leaving:
		return 2
	}
	return 1
}

// byIndex orders names of allocations such as web.api[10] by their numbers.
func byIndex(a, b string) int {
	groupA, indexA, _ := strings.Cut(a, "[")
	groupB, indexB, _ := strings.Cut(b, "[")
	return cmp.Or(strings.Compare(groupA, groupB), cmp.Compare(len(indexA), len(indexB)), strings.Compare(indexA, indexB))
}
