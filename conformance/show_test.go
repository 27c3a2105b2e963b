package conformance

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/nomad/api"
)

// A picture is all that is to be seen of a job, in an order that does not depend
// on chance, with names for IDs.
type picture struct {
	strings.Builder
	job         *api.Job
	versions    []*api.Job
	deployments []*api.Deployment
	allocs      []*api.Allocation
	evals       []*api.Evaluation
	summary     *api.JobSummary
	names       map[string]string // of deployments and allocations, by ID
	away        string            // the node that was out of reach last
	leftAt      uint64            // the index of the newest allocation before that
	nameless    bool              // allocations of a group have neither names nor an age
	unwanted    bool              // what comes back is stopped at once
}

func (p *picture) line(format string, args ...any) { fmt.Fprintf(p, format+"\n", args...) }

// show draws the scenario's jobs.
func (s *session) show() string {
	var b strings.Builder
	for _, id := range s.jobs() {
		p := s.picture(id)
		p.draw()
		b.WriteString(p.String())
	}
	return b.String()
}

func (s *session) picture(id string) *picture {
	p := &picture{names: map[string]string{}, away: s.away, leftAt: s.leftAt, nameless: s.nameless && s.random, unwanted: s.unwanted}
	var err error
	jobs := s.client.Jobs()
	if p.job, _, err = jobs.Info(id, nil); err != nil && !strings.Contains(err.Error(), "job not found") {
		s.Fatal(err)
	}
	if p.job != nil {
		p.versions, _, _, err = jobs.Versions(id, false, nil)
		s.check(err)
		p.summary, _, err = jobs.Summary(id, nil)
		s.check(err)
	}
	p.deployments, _, err = jobs.Deployments(id, true, nil)
	s.check(err)
	p.evals, _, err = jobs.Evaluations(id, nil)
	s.check(err)
	for _, stub := range s.stubs(id) {
		alloc, _, err := s.client.Allocations().Info(stub.ID, nil)
		s.check(err)
		p.allocs = append(p.allocs, alloc)
	}
	p.sort()
	return p
}

// sort brings everything into the order of its making, and allocations into that
// of their names first.
func (p *picture) sort() {
	slices.SortFunc(p.deployments, func(a, b *api.Deployment) int { return cmp.Compare(a.CreateIndex, b.CreateIndex) })
	slices.SortFunc(p.evals, func(a, b *api.Evaluation) int {
		return cmp.Or(cmp.Compare(a.CreateIndex, b.CreateIndex), cmp.Compare(b.TriggeredBy, a.TriggeredBy))
	})
	made := map[string]uint64{}
	for _, a := range p.allocs {
		made[a.ID] = a.CreateIndex
		if p.nameless {
			a.Name, a.CreateIndex = a.JobID+"."+a.TaskGroup, 0
		}
	}
	// Those of a system job have all one name.
	slices.SortFunc(p.allocs, func(a, b *api.Allocation) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.CreateIndex, b.CreateIndex), cmp.Compare(*a.Job.Version, *b.Job.Version),
			last(a.NodeID == p.away, b.NodeID == p.away), cmp.Compare(made[a.NextAllocation], made[b.NextAllocation]),
			cmp.Compare(a.DesiredStatus, b.DesiredStatus))
	})
	for i, d := range p.deployments {
		p.names[d.ID] = fmt.Sprintf("deployment %d", i)
	}
	used := map[string]int{}
	for _, a := range p.allocs {
		name := strings.TrimPrefix(a.Name, a.JobID+".")
		p.names[a.ID] = fmt.Sprintf("%s#%d", name, used[name])
		used[name]++
	}
}

