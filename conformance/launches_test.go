package conformance

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/nomad/api"
)

// never is a periodic job that launches nothing by itself for a long time.
const never = "periodic {\ncrons = [\"0 0 1 1 *\"]\ntime_zone = \"Europe/Berlin\"\n%s\n}"

func periodic(script, more string) spec {
	return spec{kind: "batch", script: script, job: fmt.Sprintf(never, more)}
}

// parameterized is a job that is dispatched with what the text says.
func parameterized(script, text string) spec {
	return spec{kind: "batch", script: script, job: "parameterized {\n" + text + "\n}",
		task: "dispatch_payload {\nfile = \"payload\"\n}"}
}

// launches is about jobs that launch others.
var launches = []scenario{
	{name: "periodic-registered", run: func(s *session) {
		reply := s.register(periodic("exit 0", ""))
		s.say("evaluation %t", reply.EvalID != "")
	}},
	{name: "periodic-forced", run: func(s *session) {
		s.register(periodic("exit 0", ""))
		s.force()
		s.untilChild(0, "dead")
	}},
	{name: "periodic-forced-while-one-runs", full: true, run: func(s *session) {
		s.register(periodic("", "prohibit_overlap = true"))
		s.force()
		s.untilChild(0, "running")
		s.nextSecond()
		s.force()
		s.untilChild(1, "running")
	}},
	{name: "periodic-stopped-and-forced", run: func(s *session) {
		s.register(periodic("exit 0", ""))
		s.stop(false)
		s.force()
	}},
	{name: "periodic-stopped-while-a-child-runs", full: true, run: func(s *session) {
		s.register(periodic("", ""))
		s.force()
		s.untilChild(0, "running")
		s.stop(false)
		s.untilJob("dead")
	}},
	{name: "periodic-that-is-disabled", run: func(s *session) {
		s.register(periodic("exit 0", "enabled = false"))
		s.force()
	}},
	{name: "periodic-evaluated", run: func(s *session) {
		s.register(periodic("exit 0", ""))
		s.evaluate(false)
	}},
	{name: "periodic-with-a-new-version", full: true, run: func(s *session) {
		s.register(periodic("exit 0", ""))
		s.register(periodic("exit 1", ""))
		s.revert(0, nil)
	}},
	{name: "periodic-purged-with-a-child", full: true, run: func(s *session) {
		s.register(periodic("exit 0", ""))
		s.force()
		s.untilChild(0, "dead")
		s.stop(true)
	}},
	{name: "force-of-a-job-that-is-not-periodic", run: func(s *session) {
		s.register(spec{kind: "batch", script: "exit 0"})
		s.untilAllocs(1, "complete")
		s.force()
	}},
	{name: "force-of-a-missing-job", run: func(s *session) { s.force() }},
	{name: "launches-that-are-refused", run: func(s *session) {
		for _, j := range []spec{
			{kind: "batch", job: `periodic { cron = "nope" }`}, {kind: "batch", job: `periodic { crons = ["0 0 * * *", "nope"] }`},
			{kind: "batch", job: "periodic {\ncron = \"0 0 * * *\"\ntime_zone = \"Nope/Nope\"\n}"}, {job: `periodic { cron = "0 0 * * *" }`},
			{kind: "system", job: `periodic { cron = "0 0 * * *" }`}, {job: "parameterized {}"},
			{kind: "batch", job: "parameterized {\npayload = \"nope\"\n}"}, {kind: "batch", job: "parameterized {\nmeta_required = [\"a\"]\nmeta_optional = [\"a\"]\n}"},
			{kind: "batch", job: "parameterized {}\nperiodic { cron = \"0 0 * * *\" }"}, {kind: "sysbatch", job: `periodic { cron = "@daily" }`},
			{kind: "batch", task: "dispatch_payload {\nfile = \"../a\"\n}", job: "parameterized {}"}, {kind: "batch", job: "periodic {}"},
		} {
			s.tryHCL(j.hcl(s.job))
		}
	}},
	{name: "other-ways-to-launch", run: func(s *session) {
		s.register(periodic("exit 0", ""))
		s.register(spec{kind: "batch", script: "exit 0"})
		s.register(parameterized("exit 0", ""))
	}},
	{name: "dispatched", run: func(s *session) {
		s.register(parameterized(`[ "$(cat $NOMAD_TASK_DIR/payload)" = hello ] && [ "$NOMAD_META_who" = me ] && exit 0; exit 1`,
			"payload = \"required\"\nmeta_required = [\"who\"]\nmeta_optional = [\"how\"]"))
		s.dispatch("hello", map[string]string{"who": "me"}, "")
		s.untilChild(0, "dead")
	}},
	{name: "dispatched-twice", full: true, run: func(s *session) {
		s.register(parameterized("exit 0", ""))
		s.dispatch("", nil, "")
		s.untilChild(0, "dead")
		s.nextSecond()
		s.dispatch("a", nil, "")
		s.untilChild(1, "dead")
	}},
	{name: "dispatched-with-the-same-token", run: func(s *session) {
		s.register(parameterized("", ""))
		s.dispatch("", nil, "once")
		s.untilChild(0, "running")
		s.dispatch("", nil, "once")
	}},
	{name: "dispatches-that-are-refused", run: func(s *session) {
		s.dispatch("", nil, "")
		s.register(parameterized("exit 0", "payload = \"forbidden\"\nmeta_required = [\"who\"]"))
		s.dispatch("", nil, "")
		s.dispatch("a", map[string]string{"who": "me"}, "")
		s.dispatch("", map[string]string{"who": "me", "zz": "1"}, "")
		s.register(parameterized("exit 0", "payload = \"required\""))
		s.dispatch("", nil, "")
		s.dispatch(strings.Repeat("a", 16<<10+1), nil, "")
		_, _, err := s.client.Jobs().DispatchOpts(&api.DispatchOptions{JobID: s.job, Payload: []byte("a"), Priority: 200}, nil)
		s.reply("dispatch with priority 200", err)
		s.stop(false)
		s.dispatch("a", nil, "")
	}},
	{name: "dispatch-of-a-plain-job", run: func(s *session) {
		s.register(spec{kind: "batch", script: "exit 0"})
		s.untilAllocs(1, "complete")
		s.dispatch("", nil, "")
	}},
	{name: "dispatched-child-stopped", full: true, run: func(s *session) {
		s.register(parameterized("", ""))
		s.dispatch("", nil, "")
		s.untilChild(0, "running")
		_, _, err := s.client.Jobs().Deregister(s.others[0], false, nil)
		s.reply("stop the child", err)
		s.untilChild(0, "dead")
	}},
	{name: "parent-stopped-while-a-child-runs", full: true, run: func(s *session) {
		s.register(parameterized("", ""))
		s.dispatch("", nil, "")
		s.untilChild(0, "running")
		s.stop(false)
		s.untilJob("dead")
	}},
	{name: "parameterized-evaluated", run: func(s *session) {
		s.register(parameterized("exit 0", ""))
		s.evaluate(false)
	}},
	{name: "dispatched-with-a-priority", full: true, run: func(s *session) {
		s.register(parameterized("exit 0", ""))
		reply, _, err := s.client.Jobs().DispatchOpts(&api.DispatchOptions{JobID: s.job, Priority: 70, IdPrefixTemplate: "mine"}, nil)
		s.check(err)
		s.child(reply.DispatchedJobID)
		s.untilChild(0, "dead")
	}},
}

