package conformance

import (
	"fmt"
	"strings"
)

// offers is a group with a port and a service of the scenario's name.
func offers(s *session, more string) string {
	return fmt.Sprintf("network {\nport \"http\" {}\n}\nservice {\nname = %q\nprovider = \"nomad\"\nport = \"http\"\n%s\n}\n", s.job, more)
}

// checked judges health by the checks.
const checked = "health_check = \"checks\"\nhealthy_deadline = \"20s\""

const tcpCheck = "check {\ntype = \"tcp\"\ninterval = \"1s\"\ntimeout = \"1s\"\n}"

// services is about what allocations offer, and how they are checked.
var services = []scenario{
	{name: "check-that-passes", run: func(s *session) {
		s.deploy(spec{update: checked, group: offers(s, tcpCheck), script: s.listener()})
		s.sayChecks()
	}},
	{name: "check-that-fails", differs: "a check that fails is named among the reasons", run: func(s *session) {
		s.register(spec{update: "health_check = \"checks\"\nhealthy_deadline = \"3s\"", group: offers(s, tcpCheck)})
		s.untilDeployment("failed")
	}},
	{name: "check-that-does-not-count", run: func(s *session) {
		s.deploy(spec{update: checked, group: offers(s, strings.Replace(tcpCheck, "}", "on_update = \"ignore\"\n}", 1))})
	}},
	{name: "service-of-another-provider", run: func(s *session) {
		s.register(spec{group: fmt.Sprintf("service {\nname = %q\nprovider = \"nope\"\n}", s.job)})
	}},
	{name: "services-of-one-name", run: func(s *session) {
		s.register(spec{group: offers(s, "") + strings.TrimPrefix(offers(s, ""), "network {\nport \"http\" {}\n}\n")})
	}},
	{name: "check-over-http", full: true, run: func(s *session) {
		s.deploy(spec{update: checked, group: offers(s, "check {\ntype = \"http\"\npath = \"/ok\"\ninterval = \"1s\"\ntimeout = \"1s\"\n}"), script: s.listener()})
		s.sayChecks()
	}},
	{name: "check-over-http-that-fails", differs: "a check that fails is named among the reasons", full: true, run: func(s *session) {
		s.register(spec{update: "health_check = \"checks\"\nhealthy_deadline = \"3s\"", script: s.listener(),
			group: offers(s, "check {\ntype = \"http\"\npath = \"/bad\"\ninterval = \"1s\"\ntimeout = \"1s\"\n}")})
		s.untilDeployment("failed")
		s.sayChecks()
	}},
}

// sayChecks tells what the checks of the newest version's allocations say.
func (s *session) sayChecks() {
	for _, stub := range s.allocs("running") {
		checks, err := s.client.Allocations().Checks(stub.ID, nil)
		s.check(err)
		for _, c := range checks {
			s.say("check %s of %s: %s %s %d", c.Check, c.Service, c.Mode, c.Status, c.StatusCode)
		}
	}
}
