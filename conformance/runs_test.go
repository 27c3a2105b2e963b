package conformance

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/nomad/api"
)

// runs is about what else becomes of jobs that run.
var runs = []scenario{
	{name: "failed-and-then-no-place", full: true, run: func(s *session) {
		s.register(spec{count: 2, script: "exit 3", update: "max_parallel = 2\n" + late})
		s.untilDeployment("failed")
		s.untilAllocs(2, "failed")
		s.register(spec{count: 2, group: nowhere})
		s.untilBlocked()
	}},
	{name: "failed-after-success-and-then-no-place", full: true, run: func(s *session) {
		s.deploy(spec{count: 2, script: "sleep 2; exit 3", update: `max_parallel = 2`})
		s.untilAllocs(2, "failed")
		s.registerHCL(fmt.Sprintf("job %q {\ngroup \"g\" {\ncount = 2\n%s\ntask \"t\" {\ndriver = \"raw_exec\"\nconfig {\ncommand = \"/bin/sh\"\n}\n}\n}\n}", s.job, nowhere))
		s.untilBlocked()
	}},
	{name: "alloc-stopped-beside-a-canary", full: true, run: func(s *session) {
		s.deploy(spec{count: 2, update: `canary = 1`})
		s.register(spec{count: 2, update: `canary = 1`, script: "exec sleep 1001"})
		s.untilHealthy("g", 1)
		old := s.alloc("g[1]")
		_, err := s.client.Allocations().Stop(old, nil)
		s.check(err)
		s.until("it has ended", func() bool { return s.ended("g[1]") })
		s.until("three run", func() bool {
			n := 0
			for _, stub := range s.stubs(s.job) {
				if stub.ClientStatus == "running" && stub.DesiredStatus == "run" {
					n++
				}
			}
			return n == 3
		})
		s.look()
		s.promote()
		s.untilDeployment("successful")
	}},
	{name: "group-in-the-place-of-another", full: true, run: func(s *session) {
		j := spec{job: constraint("", "distinct_hosts", "true")}
		s.deploy(j)
		s.registerHCL(strings.Replace(j.hcl(s.job), `group "g"`, `group "h"`, 1))
		s.untilDeployment("successful")
	}},
	{name: "exchange-of-two-groups-at-once", full: true, run: func(s *session) {
		s.deploy(spec{count: 2, more: spec{count: 2}.another("h")})
		s.deploy(spec{count: 3, script: "exec sleep 1001", more: spec{count: 1, script: "exec sleep 1001"}.another("h")})
	}},
	{name: "named-otherwise", run: func(s *session) { s.deploy(spec{job: `name = "another"`}) }},
	{name: "system-job-named-otherwise", full: true, run: func(s *session) {
		s.deploy(spec{kind: "system", job: `name = "another"`})
		s.deploy(spec{kind: "system", job: `name = "another"`, script: "exec sleep 1001"})
	}},
	{name: "renamed", full: true, run: func(s *session) {
		s.deploy(spec{count: 2})
		s.register(spec{count: 2, job: `name = "another"`})
		s.untilDeployment("successful")
	}},
	{name: "sysbatch-with-a-count", full: true, run: func(s *session) {
		s.register(spec{kind: "sysbatch", script: "exit 0", count: 2})
		s.untilAllocs(2, "complete")
		s.register(spec{kind: "sysbatch", script: "true; exit 0", count: 1})
		s.untilAllocs(1, "complete")
	}},
	{name: "group-shutdown-delay", full: true, run: func(s *session) {
		s.deploy(spec{group: offers(s, "") + "shutdown_delay = \"1s\""})
		s.untilServices(1)
		s.stop(false)
		s.until("it has ended", func() bool { return s.ended("g[0]") })
	}},
	{name: "stopped-without-the-shutdown-delay", full: true, run: func(s *session) {
		s.register(undeployed(spec{task: `shutdown_delay = "20m"`, group: `shutdown_delay = "20m"`}))
		s.untilAllocs(1, "running")
		_, _, err := s.client.Jobs().DeregisterOpts(s.job, &api.DeregisterOptions{NoShutdownDelay: true}, nil)
		s.reply("stop", err)
		s.until("it has ended", func() bool { return s.ended("g[0]") })
	}},
	{name: "stopped-with-a-priority", full: true, run: func(s *session) {
		s.deploy(spec{})
		_, _, err := s.client.Jobs().DeregisterOpts(s.job, &api.DeregisterOptions{EvalPriority: 77}, nil)
		s.reply("stop", err)
		_, _, err = s.client.Jobs().DeregisterOpts(s.job, &api.DeregisterOptions{EvalPriority: 101}, nil)
		s.reply("stop", err)
		s.untilJob("dead")
		s.sayPriorities()
	}},
	{name: "priority-of-a-job", full: true, run: func(s *session) {
		s.deploy(spec{job: `priority = 77`})
		s.stop(false)
		s.untilJob("dead")
		s.sayPriorities()
	}},
	{name: "too-many-cores", full: true, run: func(s *session) {
		s.register(undeployed(spec{resources: "cores = 999\ncpu = null"}))
		s.untilBlocked()
	}},
	{name: "scores", full: true, run: func(s *session) {
		s.register(undeployed(spec{count: 2, group: "spread {\nattribute = \"${node.datacenter}\"\ntarget \"dc1\" {\npercent = 50\n}\n}\naffinity {\nattribute = \"${attr.kernel.name}\"\nvalue = \"linux\"\nweight = 50\n}"}))
		s.untilAllocs(2, "running")
		s.sayScores()
	}},
	{name: "scores-of-a-system-job", full: true, run: func(s *session) {
		s.register(undeployed(spec{kind: "system"}))
		s.untilAllocs(1, "running")
		s.sayScores()
	}},
	{name: "spread-evenly", full: true, run: func(s *session) {
		s.register(undeployed(spec{count: 3, job: "spread {\nattribute = \"${node.datacenter}\"\n}"}))
		s.untilAllocs(3, "running")
		s.sayScores()
	}},
	{name: "spread-over-what-is-missing", full: true, run: func(s *session) {
		s.register(undeployed(spec{count: 2, group: "spread {\nattribute = \"${meta.nope}\"\nweight = 100\n}"}))
		s.untilAllocs(2, "running")
		s.sayScores()
	}},
	{name: "affinity-against", full: true, run: func(s *session) {
		s.register(undeployed(spec{group: "affinity {\nattribute = \"${attr.kernel.name}\"\nvalue = \"linux\"\nweight = -100\n}", task: "affinity {\nattribute = \"${node.class}\"\nvalue = \"x\"\n}"}))
		s.untilAllocs(1, "running")
		s.sayScores()
	}},
	{name: "rescheduled-with-a-penalty", full: true, run: func(s *session) {
		s.register(undeployed(spec{script: s.once("exit 3"), reschedule: "attempts = 1\ninterval = \"1h\"\ndelay = \"5s\"\ndelay_function = \"constant\"\nunlimited = false"}))
		s.untilReplaced()
		s.sayScores()
	}},
	{name: "property-that-is-missing", full: true, run: func(s *session) {
		s.register(undeployed(spec{group: constraint("${meta.nope}", "distinct_property", "")}))
		s.untilBlocked()
	}},
	{name: "property-freed-by-a-stop", full: true, run: func(s *session) {
		gate := filepath.Join(s.TempDir(), "gate")
		s.check(os.WriteFile(gate, nil, 0o600))
		script := "trap 'while test -e " + gate + "; do sleep 0.05; done; exit 0' INT; touch $NOMAD_ALLOC_DIR/ready; while true; do sleep 0.05; done"
		s.register(undeployed(spec{count: 2, group: constraint("${node.datacenter}", "distinct_property", ""), script: script, task: `kill_timeout = "50s"`}))
		s.untilBlocked()
		s.untilAllocs(1, "running")
		s.untilFile("alloc/ready")
		_, err := s.client.Allocations().Stop(s.alloc("g[0]"), nil)
		s.check(err)
		// The room is free before there is a second blocked evaluation, or after it: Nomad keeps another one of the two.
		s.untilEval("canceled")
		s.check(os.Remove(gate))
		s.until("it is replaced", func() bool { return s.ended("g[0]") && len(s.allocs("running")) == 1 })
	}},
	{name: "events-of-a-deployment", full: true, alone: true, run: func(s *session) {
		s.deploy(spec{group: offers(s, "")})
		s.untilServices(1)
		s.register(spec{group: offers(s, ""), script: "sleep 1; exit 3", update: late})
		s.untilDeployment("failed")
		s.until("what follows from it is decided", s.settled)
		s.scale(0)
		s.stop(false)
		s.untilJob("dead")
		s.sayEvents(map[api.Topic][]string{api.TopicJob: {"*"}, api.TopicEvaluation: {"*"}, api.TopicAllocation: {"*"}, api.TopicDeployment: {"*"}, api.TopicService: {"*"}})
	}},
	{name: "events-of-one-topic", full: true, alone: true, run: func(s *session) {
		s.deploy(spec{})
		s.sayEvents(map[api.Topic][]string{api.TopicDeployment: {s.job}})
		s.sayEvents(map[api.Topic][]string{api.TopicJob: {"nope"}, api.TopicAllocation: {s.job}})
		s.sayEvents(map[api.Topic][]string{api.TopicEvaluation: {s.job}, api.TopicJob: {s.job}})
	}},
	{name: "versions-by-tag", full: true, run: func(s *session) {
		s.register(undeployed(spec{}))
		s.tag(0, "golden", "good")
		s.register(undeployed(spec{job: `priority = 60`}))
		s.register(undeployed(spec{job: `priority = 70`}))
		s.untilAllocs(1, "running")
		for _, opts := range []*api.VersionsOptions{{Diffs: true, DiffTag: "golden"}, {Diffs: true, DiffTag: "nope"}, {Diffs: true, DiffVersion: new(uint64(1))}, {Diffs: true, DiffVersion: new(uint64(9))}} {
			versions, diffs, _, err := s.client.Jobs().VersionsOpts(s.job, opts, nil)
			s.reply("versions", err)
			s.say("%d versions, %d differences", len(versions), len(diffs))
			for _, d := range diffs {
				s.say("%s", jobDiff(d))
			}
		}
		s.revert(0, nil)
		s.tag(0, "", "")
		s.tag(0, strings.Repeat("x", 300), "")
		s.tag(0, "golden", "other words")
		s.tag(1, "golden", "")
	}},
	{name: "tag-of-a-job-that-has-ended", full: true, alone: true, run: func(s *session) {
		s.register(undeployed(spec{}))
		s.untilAllocs(1, "running")
		s.register(undeployed(spec{job: `priority = 60`}))
		s.tag(0, "golden", "")
		s.stop(false)
		s.until("it has ended", func() bool { return s.ended("g[0]") })
		s.check(s.client.System().GarbageCollect())
		s.until("the allocation is gone", func() bool { return len(s.stubs(s.job)) == 0 })
		s.look()
		s.stop(true)
	}},
	{name: "plan-of-services", full: true, run: func(s *session) {
		s.deploy(spec{group: offers(s, "tags = [\"a\"]\nmeta {\nk = \"v\"\n}")})
		s.plan(spec{group: offers(s, "tags = [\"b\"]\ncanary_tags = [\"c\"]\nmeta {\nk = \"w\"\n}\nweights {\npassing = 2\nwarning = 1\n}")})
		s.plan(spec{group: offers(s, "check {\nname = \"c\"\ntype = \"http\"\npath = \"/\"\ninterval = \"2s\"\ntimeout = \"1s\"\nheader {\nA = [\"1\"]\n}\ncheck_restart {\nlimit = 2\n}\n}")})
		s.plan(spec{})
	}},
	{name: "plan-of-policies", full: true, run: func(s *session) {
		s.deploy(spec{count: 2, group: bounded})
		s.plan(spec{count: 2, group: "scaling {\nenabled = false\nmin = 1\nmax = 5\npolicy {\nb = 2\n}\n}\nmigrate {\nmax_parallel = 2\n}\ndisconnect {\nlost_after = \"1h\"\n}\nephemeral_disk {\nsize = 100\n}",
			update: "canary = 1\nauto_promote = true\nauto_revert = true\nstagger = \"1m\"", reschedule: "unlimited = true\nattempts = 0", restart: "mode = \"delay\""})
		s.plan(spec{count: 2, group: "spread {\nattribute = \"${node.datacenter}\"\ntarget \"a\" {\npercent = 50\n}\n}\naffinity {\nattribute = \"${node.class}\"\nvalue = \"x\"\n}"})
	}},
	{name: "plan-of-a-task", full: true, run: func(s *session) {
		s.deploy(spec{task: "template {\ndata = \"a\"\ndestination = \"local/a\"\n}\nenv {\nA = \"1\"\nB = \"2\"\n}\nmeta {\na = \"1\"\n}"})
		s.plan(spec{task: "template {\ndata = \"b\"\ndestination = \"local/a\"\nperms = \"600\"\nchange_mode = \"signal\"\nchange_signal = \"SIGHUP\"\n}\nenv {\nA = \"2\"\nC = \"3\"\n}\nmeta {\nb = \"1\"\n}",
			resources: "cpu = 20\nmemory = 30\nmemory_max = 50"})
		s.plan(spec{task: "kill_signal = \"SIGTERM\"\nleader = true\nshutdown_delay = \"1s\"\nlogs {\nmax_files = 3\nmax_file_size = 2\n}\nidentity {\nname = \"x\"\naud = [\"y\"]\nttl = \"1h\"\n}\naction \"a\" {\ncommand = \"x\"\nargs = [\"1\"]\n}",
			tasks: task("u", "", "", hook("prestart", true), ""), config: "command = \"/bin/sleep\"\nargs = [\"1000\", \"2\"]"})
		s.plan(spec{task: "artifact {\nsource = \"http://127.0.0.1:1/a\"\ndestination = \"local/x\"\noptions {\nchecksum = \"md5:d41d8cd98f00b204e9800998ecf8427e\"\n}\n}\nconstraint {\nattribute = \"${attr.kernel.name}\"\nvalue = \"linux\"\n}\nrestart {\nattempts = 5\n}\nvolume_mount {\nvolume = \"v\"\ndestination = \"/v\"\n}",
			group: "volume \"v\" {\ntype = \"host\"\nsource = \"nope\"\nread_only = true\n}"})
	}},
	{name: "plan-of-a-launcher", full: true, run: func(s *session) {
		s.register(parameterized("exit 0", "payload = \"optional\"\nmeta_required = [\"a\"]"))
		s.plan(parameterized("exit 0", "payload = \"required\"\nmeta_required = [\"b\"]\nmeta_optional = [\"a\"]"))
		s.plan(spec{kind: "batch", script: "exit 0"})
		s.plan(periodic("exit 0", ""))
	}},
	{name: "plan-of-a-periodic-change", full: true, run: func(s *session) {
		s.register(periodic("exit 0", ""))
		s.plan(periodic("exit 1", "prohibit_overlap = true\nenabled = false"))
		s.plan(spec{kind: "batch", job: "periodic {\ncrons = [\"0 0 2 1 *\", \"0 0 3 1 *\"]\n}"})
	}},
	{name: "plan-of-a-system-job", full: true, run: func(s *session) {
		s.plan(spec{kind: "system"})
		s.deploy(spec{kind: "system"})
		s.plan(spec{kind: "system"})
		s.plan(spec{kind: "system", script: "exec sleep 1001"})
		s.plan(spec{kind: "system", group: nowhere})
		s.plan(spec{kind: "system", job: "priority = 60"})
	}, differs: "a plan of a system job counts as placed only what is to be placed"},
	{name: "plan-of-a-job-that-is-refused", full: true, run: func(s *session) {
		s.plan(spec{job: `priority = 101`})
		s.plan(spec{job: `namespace = "nope"`})
		s.plan(spec{job: `node_pool = "nope"`})
		s.plan(spec{group: "count = -1"})
	}},
	{name: "plan-while-deploying", full: true, run: func(s *session) {
		s.register(spec{count: 2, update: `health_check = "manual"`})
		s.untilAllocs(2, "running")
		s.plan(spec{count: 2, update: `health_check = "manual"`})
		s.plan(spec{count: 2, script: "exec sleep 1001"})
	}},
	{name: "plan-of-what-has-failed", full: true, run: func(s *session) {
		s.register(undeployed(spec{count: 2, script: "exit 3"}))
		s.untilAllocs(2, "failed")
		s.plan(undeployed(spec{count: 2, script: "exit 3"}))
		s.plan(undeployed(spec{count: 2}))
	}},
	{name: "plan-of-too-much", full: true, run: func(s *session) {
		s.deploy(spec{})
		s.plan(spec{count: 2, resources: "memory = 99999999"})
		s.plan(spec{count: 2, resources: "cpu = 99999999", update: "canary = 1"})
	}},
}

