package conformance

import (
	"fmt"
	"strings"

	"ostro/nomadtest/freeport"
)

func constraint(attribute, operator, value string) string {
	text := "constraint {\n"
	for key, v := range map[string]string{"attribute": attribute, "operator": operator, "value": value} {
		if v != "" {
			text += fmt.Sprintf("%s = %q\n", key, v)
		}
	}
	return text + "}\n"
}

// A demand is what a group asks of its node.
type demand struct {
	name string
	spec spec
	fast bool
	// met says that there is a place.
	met bool
}

func group(text string) spec { return undeployed(spec{group: text}) }

// placement is about where allocations go, and why they find no place.
func placement() []scenario {
	all := places
	for _, d := range demands {
		all = append(all, scenario{name: d.name, full: !d.fast, run: func(s *session) {
			s.register(d.spec)
			if d.met {
				s.untilAllocs(1, "running")
			} else {
				s.untilBlocked()
			}
		}})
	}
	return all
}

var demands = []demand{
	{name: "constraint-equal", spec: group(constraint("${attr.kernel.name}", "=", "windows")), fast: true},
	{name: "constraint-equal-holds", spec: group(constraint("${attr.kernel.name}", "==", "linux")), met: true},
	{name: "constraint-unequal", spec: group(constraint("${attr.kernel.name}", "!=", "linux"))},
	{name: "constraint-unequal-to-what-is-missing", spec: group(constraint("${meta.nope}", "!=", "x")), met: true},
	{name: "constraint-greater", spec: group(constraint("${attr.cpu.numcores}", ">", "9999"))},
	{name: "constraint-less", spec: group(constraint("${attr.cpu.numcores}", "<", "1"))},
	{name: "constraint-greater-or-equal-holds", spec: group(constraint("${attr.cpu.numcores}", ">=", "1")), met: true},
	{name: "constraint-regexp", spec: group(constraint("${attr.kernel.name}", "regexp", "^w.*s$")), fast: true},
	{name: "constraint-regexp-holds", spec: group(constraint("${attr.kernel.name}", "regexp", "^l.*x$")), met: true},
	{name: "constraint-version", spec: group(constraint("${attr.nomad.version}", "version", "< 0.1.0")), fast: true},
	{name: "constraint-semver-holds", spec: group(constraint("${attr.nomad.version}", "semver", ">= 0.1.0")), met: true},
	{name: "constraint-semver", spec: group(constraint("${attr.nomad.version}", "semver", "> 99.0.0"))},
	{name: "constraint-set-contains", spec: group(constraint("${attr.os.signals}", "set_contains", "SIGTERM,SIGNOPE"))},
	{name: "constraint-set-contains-holds", spec: group(constraint("${attr.os.signals}", "set_contains", "SIGTERM,SIGINT")), met: true},
	{name: "constraint-set-contains-any", spec: group(constraint("${attr.os.signals}", "set_contains_any", "SIGNOPE,SIGNADA"))},
	{name: "constraint-set-contains-any-holds", spec: group(constraint("${attr.os.signals}", "set_contains_any", "SIGNOPE,SIGINT")), met: true},
	{name: "constraint-is-set", spec: group(constraint("${meta.nope}", "is_set", "")), fast: true},
	{name: "constraint-is-not-set", spec: group(constraint("${attr.kernel.name}", "is_not_set", ""))},
	{name: "constraint-is-not-set-holds", spec: group(constraint("${meta.nope}", "is_not_set", "")), met: true},
	{name: "constraint-of-the-task", spec: undeployed(spec{task: constraint("${attr.kernel.name}", "=", "windows")})},
	{name: "constraint-of-the-job", spec: undeployed(spec{job: constraint("${attr.kernel.name}", "=", "windows")})},
	{name: "constraint-of-the-node-class", spec: group(constraint("${node.class}", "=", "big"))},
	{name: "constraint-of-the-datacenter", spec: group(constraint("${node.datacenter}", "=", "nope"))},
	{name: "two-constraints", spec: group(constraint("${attr.kernel.name}", "=", "linux") + constraint("${meta.nope}", "=", "x"))},
	{name: "too-much-memory", spec: undeployed(spec{resources: "memory = 99999999"}), fast: true},
	{name: "too-much-cpu", spec: undeployed(spec{resources: "cpu = 9999999"}), fast: true},
	{name: "too-much-disk", spec: undeployed(spec{group: "ephemeral_disk {\nsize = 99999999\n}"}), fast: true},
	{name: "three-too-big", spec: undeployed(spec{count: 3, resources: "memory = 99999999"})},
	{name: "datacenter-that-is-missing", spec: undeployed(spec{job: `datacenters = ["nope"]`}), fast: true},
	{name: "datacenter-by-pattern", spec: undeployed(spec{job: `datacenters = ["d*1", "nope"]`}), met: true},
	{name: "device-that-is-missing", spec: undeployed(spec{resources: "device \"nvidia/gpu\" {}"})},
	{name: "host-volume-that-is-missing", spec: group("volume \"v\" {\ntype = \"host\"\nsource = \"nope\"\n}")},
	{name: "network-that-is-missing", spec: group("network {\nport \"http\" {\nhost_network = \"nope\"\n}\n}")},
	{name: "affinity-that-nobody-meets", spec: group("affinity {\nattribute = \"${attr.kernel.name}\"\nvalue = \"windows\"\n}"), met: true},
	{name: "odd-version-of-text", spec: group(constraint("${attr.kernel.name}", "version", ">= 1.0"))},
	{name: "odd-version-with-a-tilde", spec: group(constraint("${attr.nomad.version}", "version", "~> 99.0"))},
	{name: "odd-semver-of-a-prerelease", spec: group(constraint("${attr.nomad.version}", "semver", ">= 2.0.0-alpha")), met: true},
	{name: "odd-set-with-spaces", spec: group(constraint("${attr.os.signals}", "set_contains", "SIGTERM, SIGINT")), met: true},
	{name: "odd-set-any-of-nothing", spec: group(constraint("${attr.kernel.name}", "set_contains_any", "a,b"))},
	{name: "odd-set-contains-of-one", spec: group(constraint("${attr.kernel.name}", "set_contains", "linux")), met: true},
	{name: "odd-attribute-without-braces", spec: group(constraint("attr.kernel.name", "=", "linux"))},
	{name: "odd-text-against-text", spec: group(constraint("linux", "=", "linux")), met: true},
	{name: "odd-attribute-against-attribute", spec: group(constraint("${attr.kernel.name}", "!=", "${attr.cpu.arch}")), met: true},
	{name: "odd-numbers-as-text", spec: group(constraint("${attr.cpu.numcores}", ">=", "01")), met: true},
	{name: "odd-text-is-less", spec: group(constraint("${attr.kernel.name}", "<", "m")), met: true},
	{name: "odd-text-less-than-a-number", spec: group(constraint("${attr.kernel.name}", "<", "5"))},
	{name: "odd-missing-less-than-something", spec: group(constraint("${meta.nope}", "<", "5"))},
	{name: "odd-missing-regexp", spec: group(constraint("${meta.nope}", "regexp", ".*"))},
	{name: "odd-regexp-within", spec: group(constraint("${attr.kernel.name}", "regexp", "inu")), met: true},
	{name: "odd-not", spec: group(constraint("${attr.kernel.name}", "not", "windows")), met: true},
	{name: "odd-is", spec: group(constraint("${attr.kernel.name}", "is", "linux")), met: true},
	{name: "odd-datacenter-with-a-question-mark", spec: undeployed(spec{job: `datacenters = ["dc?"]`})},
	{name: "odd-datacenter-star", spec: undeployed(spec{job: `datacenters = ["*"]`}), met: true},
	{name: "odd-pool-all", spec: undeployed(spec{job: `node_pool = "all"`}), met: true},
	{name: "odd-distinct-hosts-off", spec: undeployed(spec{count: 1, group: "constraint {\noperator = \"distinct_hosts\"\nvalue = \"false\"\n}"}), met: true},
	{name: "odd-affinity-of-weight-against", spec: group("affinity {\nattribute = \"${attr.kernel.name}\"\nvalue = \"linux\"\nweight = -100\n}"), met: true},
	{name: "odd-spread-with-targets", spec: group("spread {\nattribute = \"${node.datacenter}\"\ntarget \"dc1\" {\npercent = 40\n}\ntarget \"dc2\" {\npercent = 60\n}\n}"), met: true},
	{name: "odd-cores", spec: undeployed(spec{resources: "cores = 9999\ncpu = null"})},
	{name: "odd-cores-for-one", spec: undeployed(spec{resources: "cores = 1\ncpu = null", script: "test \"$NOMAD_CPU_CORES\" = \"$(grep Cpus_allowed_list /proc/self/status | cut -f2)\" && exec sleep 1000; exit 9"}), met: true},
	{name: "port-for-the-host", spec: group("network {\nport \"a\" {}\nport \"b\" {\nto = 80\n}\n}"), met: true},
}

