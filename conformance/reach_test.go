package conformance

import (
	"slices"
	"time"

	"github.com/hashicorp/nomad/api"
)

// may has what fails replaced at once.
const may = "attempts = 0\nunlimited = true\ndelay = \"5s\"\ndelay_function = \"constant\""

// goesOn is a group's block for what is out of reach.
func goesOn(lostAfter, more string) string {
	return "disconnect {\nlost_after = \"" + lostAfter + "\"\n" + more + "\n}"
}

// reach is about nodes that go out of reach and come back. Each scenario has two.
var reach = []scenario{
	{name: "away-lost", full: true, clients: 2, run: func(s *session) {
		s.deploy(spec{reschedule: may})
		s.leave("g[0]")
		s.untilStatus("lost", 1)
		s.untilAllocs(1, "running")
		s.look()
		s.comeBack()
	}},
	{name: "away-lost-and-not-rescheduled", full: true, clients: 2, run: func(s *session) {
		s.deploy(spec{count: 2})
		s.leave("g[0]")
		s.untilStatus("lost", 1)
		s.look()
		s.comeBack()
	}},
	{name: "away-lost-without-room", full: true, differs: "what is placed later for a lost allocation names it, too", clients: 2, run: func(s *session) {
		s.deploy(spec{count: 2, reschedule: may, group: "constraint {\noperator = \"distinct_hosts\"\nvalue = \"true\"\n}"})
		s.leave("g[0]")
		s.untilStatus("lost", 1)
		s.untilBlocked()
		s.look()
		s.comeBack()
		s.untilAllocs(2, "running")
	}},
	{name: "away-prevented", full: true, clients: 2, run: func(s *session) {
		s.deploy(spec{reschedule: may, group: "disconnect {\nreplace = false\n}"})
		s.leave("g[0]")
		s.settle()
		s.comeBack()
	}},
	{name: "away-prevent-reschedule-on-lost", full: true, clients: 2, run: func(s *session) {
		s.deploy(spec{reschedule: may, group: "prevent_reschedule_on_lost = true"})
		s.leave("g[0]")
		s.settle()
		s.comeBack()
	}},
	{name: "away-best-score", full: true, clients: 2, run: func(s *session) {
		s.deploy(spec{reschedule: may, group: goesOn("1h", "")})
		s.leave("g[0]")
		s.untilStatus("unknown", 1)
		s.untilAllocs(1, "running")
		s.look()
		s.comeBack()
	}},
	{name: "away-keep-original", full: true, clients: 2, run: func(s *session) { s.leaveAndComeBack("keep_original") }},
	{name: "away-keep-replacement", full: true, clients: 2, run: func(s *session) {
		s.unwanted = true
		s.leaveAndComeBack("keep_replacement")
	}},
	{name: "away-longest-running", full: true, clients: 2, run: func(s *session) { s.leaveAndComeBack("longest_running") }},
	{name: "away-two-of-four", full: true, clients: 2, run: func(s *session) {
		s.deploy(spec{count: 4, update: "max_parallel = 4", reschedule: may, group: goesOn("1h", `reconcile = "keep_original"`)})
		s.leave("g[0]")
		s.untilStatus("unknown", 2)
		s.untilAllocs(4, "running")
		s.comeBack()
	}},
	{name: "away-kept", full: true, clients: 2, run: func(s *session) {
		s.deploy(spec{reschedule: may, group: goesOn("1h", "replace = false")})
		s.leave("g[0]")
		s.untilStatus("unknown", 1)
		s.look()
		s.comeBack()
		s.untilAllocs(1, "running")
	}},
	{name: "away-for-too-long", full: true, clients: 2, run: func(s *session) {
		s.deploy(spec{reschedule: may, group: goesOn("20s", "")})
		s.leave("g[0]")
		s.untilStatus("unknown", 1)
		s.untilStatus("lost", 1)
		s.untilNode("down")
		s.look()
		s.comeBack()
	}},
	{name: "away-kept-for-too-long", full: true, clients: 2, run: func(s *session) {
		s.deploy(spec{reschedule: may, group: goesOn("5s", "replace = false")})
		s.leave("g[0]")
		s.untilStatus("unknown", 1)
		s.untilNode("down")
		s.look()
		s.comeBack()
	}},
	{name: "away-without-reschedule", full: true, clients: 2, run: func(s *session) {
		s.deploy(spec{group: goesOn("1h", "")})
		s.leave("g[0]")
		s.untilStatus("unknown", 1)
		s.look()
		s.comeBack()
		s.untilAllocs(1, "running")
	}},
	{name: "away-rescheduled-later", full: true, clients: 2, run: func(s *session) {
		s.deploy(spec{reschedule: "attempts = 0\nunlimited = true\ndelay = \"1h\"\ndelay_function = \"constant\"", group: goesOn("2h", "")})
		s.leave("g[0]")
		s.untilStatus("unknown", 1)
		s.look()
		s.comeBack()
		s.untilAllocs(1, "running")
	}},
	{name: "away-without-room", full: true, clients: 2, run: func(s *session) {
		s.deploy(spec{count: 2, reschedule: may, group: goesOn("1h", "") + "\nconstraint {\noperator = \"distinct_hosts\"\nvalue = \"true\"\n}"})
		s.leave("g[0]")
		s.untilStatus("unknown", 1)
		s.untilBlocked()
		s.look()
		s.comeBack()
		s.untilAllocs(2, "running")
	}},
	{name: "away-while-it-is-updated", full: true, clients: 2, run: func(s *session) {
		s.deploy(spec{count: 2, reschedule: may, group: goesOn("1h", "replace = false")})
		s.leave("g[0]")
		s.untilStatus("unknown", 1)
		s.register(spec{count: 2, reschedule: may, script: "exec sleep 1001", group: goesOn("1h", "replace = false")})
		s.untilNode("down")
		s.settle()
		s.comeBack()
		s.settle()
	}},
	{name: "away-while-it-is-replaced-and-updated", full: true, differs: "a group has its count; Nomad counts what is away beside its replacement, and deploys one too many", clients: 2, run: func(s *session) {
		s.deploy(spec{reschedule: may, group: goesOn("1h", "")})
		s.leave("g[0]")
		s.untilStatus("unknown", 1)
		s.untilAllocs(1, "running")
		s.register(spec{reschedule: may, update: "max_parallel = 2", script: "exec sleep 1001", group: goesOn("1h", "")})
		s.untilAllocs(1, "running")
		s.nameless = true
		s.settle()
		s.until("the node is down if nothing on it is waited for", s.awaitedOrDown)
		s.comeBack()
	}},
	{name: "away-while-it-is-stopped", full: true, clients: 2, run: func(s *session) {
		s.deploy(spec{reschedule: may, group: goesOn("1h", "")})
		s.leave("g[0]")
		s.untilStatus("unknown", 1)
		s.untilAllocs(1, "running")
		s.stop(false)
		s.until("the replacement has ended", func() bool { return len(s.allocsAnyVersion("complete")) == 1 })
		s.untilNode("down")
		s.look()
		s.comeBack()
		s.until("both have ended", func() bool { return len(s.allocsAnyVersion("complete")) == 2 })
	}},
	{name: "away-while-it-is-scaled", full: true, clients: 2, run: func(s *session) {
		s.deploy(spec{count: 2, reschedule: may, group: goesOn("1h", "replace = false")})
		s.leave("g[0]")
		s.untilStatus("unknown", 1)
		s.scale(1)
		s.settle()
		s.scale(3)
		s.settle()
		s.comeBack()
	}},
	{name: "away-batch-lost", full: true, clients: 2, run: func(s *session) {
		s.register(spec{kind: "batch"})
		s.untilAllocs(1, "running")
		s.leave("g[0]")
		s.untilStatus("lost", 1)
		s.untilAllocs(1, "running")
		s.look()
		s.comeBack()
	}},
	{name: "away-system", full: true, differs: "a deployment that is over keeps its figures; Nomad goes on counting the nodes that it wants", clients: 2, run: func(s *session) {
		s.deploy(spec{kind: "system"})
		s.leaveAny()
		s.untilStatus("lost", 1)
		s.look()
		s.comeBack()
		s.untilAllocs(2, "running")
	}},
	{name: "away-system-that-goes-on", full: true, differs: "an allocation of a system job is lost after lost_after, too, and stays healthy when it is back", clients: 2, run: func(s *session) {
		s.deploy(spec{kind: "system", group: goesOn("1h", "")})
		s.leaveAny()
		s.untilStatus("unknown", 1)
		s.look()
		s.comeBack()
		s.untilAllocs(2, "running")
	}},
	{name: "away-system-while-it-is-updated", full: true, differs: "a deployment that is over keeps its figures; Nomad goes on counting the nodes that it wants", clients: 2, run: func(s *session) {
		s.deploy(spec{kind: "system"})
		s.leaveAny()
		s.untilStatus("lost", 1)
		s.register(spec{kind: "system", script: "exec sleep 1001"})
		s.untilDeployment("successful")
		s.look()
		s.comeBack()
		s.untilAllocs(2, "running")
	}},
	{name: "away-sysbatch", full: true, clients: 2, run: func(s *session) {
		s.register(spec{kind: "sysbatch"})
		s.untilAllocs(2, "running")
		s.leaveAny()
		s.settle()
		s.comeBack()
		s.settle()
	}},
	{name: "away-while-deploying", full: true, clients: 2, run: func(s *session) {
		j := spec{count: 2, update: "max_parallel = 2\nhealth_check = \"manual\"", reschedule: may}
		s.register(j)
		s.untilAllocs(2, "running")
		s.leave("g[0]")
		s.untilStatus("lost", 1)
		s.settle()
		s.comeBack()
		s.settle()
	}},
	{name: "away-unknown-while-deploying", full: true, clients: 2, run: func(s *session) {
		j := spec{count: 2, update: "max_parallel = 2\nhealth_check = \"manual\"", reschedule: may, group: goesOn("1h", "")}
		s.register(j)
		s.untilAllocs(2, "running")
		s.leave("g[0]")
		s.untilStatus("unknown", 1)
		s.settle()
		s.comeBack()
		s.untilAllocs(2, "running")
	}},
	{name: "away-and-purged", full: true, clients: 2, run: func(s *session) {
		s.deploy(spec{reschedule: may, group: goesOn("1h", "replace = false")})
		s.leave("g[0]")
		s.untilStatus("unknown", 1)
		_, _, err := s.client.Nodes().Purge(s.away, nil)
		s.reply("purge", err)
		s.settle()
	}},
	{name: "away-all", full: true, differs: "what is placed later for a lost allocation names it, too", clients: 2, run: func(s *session) {
		s.deploy(spec{count: 2, reschedule: may})
		s.leave("g[0]")
		first := s.away
		s.untilStatus("lost", 1)
		s.untilAllocs(2, "running")
		s.leave("g[1]")
		s.untilStatus("lost", 3)
		s.untilBlocked()
		s.look()
		s.check(s.mend(first))
		s.comeBack()
		s.untilAllocs(2, "running")
	}},
	{name: "away-and-drained", full: true, clients: 2, run: func(s *session) {
		s.deploy(spec{reschedule: may, group: goesOn("1h", "replace = false")})
		s.leave("g[0]")
		s.untilStatus("unknown", 1)
		_, err := s.client.Nodes().UpdateDrain(s.away, &api.DrainSpec{Deadline: time.Hour}, false, nil)
		s.reply("drain", err)
		s.settle()
		s.comeBack()
		s.settle()
	}},
	{name: "away-and-told-to-stop", full: true, clients: 2, run: func(s *session) {
		s.deploy(spec{reschedule: may, group: goesOn("1h", "replace = false")})
		s.leave("g[0]")
		s.untilStatus("unknown", 1)
		_, err := s.client.Allocations().Stop(s.alloc("g[0]"), nil)
		s.reply("stop", err)
		s.settle()
		s.comeBack()
		s.settle()
	}},
	{name: "away-twice", full: true, clients: 2, run: func(s *session) {
		s.deploy(spec{reschedule: may, group: goesOn("1h", "replace = false")})
		for range 2 {
			s.leave("g[0]")
			s.untilStatus("unknown", 1)
			s.comeBack()
			s.untilAllocs(1, "running")
			s.settle()
		}
	}},
	{name: "away-and-ineligible", full: true, clients: 2, run: func(s *session) {
		s.deploy(spec{reschedule: may, group: goesOn("1h", `reconcile = "keep_original"`)})
		s.leave("g[0]")
		s.untilStatus("unknown", 1)
		s.untilAllocs(1, "running")
		_, err := s.client.Nodes().ToggleEligibility(s.away, false, nil)
		s.reply("eligibility", err)
		s.comeBack()
		s.settle()
	}},
}

