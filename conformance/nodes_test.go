package conformance

import (
	"fmt"
	"time"

	"github.com/hashicorp/nomad/api"
)

// nodes is about the node of the agent. These scenarios have it for themselves.
var nodes = []scenario{
	{name: "node-ineligible", full: true, alone: true, run: func(s *session) {
		s.eligible(false)
		s.register(undeployed(spec{}))
		s.untilBlocked()
		s.look()
		s.eligible(true)
		s.untilAllocs(1, "running")
	}},
	{name: "node-ineligible-for-what-runs", full: true, alone: true, run: func(s *session) {
		s.deploy(spec{})
		s.eligible(false)
		s.register(spec{script: "exec sleep 1001"})
		s.untilBlocked()
		s.look()
		s.eligible(true)
		s.untilDeployment("successful")
	}},
	{name: "drained-with-a-deadline", full: true, alone: true, run: func(s *session) {
		s.deploy(spec{count: 2})
		s.drain(&api.DrainSpec{Deadline: 3 * time.Second})
		s.untilBothLeft()
		s.eligible(true)
		s.untilAllocs(2, "running")
	}},
	{name: "drained-but-for-system-jobs", full: true, alone: true, run: func(s *session) {
		s.deploy(spec{kind: "system"})
		s.drain(&api.DrainSpec{Deadline: -1 * time.Second, IgnoreSystemJobs: true})
		s.untilDrained()
	}},
	{name: "drained-with-system-jobs", full: true, alone: true, run: func(s *session) {
		s.deploy(spec{kind: "system"})
		s.drain(&api.DrainSpec{Deadline: -1 * time.Second})
		s.untilDrained()
		s.until("it has ended", func() bool { return s.ended("g[0]") })
	}},
	{name: "drain-called-off", full: true, alone: true, run: func(s *session) {
		// It takes its time to end, as the drain is complete then.
		s.deploy(spec{script: "trap '' INT; touch $NOMAD_ALLOC_DIR/deaf; while true; do sleep 0.1; done", task: `kill_timeout = "10s"`})
		s.untilFile("alloc/deaf")
		s.drain(&api.DrainSpec{Deadline: time.Hour})
		s.untilBlocked()
		s.drain(nil)
		s.look()
	}},
	{name: "drained-while-deploying", full: true, alone: true, run: func(s *session) {
		s.deploy(spec{})
		s.register(spec{update: `health_check = "manual"`, script: "exec sleep 1001"})
		s.until("the new one runs", func() bool { return s.ended("g[0]") && len(s.allocs("running")) == 1 })
		s.drain(&api.DrainSpec{Deadline: -1 * time.Second})
		s.untilBlocked()
	}},
	{name: "batch-drained", full: true, alone: true, run: func(s *session) {
		s.register(spec{kind: "batch"})
		s.untilAllocs(1, "running")
		s.drain(&api.DrainSpec{Deadline: -1 * time.Second})
		s.until("it has ended", func() bool { return s.ended("g[0]") })
	}},
	{name: "batch-drained-with-a-deadline", full: true, alone: true, run: func(s *session) {
		s.register(spec{kind: "batch", count: 2})
		s.untilAllocs(2, "running")
		s.drain(&api.DrainSpec{Deadline: 3 * time.Second})
		s.until("both have ended", func() bool { return s.ended("g[0]") && s.ended("g[1]") })
		s.look()
		s.eligible(true)
		s.evaluate(false)
	}},
	{name: "batch-that-ends-while-it-is-drained", full: true, alone: true, run: func(s *session) {
		s.register(spec{kind: "batch", script: "sleep 2; exit 0"})
		s.untilAllocs(1, "running")
		s.drain(&api.DrainSpec{Deadline: time.Hour})
		s.untilAllocs(1, "complete")
		s.untilDrained()
	}},
	{name: "sysbatch-drained", full: true, alone: true, run: func(s *session) {
		s.register(spec{kind: "sysbatch"})
		s.untilAllocs(1, "running")
		s.drain(&api.DrainSpec{Deadline: -1 * time.Second})
		s.until("it has ended", func() bool { return s.ended("g[0]") })
		s.look()
		s.eligible(true)
	}},
	{name: "system-job-updated-while-ineligible", full: true, alone: true, differs: "a version that no node takes yet has its deployment when one does; in Nomad it is successful with none", run: func(s *session) {
		s.deploy(spec{kind: "system"})
		s.eligible(false)
		s.register(spec{kind: "system", script: "exec sleep 1001"})
		s.look()
		s.eligible(true)
		s.untilAllocs(1, "running")
	}},
	{name: "system-job-registered-while-ineligible", full: true, alone: true, run: func(s *session) {
		s.eligible(false)
		s.register(spec{kind: "system"})
		s.look()
		s.eligible(true)
		s.untilAllocs(1, "running")
	}},
	{name: "drained-with-two-groups", full: true, alone: true, run: func(s *session) {
		j := spec{group: "migrate {\nhealth_check = \"task_states\"\nmin_healthy_time = \"0s\"\nhealthy_deadline = \"1m\"\n}"}
		j.more = j.another("h")
		s.deploy(j)
		s.drain(&api.DrainSpec{Deadline: time.Hour})
		s.until("both have ended", func() bool { return s.ended("g[0]") && s.ended("h[0]") })
		s.untilDrained()
		s.eligible(true)
		s.untilAllocs(2, "running")
	}},
	{name: "registered-while-drained", full: true, alone: true, run: func(s *session) {
		s.drain(&api.DrainSpec{Deadline: time.Hour})
		s.register(spec{})
		s.untilBlocked()
		s.look()
		s.eligible(true)
		s.untilDeployment("successful")
	}},
	{name: "system-job-without-room", full: true, alone: true, differs: "nothing is preempted: a system job that finds no room waits, whatever its priority", run: func(s *session) {
		most := fmt.Sprintf("memory = %d", s.node().NodeResources.Memory.MemoryMB*8/10)
		s.register(spec{kind: "system", job: "priority = 20", update: "max_parallel = 0", resources: most})
		s.untilAllocs(1, "running")
		high := s.job + "-high"
		s.others = append(s.others, high)
		s.registerHCL(spec{kind: "system", job: "priority = 80", update: "max_parallel = 0", resources: most}.hcl(high))
		s.until("both are evaluated", s.settled)
	}},
	{name: "collected-but-for-what-runs", full: true, alone: true, run: func(s *session) {
		s.register(spec{kind: "batch", count: 2, script: "[ $NOMAD_ALLOC_INDEX = 0 ] && exit 0; exec sleep 1000"})
		s.untilAllocs(1, "complete")
		s.untilAllocs(1, "running")
		s.check(s.client.System().GarbageCollect())
	}},
	{name: "collected-with-failed-ones", full: true, alone: true, run: func(s *session) {
		s.register(undeployed(spec{count: 2, script: "[ $NOMAD_ALLOC_INDEX = 0 ] && exit 3; exec sleep 1000"}))
		s.untilAllocs(1, "failed")
		s.untilAllocs(1, "running")
		s.check(s.client.System().GarbageCollect())
		s.look()
		s.evaluate(false)
	}},
	{name: "batch-collected-and-run-again", full: true, alone: true, run: func(s *session) {
		s.register(spec{kind: "batch", script: "exit 0"})
		s.untilAllocs(1, "complete")
		s.untilJob("dead")
		s.check(s.client.System().GarbageCollect())
		s.until("the job is gone", func() bool {
			_, _, err := s.client.Jobs().Info(s.job, nil)
			return err != nil
		})
		s.register(spec{kind: "batch", script: "exit 0"})
		s.untilAllocs(1, "complete")
	}},
	{name: "collected", full: true, alone: true, run: func(s *session) {
		s.deploy(spec{})
		s.stop(false)
		s.until("it has ended", func() bool { return s.ended("g[0]") })
		s.check(s.client.System().GarbageCollect())
		s.until("the job is gone", func() bool {
			_, _, err := s.client.Jobs().Info(s.job, nil)
			return err != nil
		})
	}},
	{name: "collected-while-it-runs", full: true, alone: true, run: func(s *session) {
		s.deploy(spec{})
		s.deploy(spec{script: "exec sleep 1001"})
		s.until("the old one has ended", func() bool { return s.ended("g[0]") })
		s.check(s.client.System().GarbageCollect())
		s.until("the old one is gone", func() bool { return len(s.stubs(s.job)) == 1 })
	}},
	{name: "node-calls-that-are-refused", run: func(s *session) {
		const nobody = "00000000-0000-0000-0000-000000000000"
		_, err := s.client.Nodes().ToggleEligibility(nobody, true, nil)
		s.reply("eligibility", err)
		_, err = s.client.Nodes().UpdateDrain(nobody, &api.DrainSpec{}, false, nil)
		s.reply("drain", err)
		_, _, err = s.client.Nodes().Info(nobody, nil)
		s.reply("info", err)
	}},
}

