package conformance

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/nomad/api"
)

// tables is about what is no job: namespaces, variables, node pools.
var tables = []scenario{
	{name: "namespaces", alone: true, run: func(s *session) {
		ns := s.client.Namespaces()
		put := func(n api.Namespace) {
			_, err := ns.Register(&n, nil)
			s.reply("register "+n.Name, err)
		}
		put(api.Namespace{Name: "apps", Description: "what runs", Meta: map[string]string{"a": "1"}})
		put(api.Namespace{Name: "a b"})
		put(api.Namespace{Name: "long", Description: strings.Repeat("x", 257)})
		put(api.Namespace{Name: ""})
		put(api.Namespace{Name: "apps", Description: "something else"})
		put(api.Namespace{Name: "drivers", Capabilities: &api.NamespaceCapabilities{EnabledTaskDrivers: []string{"mock_driver"}, DisabledTaskDrivers: []string{"raw_exec"}}})
		put(api.Namespace{Name: "pools", NodePoolConfiguration: &api.NamespaceNodePoolConfiguration{Default: "default", Allowed: []string{"nope"}}})
		put(api.Namespace{Name: "quota", Quota: "nope"})
		s.sayNamespaces()
		_, err := ns.Delete("default", nil)
		s.reply("delete default", err)
		_, err = ns.Delete("nope", nil)
		s.reply("delete nope", err)
		_, err = ns.Delete("drivers", nil)
		s.reply("delete drivers", err)
		_, _, err = ns.Info("nope", nil)
		s.reply("info", err)
	}},
	{name: "job-of-a-namespace", alone: true, run: func(s *session) {
		_, err := s.client.Namespaces().Register(&api.Namespace{Name: "apps"}, nil)
		s.check(err)
		inApps := &api.QueryOptions{Namespace: "apps"}
		s.register(spec{job: `namespace = "apps"`})
		s.until("it is deployed", func() bool {
			d, _, err := s.client.Jobs().LatestDeployment(s.job, inApps)
			s.check(err)
			return d != nil && d.Status == "successful"
		})
		for _, of := range []string{"default", "apps", "*", "nope"} {
			jobs, _, err := s.client.Jobs().List(&api.QueryOptions{Namespace: of})
			s.reply("jobs of "+of, err)
			allocs, _, err := s.client.Allocations().List(&api.QueryOptions{Namespace: of})
			s.reply("allocs of "+of, err)
			s.say("%s: %d jobs, %d allocations", of, len(jobs), len(allocs))
		}
		_, err = s.client.Namespaces().Delete("apps", nil)
		s.reply("delete", err)
		s.deploy(spec{})
		_, _, err = s.client.Jobs().Deregister(s.job, false, &api.WriteOptions{Namespace: "apps"})
		s.check(err)
		s.until("it has ended", func() bool {
			list, _, err := s.client.Jobs().Allocations(s.job, true, inApps)
			s.check(err)
			return len(list) == 1 && ended(list[0])
		})
		_, err = s.client.Namespaces().Delete("apps", nil)
		s.reply("delete", err)
		_, _, err = s.client.Jobs().Deregister(s.job, true, &api.WriteOptions{Namespace: "apps"})
		s.check(err)
		_, err = s.client.Namespaces().Delete("apps", nil)
		s.reply("delete", err)
	}},
	{name: "namespace-that-lacks-a-driver", alone: true, run: func(s *session) {
		_, err := s.client.Namespaces().Register(&api.Namespace{Name: "apps", Capabilities: &api.NamespaceCapabilities{
			DisabledTaskDrivers: []string{"raw_exec"}, DisabledNetworkModes: []string{"host"}}}, nil)
		s.check(err)
		s.register(spec{job: `namespace = "apps"`})
		s.register(spec{job: `namespace = "apps"`, task: `driver = "mock_driver"`, config: `run_for = "1h"`, group: "network {\nmode = \"host\"\n}"})
	}},
	{name: "variables", alone: true, run: func(s *session) {
		s.putVar("app/a", map[string]string{"k": "v"})
		s.putVar("app/a", map[string]string{"k": "w", "more": "x"})
		s.putVar("app/b", map[string]string{})
		s.putVar("", map[string]string{"k": "v"})
		s.putVar("a b", map[string]string{"k": "v"})
		s.putVar("nomad/x", map[string]string{"k": "v"})
		s.putVar("nomad/jobs", map[string]string{"k": "v"})
		s.putVar("nomad/jobs/web/g/t", map[string]string{"k": "v"})
		s.putVar("nomad/jobs/web/g/t/x", map[string]string{"k": "v"})
		s.putVar("nomad/job-templates/x", map[string]string{"k": "v"})
		s.putVar("@", map[string]string{"k": "v"})
		s.putVar("big", map[string]string{"k": strings.Repeat("x", 65<<10)})
		s.putVar(strings.Repeat("x", 129), map[string]string{"k": "v"})
		s.sayVar("app/a")
		s.sayVar("nope")
		for _, prefix := range []string{"", "app", "nope"} {
			list, _, err := s.client.Variables().PrefixList(prefix, nil)
			s.check(err)
			text := fmt.Sprintf("under %q:", prefix)
			for _, v := range list {
				text += fmt.Sprintf(" %s/%s", v.Namespace, v.Path)
			}
			s.say("%s", text)
		}
		_, err := s.client.Variables().Delete("nope", nil)
		s.reply("delete nope", err)
		_, err = s.client.Variables().Delete("app/a", nil)
		s.reply("delete", err)
		s.sayVar("app/a")
	}},
	{name: "variables-that-are-checked", alone: true, run: func(s *session) {
		vars := s.client.Variables()
		first, _, err := vars.CheckedCreate(&api.Variable{Path: "x", Items: api.VariableItems{"a": "1"}}, nil)
		s.check(err)
		_, _, err = vars.CheckedCreate(&api.Variable{Path: "x", Items: api.VariableItems{"a": "2"}}, nil)
		s.conflict("create again", err)
		second := &api.Variable{Path: "x", Items: api.VariableItems{"a": "3"}, ModifyIndex: first.ModifyIndex}
		_, _, err = vars.CheckedUpdate(second, nil)
		s.conflict("update", err)
		_, _, err = vars.CheckedUpdate(second, nil)
		s.conflict("update again", err)
		_, err = vars.CheckedDelete("x", first.ModifyIndex, nil)
		s.conflict("delete", err)
		_, err = vars.CheckedDelete("nope", 17, nil)
		s.conflict("delete nope", err)
		_, _, err = vars.CheckedUpdate(&api.Variable{Path: "nope", Items: api.VariableItems{"a": "3"}, ModifyIndex: 17}, nil)
		s.conflict("update nope", err)
		now, _, err := vars.Read("x", nil)
		s.check(err)
		_, err = vars.CheckedDelete("x", now.ModifyIndex, nil)
		s.conflict("delete", err)
		s.sayVar("x")
	}},
	{name: "variables-that-are-locked", alone: true, run: func(s *session) {
		vars := s.client.Variables()
		for _, lock := range []*api.VariableLock{{TTL: "1s"}, {TTL: "48h"}, {TTL: "nope"}, {TTL: "15s", LockDelay: "-1s"}, {TTL: "15s", LockDelay: "1h"}, {ID: "nope", TTL: "15s"}} {
			_, _, err := vars.AcquireLock(&api.Variable{Path: "bad", Lock: lock}, nil)
			s.conflict(fmt.Sprintf("acquire with %v", *lock), err)
		}
		held, _, err := vars.AcquireLock(&api.Variable{Path: "x", Items: api.VariableItems{"a": "1"}, Lock: &api.VariableLock{TTL: "30m", LockDelay: "1s"}}, nil)
		s.check(err)
		s.say("held: %t, TTL %s, delay %s", held.Lock.ID != "", held.Lock.TTL, held.Lock.LockDelay)
		_, _, err = vars.AcquireLock(&api.Variable{Path: "x", Lock: &api.VariableLock{TTL: "30m", LockDelay: "1s"}}, nil)
		s.conflict("acquire again", err)
		s.putVar("x", map[string]string{"a": "2"})
		_, err = vars.Delete("x", nil)
		s.conflict("delete", err)
		_, _, err = vars.RenewLock(&api.Variable{Path: "x", Lock: &api.VariableLock{ID: "00000000-0000-0000-0000-000000000000"}}, nil)
		s.conflict("renew another", err)
		renewed, _, err := vars.RenewLock(held, nil)
		s.conflict("renew", err)
		s.say("renewed: the same %t", renewed != nil && renewed.Lock.ID == held.Lock.ID)
		_, _, err = vars.Update(&api.Variable{Path: "x", Items: api.VariableItems{"a": "3"}, Lock: held.Lock}, nil)
		s.conflict("update with the lock", err)
		s.sayVar("x")
		_, _, err = vars.ReleaseLock(&api.Variable{Path: "x", Lock: &api.VariableLock{ID: "00000000-0000-0000-0000-000000000000"}}, nil)
		s.conflict("release another", err)
		_, _, err = vars.ReleaseLock(held, nil)
		s.conflict("release", err)
		_, _, err = vars.ReleaseLock(held, nil)
		s.conflict("release again", err)
		_, _, err = vars.RenewLock(held, nil)
		s.conflict("renew what is released", err)
		_, _, err = vars.RenewLock(&api.Variable{Path: "nope", Lock: held.Lock}, nil)
		s.conflict("renew nope", err)
		s.sayVar("x")
	}},
	{name: "lock-that-runs-out", full: true, alone: true, run: func(s *session) {
		held, _, err := s.client.Variables().AcquireLock(&api.Variable{Path: "x", Lock: &api.VariableLock{TTL: "10s", LockDelay: "1s"}}, nil)
		s.check(err)
		s.until("it has run out", func() bool {
			v, _, err := s.client.Variables().Read("x", nil)
			s.check(err)
			return v.Lock == nil
		})
		_, _, err = s.client.Variables().RenewLock(held, nil)
		s.conflict("renew", err)
		s.sayVar("x")
	}},
	{name: "node-pools", alone: true, run: func(s *session) {
		pools := s.client.NodePools()
		put := func(p api.NodePool) {
			_, err := pools.Register(&p, nil)
			s.reply("register "+p.Name, err)
		}
		put(api.NodePool{Name: "gpu", Description: "fast", Meta: map[string]string{"a": "1"}})
		put(api.NodePool{Name: "a b"})
		put(api.NodePool{Name: "all", Description: "mine"})
		put(api.NodePool{Name: "default", Description: "mine"})
		put(api.NodePool{Name: "long", Description: strings.Repeat("x", 257)})
		put(api.NodePool{Name: "ttl", NodeIdentityTTL: time.Second})
		list, _, err := pools.List(nil)
		s.check(err)
		for _, p := range list {
			s.say("pool %s: %s %v, scheduler %t", p.Name, p.Description, p.Meta, p.SchedulerConfiguration != nil)
		}
		_, _, err = pools.Info("nope", nil)
		s.reply("info", err)
		for _, name := range []string{"nope", "all", "default"} {
			_, err = pools.Delete(name, nil)
			s.reply("delete "+name, err)
		}
		s.register(spec{job: `node_pool = "gpu"`})
		s.untilBlocked()
		jobs, _, err := pools.ListJobs("gpu", nil)
		s.check(err)
		nodes, _, err := pools.ListNodes("gpu", nil)
		s.check(err)
		s.say("gpu: %d jobs, %d nodes", len(jobs), len(nodes))
		_, _, err = pools.ListNodes("nope", nil)
		s.reply("nodes of nope", err)
		_, err = pools.Delete("gpu", nil)
		s.reply("delete gpu", err)
		s.look()
		s.register(spec{job: `node_pool = "all"`})
		s.untilDeployment("successful")
		_, err = pools.Delete("gpu", nil)
		s.reply("delete gpu", err)
	}},
	{name: "scheduler-configuration", alone: true, run: func(s *session) {
		op := s.client.Operator()
		say := func() {
			reply, _, err := op.SchedulerGetConfiguration(nil)
			s.check(err)
			c := reply.SchedulerConfig
			s.say("%s, oversubscription %t, rejects %t, paused %t, preemption %+v", c.SchedulerAlgorithm, c.MemoryOversubscriptionEnabled,
				c.RejectJobRegistration, c.PauseEvalBroker, c.PreemptionConfig)
		}
		say()
		_, _, err := op.SchedulerSetConfiguration(&api.SchedulerConfiguration{SchedulerAlgorithm: "nope"}, nil)
		s.reply("set", err)
		reply, _, err := op.SchedulerCASConfiguration(&api.SchedulerConfiguration{SchedulerAlgorithm: "spread", ModifyIndex: 1 << 40}, nil)
		s.reply("set at another index", err)
		s.say("updated %t", reply != nil && reply.Updated)
		_, _, err = op.SchedulerSetConfiguration(&api.SchedulerConfiguration{SchedulerAlgorithm: "spread", MemoryOversubscriptionEnabled: true, RejectJobRegistration: true}, nil)
		s.reply("set", err)
		say()
		s.register(spec{})
	}},
	{name: "memory-beyond-the-reserved", full: true, alone: true, run: func(s *session) {
		s.register(undeployed(spec{resources: "memory_max = 20"}))
		s.untilAllocs(1, "running")
		_, _, err := s.client.Operator().SchedulerSetConfiguration(&api.SchedulerConfiguration{SchedulerAlgorithm: "binpack", MemoryOversubscriptionEnabled: true}, nil)
		s.check(err)
		s.register(undeployed(spec{resources: "memory_max = 30"}))
		s.until("it is replaced", func() bool { return len(s.allocs("running")) == 1 && s.ended("g[0]") })
		for _, stub := range s.allocs("running") {
			a, _, err := s.client.Allocations().Info(stub.ID, nil)
			s.check(err)
			s.say("memory %d, at most %d", a.AllocatedResources.Tasks["t"].Memory.MemoryMB, a.AllocatedResources.Tasks["t"].Memory.MemoryMaxMB)
		}
	}},
}

