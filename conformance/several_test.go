package conformance

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/nomad/api"
)

// several is about where allocations go when there are two nodes.
var several = []scenario{
	{name: "several-spread", full: true, clients: 2, run: func(s *session) {
		s.register(undeployed(spec{count: 4, group: "spread {\nattribute = \"${node.unique.id}\"\n}"}))
		s.untilAllocs(4, "running")
		s.sayPlaces()
	}},
	{name: "several-spread-with-a-target", full: true, clients: 2, run: func(s *session) {
		s.register(undeployed(spec{count: 4, group: fmt.Sprintf("spread {\nattribute = \"${node.unique.id}\"\nweight = 100\ntarget %q {\npercent = 75\n}\n}", s.firstNode())}))
		s.untilAllocs(4, "running")
		s.sayPlaces()
	}},
	{name: "several-by-affinity", full: true, clients: 2, run: func(s *session) {
		s.register(undeployed(spec{count: 1, group: fmt.Sprintf("affinity {\nattribute = \"${node.unique.id}\"\nvalue = %q\nweight = 100\n}", s.firstNode())}))
		s.untilAllocs(1, "running")
		s.sayWhetherFirst()
	}},
	{name: "several-against-an-affinity", full: true, clients: 2, run: func(s *session) {
		s.register(undeployed(spec{count: 1, group: fmt.Sprintf("affinity {\nattribute = \"${node.unique.id}\"\nvalue = %q\nweight = -100\n}", s.firstNode())}))
		s.untilAllocs(1, "running")
		s.sayWhetherFirst()
	}},
	{name: "several-distinct-hosts", full: true, clients: 2, run: func(s *session) {
		s.register(undeployed(spec{count: 3, group: "constraint {\noperator = \"distinct_hosts\"\nvalue = \"true\"\n}"}))
		s.untilBlocked()
		s.untilAllocs(2, "running")
		s.sayPlaces()
	}},
	{name: "several-distinct-property", full: true, clients: 2, run: func(s *session) {
		s.register(undeployed(spec{count: 5, group: constraint("${node.unique.id}", "distinct_property", "2")}))
		s.untilBlocked()
		s.untilAllocs(4, "running")
		s.sayPlaces()
	}},
	{name: "several-distinct-property-of-the-datacenter", full: true, clients: 2, run: func(s *session) {
		s.register(undeployed(spec{count: 4, group: constraint("${node.datacenter}", "distinct_property", "3")}))
		s.untilBlocked()
		s.untilAllocs(3, "running")
	}},
	{name: "several-bound-to-another-node", full: true, clients: 2, run: func(s *session) {
		j := spec{group: constraint("${node.unique.id}", "=", s.firstNode())}
		s.deploy(j)
		s.sayWhetherFirst()
		j.group = constraint("${node.unique.id}", "!=", s.firstNode())
		s.deploy(j)
		s.sayWhetherFirst()
	}},
	{name: "several-alloc-stopped", full: true, clients: 2, run: func(s *session) {
		s.deploy(spec{count: 2})
		_, err := s.client.Allocations().Stop(s.alloc("g[0]"), nil)
		s.reply("stop", err)
		s.until("it is replaced", func() bool { return s.ended("g[0]") && len(s.allocs("running")) == 2 })
	}},
	{name: "several-failed-and-elsewhere", full: true, clients: 2, run: func(s *session) {
		s.register(undeployed(spec{script: s.once("exit 3"), reschedule: may}))
		s.untilReplaced()
		s.sayPlaces()
	}},
	{name: "several-drained", full: true, clients: 2, run: func(s *session) {
		s.deploy(spec{count: 4, update: "max_parallel = 4", group: "migrate {\nmax_parallel = 1\nhealth_check = \"task_states\"\nmin_healthy_time = \"0s\"\nhealthy_deadline = \"1m\"\n}"})
		s.drainNode(s.alloc("g[0]").NodeID, &api.DrainSpec{Deadline: time.Hour})
		s.until("four run on one node", func() bool { return slices.Equal(slices.Collect(maps.Values(s.places())), []int{4}) && s.settled() })
	}},
	{name: "several-drained-by-force", full: true, clients: 2, run: func(s *session) {
		s.deploy(spec{count: 4, update: "max_parallel = 4"})
		s.drainNode(s.alloc("g[0]").NodeID, &api.DrainSpec{Deadline: -1 * time.Second})
		s.until("four run on one node", func() bool { return slices.Equal(slices.Collect(maps.Values(s.places())), []int{4}) && s.settled() })
	}},
	{name: "several-sticky", full: true, clients: 2, run: func(s *session) {
		j := spec{group: "ephemeral_disk {\nsticky = true\n}"}
		s.deploy(j)
		first := s.alloc("g[0]").NodeID
		for range 3 {
			j.script += "true;"
			s.deploy(spec{group: j.group, script: j.script + sleeps})
		}
		s.say("same node: %t", s.alloc("g[0]").NodeID == first)
	}},
	{name: "several-system-rolling", full: true, clients: 2, run: func(s *session) {
		s.deploy(spec{kind: "system"})
		s.deploy(spec{kind: "system", script: "exec sleep 1001"})
	}},
	{name: "several-system-one-of-two-canaries", full: true, clients: 2, run: func(s *session) {
		s.deploy(spec{kind: "system", update: `canary = 50`})
		s.register(spec{kind: "system", update: `canary = 50`, script: "exec sleep 1001"})
		s.untilHealthy("g", 1)
		s.promote()
		s.untilDeployment("successful")
	}},
	{name: "several-system-on-one-node", full: true, clients: 2, run: func(s *session) {
		s.deploy(spec{kind: "system", group: constraint("${node.unique.id}", "=", s.firstNode())})
		s.sayWhetherFirst()
		s.deploy(spec{kind: "system"})
		s.sayPlaces()
	}},
	{name: "several-system-while-one-is-ineligible", full: true, differs: "a deployment that is over keeps its figures; Nomad goes on counting the nodes that it wants", clients: 2, run: func(s *session) {
		s.eligibility(s.firstNode(), false)
		s.deploy(spec{kind: "system"})
		s.look()
		s.eligibility(s.firstNode(), true)
		s.untilAllocs(2, "running")
	}},
	{name: "several-sysbatch-on-a-later-node", full: true, clients: 2, run: func(s *session) {
		s.eligibility(s.firstNode(), false)
		s.register(spec{kind: "sysbatch", script: "exit 0"})
		s.untilAllocs(1, "complete")
		s.look()
		s.eligibility(s.firstNode(), true)
		s.settle()
		s.evaluate(false)
	}},
	{name: "several-batch-on-both", full: true, clients: 2, run: func(s *session) {
		s.register(spec{kind: "batch", count: 4, script: "exit 0"})
		s.untilAllocs(4, "complete")
	}},
	{name: "several-rolling-with-distinct-hosts", full: true, clients: 2, run: func(s *session) {
		j := spec{count: 2, group: "constraint {\noperator = \"distinct_hosts\"\nvalue = \"true\"\n}"}
		s.deploy(j)
		j.script = "exec sleep 1001"
		s.deploy(j)
		s.sayPlaces()
	}},
	{name: "several-canary-with-distinct-hosts", full: true, clients: 2, run: func(s *session) {
		j := spec{count: 2, update: `canary = 1`, group: "constraint {\noperator = \"distinct_hosts\"\nvalue = \"true\"\n}"}
		s.deploy(j)
		j.script = "exec sleep 1001"
		s.register(j)
		s.untilBlocked()
		s.look()
		s.stop(false)
		s.untilJob("dead")
	}},
	{name: "several-failed-and-a-canary-without-place", full: true, clients: 2, run: func(s *session) {
		j := spec{count: 2, update: `canary = 1`, script: "while ! [ -e $NOMAD_ALLOC_DIR/end ]; do sleep 0.1; done; exit 3"}
		s.deploy(j)
		for _, stub := range s.allocs("running") {
			a, _, err := s.client.Allocations().Info(stub.ID, nil)
			s.check(err)
			s.check(s.client.Allocations().Signal(a, nil, "t", "SIGKILL"))
		}
		s.untilAllocs(2, "failed")
		j.group, j.script = nowhere, "exec sleep 1001"
		s.register(j)
		s.settle()
		s.look()
		s.fail()
		s.settle()
	}},
}

