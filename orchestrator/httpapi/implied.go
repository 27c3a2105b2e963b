package httpapi

import (
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/nomad/api"
)

// addImpliedConstraints demands of a node what the job needs without saying so.
// (Nomad: the constraints, and their order.)
func addImpliedConstraints(job *api.Job) {
	providers := secretProviders(job)
	for _, group := range job.TaskGroups {
		if slices.ContainsFunc(group.Tasks, func(t *api.Task) bool { return t.Vault != nil }) {
			require(group, "${attr.vault.version}", ">= 0.6.1", api.ConstraintSemver)
		}
		for _, provider := range providers {
			require(group, "${attr.plugins.secrets."+provider+".version}", "", "is_set")
		}
		if signals := requiredSignals(group); len(signals) > 0 {
			require(group, "${attr.os.signals}", strings.Join(signals, ","), api.ConstraintSetContains)
		}
		requireDiscovery(group)
		if slices.ContainsFunc(group.Networks, func(n *api.NetworkResource) bool { return n.Mode == "bridge" }) {
			for _, plugin := range []string{"bridge", "firewall", "host-local", "loopback", "portmap"} {
				require(group, "${attr.plugins.cni.version."+plugin+"}", ">= 0.4.0", api.ConstraintSemver)
			}
		}
		if hasIdentities(group) {
			require(group, "${attr.nomad.version}", ">= 1.7.0-a", api.ConstraintSemver)
		}
	}
}

// hasIdentities tells whether a node has to make more than the default identity.
func hasIdentities(group *api.TaskGroup) bool {
	own := func(s *api.Service) bool { return s.Identity != nil }
	return slices.ContainsFunc(group.Services, own) || slices.ContainsFunc(group.Tasks, func(t *api.Task) bool {
		return len(t.Identities) > 0 || slices.ContainsFunc(t.Services, own)
	})
}

// secretProviders are where the tasks of a job get their secrets from, sorted.
// (Nomad: each group demands those of all.)
func secretProviders(job *api.Job) []string {
	providers := map[string]bool{}
	for _, group := range job.TaskGroups {
		for _, task := range group.Tasks {
			for _, secret := range task.Secrets {
				providers[secret.Provider] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(providers))
}

// require adds a constraint unless the group has it.
func require(group *api.TaskGroup, left, right, operator string) {
	for _, c := range group.Constraints {
		if c.LTarget == left && c.RTarget == right && c.Operand == operator {
			return
		}
	}
	group.Constraints = append(group.Constraints, api.NewConstraint(left, operator, right))
}

// requireDiscovery demands what the services of a group are registered with.
func requireDiscovery(group *api.TaskGroup) {
	services := slices.Clone(group.Services)
	for _, task := range group.Tasks {
		services = append(services, task.Services...)
	}
	native := func(s *api.Service) bool { return s.Provider == "nomad" }
	checked := func(s *api.Service) bool { return native(s) && len(s.Checks) > 0 }
	if slices.ContainsFunc(services, native) {
		require(group, "${attr.nomad.service_discovery}", "true", "=")
	}
	if slices.ContainsFunc(services, checked) {
		require(group, "${attr.nomad.version}", ">= 1.4.0", api.ConstraintSemver)
	}
	if slices.ContainsFunc(services, func(s *api.Service) bool { return !native(s) }) {
		require(group, "${attr.consul.version}", ">= 1.8.0", api.ConstraintSemver)
	}
}

// requiredSignals are the signals that the tasks of a group may be sent, sorted.
func requiredSignals(group *api.TaskGroup) []string {
	var signals []string
	for _, task := range group.Tasks {
		signals = append(signals, task.KillSignal)
		if v := task.Vault; v != nil && v.ChangeSignal != nil {
			signals = append(signals, *v.ChangeSignal)
		}
		for _, t := range task.Templates {
			if t.ChangeMode != nil && *t.ChangeMode == "signal" && t.ChangeSignal != nil {
				signals = append(signals, *t.ChangeSignal)
			}
		}
	}
	slices.Sort(signals)
	signals = slices.Compact(signals)
	return slices.DeleteFunc(signals, func(s string) bool { return s == "" })
}