func (s *session) sayNamespaces() {
	list, _, err := s.client.Namespaces().List(nil)
	s.check(err)
	for _, n := range list {
		text := fmt.Sprintf("namespace %s: %q %v", n.Name, n.Description, n.Meta)
		if c := n.Capabilities; c != nil {
			text += fmt.Sprintf(", drivers %v, not %v", c.EnabledTaskDrivers, c.DisabledTaskDrivers)
		}
		if p := n.NodePoolConfiguration; p != nil {
			text += fmt.Sprintf(", pool %s of %v", p.Default, p.Allowed)
		}
		s.say("%s", text)
	}
}

// putVar writes a variable unchecked.
func (s *session) putVar(path string, items map[string]string) {
	_, _, err := s.client.Variables().Update(&api.Variable{Path: path, Items: items}, nil)
	s.conflict("put "+path, err)
}

func (s *session) sayVar(path string) {
	v, _, err := s.client.Variables().Read(path, nil)
	s.reply("read "+path, err)
	if err == nil {
		s.say("%s: %v, locked %t, written once %t", v.Path, map[string]string(v.Items), v.Lock != nil, v.CreateIndex == v.ModifyIndex)
	}
}

// conflict adds what a write of a variable was answered, with what stands in its way.
func (s *session) conflict(what string, err error) {
	var cas api.ErrCASConflict
	if errors.As(err, &cas) {
		s.say("%s: conflict with %s, index 0 %t, %d items, locked %t", what, cas.Conflict.Path, cas.Conflict.ModifyIndex == 0, len(cas.Conflict.Items), cas.Conflict.Lock != nil)
		return
	}
	if err == nil {
		s.say("%s: done", what)
	}
	s.reply(what, err)
}
