package conformance

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"

	"github.com/hashicorp/nomad/api"
)

// again reschedules once, and late enough for a busy machine to see that it waits.
const again = `
	attempts       = 1
	interval       = "1h"
	delay          = "20s"
	delay_function = "constant"
	unlimited      = false`

// allocations is about single allocations: stopped, restarted, rescheduled.
var allocations = []scenario{
	{name: "alloc-stopped", run: func(s *session) {
		s.deploy(spec{count: 2})
		s.stopAlloc("g[0]")
		s.untilAllocs(2, "running")
	}},
	{name: "alloc-stopped-twice", full: true, run: func(s *session) {
		s.deploy(spec{})
		s.stopAlloc("g[0]")
		s.untilReplaced()
		s.stopAlloc("g[0]")
	}},
	{name: "alloc-of-a-batch-stopped", full: true, run: func(s *session) {
		s.register(spec{kind: "batch"})
		s.untilAllocs(1, "running")
		s.stopAlloc("g[0]")
		s.untilReplaced()
	}},
	{name: "alloc-restarted", run: func(s *session) {
		s.deploy(spec{})
		s.restart("g[0]", "t")
		s.untilRestarts("t", 1)
	}},
	{name: "alloc-restarted-with-all-tasks", full: true, run: func(s *session) {
		s.deploy(spec{tasks: task("before", "exit 0", "", hook("prestart", false), "")})
		s.restart("g[0]", "")
		s.untilRestarts("t", 1)
	}},
	{name: "task-restarted-that-is-missing", run: func(s *session) {
		s.deploy(spec{})
		s.restart("g[0]", "nope")
	}},
	{name: "alloc-restarted-that-has-ended", run: func(s *session) {
		s.register(spec{kind: "batch", script: "exit 0"})
		s.untilAllocs(1, "complete")
		s.restart("g[0]", "t")
	}},
	{name: "alloc-signalled", run: func(s *session) {
		s.register(undeployed(spec{script: "trap 'exit 7' HUP; touch $NOMAD_ALLOC_DIR/ready; while true; do sleep 0.05; done"}))
		s.untilAllocs(1, "running")
		s.untilFile("alloc/ready")
		s.signal("g[0]", "t", "SIGHUP")
		s.untilAllocs(1, "failed")
	}},
	{name: "alloc-signalled-wrongly", run: func(s *session) {
		s.deploy(spec{})
		s.signal("g[0]", "t", "SIGNOPE")
		s.signal("g[0]", "nope", "SIGHUP")
	}, full: true, differs: "a signal that nobody knows is refused; Nomad interrupts the task"},
	{name: "rescheduled-once", full: true, run: func(s *session) {
		s.register(undeployed(spec{script: "exit 3", reschedule: again}))
		s.untilAllocs(2, "failed")
	}},
	{name: "rescheduled-until-it-works", full: true, run: func(s *session) {
		s.register(undeployed(spec{script: s.once("exit 3"), reschedule: "delay = \"20s\"\ndelay_function = \"constant\"\nunlimited = true"}))
		s.untilAllocs(1, "failed")
		s.untilAllocs(1, "running")
	}},
	{name: "rescheduled-later", run: func(s *session) {
		s.register(undeployed(spec{script: "exit 3", reschedule: "delay = \"1h\"\nmax_delay = \"2h\"\ndelay_function = \"exponential\"\nunlimited = true"}))
		s.untilWaiting()
	}},
	{name: "rescheduled-later-but-stopped", full: true, run: func(s *session) {
		s.register(undeployed(spec{script: "exit 3", reschedule: "delay = \"1h\"\nmax_delay = \"2h\"\ndelay_function = \"fibonacci\"\nunlimited = true"}))
		s.untilWaiting()
		s.stop(false)
		s.until("it is evaluated", s.settled)
	}},
	{name: "rescheduled-later-but-updated", full: true, run: func(s *session) {
		s.register(undeployed(spec{script: "exit 3", reschedule: "delay = \"1h\"\nmax_delay = \"2h\"\ndelay_function = \"exponential\"\nunlimited = true"}))
		s.untilWaiting()
		s.register(undeployed(spec{}))
		s.untilAllocs(1, "running")
	}},
	{name: "rescheduled-by-hand", full: true, run: func(s *session) {
		s.register(undeployed(spec{script: s.once("exit 3"), reschedule: "delay = \"1h\"\nmax_delay = \"2h\"\ndelay_function = \"exponential\"\nunlimited = true"}))
		s.untilWaiting()
		s.evaluate(true)
		s.untilAllocs(1, "running")
	}},
	{name: "batch-rescheduled", full: true, run: func(s *session) {
		s.register(spec{kind: "batch", script: "exit 3", reschedule: again})
		s.untilAllocs(2, "failed")
	}},
	{name: "reschedule-policies-that-are-refused", run: func(s *session) {
		for _, policy := range []string{
			"attempts = 2\nunlimited = true\ndelay = \"5s\"", "attempts = 1\nunlimited = false", "attempts = 1\ninterval = \"1h\"\ndelay = \"1s\"\nunlimited = false",
			"unlimited = true\ndelay = \"1m\"\nmax_delay = \"30s\"\ndelay_function = \"exponential\"", "unlimited = true\ndelay = \"5s\"\ndelay_function = \"nope\"",
		} {
			s.register(spec{reschedule: policy})
		}
	}},
	{name: "system-with-a-reschedule-policy", run: func(s *session) { s.register(spec{kind: "system", reschedule: again}) }},
	{name: "system-deployed", run: func(s *session) { s.deploy(spec{kind: "system"}) }},
	{name: "system-updated", run: func(s *session) {
		s.deploy(spec{kind: "system"})
		s.deploy(spec{kind: "system", script: "exec sleep 1001"})
	}},
	{name: "system-updated-in-place", run: func(s *session) {
		s.deploy(spec{kind: "system"})
		s.deploy(spec{kind: "system", job: `priority = 60`})
	}},
	{name: "system-fails", full: true, run: func(s *session) {
		s.deploy(spec{kind: "system"})
		s.register(spec{kind: "system", update: late, script: "exit 3"})
		s.untilDeployment("failed")
	}},
	{name: "system-reverts", full: true, differs: "a version after a failed one has its deployment; in Nomad the failed one keeps it from that", run: func(s *session) {
		s.deploy(spec{kind: "system", update: "auto_revert = true"})
		s.register(spec{kind: "system", update: "auto_revert = true\n" + late, script: "exit 3"})
		s.until("it is reverted", func() bool { return s.version() == 2 })
		s.untilAllocs(1, "running")
	}},
	{name: "system-canary", full: true, run: func(s *session) {
		s.deploy(spec{kind: "system", update: "canary = 100"})
		s.register(spec{kind: "system", update: "canary = 100", script: "exec sleep 1001"})
		s.untilHealthy("g", 1)
		s.look()
		s.promote()
		s.untilDeployment("successful")
	}},
	{name: "system-stopped", run: func(s *session) {
		s.deploy(spec{kind: "system"})
		s.stop(false)
		s.untilJob("dead")
	}},
	{name: "system-of-no-node", run: func(s *session) {
		s.register(spec{kind: "system", group: nowhere})
		s.until("it is evaluated", s.settled)
	}},
	{name: "system-with-a-count", run: func(s *session) { s.register(spec{kind: "system", count: 2}) }},
	{name: "system-alloc-stopped", full: true, run: func(s *session) {
		s.deploy(spec{kind: "system"})
		s.stopAlloc("g[0]")
	}},
	{name: "sysbatch-succeeds", run: func(s *session) {
		s.register(spec{kind: "sysbatch", script: "exit 0"})
		s.untilAllocs(1, "complete")
	}},
	{name: "sysbatch-fails", run: func(s *session) {
		s.register(spec{kind: "sysbatch", script: "exit 3"})
		s.untilAllocs(1, "failed")
	}},
	{name: "sysbatch-registered-again", full: true, run: func(s *session) {
		s.register(spec{kind: "sysbatch", script: "exit 0"})
		s.untilAllocs(1, "complete")
		s.register(spec{kind: "sysbatch", script: "exit 0"})
		s.register(spec{kind: "sysbatch", script: "true; exit 0"})
		s.untilAllocs(1, "complete")
	}},
	{name: "alloc-with-hooks", full: true, run: func(s *session) {
		s.deploy(spec{tasks: task("before", "exit 0", "", hook("prestart", false), "") +
			task("beside", "", "", hook("poststart", true), "") + task("after", "exit 0", "", hook("poststop", false), "")})
		s.given()
	}},
}