// nodeIDs are those of the engine's nodes, in the order of their names.
func (s *session) nodeIDs() []string {
	list, _, err := s.client.Nodes().List(nil)
	s.check(err)
	slices.SortFunc(list, func(a, b *api.NodeListStub) int { return strings.Compare(a.Name, b.Name) })
	var ids []string
	for _, stub := range list {
		ids = append(ids, stub.ID)
	}
	return ids
}

func (s *session) firstNode() string { return s.nodeIDs()[0] }

// places counts what is to run on each node.
func (s *session) places() map[string]int {
	found := map[string]int{}
	for _, stub := range s.stubs(s.job) {
		if stub.DesiredStatus == api.AllocDesiredStatusRun && stub.ClientStatus == api.AllocClientStatusRunning {
			found[stub.NodeID]++
		}
	}
	return found
}

func (s *session) sayPlaces() {
	s.say("on the nodes: %v", slices.Sorted(maps.Values(s.places())))
}

func (s *session) sayWhetherFirst() {
	s.say("on the first node: %t", s.places()[s.firstNode()] > 0)
}

func (s *session) eligibility(id string, is bool) {
	_, err := s.client.Nodes().ToggleEligibility(id, is, nil)
	s.reply("eligibility", err)
}

// drainNode drains one of the nodes and waits until nothing of the job runs there.
func (s *session) drainNode(id string, spec *api.DrainSpec) {
	s.Helper()
	_, err := s.client.Nodes().UpdateDrain(id, spec, false, nil)
	s.reply("drain", err)
	s.until("the node is empty", func() bool { return s.places()[id] == 0 })
}