func (s *session) leaveAndComeBack(strategy string) {
	s.Helper()
	s.deploy(spec{reschedule: may, group: goesOn("1h", "reconcile = \""+strategy+"\"")})
	s.leave("g[0]")
	s.untilStatus("unknown", 1)
	s.untilAllocs(1, "running")
	s.look()
	s.comeBack()
}

// leave takes the node of the newest allocation of a name out of reach.
func (s *session) leave(name string) {
	s.Helper()
	s.leaveNode(s.alloc(name).NodeID)
}

// leaveAny takes a node of the job out of reach.
func (s *session) leaveAny() {
	s.Helper()
	s.leaveNode(s.stubs(s.job)[0].NodeID)
}

func (s *session) leaveNode(id string) {
	s.Helper()
	s.away, s.isAway = id, true
	for _, stub := range s.stubs(s.job) {
		s.leftAt = max(s.leftAt, stub.CreateIndex)
	}
	s.check(s.cut(id))
	s.sayAwayOnce("the node is missed", func(node *api.Node) bool { return node.Status != api.NodeStatusReady })
}

// comeBack brings the node back that was taken away last.
func (s *session) comeBack() {
	s.Helper()
	s.check(s.mend(s.away))
	s.isAway = false
	s.untilNode(api.NodeStatusReady)
	s.until("what was not to run any more has ended", func() bool {
		return !slices.ContainsFunc(s.stubs(s.job), func(stub *api.AllocationListStub) bool {
			return stub.DesiredStatus != api.AllocDesiredStatusRun && runsStill(stub)
		})
	})
}