// last orders what has a property behind what has not.
func last(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

func (p *picture) draw() {
	p.drawJob()
	for _, d := range p.deployments {
		p.drawDeployment(d)
	}
	for _, a := range p.allocs {
		p.drawAlloc(a)
	}
	p.drawEvals()
	p.drawSummary()
}

func (p *picture) drawJob() {
	if p.job == nil {
		p.line("there is no job")
		return
	}
	j := p.job
	p.line("job %s: %s%s, %s, priority %d%s", *j.ID, *j.Status, quoted(*j.StatusDescription), *j.Type, *j.Priority, mark(*j.Stop, "stopped"))
	for _, v := range p.versions {
		tag := ""
		if v.VersionTag != nil {
			tag = fmt.Sprintf(", tag %s%s", v.VersionTag.Name, quoted(v.VersionTag.Description))
		}
		p.line("version %d%s%s%s", *v.Version, mark(*v.Stable, "stable"), mark(*v.Stop, "stopped"), tag)
	}
}

func (p *picture) drawDeployment(d *api.Deployment) {
	p.line("%s of version %d: %s: %s", p.names[d.ID], d.JobVersion, d.Status, d.StatusDescription)
	for _, name := range slices.Sorted(maps.Keys(d.TaskGroups)) {
		g := d.TaskGroups[name]
		p.line("  %s: desired %d, placed %d, healthy %d, unhealthy %d, canaries %d of %d%s%s%s", name, g.DesiredTotal, g.PlacedAllocs,
			g.HealthyAllocs, g.UnhealthyAllocs, len(g.PlacedCanaries), g.DesiredCanaries,
			mark(g.Promoted, "promoted"), mark(g.AutoRevert, "auto_revert"), mark(!g.RequireProgressBy.IsZero(), "has to progress"))
	}
}

func (p *picture) drawAlloc(a *api.Allocation) {
	p.line("alloc %s of version %d: %s%s, %s%s%s%s%s%s%s", p.names[a.ID], *a.Job.Version, a.DesiredStatus, quoted(a.DesiredDescription),
		a.ClientStatus, quoted(a.ClientDescription), p.health(a), p.link("replaces", a.PreviousAllocation), p.link("replaced by", a.NextAllocation),
		mark(a.FollowupEvalID != "", "waits to be rescheduled"),
		mark(a.NodeID == p.away && a.CreateIndex <= p.leftAt, "on the node that was away"))
	if a.RescheduleTracker != nil {
		p.line("  rescheduled %d times", len(a.RescheduleTracker.Events))
	}
	for _, name := range slices.Sorted(maps.Keys(a.TaskStates)) {
		state := a.TaskStates[name]
		p.line("  %s: %s, %d restarts%s%s%s", name, state.State, state.Restarts, mark(state.Failed, "failed"),
			mark(!state.StartedAt.IsZero(), "started"), mark(!state.FinishedAt.IsZero(), "finished"))
		for _, e := range state.Events {
			if e.Type != "Reconnected" || !p.unwanted || a.DesiredStatus == api.AllocDesiredStatusRun {
				p.line("    %s: %s%s", e.Type, e.DisplayMessage, details(e))
			}
		}
	}
}

func (p *picture) health(a *api.Allocation) string {
	if a.DeploymentID == "" {
		return ""
	}
	of := ", " + p.name(a.DeploymentID)
	if a.DeploymentStatus == nil {
		return of
	}
	switch {
	case a.DeploymentStatus.Healthy == nil:
		of += ", no health"
	case *a.DeploymentStatus.Healthy:
		of += ", healthy"
	default:
		of += ", unhealthy"
	}
	return of + mark(a.DeploymentStatus.Canary, "canary")
}

func (p *picture) link(what, id string) string {
	if id == "" {
		return ""
	}
	if p.nameless {
		return ", " + what + " another"
	}
	return ", " + what + " " + p.name(id)
}

func (p *picture) name(id string) string {
	if name := p.names[id]; name != "" {
		return name
	}
	return "one that is gone"
}

// hurried are the evaluations for allocations that are back in reach: Nomad tries
// them before it knows that the node is, and again until it does.
var hurried = []string{"reconnect", "max-plan-attempts"}

// drawEvals lists what triggered evaluations, each kind once and in the order of
// the first: how many follow a deployment depends on how many are taken together.
func (p *picture) drawEvals() {
	var lines []string
	for _, e := range p.evals {
		if e.TriggeredBy == "deployment-watcher" && len(e.FailedTGAllocs) == 0 || slices.Contains(hurried, e.TriggeredBy) ||
			e.StatusDescription == "canceled after more recent eval was processed" {
			continue
		}
		text := fmt.Sprintf("evaluation for %s: %s%s%s%s", e.TriggeredBy, e.Status, quoted(e.StatusDescription),
			mark(e.BlockedEval != "", "left a blocked one"), mark(!e.WaitUntil.IsZero(), "has to wait"))
		for _, name := range slices.Sorted(maps.Keys(e.FailedTGAllocs)) {
			text += "\n  no place for " + name + metrics(e.FailedTGAllocs[name])
		}
		// A node that is back asks for a decision, as the room does that it brings: the one that comes too late may be left.
		late := p.away != "" && text == "evaluation for node-update: complete" && slices.ContainsFunc(lines, leavesBlocked)
		if !late && !slices.Contains(lines, text) {
			lines = append(lines, text)
		}
	}
	for _, text := range lines {
		p.line("%s", text)
	}
}

func leavesBlocked(line string) bool {
	return strings.HasPrefix(line, "evaluation for node-update: complete, left a blocked one")
}

// metrics says why a group found no place.
func metrics(m *api.AllocationMetric) string {
	text := fmt.Sprintf(": %d evaluated, %d filtered, %d exhausted, %d alike", m.NodesEvaluated, m.NodesFiltered, m.NodesExhausted, m.CoalescedFailures)
	for _, dc := range slices.Sorted(maps.Keys(m.NodesAvailable)) {
		text += fmt.Sprintf(", %d in %s", m.NodesAvailable[dc], dc)
	}
	for _, of := range []struct {
		what   string
		counts map[string]int
	}{
		{"class filtered", m.ClassFiltered}, {"filtered", m.ConstraintFiltered},
		{"class exhausted", m.ClassExhausted}, {"exhausted", m.DimensionExhausted},
	} {
		for _, key := range slices.Sorted(maps.Keys(of.counts)) {
			text += fmt.Sprintf("\n    %s: %s %d", of.what, key, of.counts[key])
		}
	}
	return text
}

func (p *picture) drawSummary() {
	if p.summary == nil {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(p.summary.Summary)) {
		g := p.summary.Summary[name]
		p.line("summary of %s: %s", name, counts("queued", g.Queued, "starting", g.Starting, "running", g.Running,
			"complete", g.Complete, "failed", g.Failed, "lost", g.Lost, "unknown", g.Unknown))
	}
	if c := p.summary.Children; c != nil && c.Pending+c.Running+c.Dead > 0 {
		p.line("children: pending %d, running %d, dead %d", c.Pending, c.Running, c.Dead)
	}
}

// counts lists what there is any of.
func counts(pairs ...any) string {
	var some []string
	for i := 0; i < len(pairs); i += 2 {
		if n := pairs[i+1].(int); n != 0 {
			some = append(some, fmt.Sprintf("%s %d", pairs[i], n))
		}
	}
	if len(some) == 0 {
		return "nothing"
	}
	return strings.Join(some, ", ")
}

// shown are the details of an event that its message does not tell.
var shown = []string{"exit_code", "signal", "fails_task", "oom_killed", "kill_timeout", "restart_reason", "failed_sibling"}

func details(e *api.TaskEvent) string {
	text := ""
	for _, key := range shown {
		if value := e.Details[key]; value != "" {
			text += fmt.Sprintf(" %s=%s", key, value)
		}
	}
	if text == "" {
		return ""
	}
	return " (" + strings.TrimSpace(text) + ")"
}

func mark(is bool, name string) string {
	if is {
		return ", " + name
	}
	return ""
}

func quoted(text string) string {
	if text == "" {
		return ""
	}
	return fmt.Sprintf(" %q", text)
}
