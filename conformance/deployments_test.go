package conformance

// late makes an allocation healthy only after it had the time to fail.
const late = `min_healthy_time = "5s"`

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
}