// sayPriorities tells the priority of each kind of evaluation.
func (s *session) sayPriorities() {
	evals, _, err := s.client.Jobs().Evaluations(s.job, nil)
	s.check(err)
	slices.SortFunc(evals, func(a, b *api.Evaluation) int { return strings.Compare(a.TriggeredBy, b.TriggeredBy) })
	for _, e := range evals {
		s.say("evaluation for %s: priority %d", e.TriggeredBy, e.Priority)
	}
}

// sayScores tells how the node of each allocation was rated, but for what depends
// on the machine.
func (s *session) sayScores() {
	list := s.stubs(s.job)
	slices.SortFunc(list, func(a, b *api.AllocationListStub) int { return strings.Compare(a.Name, b.Name) })
	for _, stub := range list {
		a, _, err := s.client.Allocations().Info(stub.ID, nil)
		s.check(err)
		m := a.Metrics
		text := fmt.Sprintf("%s: %d evaluated, %d in pool", strings.TrimPrefix(a.Name, s.job+"."), m.NodesEvaluated, m.NodesInPool)
		for _, meta := range m.ScoreMetaData {
			for _, name := range slices.Sorted(maps.Keys(meta.Scores)) {
				if name == "binpack" {
					text += fmt.Sprintf(", %s %t", name, meta.Scores[name] > 0)
				} else {
					text += fmt.Sprintf(", %s %.3f", name, meta.Scores[name])
				}
			}
		}
		s.say("%s", text)
	}
}

// sayEvents tells which kinds of events there were so far, and of how many things.
func (s *session) sayEvents(topics map[api.Topic][]string) {
	ctx := s.Context()
	stream, err := s.client.EventStream().Stream(ctx, topics, 0, nil)
	s.check(err)
	seen := map[string]map[string]bool{}
	quiet := time.NewTimer(2 * s.calm)
	defer quiet.Stop()
	for done := false; !done; {
		select {
		case batch := <-stream:
			s.check(batch.Err)
			for _, e := range batch.Events {
				kind := fmt.Sprintf("%s %s", e.Topic, e.Type)
				if seen[kind] == nil {
					seen[kind] = map[string]bool{}
				}
				seen[kind][e.Key] = true
			}
		case <-quiet.C:
			done = true
		}
	}
	text := "events:"
	for _, kind := range slices.Sorted(maps.Keys(seen)) {
		text += fmt.Sprintf("\n  %s of %d", kind, len(seen[kind]))
	}
	s.say("%s", text)
}
