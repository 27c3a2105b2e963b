package conformance

import (
	"fmt"

	"github.com/hashicorp/nomad/api"
)

// registering is about versions, the check-index, stopping and starting again.
var registering = []scenario{
	{name: "first-version", run: func(s *session) { s.deploy(spec{count: 2}) }},
	{name: "same-scaled-job-again", full: true, differs: "what has not changed makes no version; with Nomad a policy's own ID counts as a change", run: func(s *session) {
		j := spec{group: "scaling {\nmin = 0\nmax = 3\n}"}
		s.deploy(j)
		s.register(j)
		s.settle()
	}},
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
	{name: "check-index-0-of-a-job-that-exists", run: func(s *session) {
		s.deploy(spec{})
		s.registerAt(0, spec{count: 2})
	}},
	{name: "check-index-of-a-job-that-is-missing", run: func(s *session) { s.registerAt(5, spec{}) }},
	{name: "check-index-that-is-old", run: func(s *session) {
		s.deploy(spec{})
		index := *s.info().JobModifyIndex
		s.deploy(spec{count: 2})
		s.registerAt(index, spec{count: 3})
	}},
	{name: "check-index-that-is-right", run: func(s *session) {
		s.registerAt(0, spec{})
		s.untilDeployment("successful")
		s.registerAt(*s.info().JobModifyIndex, spec{count: 2})
		s.untilDeployment("successful")
	}},
	{name: "six-versions-are-kept", run: func(s *session) {
		for priority := 50; priority < 58; priority++ {
			s.register(undeployed(spec{job: fmt.Sprintf("priority = %d", priority)}))
			s.until("it is evaluated", s.settled)
		}
		s.untilAllocs(1, "running")
	}},
	{name: "stable-version-is-kept", run: func(s *session) {
		s.deploy(spec{})
		for priority := 50; priority < 58; priority++ {
			s.register(spec{update: `health_check = "manual"`, job: fmt.Sprintf("priority = %d", priority)})
			s.untilAllocs(1, "running")
		}
	}},
	{name: "stable-by-hand", run: func(s *session) {
		s.register(undeployed(spec{}))
		s.untilAllocs(1, "running")
		_, _, err := s.client.Jobs().Stable(s.job, 0, true, nil)
		s.reply("stable", err)
	}},
	{name: "revert-to-a-stopped-job", run: func(s *session) {
		s.deploy(spec{})
		s.stop(false)
		s.untilJob("dead")
		s.revert(0, nil)
		s.untilDeployment("successful")
	}},
	{name: "revert-back-and-forth", full: true, run: func(s *session) {
		s.deploy(spec{})
		s.deploy(spec{task: `env { A = "1" }`})
		s.revert(0, nil)
		s.untilDeployment("successful")
		s.revert(1, nil)
		s.untilDeployment("successful")
	}},
	{name: "revert-of-a-missing-job", run: func(s *session) { s.revert(0, nil) }},
	{name: "stop-of-a-missing-job", run: func(s *session) { s.stop(false) }},
	{name: "stop-twice", run: func(s *session) {
		s.deploy(spec{})
		s.stop(false)
		s.untilJob("dead")
		s.stop(false)
	}},
	{name: "update-of-a-stopped-job", run: func(s *session) {
		s.deploy(spec{})
		s.stop(false)
		s.untilJob("dead")
		s.deploy(spec{task: `env { A = "1" }`})
	}},
	{name: "count-0", run: func(s *session) { s.register(spec{group: `count = 0`}) }},
	{name: "count-0-and-up", run: func(s *session) {
		s.register(spec{group: `count = 0`})
		s.deploy(spec{count: 2})
	}},
	{name: "count-to-0", run: func(s *session) {
		s.deploy(spec{count: 2})
		s.register(spec{group: `count = 0`})
		s.untilJob("dead")
	}},
	{name: "preserved-counts", run: func(s *session) {
		s.deploy(spec{count: 2})
		s.registerJob(s.parse(spec{count: 1, task: `env { A = "1" }`}.hcl(s.job)), &api.RegisterOptions{PreserveCounts: true})
		s.untilDeployment("successful")
	}},
	{name: "evaluate", run: func(s *session) {
		s.deploy(spec{})
		s.evaluate(false)
	}},
	{name: "evaluate-a-missing-job", run: func(s *session) { s.evaluate(false) }},
	{name: "other-type", run: func(s *session) {
		s.deploy(spec{})
		s.register(spec{kind: "batch"})
	}},
	{name: "other-namespace-that-is-missing", run: func(s *session) { s.register(spec{job: `namespace = "nope"`}) }},
	{name: "node-pool-that-is-missing", run: func(s *session) { s.register(spec{job: `node_pool = "nope"`}) }},
	{name: "submission-of-each-version", run: func(s *session) {
		for i, j := range []spec{{}, {task: `env { A = "1" }`}} {
			s.registerJob(s.parse(j.hcl(s.job)), &api.RegisterOptions{Submission: &api.JobSubmission{
				Source: fmt.Sprintf("the source of %d", i), Format: "hcl2", Variables: "a = 1", VariableFlags: map[string]string{"b": "2"},
			}})
			s.untilDeployment("successful")
		}
		s.revert(0, nil)
		s.untilDeployment("successful")
		for version := range 4 {
			sub, _, err := s.client.Jobs().Submission(s.job, version, nil)
			s.reply(fmt.Sprintf("submission of %d", version), err)
			if err == nil {
				s.say("submission of %d: %s, %s, %s, %v", version, sub.Source, sub.Format, sub.Variables, sub.VariableFlags)
			}
		}
	}},
	{name: "tagged-version-is-kept", run: func(s *session) {
		s.register(undeployed(spec{}))
		s.tag(0, "first", "the first one")
		for priority := 51; priority < 59; priority++ {
			s.register(undeployed(spec{job: fmt.Sprintf("priority = %d", priority)}))
		}
		s.untilAllocs(1, "running")
		s.look()
		s.untag("first")
	}},
	{name: "tags-that-are-refused", run: func(s *session) {
		s.register(undeployed(spec{}))
		s.tag(7, "missing", "")
		s.tag(0, "one", "")
		s.register(undeployed(spec{job: `priority = 60`}))
		s.tag(1, "one", "")
		s.tag(0, "two", "")
		s.untag("nope")
		s.untilAllocs(1, "running")
	}},
	{name: "purge", run: func(s *session) {
		s.deploy(spec{})
		s.stop(true)
	}},
	{name: "purge-and-register-again", run: func(s *session) {
		s.deploy(spec{count: 2})
		s.stop(true)
		s.deploy(spec{})
	}},
	{name: "evaluate-and-reschedule", run: func(s *session) {
		s.register(undeployed(spec{script: "exit 3"}))
		s.untilAllocs(1, "failed")
		s.evaluate(true)
	}},
	{name: "evaluation-priority", run: func(s *session) {
		s.registerJob(s.parse(spec{}.hcl(s.job)), &api.RegisterOptions{EvalPriority: 90})
		s.untilDeployment("successful")
		evals, _, err := s.client.Jobs().Evaluations(s.job, nil)
		s.check(err)
		for _, e := range evals {
			s.say("evaluation for %s: priority %d", e.TriggeredBy, e.Priority)
		}
	}},
	{name: "jobs-that-are-refused", run: func(s *session) {
		for _, j := range []spec{
			{job: `priority = 101`}, {job: `priority = 0`}, {job: `datacenters = []`}, {kind: "nope"}, {job: `region = "nope"`},
			{group: `count = -1`}, {update: "healthy_deadline = \"2m\"\nprogress_deadline = \"1m\""}, {update: "min_healthy_time = \"2m\""}, {update: "max_parallel = -1"},
			{update: "canary = -1"}, {update: `health_check = "nope"`}, {restart: `mode = "nope"`}, {restart: "attempts = -1"},
			{resources: "memory = 1"}, {resources: "cpu = 10\nmemory = 20\nmemory_max = 10"}, {task: `driver = ""`}, {task: `kill_timeout = "-1s"`},
			{task: "leader = true", tasks: task("u", "", "", "leader = true", "")}, {tasks: task("t", "", "", "", "")}, {more: spec{}.another("g")},
			{group: constraint("${attr.kernel.name}", "nope", "x")}, {group: constraint("${attr.kernel.name}", "regexp", "(")}, {group: constraint("${attr.kernel.name}", "version", "x.y")},
			{task: "artifact {\nsource = \"http://127.0.0.1/a\"\ndestination = \"../../..\"\n}"}, {task: "template {\ndata = \"a\"\n}"},
			{task: "template {\ndata = \"a\"\ndestination = \"local/a\"\nchange_mode = \"signal\"\n}"}, {tasks: task("u", "", "", hook("nope", false), "")},
			{tasks: task("u", "", "", hook("poststop", true), "")}, {task: hook("prestart", false)}, {group: "ephemeral_disk {\nsize = 10\n}"},
			{group: "spread {\nattribute = \"${node.datacenter}\"\nweight = 101\n}"}, {group: "affinity {\nattribute = \"${node.datacenter}\"\nvalue = \"a\"\nweight = 0\n}"},
			{task: "logs {\nmax_files = 0\n}"}, {job: "meta {\n\"a b\" = \"1\"\n}"}, {group: "network {\nmode = \"nope\"\n}"},
		} {
			s.tryHCL(j.hcl(s.job))
		}
	}},
}
