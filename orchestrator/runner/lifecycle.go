package runner

import (
	"github.com/hashicorp/nomad/api"
)

// States of a task.
const (
	statePending = "pending"
	stateRunning = "running"
	stateDead    = "dead"
)

// A member is one task of a group as the lifecycle sees it.
type member struct {
	name    string
	hook    string // "" for a main task
	sidecar bool
	leader  bool
	state   string
	failed  bool
}

func (m member) poststop() bool { return m.hook == api.TaskLifecycleHookPoststop }
func (m member) done() bool     { return m.state == stateDead && !m.failed }

// mayStart returns the names of the tasks whose time has come (Nomad: L1; prestart tasks first; the main tasks once those
// have succeeded and the prestart sidecars run; poststart tasks once the main ones run; poststop tasks at the end). Of a
// group that is being ended only poststop tasks may start.
func mayStart(group []member, ending bool) []string {
	prestartDone, mainsStarted, allDead := true, true, true
	for _, m := range group {
		switch m.hook {
		case api.TaskLifecycleHookPrestart:
			prestartDone = prestartDone && (m.sidecar && m.state == stateRunning || !m.sidecar && m.done())
		case "":
			mainsStarted = mainsStarted && m.state != statePending
		}
		allDead = allDead && (m.poststop() || m.state == stateDead)
	}
	var names []string
	for _, m := range group {
		allowed := false
		switch m.hook {
		case api.TaskLifecycleHookPrestart:
			allowed = !ending
		case "":
			allowed = !ending && prestartDone
		case api.TaskLifecycleHookPoststart:
			allowed = !ending && prestartDone && mainsStarted
		case api.TaskLifecycleHookPoststop:
			allowed = allDead
		}
		if allowed {
			names = append(names, m.name)
		}
	}
	return names
}

// A killReason says why the tasks of a group that still live have to end.
type killReason int

const (
	keepRunning killReason = iota
	siblingFailed
	leaderDead
	mainsDead
)

// mustEnd decides whether the dead of a group take the living with them, and names the task whose fault it is (Nomad: L2; a
// dead leader, a failed task, and sidecars that are alone).
func mustEnd(group []member) (killReason, string) {
	reason, culprit := keepRunning, ""
	live, sidecarsOnly := 0, true
	for _, m := range group {
		switch {
		case m.poststop():
		case m.state != stateDead:
			live++
			sidecarsOnly = sidecarsOnly && m.sidecar
		case m.leader && !m.failed:
			reason, culprit = leaderDead, m.name
		case m.failed && reason == keepRunning:
			reason, culprit = siblingFailed, m.name
		}
	}
	switch {
	case live == 0:
		return keepRunning, ""
	case reason == keepRunning && sidecarsOnly:
		return mainsDead, ""
	}
	return reason, culprit
}

// clientStatus sums the states up (Nomad's words). A group has failed when a task has and no other one is left to end.
func clientStatus(group []member) (status, description string) {
	var pending, running, failed, live bool
	for _, m := range group {
		pending = pending || m.state == statePending
		running = running || m.state == stateRunning
		failed = failed || m.failed
		live = live || m.state != stateDead && !m.poststop()
	}
	switch {
	case failed && !live:
		return api.AllocClientStatusFailed, "Failed tasks"
	case running:
		return api.AllocClientStatusRunning, "Tasks are running"
	case pending:
		return api.AllocClientStatusPending, "No tasks have started"
	}
	return api.AllocClientStatusComplete, "All tasks have completed"
}
