package conformance

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/nomad/api"
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
	{name: "check-that-is-not-offered", run: func(s *session) {
		s.register(spec{group: offers(s, "check {\ntype = \"script\"\ncommand = \"/bin/true\"\ninterval = \"1s\"\ntimeout = \"1s\"\n}")})
	}},
	{name: "service-with-other-tags", run: func(s *session) {
		s.deploy(spec{group: offers(s, `tags = ["a"]`)})
		s.untilServices(1)
		s.deploy(spec{group: offers(s, `tags = ["b"]`)})
		s.until("the tags are new", func() bool {
			return slices.ContainsFunc(s.services(), func(r *api.ServiceRegistration) bool { return slices.Equal(r.Tags, []string{"b"}) })
		})
		s.sayServices()
	}},
	{name: "service-with-tags-of-a-canary", full: true, run: func(s *session) {
		j := spec{update: `canary = 1`, group: offers(s, "tags = [\"live\"]\ncanary_tags = [\"canary\"]")}
		s.deploy(j)
		j.script = "exec sleep 1001"
		s.register(j)
		s.untilHealthy("g", 1)
		s.untilServices(2)
		s.sayServices()
		s.promote()
		s.untilDeployment("successful")
		s.until("the tags are those of all", func() bool {
			list := s.services()
			return len(list) == 1 && slices.Equal(list[0].Tags, []string{"live"})
		})
	}},
	{name: "service-of-a-task", full: true, run: func(s *session) {
		s.deploy(spec{group: "network {\nport \"http\" {}\n}", task: fmt.Sprintf("service {\nname = %q\nprovider = \"nomad\"\nport = \"http\"\n}", s.job)})
		s.untilServices(1)
		s.sayServices()
	}},
	{name: "service-registered-and-gone", run: func(s *session) {
		s.deploy(spec{count: 2, group: offers(s, "tags = [\"a\", \"b\"]\nmeta { k = \"v\" }")})
		s.untilServices(2)
		s.sayServices()
		s.stop(false)
		s.untilServices(0)
	}},
	{name: "check-that-restarts", full: true, run: func(s *session) {
		s.register(spec{group: offers(s, strings.TrimSuffix(tcpCheck, "}")+"check_restart {\nlimit = 2\ngrace = \"1s\"\n}\n}"), restart: "attempts = 1\ninterval = \"1h\"\ndelay = \"0s\""})
		s.untilAllocs(1, "failed")
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

// services is what is registered under the scenario's name.
func (s *session) services() []*api.ServiceRegistration {
	list, _, err := s.client.Services().Get(s.job, nil)
	s.check(err)
	slices.SortFunc(list, func(a, b *api.ServiceRegistration) int { return cmp.Compare(a.CreateIndex, b.CreateIndex) })
	return list
}

func (s *session) untilServices(n int) {
	s.Helper()
	s.until(fmt.Sprintf("%d services are registered", n), func() bool { return len(s.services()) == n })
}

func (s *session) sayServices() {
	text := "services:"
	for _, r := range s.services() {
		text += fmt.Sprintf("\n  %s of %s in %s: %v, port %t", r.ServiceName, r.JobID, r.Datacenter, r.Tags, r.Port != 0)
	}
	s.say("%s", text)
}
