package runner

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"reflect"
	"slices"
	"strconv"
	"time"

	"github.com/hashicorp/nomad/api"
)

// Where services are registered.
const (
	providerNomad  = "nomad"
	providerConsul = "consul" // the default
)

// A registration is one service of an allocation as it stands in a catalogue.
type registration struct {
	api.ServiceRegistration
	provider string // "nomad" or "consul"
	task     string // "" for a service of the group
	host     string // as the job names it; "" for that of the node
	checks   []check

	// What only Consul is told.
	kind     string
	meta     map[string]string
	tagged   map[string]string // tagged_addresses, with a port or without
	weights  *api.ServiceWeights
	override bool // enable_tag_override: whoever changes the tags in Consul wins
}

const serviceIDPrefix = "_nomad-task-"

// serviceID names a registration (Nomad: _nomad-task-ALLOC-WORKLOAD-NAME-PORT).
func serviceID(allocID, group, task string, s *api.Service) string {
	return fmt.Sprintf(serviceIDPrefix+"%s-%s-%s-%s", allocID, cmp.Or(task, "group-"+group), s.Name, s.PortLabel)
}

// interpolated is a service with `${...}` replaced.
func interpolated(s *api.Service, env taskEnv) *api.Service {
	c := *s
	c.Name, c.PortLabel, c.Address = env.replace(s.Name), env.replace(s.PortLabel), env.replace(s.Address)
	c.Tags, c.CanaryTags = replaceList(env, s.Tags), replaceList(env, s.CanaryTags)
	c.Meta, c.CanaryMeta = replaceMap(env, s.Meta), replaceMap(env, s.CanaryMeta)
	c.TaggedAddresses = replaceMap(env, s.TaggedAddresses)
	return &c
}

func replaceList(env taskEnv, list []string) []string {
	all := make([]string, len(list))
	for i, s := range list {
		all[i] = env.replace(s)
	}
	return all
}

func replaceMap(env taskEnv, m map[string]string) map[string]string {
	all := make(map[string]string, len(m))
	for key, value := range m {
		all[env.replace(key)] = env.replace(value)
	}
	return all
}

// refreshServices finds out what is to be registered now, and has a change reported. The caller holds mu.
func (a *alloc) refreshServices() {
	now := []*registration{}
	if group := a.group(); group != nil {
		now = append(now, a.registrations(group, &api.Task{}, group.Services)...)
		for _, t := range group.Tasks {
			now = append(now, a.registrations(group, t, t.Services)...)
		}
	}
	if a.services != nil && reflect.DeepEqual(a.services, now) {
		return
	}
	a.services, a.settled = now, time.Time{}
	a.runner.markDirty(a.id)
	a.runner.consulChanged()
}

// registrations are those services of a task, or with an empty one of the group, that others may use now: its task runs
// and is not about to end, and its checks have passed once. Nomad lists an instance before it can answer, and keeps it
// while its task is down. The caller holds mu.
func (a *alloc) registrations(group *api.TaskGroup, task *api.Task, services []*api.Service) []*registration {
	if len(services) == 0 || a.killed || !a.serves(task.Name) {
		return nil
	}
	if t := a.tasks[task.Name]; t != nil && (t.kill.Err() != nil || t.restarting || t.failing) {
		return nil
	}
	all := a.described(group, task, services)
	return slices.DeleteFunc(all, func(r *registration) bool { return !a.ready(r, r.ServiceName) })
}

// described are the services of a task, or with an empty one of the group, whether others may use them or not. The caller
// holds mu.
func (a *alloc) described(group *api.TaskGroup, task *api.Task, services []*api.Service) []*registration {
	env := newTaskEnv(a.want, group, task, a.runner.conf.Node, foldersOf(task, a.dir), nil)
	var all []*registration
	for _, spec := range services {
		s := interpolated(spec, env)
		host, port, err := serviceAddress(a.want, s)
		if err != nil {
			a.log.Error("a service is not registered", "service", s.Name, "error", err)
			continue
		}
		r := &registration{
			provider: cmp.Or(s.Provider, providerConsul), task: task.Name, host: host,
			kind: s.Kind, meta: s.Meta, tagged: s.TaggedAddresses, weights: s.Weights, override: s.EnableTagOverride,
		}
		r.ServiceRegistration = api.ServiceRegistration{
			ID: serviceID(a.id, deref(group.Name), task.Name, s), ServiceName: s.Name, Namespace: a.want.Namespace,
			NodeID: a.want.NodeID, Datacenter: a.runner.conf.Node.Datacenter, JobID: a.want.JobID, AllocID: a.id,
			Tags: s.Tags, Address: cmp.Or(host, a.runner.nodeIP()), Port: port,
		}
		if status := a.want.DeploymentStatus; status != nil && status.Canary {
			if len(s.CanaryTags) > 0 {
				r.Tags = s.CanaryTags
			}
			if len(s.CanaryMeta) > 0 {
				r.meta = s.CanaryMeta
			}
		}
		all = append(all, r)
	}
	return all
}