func runsStill(stub *api.AllocationListStub) bool {
	for _, state := range stub.TaskStates {
		if state.State != "dead" {
			return true
		}
	}
	return false
}

func (s *session) untilNode(status string) {
	s.Helper()
	s.sayAwayOnce("the node is "+status, func(node *api.Node) bool { return node.Status == status })
}

// sayAwayOnce tells about the node that is or was away, and what has happened to
// it, once it is as it should be.
func (s *session) sayAwayOnce(what string, ok func(*api.Node) bool) {
	s.Helper()
	var node *api.Node
	s.until(what, func() bool {
		var err error
		node, _, err = s.client.Nodes().Info(s.away, nil)
		s.check(err)
		return ok(node)
	})
	var events []string
	for _, e := range node.Events {
		events = append(events, e.Subsystem+": "+e.Message)
	}
	slices.Sort(events)
	s.say("node: %s, %s, events %q", node.Status, node.SchedulingEligibility, slices.Compact(events))
}

// untilStatus waits until n allocations of any version have a client status.
func (s *session) untilStatus(status string, n int) {
	s.Helper()
	s.until(status, func() bool { return len(s.allocsAnyVersion(status)) == n })
}

func (s *session) allocsAnyVersion(status string) []*api.AllocationListStub {
	return slices.DeleteFunc(s.stubs(s.job), func(stub *api.AllocationListStub) bool { return stub.ClientStatus != status })
}

// awaitedOrDown tells whether the node that is away is down, or has an allocation
// that is meant to go on.
func (s *session) awaitedOrDown() bool {
	node, _, err := s.client.Nodes().Info(s.away, nil)
	s.check(err)
	return node.Status == api.NodeStatusDown || slices.ContainsFunc(s.allocsAnyVersion("unknown"), func(stub *api.AllocationListStub) bool {
		return stub.DesiredStatus == api.AllocDesiredStatusRun
	})
}

// settle looks once all that has to be decided is.
func (s *session) settle() {
	s.Helper()
	s.until("it is evaluated", s.decided)
	s.look()
}

// decided tells whether no evaluation of the job is due.
func (s *session) decided() bool {
	evals, _, err := s.client.Jobs().Evaluations(s.job, nil)
	s.check(err)
	return !slices.ContainsFunc(evals, func(e *api.Evaluation) bool {
		return e.Status == api.EvalStatusPending && e.WaitUntil.IsZero()
	})
}
