package httpapi

import (
	"cmp"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/hashicorp/nomad/api"
)

// variable stands for whatever it will be.
var variable = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\$\{[^}]*\}`) })

// isServiceName reports whether name is a label of a host name (RFC 1123), which may hold variables.
func isServiceName(name string) bool {
	const allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-"
	label := variable().ReplaceAllString(name, "x")
	return label != "" && len(label) <= 63 && label[0] != '-' && label[len(label)-1] != '-' && strings.Trim(label, allowed) == ""
}

// validateServices checks that the services of a group and its tasks agree on
// where they are registered and can be told apart.
func validateServices(group *api.TaskGroup) error {
	p := &problems{}
	providers, seen := map[string]bool{}, map[string]bool{}
	var twice []string
	note := func(s *api.Service, owner string) {
		providers[s.Provider] = true
		id := owner + "->" + s.Name
		if s.PortLabel != "" {
			id += ":" + s.PortLabel
		}
		if seen[id] && !slices.Contains(twice, id) {
			twice = append(twice, id)
		}
		seen[id] = true
	}
	for _, task := range group.Tasks {
		for _, s := range task.Services {
			p.refuse(s.TaskName != task.Name, "Service %s is invalid: may only specify task the service belongs to, got %q", s.Name, s.TaskName)
			for _, c := range s.Checks {
				p.refuse(c.TaskName != task.Name, "Check %s is invalid: may only specify task the check belongs to, got %q", c.Name, c.TaskName)
			}
			note(s, task.Name)
		}
	}
	for i, s := range group.Services {
		note(s, "group")
		if err := validateService(s); err != nil {
			p.within(err, "Service[%d] %s validation failed", i, s.Name)
			continue
		}
		validateGroupService(p, group, s)
	}
	p.refuse(len(twice) > 0, "Services are not unique: [%s]", strings.Join(twice, ", "))
	p.refuse(len(providers) > 1, "Multiple service providers used: task group services must use the same provider")
	return p.err()
}

// validateGroupService checks what only a service of a group may not have.
func validateGroupService(p *problems, group *api.TaskGroup, s *api.Service) {
	p.refuse(s.AddressMode == addressDriver,
		"service %q cannot use address_mode=\"driver\", only services defined in a \"task\" block can use this mode", s.Name)
	for _, c := range s.Checks {
		if c.TaskName == "" {
			continue
		}
		p.refuse(c.AddressMode == addressDriver,
			"Check %q invalid: cannot use address_mode=\"driver\", only checks defined in a \"task\" service block can use this mode", s.Name)
		p.refuse(lookupTask(group, c.TaskName) == nil, "Check %s invalid: refers to non-existent task %s", c.Name, c.TaskName)
	}
}

// validateScriptChecks demands that a script knows its task.
func validateScriptChecks(group *api.TaskGroup) error {
	p := &problems{}
	for _, s := range group.Services {
		for _, c := range s.Checks {
			p.refuse(s.TaskName == "" && c.Type == "script" && c.TaskName == "",
				"Service [%s]->%s or Check %s must specify task parameter", *group.Name, s.Name, c.Name)
		}
	}
	return p.err()
}

// The ways to tell the address of a service. (Nomad.)
const (
	addressAuto      = "auto"
	addressHost      = "host"
	addressDriver    = "driver"
	addressAlloc     = "alloc"
	addressAllocIPv6 = "alloc_ipv6"
)

// taskServices holds what the services of a task refer to.
type taskServices struct {
	*problems
	// ports are the names of services by the label of the port.
	ports map[string]map[string]bool
}

func validateTaskServices(group *api.TaskGroup, task *api.Task) error {
	v := taskServices{&problems{}, map[string]map[string]bool{}}
	known := map[string]bool{}
	for i, s := range task.Services {
		v.within(validateService(s), "service[%d] %+q validation failed", i, s.Name)
		for _, mode := range []string{addressAlloc, addressAllocIPv6} {
			v.refuse(s.AddressMode == mode,
				"service %q cannot use address_mode=%q, only services defined in a \"group\" block can use this mode", s.Name, mode)
		}
		v.refuse(known[s.Name+s.PortLabel], "service %q is duplicate", s.Name)
		known[s.Name+s.PortLabel] = true
		if _, err := strconv.Atoi(s.PortLabel); s.PortLabel != "" && (s.AddressMode != addressDriver || err != nil) {
			v.refer(s.PortLabel, s.Name)
		}
		v.refuse(s.Connect != nil, "service %q cannot have \"connect\" block, only services defined in a \"group\" block can", s.Name)
		v.checks(s)
	}
	labels := portLabels(group, task)
	for _, label := range slices.Sorted(maps.Keys(v.ports)) {
		services := strings.Join(slices.Sorted(maps.Keys(v.ports[label])), ", ")
		v.refuse(!labels[label], "port label %q referenced by services %v does not exist", label, services)
	}
	return v.err()
}

func (v taskServices) refer(label, service string) {
	if v.ports[label] == nil {
		v.ports[label] = map[string]bool{}
	}
	v.ports[label][service] = true
}

// checks checks the names and the ports of the checks of a service.
func (v taskServices) checks(s *api.Service) {
	known := map[string]bool{}
	for _, c := range s.Checks {
		v.refuse(known[c.Name], "check %q is duplicate", c.Name)
		known[c.Name] = true
		for _, mode := range []string{addressAlloc, addressAllocIPv6} {
			v.refuse(c.AddressMode == mode,
				"check %q cannot use address_mode=%q, only checks defined in a \"group\" service block can use this mode", s.Name, mode)
		}
		if !needsPort(&c) {
			continue
		}
		port := cmp.Or(c.PortLabel, s.PortLabel)
		number, err := strconv.Atoi(port)
		switch {
		case port == "":
			v.refuse(true, "check %q is missing a port", c.Name)
		case err == nil && c.AddressMode == addressDriver:
			v.refuse(number <= 0, "check %q has invalid numeric port %d", c.Name, number)
		case err == nil:
			v.refuse(true, "check %q cannot use a numeric port %d without setting address_mode=\"driver\"", c.Name, number)
		default:
			v.refer(port, s.Name)
		}
	}
}

// portLabels are the labels of ports that a task may refer to.
func portLabels(group *api.TaskGroup, task *api.Task) map[string]bool {
	labels := map[string]bool{}
	for _, network := range slices.Concat(group.Networks[:min(len(group.Networks), 1)], task.Resources.Networks) {
		for _, port := range slices.Concat(network.ReservedPorts, network.DynamicPorts) {
			labels[port.Label] = true
		}
	}
	return labels
}

func validateService(s *api.Service) error {
	p := &problems{}
	p.refuse(!isServiceName(s.Name),
		"Service name must be valid per RFC 1123 and can contain only alphanumeric characters or dashes and must be no longer than 63 characters: %q", s.Name)
	switch s.AddressMode {
	case "", addressAuto:
	case addressHost, addressDriver, addressAlloc, addressAllocIPv6:
		p.refuse(s.Address != "", "Service address_mode must be %q if address is set", addressAuto)
	default:
		p.refuse(true, "Service address_mode must be %q, %q, or %q; not %q", addressAuto, addressHost, addressDriver, s.AddressMode)
	}
	p.refuse(!slices.Contains(onUpdates, s.OnUpdate), "Service on_update must be %q, %q, or %q; not %q",
		requireHealthy, ignoreWarnings, ignoreChecks, s.OnUpdate)
	switch s.Provider {
	case "consul":
		validateConsulService(p, s)
	case "nomad":
		for _, c := range s.Checks {
			if !checkPort(p, s, &c) {
				p.all(validateNomadCheck(&c))
			}
		}
		p.refuse(s.Connect != nil, "Service with provider nomad cannot include Connect blocks")
	default:
		p.refuse(true, "Service provider must be %q, or %q; not %q", "consul", "nomad", s.Provider)
	}
	p.refuse(s.Identity != nil && len(s.Identity.Audience) == 0, "Service identity must provide at least one target aud value")
	return p.err()
}

func validateConsulService(p *problems, s *api.Service) {
	for _, c := range s.Checks {
		sidecar := s.Connect != nil && s.Connect.SidecarService != nil
		switch {
		case checkPort(p, s, &c):
		case c.Type == "tcp" && sidecar:
			p.refuse(true, "Check %s invalid: tcp checks are not valid for Connect enabled services", c.Name)
		default:
			p.within(validateConsulCheck(&c), "Check %s invalid", c.Name)
		}
	}
	kinds := []string{"", "api-gateway", "ingress-gateway", "mesh-gateway", "terminating-gateway"}
	p.refuse(!slices.Contains(kinds, s.Kind), "Service %s kind must be one of consul service kind or empty", s.Name)
	if s.Connect != nil && s.Connect.Native {
		p.refuse(s.TaskName == "", "Service %s is Connect Native and requires setting the task", s.Name)
		p.refuse(s.PortLabel == "", "Service %s is Connect Native and requires setting the port", s.Name)
	}
}

// checkPort refuses a check that needs a port and has none.
func checkPort(p *problems, s *api.Service, c *api.ServiceCheck) bool {
	missing := s.PortLabel == "" && c.PortLabel == "" && needsPort(c)
	p.refuse(missing, "Check %s invalid: check requires a port but neither check nor service %+q have a port", c.Name, s.Name)
	return missing
}

func needsPort(c *api.ServiceCheck) bool {
	return c.Type == "http" || c.Type == "tcp" || c.Type == "grpc"
}