// node is the only one of the agent.
func (s *session) node() *api.Node {
	s.Helper()
	list, _, err := s.client.Nodes().List(nil)
	s.check(err)
	if len(list) != 1 {
		s.Fatalf("there are %d nodes", len(list))
	}
	node, _, err := s.client.Nodes().Info(list[0].ID, nil)
	s.check(err)
	return node
}

func (s *session) sayNode() {
	node := s.node()
	text := fmt.Sprintf("node: %s, %s, drain %t", node.Status, node.SchedulingEligibility, node.DrainStrategy != nil)
	if node.LastDrain != nil {
		text += fmt.Sprintf(", last drain %s", node.LastDrain.Status)
	}
	s.say("%s", text)
}

func (s *session) eligible(is bool) {
	_, err := s.client.Nodes().ToggleEligibility(s.node().ID, is, nil)
	s.reply("eligibility", err)
	s.sayNode()
}

func (s *session) drain(spec *api.DrainSpec) {
	_, err := s.client.Nodes().UpdateDrain(s.node().ID, spec, spec == nil, nil)
	s.reply("drain", err)
	if spec == nil {
		s.sayNode()
	}
}

// untilBothLeft waits until two allocations have ended, and a deployment waits to
// place them anew. (What Nomad says of the job meanwhile is now this, now that.)
func (s *session) untilBothLeft() {
	s.Helper()
	s.until("both have ended", func() bool { return s.ended("g[0]") && s.ended("g[1]") })
	s.untilDeployment("running")
}

func (s *session) untilDrained() {
	s.Helper()
	s.until("the drain is complete", func() bool { return s.node().DrainStrategy == nil })
	s.sayNode()
}
