package conformance

// registering is about versions, the check-index, stopping and starting again.
var registering = []scenario{
	{name: "first-version", run: func(s *session) { s.deploy(spec{count: 2}) }},
	{name: "same-job-again", run: func(s *session) {
		s.deploy(spec{})
		s.deploy(spec{})
	}},
	{name: "second-version", run: func(s *session) {
		s.deploy(spec{})
		s.deploy(spec{task: `env { A = "1" }`})
	}},
	{name: "stop", run: func(s *session) {
		s.deploy(spec{})
		s.stop(false)
		s.untilJob("dead")
	}},
	{name: "stop-and-start-again", run: func(s *session) {
		s.deploy(spec{})
		s.stop(false)
		s.untilJob("dead")
		s.deploy(spec{})
	}},
	{name: "revert", run: func(s *session) {
		s.deploy(spec{})
		s.deploy(spec{task: `env { A = "1" }`})
		s.revert(0, nil)
		s.untilDeployment("successful")
	}},
	{name: "revert-to-the-current-version", run: func(s *session) {
		s.deploy(spec{})
		s.revert(0, nil)
	}},
	{name: "revert-to-a-missing-version", run: func(s *session) {
		s.deploy(spec{})
		s.revert(7, nil)
	}},
	{name: "revert-with-another-version-in-place", run: func(s *session) {
		s.deploy(spec{})
		s.deploy(spec{task: `env { A = "1" }`})
		s.revert(0, new(uint64(5)))
	}},
}
