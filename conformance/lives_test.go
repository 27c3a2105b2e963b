package conformance

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/nomad/api"
)

// quickly reschedules a failed allocation a few times, after 5 seconds each.
const quickly = "attempts = 2\ninterval = \"1h\"\ndelay = \"5s\"\ndelay_function = \"constant\"\nunlimited = false"

// reads is a template of a variable of the job.
func (s *session) reads(mode string) string {
	return fmt.Sprintf("template {\ndata = <<T\n{{ with nomadVar \"nomad/jobs/%s\" }}{{ .k }}{{ end }}\nT\ndestination = \"local/v\"\nsplay = \"0s\"\n%s\n}", s.job, mode)
}

// writes sets the variable of the job.
func (s *session) writes(value string) {
	_, _, err := s.client.Variables().Update(&api.Variable{Path: "nomad/jobs/" + s.job, Items: api.VariableItems{"k": value}}, nil)
	s.check(err)
}

// lives is about tasks and allocations that go through more than one thing.
var lives = []scenario{
	{name: "two-mains-of-which-one-ends", full: true, run: func(s *session) {
		s.register(spec{kind: "batch", script: "exit 0", tasks: task("u", "sleep 1; exit 0", "", "", "")})
		s.untilAllocs(1, "complete")
	}},
	{name: "two-mains-of-a-service-of-which-one-ends", full: true, run: func(s *session) {
		s.register(undeployed(spec{script: "sleep 2; exit 0", tasks: task("u", "", "", "", "")}))
		s.untilAllocs(1, "failed")
	}},
	{name: "sidecar-that-fails", full: true, run: func(s *session) {
		s.register(undeployed(spec{tasks: task("side", "sleep 2; exit 3", "", hook("prestart", true), "")}))
		s.untilAllocs(1, "failed")
	}},
	{name: "sidecar-that-is-restarted", full: true, run: func(s *session) {
		s.register(undeployed(spec{tasks: task("side", s.once("exit 3"), "", hook("prestart", true)+"\nrestart {\n"+quick(2, "fail")+"\n}", "")}))
		s.untilRestarts("side", 1)
	}},
	{name: "poststop-that-fails", full: true, run: func(s *session) {
		s.register(spec{kind: "batch", script: "exit 0", tasks: task("last", "exit 3", "", hook("poststop", false), ""), reschedule: "attempts = 0"})
		s.until("it has ended", func() bool { return s.ended("g[0]") })
	}},
	{name: "prestart-that-is-restarted", full: true, run: func(s *session) {
		s.register(spec{kind: "batch", script: "exit 0", tasks: task("before", strings.Replace(s.once("exit 3"), "exec sleep 1000", "exit 0", 1), "", hook("prestart", false), ""), restart: quick(2, "fail")})
		s.untilAllocs(1, "complete")
	}},
	{name: "leader-with-a-sidecar-and-a-poststop", full: true, run: func(s *session) {
		s.register(spec{kind: "batch", script: "sleep 0.5; exit 0", task: "leader = true", tasks: task("side", "", "", hook("prestart", true), "") + task("last", "exit 0", "", hook("poststop", false), "")})
		s.untilAllocs(1, "complete")
	}},
	{name: "restart-of-one-task-by-its-own-policy", full: true, run: func(s *session) {
		s.register(undeployed(spec{script: s.once("exit 3"), task: "restart {\n" + quick(5, "fail") + "\n}", tasks: task("u", "", "", "", "")}))
		s.untilRestarts("t", 1)
	}},
	{name: "task-that-takes-too-long-to-end", full: true, run: func(s *session) {
		s.register(undeployed(spec{script: "trap '' TERM; touch $NOMAD_ALLOC_DIR/deaf; while true; do sleep 0.1; done", task: "kill_timeout = \"2s\"\nkill_signal = \"SIGTERM\""}))
		s.untilAllocs(1, "running")
		s.untilFile("alloc/deaf")
		s.register(undeployed(spec{script: "exec sleep 1001"}))
		s.until("it is replaced", func() bool { return s.ended("g[0]") && len(s.allocs("running")) == 1 })
	}},
	{name: "rescheduled-until-nothing-is-left", full: true, run: func(s *session) {
		s.register(undeployed(spec{script: "exit 3", reschedule: quickly}))
		s.until("three have failed", func() bool {
			n := 0
			for _, stub := range s.stubs(s.job) {
				if stub.ClientStatus == "failed" {
					n++
				}
			}
			return n == 3
		})
	}},
	{name: "rescheduled-within-a-deployment", full: true, run: func(s *session) {
		s.register(spec{script: s.once("exit 3"), reschedule: quickly, update: late + "\nhealthy_deadline = \"20s\""})
		s.untilDeployment("successful")
	}},
	{name: "rescheduled-until-the-deployment-fails", full: true, run: func(s *session) {
		s.register(spec{script: "sleep 0.2; exit 3", reschedule: strings.Replace(quickly, "2", "1", 1), update: late + "\nauto_revert = true"})
		s.untilDeployment("failed")
	}},
	{name: "canary-that-is-rescheduled", full: true, run: func(s *session) {
		j := spec{count: 2, update: "canary = 1\n" + late + "\nhealthy_deadline = \"20s\"", reschedule: quickly}
		s.deploy(j)
		j.script = s.once("exit 3")
		s.register(j)
		s.untilHealthy("g", 1)
		s.look()
		s.promote()
		s.untilDeployment("successful")
	}},
	{name: "canary-stopped-by-hand", full: true, run: func(s *session) {
		s.deploy(spec{count: 2, update: `canary = 1`})
		s.register(spec{count: 2, update: `canary = 1`, script: "exec sleep 1001"})
		s.untilHealthy("g", 1)
		for _, stub := range s.allocs("running") {
			a, _, err := s.client.Allocations().Info(stub.ID, nil)
			s.check(err)
			_, err = s.client.Allocations().Stop(a, nil)
			s.check(err)
		}
		s.until("another canary runs", func() bool { return len(s.allocs("complete")) == 1 && len(s.allocs("running")) == 1 })
	}},
	{name: "stopped-while-a-canary-waits", full: true, run: func(s *session) {
		s.deploy(spec{count: 2, update: `canary = 1`})
		s.register(spec{count: 2, update: `canary = 1`, script: "exec sleep 1001"})
		s.untilHealthy("g", 1)
		s.scale(3)
		s.stop(false)
		s.until("all have ended", func() bool {
			return !slices.ContainsFunc(s.stubs(s.job), func(stub *api.AllocationListStub) bool { return !ended(stub) })
		})
	}},
	{name: "count-up-without-a-change", full: true, run: func(s *session) {
		s.deploy(spec{count: 1, update: "max_parallel = 1"})
		s.deploy(spec{count: 4, update: "max_parallel = 1"})
	}},
	{name: "group-added-and-another-changed", full: true, run: func(s *session) {
		s.deploy(spec{count: 2})
		s.deploy(spec{count: 2, script: "exec sleep 1001", more: spec{}.another("h")})
		s.deploy(spec{count: 2, script: "exec sleep 1002"})
	}},
	{name: "group-without-updates-beside-one-with-canaries", full: true, run: func(s *session) {
		s.deploy(spec{update: `canary = 1`, more: spec{}.another("h")})
		s.register(spec{update: `canary = 1`, script: "exec sleep 1001", more: spec{script: "exec sleep 1001"}.another("h")})
		s.untilHealthy("g", 1)
		s.untilHealthy("h", 1)
		s.look()
		s.promote("g")
		s.untilDeployment("successful")
	}},
	{name: "template-that-restarts", full: true, run: func(s *session) {
		s.writes("one")
		s.register(undeployed(spec{task: s.reads("")}))
		s.untilTask("t", "it runs", running)
		s.writes("two")
		s.untilRestarts("t", 1)
	}},
	{name: "template-that-signals", full: true, run: func(s *session) {
		s.writes("one")
		s.register(undeployed(spec{task: s.reads("change_mode = \"signal\"\nchange_signal = \"SIGUSR1\""), script: "trap 'touch $NOMAD_ALLOC_DIR/heard' USR1; touch $NOMAD_ALLOC_DIR/ready; while true; do sleep 0.1; done"}))
		s.untilAllocs(1, "running")
		s.untilFile("alloc/ready")
		s.writes("two")
		s.untilFile("alloc/heard")
	}},
	{name: "template-that-does-nothing", full: true, run: func(s *session) {
		s.writes("one")
		s.register(undeployed(spec{task: s.reads("change_mode = \"noop\"")}))
		s.untilTask("t", "it runs", running)
		s.writes("two")
		s.untilText("t/local/v", "two")
	}},
	{name: "template-that-runs-a-script", full: true, run: func(s *session) {
		s.writes("one")
		s.register(undeployed(spec{task: s.reads("change_mode = \"script\"\nchange_script {\ncommand = \"/bin/sh\"\nargs = [\"-c\", \"touch $NOMAD_ALLOC_DIR/ran\"]\ntimeout = \"5s\"\nfail_on_error = true\n}")}))
		s.untilTask("t", "it runs", running)
		s.writes("two")
		s.untilFile("alloc/ran")
	}},
	{name: "template-that-waits", full: true, run: func(s *session) {
		s.register(undeployed(spec{task: s.reads("")}))
		s.untilEvent("t", "Missing")
		s.look()
		s.writes("one")
		s.untilTask("t", "it runs", running)
	}},
	{name: "template-that-is-wrong", full: true, run: func(s *session) {
		s.register(undeployed(spec{task: "template {\ndata = \"{{ nope }}\"\ndestination = \"local/v\"\n}"}))
		s.untilAllocs(1, "failed")
	}},
	{name: "deadline-of-a-deployment-that-waits-for-a-place", full: true, run: func(s *session) {
		s.deploy(spec{})
		s.register(spec{count: 2, script: "exec sleep 1001", resources: "memory = 99999999", update: impatient, task: `kill_timeout = "1s"`})
		s.untilBlocked()
	}},
	{name: "alloc-stopped-without-the-shutdown-delay", full: true, run: func(s *session) {
		s.register(undeployed(spec{task: `shutdown_delay = "20m"`}))
		s.untilAllocs(1, "running")
		old := s.alloc("g[0]")
		_, err := s.client.Allocations().Stop(old, &api.QueryOptions{Params: map[string]string{"no_shutdown_delay": "true"}})
		s.check(err)
		s.until("it is replaced", func() bool { return s.ended("g[0]") && len(s.allocs("running")) == 1 })
		_, _, err = s.client.Jobs().DeregisterOpts(s.job, &api.DeregisterOptions{NoShutdownDelay: true}, nil)
		s.check(err)
		s.until("all has ended", func() bool {
			return !slices.ContainsFunc(s.stubs(s.job), func(stub *api.AllocationListStub) bool { return !ended(stub) })
		})
	}},
	{name: "batch-job-that-is-scaled-while-it-fails", full: true, run: func(s *session) {
		s.register(spec{kind: "batch", script: "exit 3", reschedule: "attempts = 0\nunlimited = false"})
		s.untilAllocs(1, "failed")
		s.scale(2)
		s.untilAllocs(2, "failed")
	}},
	{name: "batch-job-run-again-after-a-stop", full: true, run: func(s *session) {
		s.register(spec{kind: "batch"})
		s.untilAllocs(1, "running")
		s.stop(false)
		s.until("it has ended", func() bool { return s.ended("g[0]") })
		s.register(spec{kind: "batch"})
		s.untilAllocs(1, "running")
	}},
	{name: "batch-job-evaluated-again", full: true, run: func(s *session) {
		s.register(spec{kind: "batch", script: "exit 3", reschedule: "attempts = 1\ninterval = \"24h\"\ndelay = \"1h\""})
		s.untilAllocs(1, "failed")
		s.untilWaiting()
		s.evaluate(false)
		s.look()
		s.evaluate(true)
		s.until("it is replaced", func() bool { return len(s.stubs(s.job)) == 2 })
	}},
	{name: "system-job-rescaled", full: true, run: func(s *session) {
		s.deploy(spec{kind: "system"})
		s.register(spec{kind: "system", group: "count = 0"})
		s.until("it has ended", func() bool { return s.ended("g[0]") })
		s.look()
		s.deploy(spec{kind: "system"})
	}},
	{name: "system-job-reverted", full: true, run: func(s *session) {
		s.deploy(spec{kind: "system"})
		s.deploy(spec{kind: "system", script: "exec sleep 1001"})
		s.revert(0, nil)
		s.untilDeployment("successful")
	}},
	{name: "system-job-of-two-groups", full: true, run: func(s *session) {
		s.deploy(spec{kind: "system", more: spec{kind: "system"}.another("h")})
		s.deploy(spec{kind: "system", script: "exec sleep 1001", more: spec{kind: "system"}.another("h")})
	}},
	{name: "system-job-paused", full: true, run: func(s *session) {
		s.deploy(spec{kind: "system"})
		s.register(spec{kind: "system", script: "exec sleep 1001", update: `health_check = "manual"`})
		s.until("the new one runs", func() bool { return s.ended("g[0]") && len(s.allocs("running")) == 1 })
		s.pause()
		s.look()
		s.resume()
		s.health(s.allocs("running")[0], true)
		s.untilDeployment("successful")
	}},
	{name: "system-job-with-a-canary-that-fails", full: true, differs: "a version after a failed one has its deployment; in Nomad the failed one keeps it from that", run: func(s *session) {
		s.deploy(spec{kind: "system", update: "canary = 100\nauto_revert = true"})
		s.register(spec{kind: "system", update: "canary = 100\nauto_revert = true\n" + late, script: "sleep 0.3; exit 3"})
		s.until("it is reverted", func() bool { return s.version() == 2 })
		s.untilAllocs(1, "running")
	}},
	{name: "sysbatch-stopped", full: true, run: func(s *session) {
		s.register(spec{kind: "sysbatch"})
		s.untilAllocs(1, "running")
		s.stop(false)
		s.until("it has ended", func() bool { return s.ended("g[0]") })
	}},
	{name: "sysbatch-dispatched", full: true, run: func(s *session) {
		s.register(spec{kind: "sysbatch", script: "exit 0", job: "parameterized {}"})
		s.dispatch("", nil, "")
		s.untilChild(0, "dead")
	}},
	{name: "sysbatch-launched", full: true, run: func(s *session) {
		s.register(spec{kind: "sysbatch", script: "exit 0", job: fmt.Sprintf(never, "")})
		s.force()
		s.untilChild(0, "dead")
	}},
	{name: "launched-by-the-clock", full: true, run: func(s *session) {
		s.register(spec{kind: "batch", script: "exit 0", job: "periodic {\ncrons = [\"*/2 * * * * * *\"]\nprohibit_overlap = true\n}"})
		s.until("a child has run", func() bool {
			list, _, err := s.client.Jobs().PrefixList(s.job + "/")
			s.check(err)
			return slices.ContainsFunc(list, func(job *api.JobListStub) bool { return job.Status == "dead" })
		})
		s.stop(false)
		job := s.info()
		s.say("%s, stopped %t", *job.Status, *job.Stop)
		s.stop(true)
		list, _, err := s.client.Jobs().PrefixList(s.job + "/")
		s.check(err)
		for _, job := range list {
			_, _, err := s.client.Jobs().Deregister(job.ID, true, nil)
			s.check(err)
		}
	}},
	{name: "dispatched-while-the-parent-changes", full: true, run: func(s *session) {
		s.register(parameterized("", ""))
		s.dispatch("", nil, "")
		s.untilChild(0, "running")
		s.register(parameterized("exec sleep 1001", ""))
		s.nextSecond()
		s.dispatch("", nil, "")
		s.untilChild(1, "running")
	}},
	{name: "check-that-fails-after-the-deployment", full: true, run: func(s *session) {
		s.deploy(spec{update: checked, group: offers(s, strings.Replace(tcpCheck, "}", "check_restart {\nlimit = 2\n}\n}", 1)), script: s.once("true") + "; " + s.listener()})
		s.untilServices(1)
		s.sayServices()
	}},
	{name: "service-of-a-stopped-task", full: true, run: func(s *session) {
		s.deploy(spec{group: port, script: "sleep 2; exit 3", task: service("port = \"http\""), restart: quick(1, "fail")})
		s.untilAllocs(1, "failed")
		s.until("it is gone", func() bool {
			list, _, err := s.client.Services().Get("x", nil)
			s.check(err)
			return !slices.ContainsFunc(list, func(r *api.ServiceRegistration) bool { return r.JobID == s.job })
		})
	}},
	{name: "service-that-changes-its-name", full: true, run: func(s *session) {
		s.deploy(spec{group: offers(s, "")})
		s.untilServices(1)
		s.register(spec{group: strings.Replace(offers(s, ""), s.job, s.job+"-too", 1)})
		s.untilDeployment("successful")
		s.untilServices(0)
	}},
	{name: "scaled-down-and-up-again", full: true, run: func(s *session) {
		s.deploy(spec{count: 3})
		s.scale(1)
		s.untilDeployment("successful")
		s.scale(2)
		s.untilDeployment("successful")
	}},
	{name: "scaled-with-canaries", full: true, run: func(s *session) {
		s.deploy(spec{count: 2, update: `canary = 1`})
		s.scale(4)
		s.untilDeployment("successful")
	}},
	{name: "scaled-by-what-a-policy-forbids", full: true, run: func(s *session) {
		s.deploy(spec{group: strings.Replace(bounded, "enabled = true", "enabled = false", 1)})
		s.scale(9)
		s.scale(3)
		s.untilDeployment("successful")
		s.register(spec{count: 2, group: "scaling {\nmin = 2\nmax = 2\n}"})
		s.untilDeployment("successful")
		s.sayPolicies()
	}},
	{name: "reverted-to-what-failed", full: true, run: func(s *session) {
		s.deploy(spec{})
		s.register(spec{script: "exit 3", update: late})
		s.untilDeployment("failed")
		s.deploy(spec{script: "exec sleep 1001"})
		s.revert(1, nil)
		s.untilDeployment("failed")
	}},
	{name: "progress-that-is-renewed", full: true, run: func(s *session) {
		s.register(spec{count: 2, update: "health_check = \"manual\"\nprogress_deadline = \"12s\"\nhealthy_deadline = \"11s\"\nmax_parallel = 2"})
		s.untilAllocs(2, "running")
		for _, stub := range s.allocs("running") {
			if strings.HasSuffix(stub.Name, "g[0]") {
				s.health(stub, true)
			}
		}
		s.untilDeployment("failed")
	}},
	{name: "two-groups-one-of-which-fails", full: true, run: func(s *session) {
		s.deploy(spec{update: "auto_revert = true", more: spec{}.another("h")})
		s.register(spec{update: "auto_revert = true\n" + late, script: "exec sleep 1001", more: spec{script: "sleep 0.3; exit 3", update: late}.another("h")})
		s.untilDeployment("failed")
	}},
	{name: "deployment-failed-by-hand-while-rolling", full: true, run: func(s *session) {
		s.deploy(spec{count: 3})
		s.register(spec{count: 3, script: "exec sleep 1001", update: `health_check = "manual"`})
		s.until("the first is exchanged", func() bool { return len(s.allocs("running")) == 1 })
		s.fail()
		s.look()
		s.deploy(spec{count: 3})
	}},
	{name: "alloc-stopped-while-rolling", full: true, run: func(s *session) {
		s.deploy(spec{count: 2})
		s.register(spec{count: 2, script: "exec sleep 1001", update: `health_check = "manual"`})
		s.until("the first is exchanged", func() bool { return len(s.allocs("running")) == 1 && s.ended("g[0]") })
		_, err := s.client.Allocations().Stop(s.alloc("g[1]"), nil)
		s.check(err)
		s.until("it is replaced", func() bool { return s.ended("g[1]") && len(s.allocs("running")) == 2 })
	}},
	{name: "alloc-stopped-after-a-failed-deployment", full: true, run: func(s *session) {
		s.deploy(spec{count: 2})
		s.register(spec{count: 2, script: "exit 3", update: late})
		s.untilDeployment("failed")
		_, err := s.client.Allocations().Stop(s.alloc("g[1]"), nil)
		s.check(err)
		s.until("it has ended", func() bool { return s.ended("g[1]") })
		s.until("it is evaluated", s.settled)
	}},
	{name: "scaled-after-a-failed-deployment", full: true, run: func(s *session) {
		s.deploy(spec{count: 1})
		s.register(spec{count: 1, script: "exit 3", update: late})
		s.untilDeployment("failed")
		s.scale(2)
		s.untilDeployment("failed")
	}},
	{name: "evaluated-after-a-failed-deployment", full: true, run: func(s *session) {
		s.register(spec{count: 2, script: "sleep 0.3; exit 3", update: late})
		s.untilDeployment("failed")
		s.evaluate(false)
		s.look()
		s.evaluate(true)
	}},
	{name: "evaluations-of-a-job", full: true, run: func(s *session) {
		s.deploy(spec{})
		s.stop(false)
		s.until("it has ended", func() bool { return s.ended("g[0]") })
		list, _, err := s.client.Evaluations().List(&api.QueryOptions{Filter: fmt.Sprintf("JobID == %q and TriggeredBy != \"deployment-watcher\"", s.job)})
		s.check(err)
		slices.SortFunc(list, func(a, b *api.Evaluation) int { return strings.Compare(a.TriggeredBy, b.TriggeredBy) })
		for _, e := range list {
			allocs, _, err := s.client.Evaluations().Allocations(e.ID, nil)
			s.check(err)
			s.say("%s: %s, %d allocations, queued %v, deployment %t, job index %t, snapshot %t", e.TriggeredBy, e.Status, len(allocs), e.QueuedAllocations,
				e.DeploymentID != "", e.JobModifyIndex > 0, e.SnapshotIndex > 0)
		}
		_, _, err = s.client.Evaluations().Info("00000000-0000-0000-0000-000000000000", nil)
		s.reply("info", err)
	}},
}

// untilText waits until a file of the allocation g[0] holds a text.
func (s *session) untilText(path, text string) {
	s.Helper()
	s.until(path+" is "+text, func() bool {
		reader, err := s.client.AllocFS().Cat(s.alloc("g[0]"), path, nil)
		if err != nil {
			return false
		}
		defer reader.Close()
		var b strings.Builder
		buffer := make([]byte, 4096)
		for {
			n, err := reader.Read(buffer)
			b.Write(buffer[:n])
			if err != nil {
				return strings.Contains(b.String(), text)
			}
		}
	})
}
