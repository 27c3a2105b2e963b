package httpapi

import (
	"fmt"
	"regexp"
	"slices"
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
		id := fmt.Sprintf("%s->%s:%s", owner, s.Name, s.PortLabel)
		if seen[id] {
			twice = append(twice, id)
		}
		seen[id] = true
	}
	for _, task := range group.Tasks {
		for _, s := range task.Services {
			p.refuse(s.TaskName != task.Name, "Service %s is invalid: may only specify task the service belongs to, got %q", s.Name, s.TaskName)
			note(s, task.Name)
		}
	}
	for i, s := range group.Services {
		p.within(validateService(s), "Service[%d] %s validation failed", i, s.Name)
		note(s, "group")
	}
	p.refuse(len(twice) > 0, "Services are not unique: [%s]", strings.Join(twice, ", "))
	p.refuse(len(providers) > 1, "Multiple service providers used: task group services must use the same provider")
	return p.err()
}

func validateTaskServices(task *api.Task) error {
	p := &problems{}
	for i, s := range task.Services {
		p.within(validateService(s), "service[%d] %q validation failed", i, s.Name)
	}
	return p.err()
}

func validateService(s *api.Service) error {
	p := &problems{}
	p.refuse(!isServiceName(s.Name),
		"Service name must be valid per RFC 1123 and can contain only alphanumeric characters or dashes and must be no longer than 63 characters: %q", s.Name)
	p.refuse(s.Provider != "nomad" && s.Provider != "consul", "Service provider must be %q, or %q; not %q", "consul", "nomad", s.Provider)
	for _, c := range s.Checks {
		kinds := []string{"grpc", "http", "script", "tcp"}
		if s.Provider == "nomad" {
			kinds = []string{"tcp", "http"}
		}
		if !slices.Contains(kinds, c.Type) {
			p.refuse(true, "invalid check type (%q), must be one of %s", c.Type, strings.Join(kinds, ", "))
			continue
		}
		p.refuse(c.Type == "http" && c.Path == "", "http type must have http path")
		p.refuse(c.Interval <= 0, "missing required value interval. Interval cannot be less than 1s")
		p.refuse(c.Timeout <= 0, "missing required value timeout. Timeout cannot be less than 1s")
	}
	return p.err()
}