// andOwn adds to what the catalogue has of a service all that this allocation registers sooner or later: to its own
// templates its services come and go with no restart. (Nomad registers those of a group before its tasks start.)
func (a *alloc) andOwn(all []*api.ServiceRegistration, namespace, name string) []*api.ServiceRegistration {
	a.mu.Lock()
	defer a.mu.Unlock()
	group := a.group()
	if group == nil {
		return all
	}
	own := a.described(group, &api.Task{}, group.Services)
	for _, t := range group.Tasks {
		own = append(own, a.described(group, t, t.Services)...)
	}
	all = slices.DeleteFunc(slices.Clone(all), func(r *api.ServiceRegistration) bool { return r.AllocID == a.id })
	for _, r := range own {
		if here := r.provider == providerNomad || a.runner.consul.Load() == nil; here && r.Namespace == namespace && (name == "" || r.ServiceName == name) {
			all = append(all, &r.ServiceRegistration)
		}
	}
	return all
}

// ready collects the checks of a service, and reports whether the required ones have passed once. Consul sees for itself
// what passes. The caller holds mu.
func (a *alloc) ready(r *registration, service string) bool {
	ready := true
	for _, s := range a.sortedChecks() {
		if s.service != service || s.owner != r.task {
			continue
		}
		r.checks = append(r.checks, s.check)
		ready = ready && (s.passed || !s.required())
	}
	return ready || r.provider == providerConsul && a.runner.consul.Load() != nil
}

// catalogue is what the own catalogue gets of the services: those of Consul too, where there is none. nil stands for not
// known yet. The caller holds mu.
func (a *alloc) catalogue() []*api.ServiceRegistration {
	if a.services == nil {
		return nil
	}
	all := []*api.ServiceRegistration{}
	for _, r := range a.services {
		if r.provider == providerNomad || a.runner.consul.Load() == nil {
			c := r.ServiceRegistration
			c.Tags = slices.Clone(r.Tags)
			all = append(all, &c)
		}
	}
	return all
}

// serviceAddress finds what a service is reached at (Nomad: address_mode auto, host, driver, alloc). host is "" for that of
// the node, which Consul knows for itself.
func serviceAddress(alloc *api.Allocation, s *api.Service) (host string, port int, err error) {
	switch mode := cmp.Or(s.AddressMode, "auto"); {
	case mode == "auto" && s.Address != "":
		return customAddress(alloc, s.Address, s.PortLabel)
	case s.Address != "":
		return "", 0, fmt.Errorf("cannot use custom advertise address with %q address mode", mode)
	case mode == "driver":
		return "", 0, errors.New(`cannot use address_mode="driver": no driver network exists`)
	case mode == "alloc" || mode == "alloc_ipv6":
		return "", 0, errors.New(`cannot use address_mode="alloc": no allocation network status reported`)
	}
	if s.PortLabel == "" {
		return onlyIP(alloc), 0, nil
	}
	if p, ok := findPort(alloc, s.PortLabel); ok {
		return p.HostIP, p.Value, nil
	}
	port, err = literalPort(s.PortLabel)
	return "", port, err
}

// onlyIP is the address of the group's network, if it has one network.
func onlyIP(alloc *api.Allocation) string {
	if alloc.AllocatedResources == nil || len(alloc.AllocatedResources.Shared.Networks) != 1 {
		return ""
	}
	return alloc.AllocatedResources.Shared.Networks[0].IP
}

func customAddress(alloc *api.Allocation, address, label string) (string, int, error) {
	if label == "" {
		return address, 0, nil
	}
	if p, ok := findPort(alloc, label); ok {
		return address, p.Value, nil
	}
	port, err := strconv.Atoi(label)
	if err != nil {
		return "", 0, fmt.Errorf("invalid port: %q: not a valid port mapping or numeric port", label)
	}
	return address, port, nil
}

// findPort finds a port of the allocation by its label: of the group's networks, or of a task's own.
func findPort(alloc *api.Allocation, label string) (api.PortMapping, bool) {
	if alloc.AllocatedResources == nil {
		return api.PortMapping{}, false
	}
	for _, p := range alloc.AllocatedResources.Shared.Ports {
		if p.Label == label {
			return p, true
		}
	}
	for _, task := range alloc.AllocatedResources.Tasks {
		for _, network := range task.Networks {
			for _, p := range slices.Concat(network.ReservedPorts, network.DynamicPorts) {
				if p.Label == label {
					return api.PortMapping{Label: label, Value: p.Value, To: p.To, HostIP: network.IP}, true
				}
			}
		}
	}
	return api.PortMapping{}, false
}

func literalPort(label string) (int, error) {
	port, err := strconv.ParseUint(label, 10, 16)
	if err != nil {
		return 0, fmt.Errorf("invalid port %q: port label not found", label)
	}
	if port == 0 {
		return 0, fmt.Errorf("invalid port: %q: port must be >0", label)
	}
	return int(port), nil
}

// nodeIP is where this node is reached.
func (r *Runner) nodeIP() string {
	return cmp.Or(r.conf.Node.Attributes["unique.network.ip-address"], "127.0.0.1")
}

// checkAddress finds where a check asks. allocated is true when the port was given to this allocation alone.
func checkAddress(alloc *api.Allocation, label, host string) (addr string, allocated bool, err error) {
	if p, ok := findPort(alloc, label); ok {
		return net.JoinHostPort(cmp.Or(host, p.HostIP, "127.0.0.1"), strconv.Itoa(p.Value)), host == "", nil
	}
	port, err := literalPort(label)
	return net.JoinHostPort(cmp.Or(host, "127.0.0.1"), strconv.Itoa(port)), false, err
}
