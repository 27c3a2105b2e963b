package conformance

import (
	"os"
	"path/filepath"
)

// late makes an allocation healthy only after it had the time to fail.
const late = `min_healthy_time = "5s"`

// impatient lets a deployment fail that nobody calls healthy.
const impatient = `
	health_check      = "manual"
	healthy_deadline  = "1s"
	progress_deadline = "2s"`

// nowhere is a constraint that no node meets.
const nowhere = `constraint {
	attribute = "${attr.kernel.name}"
	value     = "plan9"
}`

// deployments is about how a version replaces another.
var deployments = []scenario{
	{name: "rolling-one-by-one", run: func(s *session) {
		s.deploy(spec{count: 3})
		s.deploy(spec{count: 3, task: `env { A = "1" }`})
	}},
	{name: "max-parallel-2", run: func(s *session) {
		s.deploy(spec{count: 4, update: `max_parallel = 2`})
		s.deploy(spec{count: 4, update: `max_parallel = 2`, task: `env { A = "1" }`})
	}},
	{name: "max-parallel-count", run: func(s *session) {
		s.deploy(spec{count: 3, update: `max_parallel = 3`})
		s.deploy(spec{count: 3, update: `max_parallel = 3`, task: `env { A = "1" }`})
	}},
	{name: "max-parallel-0", run: func(s *session) {
		s.register(spec{count: 2, update: `max_parallel = 0`})
		s.untilAllocs(2, "running")
		s.register(spec{count: 2, update: `max_parallel = 0`, task: `env { A = "1" }`})
		s.untilAllocs(2, "running")
	}},
	{name: "canary-promoted", run: func(s *session) {
		s.deploy(spec{count: 2, update: `canary = 1`})
		s.register(spec{count: 2, update: `canary = 1`, task: `env { A = "1" }`})
		s.untilHealthy("g", 1)
		s.look()
		s.promote()
		s.untilDeployment("successful")
	}},
	{name: "blue-green", run: func(s *session) {
		s.deploy(spec{count: 2, update: `canary = 2`})
		s.register(spec{count: 2, update: `canary = 2`, task: `env { A = "1" }`})
		s.untilHealthy("g", 2)
		s.look()
		s.promote()
		s.untilDeployment("successful")
	}},
	{name: "auto-promote", run: func(s *session) {
		s.deploy(spec{count: 2, update: "canary = 1\nauto_promote = true"})
		s.deploy(spec{count: 2, update: "canary = 1\nauto_promote = true", task: `env { A = "1" }`})
	}},
	{name: "promote-too-early", run: func(s *session) {
		s.deploy(spec{update: `canary = 1`})
		s.register(spec{update: "canary = 1\nhealth_check = \"manual\"", task: `env { A = "1" }`})
		s.untilAllocs(1, "running")
		s.promote()
	}},
	{name: "auto-revert", run: func(s *session) {
		s.deploy(spec{update: `auto_revert = true`})
		s.register(spec{update: "auto_revert = true\n" + late, script: "exit 3"})
		s.until("it is reverted", func() bool { return s.version() == 2 })
		s.untilDeployment("successful")
	}},
	{name: "auto-revert-without-stable-version", run: func(s *session) {
		s.register(spec{update: "auto_revert = true\n" + late, script: "exit 3"})
		s.untilDeployment("failed")
	}},
	{name: "failed-without-auto-revert", run: func(s *session) {
		s.deploy(spec{})
		s.register(spec{update: late, script: "exit 3"})
		s.untilDeployment("failed")
	}},
	{name: "fail-by-hand", run: func(s *session) {
		s.deploy(spec{update: `canary = 1`})
		s.register(spec{update: `canary = 1`, task: `env { A = "1" }`})
		s.untilHealthy("g", 1)
		s.fail()
		s.untilDeployment("failed")
		s.fail()
		s.promote()
		s.pause()
		s.resume()
	}},
	{name: "pause-and-resume", run: func(s *session) {
		s.deploy(spec{count: 2})
		s.register(spec{count: 2, update: `health_check = "manual"`, task: `env { A = "1" }`})
		s.untilAllocs(1, "running")
		s.pause()
		s.look()
		s.resume()
	}},
	{name: "canary-superseded", run: func(s *session) {
		s.deploy(spec{update: `canary = 1`})
		s.register(spec{update: `canary = 1`, script: "exec sleep 1001"})
		s.untilHealthy("g", 1)
		s.register(spec{update: `canary = 1`, script: "exec sleep 1002"})
		s.untilHealthy("g", 1)
		s.look()
		s.promote()
		s.untilDeployment("successful")
	}},
	{name: "canary-taken-back", run: func(s *session) {
		s.deploy(spec{update: `canary = 1`})
		s.register(spec{update: `canary = 1`, script: "exec sleep 1001"})
		s.untilHealthy("g", 1)
		s.register(spec{update: `canary = 1`})
		s.until("the first version is back", func() bool { return s.version() == 2 && len(s.allocs("running")) == 1 })
	}},
	{name: "canary-of-a-stopped-job", run: func(s *session) {
		s.deploy(spec{update: `canary = 1`})
		s.register(spec{update: `canary = 1`, script: "exec sleep 1001"})
		s.untilHealthy("g", 1)
		s.stop(false)
		s.untilJob("dead")
	}},
	{name: "canary-with-a-change-in-place", run: func(s *session) {
		s.deploy(spec{update: `canary = 1`})
		s.deploy(spec{update: `canary = 1`, job: `priority = 60`})
	}},
	{name: "canary-with-a-higher-count", run: func(s *session) {
		s.deploy(spec{count: 1, update: `canary = 1`})
		s.register(spec{count: 3, update: `canary = 1`, script: "exec sleep 1001"})
		s.untilHealthy("g", 1)
		s.look()
		s.promote()
		s.untilDeployment("successful")
	}},
	{name: "canary-with-a-lower-count", full: true, run: func(s *session) {
		s.deploy(spec{count: 3, update: `canary = 1`})
		s.register(spec{count: 1, update: `canary = 1`, script: "exec sleep 1001"})
		s.untilHealthy("g", 1)
		s.look()
		s.promote()
		s.untilDeployment("successful")
	}},
	{name: "two-canaries-of-three", run: func(s *session) {
		s.deploy(spec{count: 3, update: `canary = 2`})
		s.register(spec{count: 3, update: `canary = 2`, script: "exec sleep 1001"})
		s.untilHealthy("g", 2)
		s.look()
		s.promote()
		s.untilDeployment("successful")
	}},
	{name: "promoted-group-by-group", run: func(s *session) {
		before, after := spec{update: `canary = 1`}, spec{update: `canary = 1`, script: "exec sleep 1001"}
		before.more, after.more = before.another("h"), after.another("h")
		s.deploy(before)
		s.register(after)
		s.untilHealthy("g", 1)
		s.untilHealthy("h", 1)
		s.promote("nope")
		s.promote("g")
		s.until("the old one stops", func() bool { return s.ended("g[0]") })
		s.look()
		s.promote("h")
		s.untilDeployment("successful")
	}},
	{name: "auto-promote-of-two-groups", run: func(s *session) {
		before, after := spec{update: "canary = 1\nauto_promote = true"}, spec{update: "canary = 1\nauto_promote = true", script: "exec sleep 1001"}
		before.more, after.more = before.another("h"), after.another("h")
		s.deploy(before)
		s.deploy(after)
	}},
	{name: "auto-promote-of-one-group-of-two", full: true, run: func(s *session) {
		before, after := spec{update: "canary = 1\nauto_promote = true"}, spec{update: "canary = 1\nauto_promote = true", script: "exec sleep 1001"}
		before.more, after.more = spec{}.another("h"), spec{script: "exec sleep 1001"}.another("h")
		s.deploy(before)
		s.deploy(after)
	}},
	{name: "auto-promote-without-canary", run: func(s *session) { s.register(spec{update: `auto_promote = true`}) }},
	{name: "promote-without-canaries", run: func(s *session) {
		s.register(spec{update: `health_check = "manual"`})
		s.untilAllocs(1, "running")
		s.promote()
	}},
	{name: "promote-after-success", run: func(s *session) {
		s.deploy(spec{})
		s.promote()
		s.fail()
	}},
	{name: "fail-by-hand-with-auto-revert", run: func(s *session) {
		s.deploy(spec{update: `auto_revert = true`})
		s.register(spec{update: "auto_revert = true\nhealth_check = \"manual\"", script: "exec sleep 1001"})
		s.untilAllocs(1, "running")
		s.fail()
		s.until("it is reverted", func() bool { return s.version() == 2 })
		s.untilDeployment("successful")
	}},
	{name: "fail-by-hand-with-nothing-to-revert-to", run: func(s *session) {
		s.register(spec{update: "auto_revert = true\nhealth_check = \"manual\""})
		s.untilAllocs(1, "running")
		s.fail()
		s.untilDeployment("failed")
	}},
	{name: "revert-that-fails-too", run: func(s *session) {
		spoilt := filepath.Join(s.TempDir(), "spoilt")
		good := spec{update: "auto_revert = true\n" + `min_healthy_time = "2s"`, script: "[ -e " + spoilt + " ] && exit 4; exec sleep 1000"}
		s.deploy(good)
		s.check(os.WriteFile(spoilt, nil, 0o600))
		s.register(spec{update: "auto_revert = true\n" + late, script: "exit 3"})
		s.until("it is reverted", func() bool { return s.version() == 2 })
		s.untilDeployment("failed")
	}},
	{name: "auto-revert-to-the-version-before-last", run: func(s *session) {
		good := spec{update: `auto_revert = true`}
		s.deploy(good)
		for _, code := range []string{"3", "4"} {
			before := s.version()
			s.register(spec{update: "auto_revert = true\n" + late, script: "exit " + code})
			s.until("it is reverted", func() bool { return s.version() == before+2 })
			s.untilDeployment("successful")
		}
	}},
	{name: "auto-revert-to-a-stopped-version", differs: "a revert never goes to a stopped version, with which nothing would run", run: func(s *session) {
		s.deploy(spec{update: `auto_revert = true`})
		s.stop(false)
		s.untilJob("dead")
		s.register(spec{update: "auto_revert = true\n" + late, script: "exit 3"})
		s.until("it is reverted", func() bool { return s.version() == 3 })
	}},
	{name: "auto-revert-in-one-group", full: true, run: func(s *session) {
		good := spec{update: `auto_revert = true`}
		good.more = spec{}.another("h")
		s.deploy(good)
		bad := good
		bad.more = spec{update: late, script: "exit 3"}.another("h")
		s.register(bad)
		s.untilDeployment("failed")
	}},
	{name: "auto-revert-of-both-groups", full: true, run: func(s *session) {
		good := spec{update: `auto_revert = true`}
		good.more = good.another("h")
		s.deploy(good)
		bad := good
		bad.more = spec{update: "auto_revert = true\n" + late, script: "exit 3"}.another("h")
		s.register(bad)
		s.until("it is reverted", func() bool { return s.version() == 2 })
		s.untilDeployment("successful")
	}},
	{name: "superseded-while-rolling", run: func(s *session) {
		s.deploy(spec{count: 2})
		s.register(spec{count: 2, update: `health_check = "manual"`, script: "exec sleep 1001"})
		s.untilAllocs(1, "running")
		s.deploy(spec{count: 2, script: "exec sleep 1002"})
	}},
	{name: "stopped-while-rolling", run: func(s *session) {
		s.deploy(spec{count: 2})
		s.register(spec{count: 2, update: `health_check = "manual"`, script: "exec sleep 1001"})
		s.untilAllocs(1, "running")
		s.stop(false)
		s.untilJob("dead")
	}},
	{name: "same-job-again-while-rolling", run: func(s *session) {
		s.deploy(spec{count: 2})
		j := spec{count: 2, update: `health_check = "manual"`, script: "exec sleep 1001"}
		s.register(j)
		s.untilAllocs(1, "running")
		s.register(j)
	}},
	{name: "failed-then-mended", run: func(s *session) {
		s.deploy(spec{count: 2})
		s.register(spec{count: 2, update: late, script: "exit 3"})
		s.untilDeployment("failed")
		s.deploy(spec{count: 2, script: "exec sleep 1001"})
	}},
	{name: "failed-and-registered-again", run: func(s *session) {
		s.deploy(spec{count: 2})
		s.register(spec{count: 2, update: late, script: "exit 3"})
		s.untilDeployment("failed")
		s.register(spec{count: 2, update: late, script: "exit 3"})
	}},
	{name: "progress-deadline", run: func(s *session) {
		s.deploy(spec{count: 2})
		s.register(spec{count: 2, update: impatient, task: `kill_timeout = "2s"`, script: "exec sleep 1001"})
		s.untilDeployment("failed")
	}},
	{name: "progress-deadline-with-auto-revert", run: func(s *session) {
		s.deploy(spec{update: "auto_revert = true"})
		s.register(spec{update: "auto_revert = true\n" + impatient, task: `kill_timeout = "2s"`, script: "exec sleep 1001"})
		s.until("it is reverted", func() bool { return s.version() == 2 })
		s.untilDeployment("successful")
	}},
	{name: "progress-deadline-of-a-canary", run: func(s *session) {
		s.deploy(spec{update: `canary = 1`})
		s.register(spec{update: "canary = 1\n" + impatient, task: `kill_timeout = "2s"`, script: "exec sleep 1001"})
		s.untilDeployment("failed")
	}},
	{name: "progress-deadline-0", run: func(s *session) {
		s.register(spec{update: "progress_deadline = \"0s\"\nhealthy_deadline = \"8s\"\nmin_healthy_time = \"900ms\"",
			tasks: task("before", "", "", "lifecycle { hook = \"prestart\" }", "")})
		s.untilDeployment("failed")
	}},
	{name: "manual-health", run: func(s *session) {
		s.register(spec{count: 2, update: "health_check = \"manual\"\nmax_parallel = 2"})
		for _, alloc := range s.untilAllocs(2, "running") {
			s.health(alloc, true)
		}
		s.untilDeployment("successful")
		s.health(s.allocs("running")[0], false)
	}},
	{name: "manual-health-rolls-on", run: func(s *session) {
		s.deploy(spec{count: 2})
		s.register(spec{count: 2, update: `health_check = "manual"`, script: "exec sleep 1001"})
		s.health(s.untilAllocs(1, "running")[0], true)
		s.untilAllocs(2, "running")
	}},
	{name: "manual-health-is-bad", run: func(s *session) {
		s.deploy(spec{count: 2})
		s.register(spec{count: 2, update: `health_check = "manual"`, script: "exec sleep 1001"})
		s.health(s.untilAllocs(1, "running")[0], false)
		s.untilDeployment("failed")
	}},
	{name: "manual-health-is-bad-and-reverted", run: func(s *session) {
		s.deploy(spec{update: `auto_revert = true`})
		s.register(spec{update: "auto_revert = true\nhealth_check = \"manual\"", script: "exec sleep 1001"})
		s.health(s.untilAllocs(1, "running")[0], false)
		s.until("it is reverted", func() bool { return s.version() == 2 })
		s.untilDeployment("successful")
	}},
	{name: "manual-health-is-bad-with-nothing-to-revert-to", run: func(s *session) {
		s.register(spec{update: "auto_revert = true\nhealth_check = \"manual\""})
		s.health(s.untilAllocs(1, "running")[0], false)
		s.untilDeployment("failed")
	}},
	{name: "health-of-a-canary-by-hand", full: true, run: func(s *session) {
		s.deploy(spec{update: `canary = 1`})
		s.register(spec{update: "canary = 1\nhealth_check = \"manual\"", script: "exec sleep 1001"})
		s.health(s.untilAllocs(1, "running")[0], true)
		s.untilHealthy("g", 1)
		s.promote()
		s.untilDeployment("successful")
	}},
	{name: "health-that-nobody-may-set", run: func(s *session) {
		s.register(spec{update: `health_check = "manual"`})
		s.untilAllocs(1, "running")
		_, _, err := s.client.Deployments().SetAllocHealth(s.deployment().ID, []string{"11111111-2222-3333-4444-555555555555"}, nil, nil)
		s.reply("health of an unknown allocation", err)
		_, _, err = s.client.Deployments().SetAllocHealth(s.deployment().ID, nil, nil, nil)
		s.reply("health of none", err)
	}},
	{name: "paused-canary", run: func(s *session) {
		s.deploy(spec{update: `canary = 1`})
		s.register(spec{update: `canary = 1`, script: "exec sleep 1001"})
		s.untilHealthy("g", 1)
		s.pause()
		s.look()
		s.promote()
		s.look()
		s.resume()
		s.promote()
		s.untilDeployment("successful")
	}},
	{name: "paused-and-failed", full: true, run: func(s *session) {
		s.deploy(spec{count: 2})
		s.register(spec{count: 2, update: `health_check = "manual"`, script: "exec sleep 1001"})
		s.untilAllocs(1, "running")
		s.pause()
		s.pause()
		s.fail()
	}},
	{name: "unblock", run: func(s *session) {
		s.register(spec{update: `health_check = "manual"`})
		s.untilAllocs(1, "running")
		_, _, err := s.client.Deployments().Unblock(s.deployment().ID, nil)
		s.reply("unblock", err)
	}},
	{name: "no-place-for-a-deployment", run: func(s *session) {
		s.register(spec{group: nowhere})
		s.untilBlocked()
	}},
	{name: "no-place-for-an-update", run: func(s *session) {
		s.deploy(spec{})
		s.register(spec{group: nowhere, script: "exec sleep 1001"})
		s.untilBlocked()
	}},
	{name: "no-place-for-a-canary", full: true, run: func(s *session) {
		s.deploy(spec{update: `canary = 1`})
		s.register(spec{update: `canary = 1`, group: nowhere, script: "exec sleep 1001"})
		s.untilBlocked()
	}},
	{name: "healthy-then-failed", run: func(s *session) {
		stop := filepath.Join(s.TempDir(), "stop")
		s.register(spec{count: 2, update: "canary = 1\nmax_parallel = 2"})
		s.untilDeployment("successful")
		s.register(spec{count: 2, update: "canary = 1", script: "while [ ! -e " + stop + " ]; do sleep 0.05; done; exit 3"})
		s.untilHealthy("g", 1)
		s.check(os.WriteFile(stop, nil, 0o600))
		s.untilAllocs(1, "failed")
	}},
	{name: "count-up-with-a-change", run: func(s *session) {
		s.deploy(spec{count: 1})
		s.deploy(spec{count: 3, script: "exec sleep 1001"})
	}},
	{name: "count-down-with-a-change", run: func(s *session) {
		s.deploy(spec{count: 3})
		s.deploy(spec{count: 1, script: "exec sleep 1001"})
	}},
	{name: "two-groups-at-their-own-pace", full: true, run: func(s *session) {
		before, after := spec{count: 3, update: `max_parallel = 3`}, spec{count: 3, update: `max_parallel = 3`, script: "exec sleep 1001"}
		before.more, after.more = spec{count: 2}.another("h"), spec{count: 2, script: "exec sleep 1001"}.another("h")
		s.deploy(before)
		s.deploy(after)
	}},
	{name: "update-block-of-the-job", full: true, run: func(s *session) {
		j := spec{job: "update {\nmax_parallel = 3\nauto_revert = true\nhealth_check = \"task_states\"\n}", count: 3, update: "max_parallel = 2"}
		s.deploy(j)
		j.script = "exec sleep 1001"
		s.deploy(j)
	}},
	{name: "healthy-deadline", run: func(s *session) {
		s.register(spec{update: `healthy_deadline = "8s"`, tasks: task("before", "", "", "lifecycle { hook = \"prestart\" }", "")})
		s.untilDeployment("failed")
	}},
	{name: "healthy-deadline-while-rescheduling", run: func(s *session) {
		s.register(spec{task: `kill_timeout = "2s"`, update: "healthy_deadline = \"8s\"\nprogress_deadline = \"20s\"", reschedule: "unlimited = true\ndelay = \"1h\"\nmax_delay = \"1h\"\ndelay_function = \"constant\"",
			tasks: task("before", "", "", "kill_timeout = \"2s\"\nlifecycle { hook = \"prestart\" }", "")})
		s.untilDeployment("failed")
	}},
	{name: "canary-fails-and-is-reverted", run: func(s *session) {
		s.deploy(spec{count: 2, update: "canary = 1\nauto_revert = true"})
		s.register(spec{count: 2, update: "canary = 1\nauto_revert = true\n" + late, script: "exit 3"})
		s.until("it is reverted", func() bool { return s.version() == 2 })
		s.untilDeployment("successful")
	}},
	{name: "canary-fails", run: func(s *session) {
		s.deploy(spec{count: 2, update: `canary = 1`})
		s.register(spec{count: 2, update: "canary = 1\n" + late, script: "exit 3"})
		s.untilDeployment("failed")
	}},
	{name: "group-without-deployment", full: true, run: func(s *session) {
		before, after := spec{}, spec{script: "exec sleep 1001"}
		before.more, after.more = undeployed(spec{}).another("h"), undeployed(spec{script: "exec sleep 1001"}).another("h")
		s.deploy(before)
		s.deploy(after)
	}},
	{name: "unhealthy-and-replaced", full: true, run: func(s *session) {
		spoilt := filepath.Join(s.TempDir(), "spoilt")
		s.register(spec{update: late, reschedule: "attempts = 1\ninterval = \"1h\"\ndelay = \"5s\"\nunlimited = false",
			script: "[ -e " + spoilt + " ] && exec sleep 1000; touch " + spoilt + "; exit 3"})
		s.untilDeployment("successful")
	}},
	{name: "more-canaries-than-count", full: true, run: func(s *session) {
		s.deploy(spec{count: 1, update: `canary = 2`})
		s.register(spec{count: 1, update: `canary = 2`, script: "exec sleep 1001"})
		s.untilHealthy("g", 2)
		s.look()
		s.promote()
		s.untilDeployment("successful")
	}},
	{name: "no-place-and-stopped", full: true, run: func(s *session) {
		s.register(spec{group: nowhere})
		s.untilBlocked()
		s.stop(false)
		s.untilJob("dead")
	}},
	{name: "no-place-and-mended", run: func(s *session) {
		s.register(spec{group: nowhere})
		s.untilBlocked()
		s.deploy(spec{})
	}},
}