// given tells what an allocation has been given, in the fields for which the
// client library has no place.
func (s *session) given() {
	s.Helper()
	_, text := s.plainRequest(http.MethodGet, "/v1/allocation/"+s.alloc("g[0]").ID, "")
	var alloc struct {
		AllocatedResources struct {
			Tasks          map[string]struct{ Cpu struct{ ReservedCores []int } }
			TaskLifecycles map[string]*api.TaskLifecycle
		}
		SharedResources *api.Resources
	}
	s.check(json.Unmarshal([]byte(text), &alloc))
	given := alloc.AllocatedResources
	for _, name := range slices.Sorted(maps.Keys(given.Tasks)) {
		text := "none"
		if hook := given.TaskLifecycles[name]; hook != nil {
			text = fmt.Sprintf("%+v", *hook)
		}
		s.say("task %s: %d processors of its own, lifecycle %s", name, len(given.Tasks[name].Cpu.ReservedCores), text)
	}
	s.say("shared: %d MB of disk", *alloc.SharedResources.DiskMB)
}

// stopAlloc, restart and signal act on the newest allocation of a name. Without a
// task all of them are restarted.
func (s *session) stopAlloc(name string) {
	_, err := s.client.Allocations().Stop(s.alloc(name), nil)
	s.reply("stop "+name, err)
}

func (s *session) restart(name, task string) {
	var err error
	if task == "" {
		err = s.client.Allocations().RestartAllTasks(s.alloc(name), nil)
	} else {
		err = s.client.Allocations().Restart(s.alloc(name), task, nil)
	}
	s.reply("restart "+task, err)
}

func (s *session) signal(name, task, signal string) {
	s.reply(fmt.Sprintf("send %s to %s", signal, task), s.client.Allocations().Signal(s.alloc(name), nil, task, signal))
}
