package conformance

import "strings"

// muchLater reschedules a failed allocation once, after an hour.
const muchLater = "attempts = 1\ninterval = \"3h\"\ndelay = \"1h\"\ndelay_function = \"constant\"\nunlimited = false"

// turns is about tasks of one allocation that depend on one another, and about
// the delays of policies.
var turns = []scenario{
	{name: "turns-leader-ends-beside-two", full: true, run: func(s *session) {
		s.register(spec{kind: "batch", script: "sleep 4; exit 0", task: "leader = true", tasks: task("u", "", "", "", "") + task("v", "", "", "", "")})
		s.untilAllocs(1, "complete")
	}},
	{name: "turns-leader-of-a-service-ends", full: true, run: func(s *session) {
		s.register(undeployed(spec{script: "sleep 4; exit 0", task: "leader = true", tasks: task("u", "", "", "", "") + task("last", "exit 0", "", hook("poststop", false), "")}))
		s.until("it has ended", func() bool { return s.ended("g[0]") })
	}},
	{name: "turns-two-leaders", full: true, run: func(s *session) {
		s.tryHCL(spec{task: "leader = true", tasks: task("u", "", "", "leader = true", "")}.hcl(s.job))
	}},
	{name: "turns-prestart-sidecar-that-ends-well", full: true, run: func(s *session) {
		s.register(undeployed(spec{tasks: task("side", s.once("exit 0"), "", hook("prestart", true)+"\nrestart {\n"+quick(2, "fail")+"\n}", "")}))
		s.untilRestarts("side", 1)
	}},
	{name: "turns-sidecar-of-a-batch-job-that-ends-well", full: true, run: func(s *session) {
		s.register(spec{kind: "batch", reschedule: "attempts = 0", tasks: task("side", "sleep 4; exit 0", "", hook("prestart", true), "")})
		s.until("it has ended", func() bool { return s.ended("g[0]") })
	}},
	{name: "turns-prestart-fails-before-a-poststop", full: true, run: func(s *session) {
		s.register(undeployed(spec{tasks: task("first", "exit 3", "", hook("prestart", false), "") + task("last", "exit 0", "", hook("poststop", false), "")}))
		s.until("it has ended", func() bool { return s.ended("g[0]") })
	}},
	{name: "turns-one-of-two-prestarts-fails", full: true, run: func(s *session) {
		s.register(undeployed(spec{tasks: task("one", "exit 0", "", hook("prestart", false), "") + task("two", "sleep 4; exit 3", "", hook("prestart", false), "")}))
		s.until("it has ended", func() bool { return s.ended("g[0]") })
	}},
	{name: "turns-prestart-fails-beside-a-sidecar", full: true, run: func(s *session) {
		s.register(undeployed(spec{tasks: task("one", "sleep 4; exit 3", "", hook("prestart", false), "") + task("side", "", "", hook("prestart", true), "")}))
		s.until("it has ended", func() bool { return s.ended("g[0]") })
	}},
	{name: "turns-poststart-sidecar-that-is-restarted", full: true, run: func(s *session) {
		s.register(undeployed(spec{tasks: task("side", s.once("exit 3"), "", hook("poststart", true)+"\nrestart {\n"+quick(2, "fail")+"\n}", "")}))
		s.untilRestarts("side", 1)
	}},
	{name: "turns-main-that-fails-with-all-hooks", full: true, run: func(s *session) {
		s.register(spec{kind: "batch", script: "sleep 4; exit 3", reschedule: "attempts = 0", tasks: task("first", "exit 0", "", hook("prestart", false), "") +
			task("side", "", "", hook("prestart", true), "") + task("after", "exit 0", "", hook("poststart", false), "") + task("last", "exit 0", "", hook("poststop", false), "")})
		s.until("it has ended", func() bool { return s.ended("g[0]") })
	}},
	{name: "turns-main-that-is-restarted-with-a-prestart", full: true, run: func(s *session) {
		s.register(undeployed(spec{script: s.once("exit 3"), restart: quick(2, "fail"), tasks: task("first", "exit 0", "", hook("prestart", false), "")}))
		s.untilRestarts("t", 1)
	}},
	{name: "turns-deployed-with-a-poststart", full: true, run: func(s *session) {
		s.deploy(spec{tasks: task("after", "exit 0", "", hook("poststart", false), "")})
	}},
	{name: "turns-deployed-with-a-prestart-and-a-sidecar", full: true, run: func(s *session) {
		j := spec{tasks: task("first", "exit 0", "", hook("prestart", false), "") + task("side", "", "", hook("prestart", true), "")}
		s.deploy(j)
		j.script = "exec sleep 1001"
		s.deploy(j)
	}},
	{name: "turns-deployed-with-a-poststart-that-fails", full: true, run: func(s *session) {
		s.register(spec{update: late, tasks: task("after", "exit 3", "", hook("poststart", false), "")})
		s.untilDeployment("failed")
	}},
	{name: "turns-deployed-with-a-prestart-that-fails", full: true, run: func(s *session) {
		s.register(spec{update: late, tasks: task("first", "exit 3", "", hook("prestart", false), "")})
		s.untilDeployment("failed")
	}},
	{name: "turns-deployed-with-a-main-that-ends-well", full: true, run: func(s *session) {
		s.register(spec{update: late, script: "exit 0"})
		s.untilDeployment("failed")
	}},
	{name: "turns-deployed-with-restarts-that-help", full: true, run: func(s *session) {
		s.deploy(spec{update: "min_healthy_time = \"2s\"", script: s.once("exit 3"), restart: quick(3, "fail")})
	}},
	{name: "turns-killed-without-mercy", full: true, run: func(s *session) {
		s.deploy(spec{task: "kill_signal = \"SIGKILL\"\nkill_timeout = \"0s\""})
		s.stop(false)
		s.until("it has ended", func() bool { return s.ended("g[0]") })
	}},
	{name: "turns-two-shutdown-delays", full: true, run: func(s *session) {
		s.deploy(spec{group: `shutdown_delay = "1s"`, task: `shutdown_delay = "1s"`})
		s.stop(false)
		s.until("it has ended", func() bool { return s.ended("g[0]") })
	}},
	{name: "turns-ends-with-255", full: true, run: func(s *session) {
		s.register(spec{kind: "batch", script: "exit 255", reschedule: "attempts = 0"})
		s.untilAllocs(1, "failed")
	}},
	{name: "turns-ends-with-137", full: true, run: func(s *session) {
		s.register(spec{kind: "batch", script: "exit 137", reschedule: "attempts = 0"})
		s.untilAllocs(1, "failed")
	}},
	{name: "turns-ends-by-a-fault", full: true, run: func(s *session) {
		s.register(spec{kind: "batch", script: "kill -SEGV $$", reschedule: "attempts = 0"})
		s.untilAllocs(1, "failed")
	}},
	{name: "turns-ends-by-sigterm", full: true, run: func(s *session) {
		s.register(spec{kind: "batch", script: "kill -TERM $$", reschedule: "attempts = 0"})
		s.untilAllocs(1, "failed")
	}},
	{name: "turns-one-main-fails-while-another-restarts", full: true, run: func(s *session) {
		s.register(spec{kind: "batch", script: "sleep 8; exit 3", reschedule: "attempts = 0", tasks: task("u", s.once("exit 4"), "", "restart {\n"+quick(5, "fail")+"\n}", "")})
		s.untilAllocs(1, "failed")
	}},
	{name: "turns-batch-that-waits-after-its-attempts", full: true, run: func(s *session) {
		s.register(spec{kind: "batch", script: "exit 3", restart: quick(1, "delay"), reschedule: "attempts = 0"})
		s.untilEvent("t", "Exceeded allowed attempts, applying a delay")
	}},
	{name: "turns-no-attempts-and-delay", full: true, run: func(s *session) {
		s.tryHCL(spec{script: "exit 3", restart: "attempts = 0\nmode = \"delay\"\ninterval = \"1h\"\ndelay = \"0s\""}.hcl(s.job))
	}},
	{name: "turns-two-fail-and-are-rescheduled", full: true, run: func(s *session) {
		s.register(undeployed(spec{count: 2, script: "exit 3", reschedule: strings.Replace(quickly, "2", "1", 1)}))
		s.until("four have failed", func() bool { return len(s.allocsAnyVersion("failed")) == 4 })
	}},
	{name: "turns-rescheduled-ever-later", full: true, run: func(s *session) {
		s.register(undeployed(spec{script: "exit 3", reschedule: "unlimited = true\nattempts = 0\ndelay = \"5s\"\ndelay_function = \"exponential\"\nmax_delay = \"1h\""}))
		s.until("two have failed", func() bool { return len(s.allocsAnyVersion("failed")) == 3 })
	}},
	{name: "turns-rescheduled-by-fibonacci", full: true, run: func(s *session) {
		s.register(undeployed(spec{script: "exit 3", reschedule: "unlimited = true\nattempts = 0\ndelay = \"5s\"\ndelay_function = \"fibonacci\"\nmax_delay = \"1h\""}))
		s.until("three have failed", func() bool { return len(s.allocsAnyVersion("failed")) == 3 })
	}},
	{name: "turns-batch-rescheduled-until-nothing-is-left", full: true, run: func(s *session) {
		s.register(spec{kind: "batch", script: "exit 3", reschedule: "attempts = 1\ninterval = \"1h\"\ndelay = \"5s\""})
		s.until("two have failed", func() bool { return len(s.allocsAnyVersion("failed")) == 2 })
	}},
	{name: "turns-rescheduled-and-registered-again", full: true, run: func(s *session) {
		s.register(undeployed(spec{script: "exit 3", reschedule: muchLater}))
		s.untilWaiting()
		s.register(undeployed(spec{script: "exit 3", reschedule: muchLater}))
		s.settle()
		s.evaluate(false)
	}},
	{name: "turns-rescheduled-and-scaled", full: true, run: func(s *session) {
		s.register(undeployed(spec{count: 2, script: "[ $NOMAD_ALLOC_INDEX = 0 ] && exit 3; exec sleep 1000", reschedule: muchLater}))
		s.untilWaiting()
		s.scale(1)
		s.settle()
	}},
	{name: "turns-check-restarts-with-a-grace", full: true, run: func(s *session) {
		s.register(undeployed(spec{group: offers(s, "check {\ntype = \"tcp\"\ninterval = \"1s\"\ntimeout = \"1s\"\ncheck_restart {\nlimit = 1\ngrace = \"2s\"\n}\n}"),
			script: s.once(sleeps), restart: quick(1, "fail")}))
		s.untilAllocs(1, "failed")
	}},
	{name: "turns-clock-and-no-overlap", full: true, run: func(s *session) {
		s.register(spec{kind: "batch", job: "periodic {\ncrons = [\"*/2 * * * * * *\"]\nprohibit_overlap = true\n}"})
		s.until("a child runs", func() bool { return len(s.children()) == 1 })
		for range 4 {
			s.nextSecond()
		}
		s.say("children: %d", len(s.children()))
		s.others = s.children()
	}},
	{name: "turns-child-dispatched-again-after-its-end", full: true, run: func(s *session) {
		s.register(parameterized("exit 0", ""))
		s.dispatch("", nil, "once")
		s.untilChild(0, "dead")
		s.dispatch("other", nil, "once")
	}},
	{name: "turns-dispatched-by-another-version", full: true, run: func(s *session) {
		s.register(parameterized("", ""))
		s.dispatch("", nil, "once")
		s.untilChild(0, "running")
		s.register(parameterized("exit 0", ""))
		s.dispatch("", nil, "once")
		s.stop(false)
		s.dispatch("", nil, "twice")
	}},
}

// children are the jobs that the scenario's job has launched.
func (s *session) children() []string {
	list, _, err := s.client.Jobs().PrefixList(s.job + "/")
	s.check(err)
	var ids []string
	for _, stub := range list {
		ids = append(ids, stub.ID)
	}
	return ids
}
