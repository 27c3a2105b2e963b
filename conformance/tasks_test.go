package conformance

import (
	"fmt"
	"path/filepath"

	"github.com/hashicorp/nomad/api"
)

// hook is the lifecycle block of a task.
func hook(name string, sidecar bool) string {
	return fmt.Sprintf("lifecycle {\nhook = %q\nsidecar = %t\n}", name, sidecar)
}

// quick restarts without a pause; the interval is long enough for all of it.
func quick(attempts int, mode string) string {
	return fmt.Sprintf("attempts = %d\nmode = %q\ninterval = \"1h\"\ndelay = \"0s\"", attempts, mode)
}

// once is a script that does one thing the first time and sleeps after that.
func (s *session) once(then string) string {
	done := filepath.Join(s.TempDir(), "done")
	return fmt.Sprintf("[ -e %s ] && exec sleep 1000; touch %s; %s", done, done, then)
}

// running tells whether a task runs.
func running(state *api.TaskState) bool { return state.State == "running" }

// tasks is about how tasks start, end and start again.
var tasks = []scenario{
	{name: "restart-until-it-fails", run: func(s *session) {
		s.register(undeployed(spec{script: "exit 3", restart: quick(2, "fail")}))
		s.untilAllocs(1, "failed")
	}},
	{name: "restart-after-success", run: func(s *session) {
		s.register(undeployed(spec{script: "exit 0", restart: quick(1, "fail")}))
		s.untilAllocs(1, "failed")
	}},
	{name: "restart-that-helps", run: func(s *session) {
		s.register(undeployed(spec{script: s.once("exit 3"), restart: quick(2, "fail")}))
		s.untilRestarts("t", 1)
	}},
	{name: "restart-with-a-delay-after-the-attempts", run: func(s *session) {
		s.register(undeployed(spec{script: "exit 3", restart: quick(1, "delay")}))
		s.untilEvent("t", "Exceeded allowed attempts, applying a delay")
	}},
	{name: "killed-by-itself", run: func(s *session) {
		s.register(undeployed(spec{script: "kill -9 $$"}))
		s.untilAllocs(1, "failed")
	}},
	{name: "program-that-is-missing", run: func(s *session) {
		s.register(undeployed(spec{config: `command = "/nope/nope"`}))
		s.untilAllocs(1, "failed")
	}},
	{name: "batch-succeeds", run: func(s *session) {
		s.register(spec{kind: "batch", script: "exit 0"})
		s.untilAllocs(1, "complete")
	}},
	{name: "batch-fails", run: func(s *session) {
		s.register(spec{kind: "batch", script: "exit 5", reschedule: "attempts = 0"})
		s.untilAllocs(1, "failed")
	}},
	{name: "batch-restarted", run: func(s *session) {
		done := filepath.Join(s.TempDir(), "done")
		s.register(spec{kind: "batch", script: fmt.Sprintf("[ -e %s ] && exit 0; touch %s; exit 3", done, done), restart: quick(3, "fail")})
		s.untilAllocs(1, "complete")
	}},
	{name: "batch-registered-again", run: func(s *session) {
		s.register(spec{kind: "batch", script: "exit 0"})
		s.untilAllocs(1, "complete")
		s.register(spec{kind: "batch", script: "exit 0"})
	}},
	{name: "batch-with-a-new-version", run: func(s *session) {
		s.register(spec{kind: "batch", script: "exit 0"})
		s.untilAllocs(1, "complete")
		s.register(spec{kind: "batch", script: "true; exit 0"})
		s.untilAllocs(1, "complete")
	}},
	{name: "batch-changed-while-it-runs", run: func(s *session) {
		s.register(spec{kind: "batch"})
		s.untilAllocs(1, "running")
		s.register(spec{kind: "batch", script: "exec sleep 1001"})
		s.untilAllocs(1, "running")
	}},
	{name: "batch-with-more-to-do", full: true, run: func(s *session) {
		s.register(spec{kind: "batch", script: "exit 0"})
		s.untilAllocs(1, "complete")
		s.register(spec{kind: "batch", script: "exit 0", count: 3})
		s.untilAllocs(3, "complete")
	}},
	{name: "batch-stopped", run: func(s *session) {
		s.register(spec{kind: "batch", count: 2})
		s.untilAllocs(2, "running")
		s.stop(false)
		s.untilJob("dead")
	}},
	{name: "batch-with-an-update-block", run: func(s *session) { s.register(spec{kind: "batch", job: "update {\nmax_parallel = 2\n}"}) }},
	{name: "leader-ends", run: func(s *session) {
		s.register(spec{kind: "batch", script: "sleep 0.2; exit 0", task: "leader = true", tasks: task("side", "", "", "", "")})
		s.untilAllocs(1, "complete")
	}},
	{name: "leader-fails", full: true, run: func(s *session) {
		s.register(spec{kind: "batch", script: "sleep 0.2; exit 3", task: "leader = true", tasks: task("side", "", "", "", ""), reschedule: "attempts = 0"})
		s.untilAllocs(1, "failed")
	}},
	{name: "leader-is-killed-first", full: true, run: func(s *session) {
		s.register(undeployed(spec{task: "leader = true", tasks: task("side", "", "", "", "")}))
		s.untilTask("t", "it runs", running)
		s.untilTask("side", "it runs", running)
		s.stop(false)
		s.untilJob("dead")
	}},
	{name: "sibling-fails", run: func(s *session) {
		s.register(spec{kind: "batch", script: "sleep 0.2; exit 3", tasks: task("side", "", "", "", ""), reschedule: "attempts = 0"})
		s.untilAllocs(1, "failed")
	}},
	{name: "prestart-before-main", run: func(s *session) {
		s.register(spec{kind: "batch", script: "exit 0", tasks: task("before", "exit 0", "", hook("prestart", false), "")})
		s.untilAllocs(1, "complete")
	}},
	{name: "prestart-that-fails", run: func(s *session) {
		s.register(spec{kind: "batch", tasks: task("before", "exit 3", "", hook("prestart", false), ""), reschedule: "attempts = 0"})
		s.untilAllocs(1, "failed")
	}},
	{name: "prestart-sidecar", run: func(s *session) {
		s.register(spec{kind: "batch", script: "sleep 0.2; exit 0", tasks: task("side", "", "", hook("prestart", true), "")})
		s.untilAllocs(1, "complete")
	}},
	{name: "poststart", full: true, run: func(s *session) {
		s.deploy(spec{tasks: task("after", "exit 0", "", hook("poststart", false), "")})
	}},
	{name: "poststart-that-fails", full: true, run: func(s *session) {
		s.register(undeployed(spec{tasks: task("after", "exit 3", "", hook("poststart", false), "")}))
		s.untilAllocs(1, "failed")
	}},
	{name: "poststart-sidecar", full: true, run: func(s *session) {
		s.deploy(spec{tasks: task("side", "", "", hook("poststart", true), "")})
		s.stop(false)
		s.untilJob("dead")
	}},
	{name: "poststop-after-success", run: func(s *session) {
		s.register(spec{kind: "batch", script: "exit 0", tasks: task("last", "exit 0", "", hook("poststop", false), "")})
		s.untilAllocs(1, "complete")
	}},
	{name: "poststop-after-failure", full: true, run: func(s *session) {
		s.register(spec{kind: "batch", script: "exit 3", tasks: task("last", "exit 0", "", hook("poststop", false), ""), reschedule: "attempts = 0"})
		s.untilAllocs(1, "failed")
	}},
	{name: "poststop-of-a-stopped-job", full: true, run: func(s *session) {
		s.deploy(spec{tasks: task("last", "exit 0", "", hook("poststop", false), "")})
		s.stop(false)
		s.untilJob("dead")
	}},
	{name: "all-hooks-at-once", full: true, run: func(s *session) {
		s.register(spec{kind: "batch", script: "sleep 0.3; exit 0", tasks: task("before", "exit 0", "", hook("prestart", false), "") + task("side", "", "", hook("prestart", true), "") +
			task("after", "exit 0", "", hook("poststart", false), "") + task("last", "exit 0", "", hook("poststop", false), "")})
		s.untilAllocs(1, "complete")
	}},
	{name: "deaf-to-signals", full: true, run: func(s *session) {
		s.register(undeployed(spec{script: "trap '' INT; touch $NOMAD_ALLOC_DIR/deaf; while true; do sleep 0.1; done", task: `kill_timeout = "1s"`}))
		s.untilAllocs(1, "running")
		s.untilFile("alloc/deaf")
		s.stop(false)
		s.untilJob("dead")
	}},
	{name: "kill-signal", run: func(s *session) {
		s.register(undeployed(spec{task: `kill_signal = "SIGTERM"`}))
		s.untilAllocs(1, "running")
		s.stop(false)
		s.untilJob("dead")
	}},
	{name: "ends-well-when-killed", full: true, run: func(s *session) {
		s.register(undeployed(spec{script: "trap 'exit 0' INT; touch $NOMAD_ALLOC_DIR/ready; while true; do sleep 0.05; done"}))
		s.untilAllocs(1, "running")
		s.untilFile("alloc/ready")
		s.stop(false)
		s.untilJob("dead")
	}},
	{name: "shutdown-delay", run: func(s *session) {
		s.register(undeployed(spec{task: `shutdown_delay = "100ms"`}))
		s.untilAllocs(1, "running")
		s.stop(false)
		s.untilJob("dead")
	}},
	{name: "artifact-that-is-missing", full: true, run: func(s *session) {
		s.register(undeployed(spec{task: "artifact {\nsource = \"http://127.0.0.1:1/a.zip\"\n}"}))
		s.untilAllocs(1, "failed")
	}},
	{name: "driver-that-is-missing", run: func(s *session) {
		s.register(undeployed(spec{task: `driver = "nope"`}))
		s.untilBlocked()
	}},
	{name: "mock-that-fails-to-start", run: func(s *session) {
		s.register(undeployed(spec{task: `driver = "mock_driver"`, config: `start_error = "no way"`}))
		s.untilAllocs(1, "failed")
	}, full: true},
	{name: "mock-that-may-start-later", run: func(s *session) {
		s.register(undeployed(spec{task: `driver = "mock_driver"`, config: "start_error = \"not now\"\nstart_error_recoverable = true", restart: quick(1, "fail")}))
		s.untilAllocs(1, "failed")
	}, full: true},
}
