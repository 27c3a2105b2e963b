package conformance

import (
	"slices"
	"strings"

	"github.com/hashicorp/nomad/api"
)

// combinations is about what happens while something else is under way.
var combinations = []scenario{
	{name: "combined-canaries-above-the-count", full: true, differs: "each canary has a name of its own; Nomad gives two of them the same", run: func(s *session) {
		s.deploy(spec{update: `canary = 3`})
		s.register(spec{update: `canary = 3`, script: "exec sleep 1001"})
		s.untilHealthy("g", 3)
		s.look()
		s.nameless = true
		s.promote()
		s.untilDeployment("successful")
	}},
	{name: "combined-canary-and-max-parallel-0", full: true, differs: "without a deployment nobody can promote, so there are no canaries; Nomad leaves both versions running", run: func(s *session) {
		s.register(spec{count: 2, update: "canary = 1\nmax_parallel = 0"})
		s.untilAllocs(2, "running")
		s.register(spec{count: 2, update: "canary = 1\nmax_parallel = 0", script: "exec sleep 1001"})
		s.settle()
	}},
	{name: "combined-auto-promote-beside-a-manual-group", full: true, run: func(s *session) {
		before, after := spec{update: "canary = 1\nauto_promote = true"}, spec{update: "canary = 1\nauto_promote = true", script: "exec sleep 1001"}
		before.more = spec{update: `canary = 1`}.another("h")
		after.more = spec{update: `canary = 1`, script: "exec sleep 1001"}.another("h")
		s.deploy(before)
		s.register(after)
		s.untilHealthy("g", 1)
		s.untilHealthy("h", 1)
		s.look()
		s.promote()
		s.untilDeployment("successful")
	}},
	{name: "combined-canary-beside-a-group-that-reverts", full: true, run: func(s *session) {
		before, after := spec{update: `canary = 1`}, spec{update: `canary = 1`, script: "exec sleep 1001"}
		before.more = spec{update: `auto_revert = true`}.another("h")
		after.more = spec{update: "auto_revert = true\n" + late, script: "exit 3"}.another("h")
		s.deploy(before)
		s.register(after)
		s.until("it is reverted", func() bool { return s.version() == 2 })
		s.untilDeployment("successful")
	}},
	{name: "combined-job-and-group-update", full: true, run: func(s *session) {
		j := spec{count: 3, job: "update {\nmax_parallel = 3\ncanary = 1\nauto_revert = true\n}", update: "canary = 0\nauto_revert = false"}
		s.deploy(j)
		j.script = "exec sleep 1001"
		s.deploy(j)
	}},
	{name: "combined-count-up-while-rolling", full: true, run: func(s *session) {
		s.deploy(spec{count: 2})
		s.register(spec{count: 2, update: `health_check = "manual"`, script: "exec sleep 1001"})
		s.untilAllocs(1, "running")
		s.register(spec{count: 4, update: `health_check = "manual"`, script: "exec sleep 1001"})
		s.settle()
	}},
	{name: "combined-count-down-while-rolling", full: true, run: func(s *session) {
		s.deploy(spec{count: 3})
		s.register(spec{count: 3, update: `health_check = "manual"`, script: "exec sleep 1001"})
		s.untilAllocs(1, "running")
		s.register(spec{count: 1, update: `health_check = "manual"`, script: "exec sleep 1001"})
		s.settle()
	}},
	{name: "combined-superseded-while-paused", full: true, run: func(s *session) {
		s.deploy(spec{count: 2})
		s.register(spec{count: 2, update: `health_check = "manual"`, script: "exec sleep 1001"})
		s.untilAllocs(1, "running")
		s.pause()
		s.look()
		s.deploy(spec{count: 2, script: "exec sleep 1002"})
	}},
	{name: "combined-paused-twice-and-resumed-twice", full: true, run: func(s *session) {
		s.register(spec{update: `health_check = "manual"`})
		s.untilAllocs(1, "running")
		s.resume()
		s.look()
		s.pause()
		s.pause()
		s.look()
		s.resume()
		s.resume()
	}},
	{name: "combined-paused-and-promoted", full: true, run: func(s *session) {
		s.deploy(spec{count: 2, update: `canary = 1`})
		s.register(spec{count: 2, update: `canary = 1`, script: "exec sleep 1001"})
		s.untilHealthy("g", 1)
		s.pause()
		s.promote()
		s.settle()
		s.resume()
		s.untilDeployment("successful")
	}},
	{name: "combined-paused-and-stopped", full: true, run: func(s *session) {
		s.register(spec{update: `health_check = "manual"`})
		s.untilAllocs(1, "running")
		s.pause()
		s.stop(false)
		s.untilJob("dead")
		s.look()
		s.deploy(spec{})
	}},
	{name: "combined-promoted-twice", full: true, run: func(s *session) {
		s.deploy(spec{count: 2, update: `canary = 1`})
		s.register(spec{count: 2, update: "canary = 1\nhealth_check = \"manual\"", script: "exec sleep 1001"})
		s.untilAllocs(1, "running")
		s.health(s.allocs("running")[0], true)
		s.promote()
		s.promote()
		s.untilAllocs(2, "running")
	}},
	{name: "combined-promoted-with-one-bad-group", full: true, run: func(s *session) {
		before, after := spec{update: `canary = 1`}, spec{update: "canary = 1\nhealth_check = \"manual\"", script: "exec sleep 1001"}
		before.more = before.another("h")
		after.more = after.another("h")
		s.deploy(before)
		s.register(after)
		s.untilAllocs(2, "running")
		for _, stub := range s.allocs("running") {
			if stub.TaskGroup == "g" {
				s.health(stub, true)
			}
		}
		s.promote()
		s.promote("h")
		s.promote("g", "h")
		s.promote("g")
		s.until("the old one stops", func() bool { return s.ended("g[0]") })
	}},
	{name: "combined-reverted-to-a-tagged-version", full: true, run: func(s *session) {
		s.deploy(spec{})
		s.tag(0, "good", "it works")
		s.deploy(spec{script: "exec sleep 1001"})
		s.revert(0, nil)
		s.untilDeployment("successful")
		s.tag(2, "good", "")
		s.untag("good")
	}},
	{name: "combined-stopped-while-rolling-and-started", full: true, run: func(s *session) {
		s.deploy(spec{count: 2})
		s.register(spec{count: 2, update: `health_check = "manual"`, script: "exec sleep 1001"})
		s.untilAllocs(1, "running")
		s.stop(false)
		s.untilJob("dead")
		s.look()
		s.register(spec{count: 2, update: `health_check = "manual"`, script: "exec sleep 1001"})
		s.untilAllocs(2, "running")
	}},
	{name: "combined-canary-stopped-and-started", full: true, run: func(s *session) {
		s.deploy(spec{count: 2, update: `canary = 1`})
		s.register(spec{count: 2, update: `canary = 1`, script: "exec sleep 1001"})
		s.untilHealthy("g", 1)
		s.stop(false)
		s.untilJob("dead")
		s.deploy(spec{count: 2, update: `canary = 1`, script: "exec sleep 1001"})
	}},
	{name: "combined-priority-while-rolling", full: true, run: func(s *session) {
		s.deploy(spec{count: 2})
		s.register(spec{count: 2, update: `health_check = "manual"`, script: "exec sleep 1001"})
		s.untilAllocs(1, "running")
		s.register(spec{count: 2, update: `health_check = "manual"`, script: "exec sleep 1001", job: "priority = 70"})
		s.settle()
	}},
	{name: "combined-priority-while-a-canary-waits", full: true, run: func(s *session) {
		s.deploy(spec{count: 2, update: `canary = 1`})
		s.register(spec{count: 2, update: `canary = 1`, script: "exec sleep 1001"})
		s.untilHealthy("g", 1)
		s.register(spec{count: 2, update: `canary = 1`, script: "exec sleep 1001", job: "priority = 70"})
		s.untilHealthy("g", 1)
		s.look()
		s.promote()
		s.untilDeployment("successful")
	}},
	{name: "combined-kill-timeout-while-a-canary-waits", full: true, run: func(s *session) {
		s.deploy(spec{count: 2, update: `canary = 1`})
		s.register(spec{count: 2, update: `canary = 1`, script: "exec sleep 1001"})
		s.untilHealthy("g", 1)
		s.register(spec{count: 2, update: `canary = 1`, task: `kill_timeout = "3s"`})
		s.settle()
	}},
	{name: "combined-in-place-and-count-up-with-canaries", full: true, run: func(s *session) {
		s.deploy(spec{count: 2, update: `canary = 1`})
		s.deploy(spec{count: 3, update: `canary = 1`, task: `kill_timeout = "3s"`})
	}},
	{name: "combined-bad-canary-with-auto-revert", full: true, run: func(s *session) {
		s.deploy(spec{count: 2, update: "canary = 1\nauto_revert = true"})
		s.register(spec{count: 2, update: "canary = 1\nauto_revert = true\nhealth_check = \"manual\"", script: "exec sleep 1001"})
		s.untilAllocs(1, "running")
		s.health(s.allocs("running")[0], false)
		s.until("it is reverted", func() bool { return s.version() == 2 })
		s.untilDeployment("successful")
	}},
	{name: "combined-canary-that-is-too-late-with-auto-revert", full: true, run: func(s *session) {
		s.deploy(spec{count: 2, update: "canary = 1\nauto_revert = true"})
		s.register(spec{count: 2, update: "canary = 1\nauto_revert = true\n" + impatient, task: `kill_timeout = "1s"`, script: "exec sleep 1001"})
		s.until("it is reverted", func() bool { return s.version() == 2 })
		s.untilDeployment("successful")
	}},
	{name: "combined-group-removed-while-rolling", full: true, run: func(s *session) {
		before, after := spec{}, spec{update: `health_check = "manual"`, script: "exec sleep 1001"}
		before.more, after.more = before.another("h"), after.another("h")
		s.deploy(before)
		s.register(after)
		s.untilAllocs(2, "running")
		s.deploy(spec{script: "exec sleep 1002"})
	}},
	{name: "combined-count-0-in-one-group", full: true, run: func(s *session) {
		j := spec{more: strings.Replace(spec{}.another("h"), "count = 1", "count = 0", 1)}
		s.deploy(j)
		j.more = spec{}.another("h")
		s.deploy(j)
		j.more = strings.Replace(spec{}.another("h"), "count = 1", "count = 0", 1)
		s.register(j)
		s.until("h has ended", func() bool { return s.ended("h[0]") })
	}},
	{name: "combined-deployments-turned-on", full: true, run: func(s *session) {
		s.register(undeployed(spec{count: 2}))
		s.untilAllocs(2, "running")
		s.deploy(spec{count: 2})
		s.deploy(spec{count: 2, script: "exec sleep 1001"})
	}},
	{name: "combined-deployments-turned-off-while-rolling", full: true, differs: "what is in no deployment is not counted; Nomad counts it to the cancelled one of the version before", run: func(s *session) {
		s.deploy(spec{count: 2})
		s.register(spec{count: 2, update: `health_check = "manual"`, script: "exec sleep 1001"})
		s.untilAllocs(1, "running")
		s.register(undeployed(spec{count: 2, script: "exec sleep 1002"}))
		s.untilAllocs(2, "running")
	}},
	{name: "combined-purged-while-rolling", full: true, run: func(s *session) {
		s.deploy(spec{count: 2})
		s.register(spec{count: 2, update: `health_check = "manual"`, script: "exec sleep 1001"})
		s.untilAllocs(1, "running")
		s.stop(true)
		s.deploy(spec{count: 2})
	}},
	{name: "combined-three-versions-at-once", full: true, run: func(s *session) {
		s.deploy(spec{count: 3})
		s.register(spec{count: 3, update: `health_check = "manual"`, script: "exec sleep 1001"})
		s.untilAllocs(1, "running")
		s.register(spec{count: 3, update: `health_check = "manual"`, script: "exec sleep 1002"})
		s.untilAllocs(1, "running")
		s.settle()
		s.deploy(spec{count: 3, script: "exec sleep 1003"})
	}},
	{name: "combined-reverted-while-rolling", full: true, run: func(s *session) {
		s.deploy(spec{count: 2})
		s.register(spec{count: 2, update: `health_check = "manual"`, script: "exec sleep 1001"})
		s.untilAllocs(1, "running")
		s.revert(0, nil)
		s.untilDeployment("successful")
	}},
	{name: "combined-reverted-with-canaries", full: true, run: func(s *session) {
		s.deploy(spec{count: 2, update: `canary = 1`})
		s.register(spec{count: 2, update: `canary = 1`, script: "exec sleep 1001"})
		s.untilHealthy("g", 1)
		s.promote()
		s.untilDeployment("successful")
		s.revert(0, nil)
		s.untilHealthy("g", 1)
		s.look()
		s.promote()
		s.untilDeployment("successful")
	}},
	{name: "combined-max-parallel-above-the-count", full: true, run: func(s *session) {
		s.deploy(spec{count: 2, update: `max_parallel = 10`})
		s.deploy(spec{count: 2, update: `max_parallel = 10`, script: "exec sleep 1001"})
	}},
	{name: "combined-second-one-fails", full: true, run: func(s *session) {
		s.deploy(spec{count: 2, update: `auto_revert = true`})
		s.register(spec{count: 2, update: "auto_revert = true\n" + late, script: "[ $NOMAD_ALLOC_INDEX = 1 ] && exit 3; exec sleep 1000"})
		s.until("it is reverted", func() bool { return s.version() == 2 })
		s.untilDeployment("successful")
	}},
	{name: "combined-second-one-fails-and-scaled-down", full: true, run: func(s *session) {
		s.deploy(spec{count: 2})
		s.register(spec{count: 2, update: late, script: "[ $NOMAD_ALLOC_INDEX = 1 ] && exit 3; exec sleep 1000"})
		s.untilDeployment("failed")
		s.look()
		s.scale(1)
		s.untilDeployment("successful")
	}},
	{name: "combined-failed-and-scaled-up", full: true, run: func(s *session) {
		s.deploy(spec{})
		s.register(spec{update: `health_check = "manual"`, script: "exec sleep 1001"})
		s.untilAllocs(1, "running")
		s.fail()
		s.register(spec{count: 3, update: `health_check = "manual"`, script: "exec sleep 1001"})
		s.untilAllocs(3, "running")
	}},
	{name: "combined-failed-and-changed-in-place", full: true, run: func(s *session) {
		s.deploy(spec{count: 2})
		s.register(spec{count: 2, update: `health_check = "manual"`, script: "exec sleep 1001"})
		s.untilAllocs(1, "running")
		s.fail()
		s.settle()
		s.deploy(spec{count: 2, script: "exec sleep 1001", task: `kill_timeout = "3s"`})
	}},
	{name: "combined-failed-canary-and-promoted-version", full: true, run: func(s *session) {
		s.deploy(spec{count: 2, update: `canary = 1`})
		s.register(spec{count: 2, update: `canary = 1`, script: "exec sleep 1001"})
		s.untilHealthy("g", 1)
		s.fail()
		s.settle()
		s.register(spec{count: 2, update: `canary = 1`, script: "exec sleep 1002"})
		s.untilHealthy("g", 1)
		s.promote()
		s.untilDeployment("successful")
	}},
	{name: "combined-blue-green-superseded", full: true, run: func(s *session) {
		s.deploy(spec{count: 2, update: "canary = 2\nmax_parallel = 2"})
		s.register(spec{count: 2, update: "canary = 2\nmax_parallel = 2", script: "exec sleep 1001"})
		s.untilHealthy("g", 2)
		s.register(spec{count: 2, update: "canary = 2\nmax_parallel = 2\nauto_promote = true", script: "exec sleep 1002"})
		s.untilDeployment("successful")
	}},
	{name: "combined-blue-green-with-two-groups", full: true, run: func(s *session) {
		before, after := spec{count: 2, update: `canary = 2`}, spec{count: 2, update: `canary = 2`, script: "exec sleep 1001"}
		before.more, after.more = before.another("h"), spec{count: 2, update: `canary = 1`, script: "exec sleep 1001"}.another("h")
		s.deploy(before)
		s.register(after)
		s.untilHealthy("g", 2)
		s.untilHealthy("h", 1)
		s.look()
		s.promote()
		s.untilDeployment("successful")
	}},
	{name: "combined-renamed-group-with-canaries", full: true, run: func(s *session) {
		s.deploy(spec{update: `canary = 1`, more: spec{update: `canary = 1`}.another("h")})
		s.register(spec{update: `canary = 1`, more: spec{update: `canary = 1`}.another("i")})
		s.untilDeployment("successful")
	}},
	{name: "combined-stopped-alloc-while-paused", full: true, run: func(s *session) {
		s.deploy(spec{count: 2})
		s.register(spec{count: 2, update: `health_check = "manual"`, script: "exec sleep 1001"})
		s.untilAllocs(1, "running")
		s.pause()
		_, err := s.client.Allocations().Stop(s.alloc("g[1]"), nil)
		s.reply("stop", err)
		s.until("g[1] has ended", func() bool { return s.ended("g[1]") })
		s.settle()
	}},
	{name: "combined-canary-that-is-stopped-while-paused", full: true, run: func(s *session) {
		s.deploy(spec{count: 2, update: `canary = 1`})
		s.register(spec{count: 2, update: `canary = 1`, script: "exec sleep 1001"})
		s.untilHealthy("g", 1)
		s.pause()
		_, err := s.client.Allocations().Stop(s.alloc("g[0]"), nil)
		s.reply("stop", err)
		s.until("the canary has ended", func() bool { return len(s.allocs("complete")) == 1 })
		s.settle()
		s.resume()
		s.settle()
	}},
	{name: "combined-health-of-both-kinds", full: true, run: func(s *session) {
		s.deploy(spec{count: 2})
		s.register(spec{count: 2, update: "health_check = \"manual\"\nmax_parallel = 2", script: "exec sleep 1001"})
		running := s.untilAllocs(2, "running")
		slices.SortFunc(running, func(a, b *api.AllocationListStub) int { return strings.Compare(a.Name, b.Name) })
		s.health(running[0], true)
		s.look()
		s.health(running[1], false)
		s.untilDeployment("failed")
		s.look()
		s.health(running[1], true)
	}},
	{name: "combined-evaluated-while-rolling", full: true, run: func(s *session) {
		s.deploy(spec{count: 2})
		s.register(spec{count: 2, update: `health_check = "manual"`, script: "exec sleep 1001"})
		s.untilAllocs(1, "running")
		s.evaluate(true)
		s.settle()
	}},
	{name: "combined-same-canary-again", full: true, run: func(s *session) {
		s.deploy(spec{count: 2, update: `canary = 1`})
		s.register(spec{count: 2, update: `canary = 1`, script: "exec sleep 1001"})
		s.untilHealthy("g", 1)
		s.register(spec{count: 2, update: `canary = 1`, script: "exec sleep 1001"})
		s.settle()
		s.promote()
		s.untilDeployment("successful")
	}},
	{name: "combined-more-canaries-in-the-next-version", full: true, run: func(s *session) {
		s.deploy(spec{count: 3, update: `canary = 1`})
		s.register(spec{count: 3, update: `canary = 1`, script: "exec sleep 1001"})
		s.untilHealthy("g", 1)
		s.register(spec{count: 3, update: `canary = 2`, script: "exec sleep 1001"})
		s.untilHealthy("g", 2)
	}},
	{name: "combined-canaries-turned-off-while-one-waits", full: true, run: func(s *session) {
		s.deploy(spec{count: 2, update: `canary = 1`})
		s.register(spec{count: 2, update: `canary = 1`, script: "exec sleep 1001"})
		s.untilHealthy("g", 1)
		s.deploy(spec{count: 2, script: "exec sleep 1002"})
	}},
	{name: "combined-no-place-for-the-second-group", full: true, run: func(s *session) {
		j := spec{more: group(nowhere).another("h")}
		s.register(j)
		s.untilAllocs(1, "running")
		s.untilBlocked()
		s.look()
		s.stop(false)
		s.untilJob("dead")
	}},
	{name: "combined-progress-deadline-with-a-blocked-group", full: true, run: func(s *session) {
		s.register(spec{update: impatient, task: `kill_timeout = "1s"`, more: spec{group: nowhere}.another("h")})
		s.untilDeployment("failed")
	}},
	{name: "combined-batch-scaled-down", full: true, run: func(s *session) {
		s.register(spec{kind: "batch", count: 3})
		s.untilAllocs(3, "running")
		s.register(spec{kind: "batch", count: 1})
		s.until("two have ended", func() bool { return len(s.allocsAnyVersion("complete")) == 2 })
		s.settle()
	}},
	{name: "combined-batch-failed-and-changed", full: true, run: func(s *session) {
		s.register(spec{kind: "batch", script: "exit 3", reschedule: "attempts = 0"})
		s.untilAllocs(1, "failed")
		s.register(spec{kind: "batch", script: "exit 0", reschedule: "attempts = 0"})
		s.untilAllocs(1, "complete")
	}},
	{name: "combined-batch-failed-and-scaled", full: true, run: func(s *session) {
		s.register(spec{kind: "batch", script: "exit 3", reschedule: "attempts = 0"})
		s.untilAllocs(1, "failed")
		s.register(spec{kind: "batch", script: "exit 3", count: 2, reschedule: "attempts = 0"})
		s.settle()
	}},
	{name: "combined-batch-stopped-and-started", full: true, run: func(s *session) {
		s.register(spec{kind: "batch", count: 2, script: "[ $NOMAD_ALLOC_INDEX = 0 ] && exit 0; exec sleep 1000"})
		s.untilAllocs(1, "complete")
		s.untilAllocs(1, "running")
		s.stop(false)
		s.untilJob("dead")
		s.register(spec{kind: "batch", count: 2, script: "exit 0"})
		s.untilAllocs(2, "complete")
	}},
	{name: "combined-sysbatch-with-a-new-version-while-it-runs", full: true, run: func(s *session) {
		s.register(spec{kind: "sysbatch"})
		s.untilAllocs(1, "running")
		s.register(spec{kind: "sysbatch", script: "exit 0"})
		s.untilAllocs(1, "complete")
	}},
	{name: "combined-sysbatch-failed-and-changed", full: true, run: func(s *session) {
		s.register(spec{kind: "sysbatch", script: "exit 3"})
		s.untilAllocs(1, "failed")
		s.register(spec{kind: "sysbatch", script: "exit 0"})
		s.untilAllocs(1, "complete")
	}},
	{name: "combined-system-canary-promoted-by-itself", full: true, run: func(s *session) {
		s.deploy(spec{kind: "system", update: "canary = 100\nauto_promote = true"})
		s.deploy(spec{kind: "system", update: "canary = 100\nauto_promote = true", script: "exec sleep 1001"})
	}},
	{name: "combined-system-without-deployments", full: true, run: func(s *session) {
		s.register(spec{kind: "system", update: `max_parallel = 0`})
		s.untilAllocs(1, "running")
		s.register(spec{kind: "system", update: `max_parallel = 0`, script: "exec sleep 1001"})
		s.untilAllocs(1, "running")
	}},
	{name: "combined-system-superseded", full: true, run: func(s *session) {
		s.deploy(spec{kind: "system"})
		s.register(spec{kind: "system", update: `health_check = "manual"`, script: "exec sleep 1001"})
		s.untilAllocs(1, "running")
		s.deploy(spec{kind: "system", script: "exec sleep 1002"})
	}},
	{name: "combined-system-canary-superseded", full: true, run: func(s *session) {
		s.deploy(spec{kind: "system", update: `canary = 100`})
		s.register(spec{kind: "system", update: `canary = 100`, script: "exec sleep 1001"})
		s.untilHealthy("g", 1)
		s.register(spec{kind: "system", update: `canary = 100`, script: "exec sleep 1002"})
		s.untilHealthy("g", 1)
		s.look()
		s.promote()
		s.untilDeployment("successful")
	}},
	{name: "combined-system-failed-by-hand", full: true, differs: "a version has its deployment also when that of the version before has failed; in Nomad it has none", run: func(s *session) {
		s.deploy(spec{kind: "system", update: `auto_revert = true`})
		s.register(spec{kind: "system", update: "auto_revert = true\nhealth_check = \"manual\"", script: "exec sleep 1001"})
		s.untilAllocs(1, "running")
		s.fail()
		s.until("it is reverted", func() bool { return s.version() == 2 })
		s.untilAllocs(1, "running")
	}},
	{name: "combined-system-stopped-and-started", full: true, run: func(s *session) {
		s.deploy(spec{kind: "system"})
		s.stop(false)
		s.until("it has ended", func() bool { return s.ended("g[0]") })
		s.deploy(spec{kind: "system"})
	}},
	{name: "combined-system-of-priority-only", full: true, run: func(s *session) {
		s.deploy(spec{kind: "system"})
		s.deploy(spec{kind: "system", job: "priority = 80"})
	}},
	{name: "combined-system-restarted-by-hand-and-failed", full: true, run: func(s *session) {
		s.deploy(spec{kind: "system", script: s.once("exit 3"), restart: quick(1, "fail")})
	}},
}
