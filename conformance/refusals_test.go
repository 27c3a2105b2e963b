package conformance

import (
	"fmt"
	"strings"
)

// service is a service of the nomad provider that says more.
func service(more string) string {
	return fmt.Sprintf("service {\nname = \"x\"\nprovider = \"nomad\"\n%s\n}\n", more)
}

// port is a network with one port.
const port = "network {\nport \"http\" {}\n}\n"

// refused are jobs that are refused, or warned about, by what they are about.
var refused = map[string][]spec{
	"disconnects": {
		{group: "disconnect {\nlost_after = \"-1s\"\n}"}, {group: "disconnect {\nstop_on_client_after = \"-1s\"\n}"},
		{group: "disconnect {\nlost_after = \"1h\"\nstop_on_client_after = \"1m\"\n}"}, {group: "disconnect {\nreconcile = \"nope\"\n}"},
		{kind: "batch", group: "disconnect {\nstop_on_client_after = \"1m\"\n}"}, {kind: "system", group: "disconnect {\nlost_after = \"1m\"\nreplace = true\n}"},
		{group: "max_client_disconnect = \"-1s\""}, {group: "stop_after_client_disconnect = \"1m\"\nmax_client_disconnect = \"1m\""},
		{group: "max_client_disconnect = \"1m\"\ndisconnect {\nlost_after = \"1m\"\n}"}, {group: "prevent_reschedule_on_lost = true"},
		{group: "disconnect {\nlost_after = \"1h\"\nreplace = false\nreconcile = \"longest_running\"\n}"},
	},
	"spreads": {
		{group: "spread {\nattribute = \"\"\n}"}, {group: "spread {\nattribute = \"${node.datacenter}\"\nweight = -1\n}"},
		{group: "spread {\nattribute = \"${node.datacenter}\"\ntarget \"a\" {\npercent = 60\n}\ntarget \"b\" {\npercent = 60\n}\n}"},
		{group: "spread {\nattribute = \"${node.datacenter}\"\ntarget \"a\" {\npercent = 101\n}\n}"},
		{group: "spread {\nattribute = \"${node.datacenter}\"\ntarget \"a\" {\npercent = 10\n}\ntarget \"a\" {\npercent = 10\n}\n}"},
		{kind: "system", group: "spread {\nattribute = \"${node.datacenter}\"\n}"}, {job: "spread {\nattribute = \"${node.datacenter}\"\nweight = 200\n}"},
		{kind: "sysbatch", job: "spread {\nattribute = \"${node.datacenter}\"\n}"},
	},
	"affinities": {
		{group: "affinity {\nattribute = \"${node.datacenter}\"\nvalue = \"a\"\nweight = 101\n}"}, {group: "affinity {\nattribute = \"${node.datacenter}\"\nvalue = \"a\"\nweight = -101\n}"},
		{group: "affinity {\nattribute = \"${node.datacenter}\"\noperator = \"nope\"\nvalue = \"a\"\n}"}, {group: "affinity {\nattribute = \"${node.datacenter}\"\noperator = \"regexp\"\nvalue = \"(\"\n}"},
		{group: "affinity {\nattribute = \"${node.datacenter}\"\noperator = \"version\"\nvalue = \"x\"\n}"}, {group: "affinity {\nattribute = \"${node.datacenter}\"\noperator = \"semver\"\nvalue = \"x\"\n}"},
		{group: "affinity {\noperator = \"set_contains\"\nvalue = \"a\"\n}"}, {kind: "system", group: "affinity {\nattribute = \"${node.datacenter}\"\nvalue = \"a\"\n}"},
		{group: "affinity {\nattribute = \"${node.datacenter}\"\n}"}, {task: "affinity {\nattribute = \"${node.datacenter}\"\nvalue = \"a\"\nweight = 0\n}"},
	},
	"constraints": {
		{group: constraint("", "distinct_property", "")}, {group: constraint("${node.datacenter}", "distinct_property", "x")}, {group: constraint("${node.datacenter}", "distinct_property", "0")},
		{group: constraint("", "=", "x")}, {group: constraint("${node.datacenter}", "semver", "~> 1.0")}, {group: constraint("${node.datacenter}", "set_contains", "")},
		{task: constraint("", "distinct_hosts", "true")}, {task: constraint("${node.datacenter}", "distinct_property", "")}, {group: constraint("", "distinct_hosts", "maybe")},
		{group: constraint("${node.datacenter}", "=", "")}, {group: constraint("${node.datacenter}", "is_set", "x")}, {kind: "system", group: constraint("", "distinct_hosts", "true")},
		{job: constraint("${node.datacenter}", "regexp", "(")}, {group: constraint("${node.datacenter}", ">", "")},
	},
	"attributes": {
		{job: constraint("${nope}", "=", "x")}, {group: constraint("${attr.kernel.name", "=", "x")}, {group: constraint("$attr.kernel.name", "=", "x")}, {task: constraint("${attr.kernel.name}x", "=", "x")},
		{group: constraint("${node.nope}", "is_set", "")}, {group: constraint("${env.HOME}", "=", "x")}, {job: constraint("${node.region}", "=", "x")}, {group: constraint("$", "=", "x")},
		{group: constraint("${nope}", "distinct_property", "x")}, {task: constraint("${meta}", "", "")}, {job: constraint("nope", "regexp", "(")}, {group: constraint("${nope}", "distinct_hosts", "")},
		{resources: "device \"x/y\" {\n" + constraint("", "distinct_hosts", "true") + constraint("${nope}", "=", "x") + "}"},
		{resources: "device \"x/y\" {\naffinity {\nattribute = \"${device.model}\"\nweight = 101\n}\n}"},
		{task: "artifact {\nsource = \"http://127.0.0.1/a\"\noptions {\nchecksum = \"\"\n}\n}"},
		{reschedule: "attempts = 30\ninterval = \"1h\"\ndelay = \"5s\"\ndelay_function = \"exponential\"\nmax_delay = \"10m\""},
		{reschedule: "attempts = 30\ninterval = \"1h\"\ndelay = \"5s\"\ndelay_function = \"fibonacci\"\nmax_delay = \"10m\""},
		{reschedule: "attempts = 400000000\ninterval = \"1h\"\ndelay = \"5s\"\ndelay_function = \"constant\""},
	},
	"updates": {
		{update: "auto_promote = true"}, {update: "canary = 1\nauto_promote = true\nmax_parallel = 0"}, {update: "progress_deadline = \"-1s\""}, {update: "healthy_deadline = \"-1s\""},
		{update: "stagger = \"-1s\""}, {update: "min_healthy_time = \"-1s\""}, {update: "max_parallel = 3", count: 2}, {update: "health_check = \"manual\"\nmin_healthy_time = \"1h\""},
		{update: "progress_deadline = \"1s\"\nhealthy_deadline = \"1s\"\nmin_healthy_time = \"1s\""}, {kind: "batch", group: "update {\nmax_parallel = 1\n}"},
		{kind: "sysbatch", job: "update {\nmax_parallel = 1\n}"}, {kind: "system", update: "canary = 101"}, {kind: "system", update: "canary = 50\nauto_promote = true"},
		{group: "migrate {\nmax_parallel = -1\n}"}, {group: "migrate {\nhealth_check = \"nope\"\n}"}, {group: "migrate {\nmin_healthy_time = \"1h\"\n}"}, {kind: "batch", group: "migrate {\nmax_parallel = 1\n}"},
		{group: "migrate {\nhealthy_deadline = \"-1s\"\n}"},
	},
	"restarts": {
		{restart: "delay = \"-1s\""}, {restart: "attempts = 10\ninterval = \"1s\"\ndelay = \"15s\""}, {restart: "interval = \"1s\""}, {restart: "attempts = 3\nmode = \"delay\"\ninterval = \"2s\""},
		{task: "restart {\nmode = \"nope\"\n}"}, {kind: "batch", reschedule: "attempts = 1\nunlimited = true\ninterval = \"1h\""}, {reschedule: "delay = \"1s\"\nunlimited = true"},
		{reschedule: "delay_function = \"nope\"\nunlimited = true"}, {reschedule: "unlimited = true\ndelay = \"1h\"\nmax_delay = \"1m\"\ndelay_function = \"exponential\""},
		{kind: "sysbatch", reschedule: "attempts = 1"}, {task: "kill_timeout = \"1h\""}, {task: "shutdown_delay = \"-1s\""}, {group: "shutdown_delay = \"-1s\""}, {task: "kill_signal = \"SIGNOPE\""},
	},
	"services": {
		{group: service("port = \"nope\"")}, {group: port + service("port = \"http\"\ncheck {\ntype = \"nope\"\ninterval = \"1s\"\ntimeout = \"1s\"\n}")},
		{group: port + service("port = \"http\"\ncheck {\ntype = \"http\"\ninterval = \"1s\"\ntimeout = \"1s\"\n}")}, {group: port + service("port = \"http\"\ncheck {\ntype = \"tcp\"\ntimeout = \"1s\"\n}")},
		{group: port + service("port = \"http\"\ncheck {\ntype = \"tcp\"\ninterval = \"1s\"\n}")}, {group: port + service("port = \"http\"\ncheck {\ntype = \"tcp\"\ninterval = \"1s\"\ntimeout = \"100ms\"\n}")},
		{group: service("check {\ntype = \"tcp\"\ninterval = \"1s\"\ntimeout = \"1s\"\n}")}, {group: port + service("port = \"http\"\naddress_mode = \"nope\"")},
		{group: port + service("port = \"http\"\naddress = \"x\"\naddress_mode = \"host\"")}, {group: port + strings.Replace(service("port = \"http\""), "\"x\"", "\"a b\"", 1)},
		{group: port + strings.Replace(service("port = \"http\""), "\"x\"", "\"under_score\"", 1)}, {group: port + strings.Replace(service("port = \"http\""), "\"x\"", fmt.Sprintf("%q", strings.Repeat("x", 64)), 1)},
		{group: port + service("port = \"http\"\ncheck {\ntype = \"grpc\"\ninterval = \"1s\"\ntimeout = \"1s\"\n}")}, {group: port + service("port = \"http\"\ncheck {\ntype = \"tcp\"\ninterval = \"1s\"\ntimeout = \"1s\"\ncheck_restart {\nlimit = -1\n}\n}")},
		{group: port + service("port = \"http\"\ncheck {\ntype = \"tcp\"\ninterval = \"1s\"\ntimeout = \"1s\"\ncheck_restart {\nlimit = 1\ngrace = \"-1s\"\n}\n}")}, {group: port + service("port = \"http\"\nconnect {\nsidecar_service {}\n}")},
		{group: port + service("port = \"http\"\ncheck {\ntype = \"tcp\"\ninterval = \"1s\"\ntimeout = \"1s\"\non_update = \"nope\"\n}")},
		{group: port + service("port = \"http\"\ncheck {\ntype = \"tcp\"\ninterval = \"1s\"\ntimeout = \"1s\"\ninitial_status = \"nope\"\n}")},
		{group: port + service("port = \"http\"\ncheck {\ntype = \"http\"\npath = \"/\"\nmethod = \"NOPE\"\ninterval = \"1s\"\ntimeout = \"1s\"\n}")},
		{group: port + service("port = \"http\"\ncheck {\ntype = \"http\"\npath = \"/\"\nprotocol = \"nope\"\ninterval = \"1s\"\ntimeout = \"1s\"\n}")},
		{group: port + service("port = \"http\"\ncheck {\ntype = \"http\"\npath = \"http://x\"\ninterval = \"1s\"\ntimeout = \"1s\"\n}")},
		{group: port + service("port = \"http\"\ncheck {\nname = \"a\"\ntype = \"tcp\"\nport = \"nope\"\ninterval = \"1s\"\ntimeout = \"1s\"\n}")},
		{group: port + service("port = \"http\"\nenable_tag_override = true\non_update = \"nope\"")}, {group: port + service("port = \"http\"\ntask = \"nope\"")},
		{group: port + service("port = \"http\"\ncheck {\ntype = \"tcp\"\ninterval = \"1s\"\ntimeout = \"1s\"\nsuccess_before_passing = 2\n}")}, {update: "health_check = \"checks\""},
		{group: port + service("port = \"http\"\nweights {\npassing = 1\n}")}, {group: service("port = \"99999\"")}, {group: port + service("port = \"http\"") + service("port = \"http\"")},
		{group: port, task: service("port = \"http\"\ncheck {\ntype = \"tcp\"\ninterval = \"1s\"\ntimeout = \"1s\"\ntask = \"t\"\n}")},
	},
	"networks": {
		{group: port + port}, {group: "network {\nport \"http\" {\nstatic = -1\n}\n}"}, {group: "network {\nport \"http\" {\nto = 70000\n}\n}"}, {group: "network {\nport \"a b\" {}\n}"},
		{group: "network {\nmode = \"bridge\"\nport \"http\" {\nstatic = 8080\nto = 80\n}\n}"}, {group: "network {\nmode = \"none\"\nport \"http\" {}\n}"}, {group: "network {\nhostname = \"a b\"\nmode = \"bridge\"\n}"},
		{group: "network {\nhostname = \"x\"\n}"}, {resources: "network {\nport \"http\" {}\n}"}, {group: port, resources: "network {\nport \"http\" {}\n}"}, {group: "network {\nmbits = 10\n}"},
		{group: "network {\nport \"a\" {\nstatic = 22\n}\n}", more: spec{}.another("h")}, {group: "network {\ndns {\nservers = [\"nope\"]\n}\n}"}, {group: "network {\nport \"http\" {\nto = 80\n}\n}"},
	},
	"tasks": {
		{config: "command = 5"}, {config: "nope = 1"}, {config: "args = [\"a\"]"}, {tasks: task("", "", "", "", "")}, {tasks: task("a/b", "", "", "", "")}, {resources: "cpu = 0"}, {resources: "cores = 1"},
		{resources: "cpu = 10\ncores = 1"}, {resources: "cores = -1"}, {resources: "memory = 20\nmemory_max = -2"}, {resources: "memory = 20\nmemory_max = 20"}, {resources: "memory = 9"}, {resources: "secrets = -1"},
		{task: "user = \"nope\""}, {task: "leader = true\n" + hook("prestart", false), tasks: task("u", "", "", "", "")}, {task: hook("main", false)}, {tasks: task("u", "", "", "lifecycle {\nhook = \"poststop\"\nsidecar = true\n}", "")},
		{task: "env {\nA = \"1\"\n}\nmeta {\na = \"1\"\n}"}, {task: "logs {\nmax_files = 1\nmax_file_size = 0\n}"}, {task: "logs {\nmax_files = 100\nmax_file_size = 100\n}"}, {task: "dispatch_payload {\nfile = \"x\"\n}"},
		{task: "identity {\nname = \"a b\"\n}"}, {task: "identity {\nname = \"x\"\nttl = \"-1s\"\n}"}, {task: "identity {\nname = \"x\"\nchange_mode = \"nope\"\n}"}, {task: "identity {\nname = \"x\"\nchange_mode = \"signal\"\n}"},
		{task: "identity {\nname = \"x\"\nfile = true\nfilepath = \"../../x\"\n}"}, {task: "identity {\nname = \"x\"\n}\nidentity {\nname = \"x\"\n}"}, {task: "identity {\naud = [\"x\"]\n}"}, {task: "identity {\nname = \"x\"\nttl = \"1h\"\n}"},
		{task: "kind = \"connect-proxy:x\""}, {task: "vault {}"}, {task: "consul {}"}, {task: "volume_mount {\nvolume = \"nope\"\ndestination = \"/x\"\n}"}, {task: "schedule {\ncron {\nstart = \"nope\"\nend = \"0\"\n}\n}"},
		{task: "action \"x\" {\ncommand = \"\"\n}"}, {task: "action \"a b\" {\ncommand = \"x\"\n}"}, {task: "action \"x\" {\ncommand = \"a\"\n}\naction \"x\" {\ncommand = \"b\"\n}"}, {task: "csi_plugin {\nid = \"x\"\ntype = \"nope\"\n}"},
	},
	"templates": {
		{task: "template {\ndata = \"a\"\nsource = \"b\"\ndestination = \"local/a\"\n}"}, {task: "template {\ndestination = \"local/a\"\n}"}, {task: "template {\ndata = \"a\"\ndestination = \"../../../a\"\n}"},
		{task: "template {\ndata = \"a\"\ndestination = \"local/a\"\nchange_mode = \"nope\"\n}"}, {task: "template {\ndata = \"a\"\ndestination = \"local/a\"\nsplay = \"-1s\"\n}"}, {task: "template {\ndata = \"a\"\ndestination = \"local/a\"\nperms = \"nope\"\n}"},
		{task: "template {\ndata = \"a\"\ndestination = \"local/a\"\nchange_mode = \"script\"\n}"}, {task: "template {\ndata = \"a\"\ndestination = \"local/a\"\nchange_mode = \"signal\"\nchange_signal = \"SIGNOPE\"\n}"},
		{task: "template {\ndata = \"a\"\ndestination = \"local/a\"\nenv = true\nchange_mode = \"signal\"\nchange_signal = \"SIGHUP\"\n}"}, {task: "template {\ndata = \"a\"\ndestination = \"local/a\"\n}\ntemplate {\ndata = \"b\"\ndestination = \"local/a\"\n}"},
		{task: "template {\ndata = \"a\"\ndestination = \"local/a\"\nwait {\nmin = \"10s\"\nmax = \"1s\"\n}\n}"}, {task: "artifact {\nsource = \"\"\n}"}, {task: "artifact {\nsource = \"http://127.0.0.1/a\"\nmode = \"nope\"\n}"},
		{task: "artifact {\nsource = \"http://127.0.0.1/a\"\noptions {\nchecksum = \"nope\"\n}\n}"}, {task: "artifact {\nsource = \"http://127.0.0.1/a\"\noptions {\nchecksum = \"md5:abc\"\n}\n}"},
		{task: "artifact {\nsource = \"http://127.0.0.1/a\"\noptions {\nchecksum = \"nope:abc\"\n}\n}"}, {task: "template {\ndata = \"a\"\ndestination = \"local/a\"\nuid = -2\n}"},
	},
	"volumes": {
		{group: "volume \"v\" {\ntype = \"nope\"\nsource = \"x\"\n}"}, {group: "volume \"v\" {\ntype = \"host\"\n}"}, {group: "volume \"v\" {\ntype = \"csi\"\nsource = \"x\"\n}"},
		{group: "volume \"v\" {\ntype = \"host\"\nsource = \"x\"\nper_alloc = true\n}", update: "canary = 1"}, {group: "volume \"v\" {\ntype = \"host\"\nsource = \"x\"\naccess_mode = \"nope\"\n}"},
		{group: "volume \"v\" {\ntype = \"host\"\nsource = \"x\"\n}", task: "volume_mount {\nvolume = \"v\"\ndestination = \"/x\"\npropagation_mode = \"nope\"\n}"},
		{group: "volume \"v\" {\ntype = \"host\"\nsource = \"x\"\nsticky = true\nattachment_mode = \"nope\"\n}"}, {group: "ephemeral_disk {\nmigrate = true\n}"}, {group: "ephemeral_disk {\nsize = -1\n}"},
		{group: "ephemeral_disk {\nsize = 10\nsticky = true\n}"},
	},
	"groups": {
		{group: "scaling {\nmax = 3\nmin = -1\n}"}, {group: "scaling {\nenabled = true\n}"}, {group: "scaling {\nmax = -1\n}"}, {kind: "system", group: "scaling {\nmax = 3\n}"}, {group: "count = 0\nscaling {\nmin = 1\nmax = 3\n}"},
		{kind: "system", count: 2}, {kind: "sysbatch", count: 2}, {more: "group \"\" {\ntask \"t\" {\ndriver = \"raw_exec\"\n}\n}"}, {more: "group \"h\" {}"}, {job: "all_at_once = true"}, {job: "node_pool = \"a b\""},
		{job: "datacenters = [\"\"]"}, {job: "priority = 100"}, {job: "priority = -1"}, {job: "name = \"\""}, {job: "ui {\ndescription = \"x\"\nlink {\nlabel = \"\"\nurl = \"http://x\"\n}\n}"}, {job: "multiregion {\nregion \"x\" {}\n}"},
		{job: "vault {\npolicies = [\"x\"]\n}"}, {group: "consul {\ncluster = \"x\"\n}"}, {job: "meta {\na = \"\"\n}"}, {group: "count = 100000"}, {job: "namespace = \"*\""}, {job: "region = \"global\""}, {job: "consul_token = \"x\""},
	},
}

// refusals gives a scenario for each subject.
func refusals() []scenario {
	var all []scenario
	for about, jobs := range refused {
		all = append(all, scenario{name: "refused-" + about, full: true, alone: true, run: func(s *session) {
			for _, j := range jobs {
				s.tryHCL(j.hcl(s.job))
			}
		}})
	}
	return all
}