var places = []scenario{
	{name: "one-to-a-host", run: func(s *session) {
		s.register(undeployed(spec{count: 2, group: "constraint {\noperator = \"distinct_hosts\"\nvalue = \"true\"\n}"}))
		s.untilBlocked()
	}},
	{name: "one-to-a-property", run: func(s *session) {
		s.register(undeployed(spec{count: 2, group: constraint("${node.datacenter}", "distinct_property", "")}))
		s.untilBlocked()
	}},
	{name: "two-to-a-property", full: true, run: func(s *session) {
		s.register(undeployed(spec{count: 3, group: constraint("${node.datacenter}", "distinct_property", "2")}))
		s.untilBlocked()
	}},
	{name: "one-of-two-groups", run: func(s *session) {
		s.register(undeployed(spec{more: group(nowhere).another("h")}))
		s.untilBlocked()
	}},
	{name: "blocked-until-it-is-smaller", full: true, alone: true, run: func(s *session) {
		s.register(undeployed(spec{resources: "memory = 99999999"}))
		s.untilBlocked()
		s.register(undeployed(spec{}))
		s.untilAllocs(1, "running")
	}},
	{name: "blocked-twice", run: func(s *session) {
		s.register(group(nowhere))
		s.untilBlocked()
		s.register(group(nowhere + "\n" + constraint("${meta.nope}", "=", "x")))
		s.until("it is evaluated", s.settled)
	}},
	{name: "same-fixed-port-in-one-job", run: func(s *session) {
		port := freeport.Take()
		text := fmt.Sprintf("network {\nport \"http\" {\nstatic = %d\n}\n}", port)
		s.register(undeployed(spec{group: text, tasks: "", more: strings.Replace(group(text).another("h"), "\"http\"", "\"web\"", 1)}))
		s.until("it is evaluated", s.settled)
	}, differs: "the machine's one address has each port once; Nomad's loopback has two addresses"},
	{name: "port-range-that-is-refused", run: func(s *session) {
		s.register(group("network {\nport \"http\" {\nstatic = 99999\n}\n}"))
		s.register(group("network {\nport \"a\" {\nstatic = 8080\n}\nport \"b\" {\nstatic = 8080\n}\n}"))
	}},
}