// force launches the periodic job now.
func (s *session) force() {
	_, _, err := s.client.Jobs().PeriodicForce(s.job, nil)
	s.reply("force", err)
	if err != nil {
		return
	}
	s.until("there is a new child", func() bool {
		list, _, err := s.client.Jobs().PrefixList(s.job + "/")
		s.check(err)
		for _, job := range list {
			s.child(job.ID)
		}
		return len(list) > 0
	})
}

// child makes a job one of those that are shown.
func (s *session) child(id string) {
	if !slices.Contains(s.others, id) {
		s.others = append(s.others, id)
	}
}

// dispatch launches a child of the parameterized job.
func (s *session) dispatch(payload string, meta map[string]string, token string) {
	opts := &api.DispatchOptions{JobID: s.job, Meta: meta}
	if payload != "" {
		opts.Payload = []byte(payload)
	}
	reply, _, err := s.client.Jobs().DispatchOpts(opts, &api.WriteOptions{IdempotencyToken: token})
	s.reply("dispatch", err)
	if err == nil {
		s.say("dispatched: evaluation %t, known %t", reply.EvalID != "", len(s.others) > 0 && s.others[0] == reply.DispatchedJobID)
		s.child(reply.DispatchedJobID)
	}
}

// untilChild waits until a child, counted in the order of their launch, has a status. One that is running has started.
func (s *session) untilChild(n int, status string) {
	s.Helper()
	s.until(fmt.Sprintf("child %d is %s", n, status), func() bool {
		if n >= len(s.others) {
			return false
		}
		job, _, err := s.client.Jobs().Info(s.others[n], nil)
		s.check(err)
		started := slices.ContainsFunc(s.stubs(s.others[n]), func(stub *api.AllocationListStub) bool { return stub.ClientStatus == "running" })
		return *job.Status == status && (status != "running" || started)
	})
}

// nextSecond waits for another second of the clock: children are named by it.
func (s *session) nextSecond() {
	from := time.Now().Unix()
	s.until("the second is over", func() bool { return time.Now().Unix() != from })
}
