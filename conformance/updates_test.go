package conformance

import "slices"

// A change is an update of one attribute, which a running allocation takes up or
// which needs another one.
type change struct {
	name          string
	before, after spec
	fast          bool // part of the fast selection
}

// updates deploys both sides of each change: the record tells whether it was done
// in place (Nomad: section 2.8).
func updates() []scenario {
	var all []scenario
	for _, c := range slices.Concat(inPlace, destructive) {
		all = append(all, c.scenario())
	}
	return all
}

func (c change) scenario() scenario {
	return scenario{name: c.name, full: !c.fast, run: func(s *session) {
		s.deploy(c.before)
		s.deploy(c.after)
	}}
}

var inPlace = []change{
	{name: "change-priority", after: spec{job: `priority = 70`}, fast: true},
	{name: "change-count-up", after: spec{count: 2}, fast: true},
	{name: "change-count-down", before: spec{count: 3}, after: spec{count: 1}, fast: true},
	{name: "change-constraint-that-holds", after: spec{group: `constraint {
		attribute = "${attr.kernel.name}"
		value     = "linux"
	}`}, fast: true},
	{name: "change-affinity", after: spec{group: `affinity {
		attribute = "${attr.kernel.name}"
		value     = "linux"
	}`}},
	{name: "change-spread", after: spec{group: `spread { attribute = "${node.datacenter}" }`}},
	{name: "change-update-block", after: spec{update: `max_parallel = 3`}},
	{name: "change-restart-policy", after: spec{restart: `attempts = 5`}},
	{name: "change-restart-delay", after: spec{restart: `delay = "20s"`}},
	{name: "change-reschedule-policy", after: spec{reschedule: "attempts = 3\ninterval = \"1h\"\ndelay = \"30s\"\ndelay_function = \"constant\""}},
	{name: "change-migrate", after: spec{group: `migrate { max_parallel = 2 }`}},
	{name: "change-disconnect", after: spec{group: `disconnect { lost_after = "1h" }`}},
	{name: "change-kill-timeout", after: spec{task: `kill_timeout = "2s"`}, fast: true},
	{name: "change-kill-signal", after: spec{task: `kill_signal = "SIGTERM"`}},
	{name: "change-shutdown-delay", after: spec{task: `shutdown_delay = "10ms"`}},
	{name: "change-group-shutdown-delay", after: spec{group: `shutdown_delay = "10ms"`}},
	{name: "change-log-size", after: spec{task: `logs { max_file_size = 5 }`}},
	{name: "change-leader", after: spec{task: `leader = true`}},
	{name: "change-datacenters", after: spec{job: `datacenters = ["dc*"]`}},
	{name: "change-all-at-once", after: spec{job: `all_at_once = true`}},
	{name: "change-group-service", after: spec{group: `service {
		name     = "change-group-service"
		provider = "nomad"
		tags     = ["a"]
	}`}},
	{name: "change-max-client-disconnect", after: spec{group: `prevent_reschedule_on_lost = true`}},
}

var destructive = []change{
	{name: "change-env", after: spec{task: `env { A = "1" }`}, fast: true},
	{name: "change-config", after: spec{script: "exec sleep 1001"}, fast: true},
	{name: "change-driver", after: spec{task: `driver = "mock_driver"`, config: `run_for = "1h"`}},
	{name: "change-user", after: spec{task: `user = "root"`}},
	{name: "change-cpu", after: spec{resources: `cpu = 20`}, fast: true},
	{name: "change-memory", after: spec{resources: `memory = 20`}},
	{name: "change-memory-max", before: spec{resources: `memory = 20`}, after: spec{resources: "memory = 20\nmemory_max = 30"}},
	{name: "change-job-meta", after: spec{job: `meta { a = "1" }`}, fast: true},
	{name: "change-group-meta", after: spec{group: `meta { a = "1" }`}},
	{name: "change-task-meta", after: spec{task: `meta { a = "1" }`}},
	{name: "change-place-of-meta", before: spec{job: `meta { a = "1" }`}, after: spec{task: `meta { a = "1" }`}},
	{name: "change-ephemeral-disk", after: spec{group: `ephemeral_disk { size = 310 }`}},
	{name: "change-network", after: spec{group: `network {
		port "http" {}
	}`}},
	{name: "change-port-label", before: spec{group: `network {
		port "http" {}
	}`}, after: spec{group: `network {
		port "web" {}
	}`}},
	{name: "change-task-added", after: spec{tasks: task("u", "", "", "", "")}},
	{name: "change-task-removed", before: spec{tasks: task("u", "", "", "", "")}, after: spec{}},
	{name: "change-task-renamed", before: spec{tasks: task("u", "", "", "", "")}, after: spec{tasks: task("v", "", "", "", "")}},
	{name: "change-logs-disabled", after: spec{task: `logs { disabled = true }`}},
	{name: "change-identity", after: spec{task: `identity { env = true }`}},
	{name: "change-lifecycle", before: spec{tasks: task("u", "", "", "lifecycle {\nhook = \"prestart\"\nsidecar = true\n}", "")},
		after: spec{tasks: task("u", "", "", "lifecycle {\nhook = \"poststart\"\nsidecar = true\n}", "")}},
	{name: "change-group-added", after: spec{more: spec{}.another("h")}, fast: true},
	{name: "change-group-removed", before: spec{more: spec{}.another("h")}, after: spec{}, fast: true},
	{name: "change-node-pool-all", after: spec{job: `node_pool = "all"`}},
	{name: "change-template", after: spec{task: `template {
		data        = "a"
		destination = "local/a"
	}`}},
	{name: "change-template-mode", before: spec{task: `template {
		data        = "a"
		destination = "local/a"
	}`}, after: spec{task: `template {
		data        = "a"
		destination = "local/a"
		change_mode = "noop"
	}`}},
}
