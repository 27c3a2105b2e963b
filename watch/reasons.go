package watch

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/nomad/api"
)

const (
	lastEvents = 6 // events that a reason shows
	maxReasons = 5 // distinct reasons that a verdict shows
)

// suspects are the allocations that may explain why the target failed: those
// that failed, restarted or were found unhealthy; where there are none, those
// that never became healthy.
func (s *Snapshot) suspects(t Target) []*api.AllocationListStub {
	var bad, late []*api.AllocationListStub
	for _, a := range s.allocs(t) {
		switch {
		case hasFailed(a), isUnhealthy(a), slices.ContainsFunc(slices.Collect(maps.Values(a.TaskStates)), stumbled):
			bad = append(bad, a)
		case !isHealthy(a) && a.ClientStatus != api.AllocClientStatusComplete:
			late = append(late, a)
		}
	}
	if len(bad) > 0 {
		return bad
	}
	return late
}

// suspectsIn are the target's suspects, or where it has none, as the server went on
// with allocations of an older version, those that failed in the group.
func (s *Snapshot) suspectsIn(t Target, g *api.TaskGroup) []*api.AllocationListStub {
	if list := s.suspects(t); len(list) > 0 {
		return list
	}
	return slices.DeleteFunc(slices.Clone(s.Allocs), func(a *api.AllocationListStub) bool {
		return a.TaskGroup != deref(g.Name) || !hasFailed(a) || a.CreateIndex < deref(s.Job.CreateIndex)
	})
}

func stumbled(t *api.TaskState) bool {
	return t.Failed || t.Restarts > 0 || causeOf(t) != nil
}

// reasons groups allocations by the way in which they failed and shows one of
// each, the most frequent first.
func reasons(allocs []*api.AllocationListStub) []Reason {
	byKey := make(map[string]*Reason)
	for _, a := range slices.SortedFunc(slices.Values(allocs), byAge) {
		r := reasonOf(a)
		key := strings.Join([]string{r.Group, r.Task, fmt.Sprint(r.JobVersion), signature(a, r.Task)}, "\x00")
		if seen := byKey[key]; seen != nil {
			seen.Count++
			continue
		}
		byKey[key] = &r
	}
	var list []Reason
	for _, key := range slices.Sorted(maps.Keys(byKey)) {
		list = append(list, *byKey[key])
	}
	slices.SortStableFunc(list, func(a, b Reason) int { return cmp.Compare(b.Count, a.Count) })
	return list[:min(maxReasons, len(list))]
}

func byAge(a, b *api.AllocationListStub) int {
	return cmp.Or(cmp.Compare(b.CreateIndex, a.CreateIndex), cmp.Compare(a.ID, b.ID))
}

func reasonOf(a *api.AllocationListStub) Reason {
	r := Reason{
		AllocID: a.ID, Group: a.TaskGroup, JobVersion: a.JobVersion, Count: 1,
		Task:    culprit(a),
		Status:  a.ClientStatus,
		Command: "ostro logs " + a.JobID,
	}
	if a.ClientDescription != "" {
		r.Status += ": " + escape(a.ClientDescription)
	}
	state := a.TaskStates[r.Task]
	if state == nil {
		return r
	}
	for _, e := range state.Events[max(0, len(state.Events)-lastEvents):] {
		r.Events = append(r.Events, eventText(e))
	}
	for _, e := range ownEnds(state) {
		r.ExitCode = new(exitCode(e))
	}
	return r
}

// ownEnds are the ends of a task that nobody asked for. The exit code of one
// that was told to end says nothing about what is wrong with it.
func ownEnds(t *api.TaskState) []*api.TaskEvent {
	var ends []*api.TaskEvent
	// Who is killed between two runs may start once more before it hears of it.
	asked, killed := false, false
	for _, e := range t.Events {
		switch e.Type {
		case api.TaskStarted:
			asked = killed
		case api.TaskKilling:
			asked, killed = true, true
		case api.TaskRestartSignal:
			asked, killed = true, false
		case api.TaskTerminated:
			if !asked {
				ends = append(ends, e)
			}
		}
	}
	return ends
}

// culprit is the task to blame: one that failed by itself, not for a sibling's
// sake, else the first that is not what it should be.
func culprit(a *api.AllocationListStub) string {
	names := slices.Sorted(maps.Keys(a.TaskStates))
	rules := []func(*api.TaskState) bool{
		func(t *api.TaskState) bool { return t.Failed && causeOf(t) != nil },
		func(t *api.TaskState) bool { return causeOf(t) != nil },
		stumbled,
		func(t *api.TaskState) bool { return t.State != "running" },
		func(*api.TaskState) bool { return true },
	}
	for _, rule := range rules {
		for _, name := range names {
			if rule(a.TaskStates[name]) {
				return name
			}
		}
	}
	return ""
}

// causeOf is the last event that explains a failure, nil when there is none.
// "Alloc Unhealthy" explains only where nothing else does.
func causeOf(t *api.TaskState) *api.TaskEvent {
	var cause *api.TaskEvent
	own := ownEnds(t)
	for _, e := range t.Events {
		switch e.Type {
		case api.TaskFailedValidation, api.TaskSetupFailure, api.TaskDriverFailure, api.TaskArtifactDownloadFailed, "Task hook failed":
			cause = e
		case api.TaskTerminated:
			if exitCode(e) != 0 && slices.Contains(own, e) {
				cause = e
			}
		case "Alloc Unhealthy":
			if cause == nil {
				cause = e
			}
		}
	}
	return cause
}

func signature(a *api.AllocationListStub, task string) string {
	state := a.TaskStates[task]
	if state == nil {
		return a.ClientStatus
	}
	if e := causeOf(state); e != nil {
		return strings.ReplaceAll(eventText(e), a.ID, "")
	}
	return state.State
}

func eventText(e *api.TaskEvent) string {
	text := cmp.Or(e.DisplayMessage, e.Message)
	if text == "" {
		return e.Type
	}
	return e.Type + ": " + escape(text)
}

func exitCode(e *api.TaskEvent) int {
	if code, err := strconv.Atoi(e.Details["exit_code"]); err == nil {
		return code
	}
	return e.ExitCode
}

// escape makes text safe for a terminal: what is not printable is shown as Go
// writes it, line ends and tabs stay.
func escape(text string) string {
	var b strings.Builder
	for _, r := range text {
		if r == '\n' || r == '\t' || strconv.IsPrint(r) {
			b.WriteRune(r)
		} else {
			quoted := strconv.QuoteRuneToASCII(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		}
	}
	return b.String()
}
