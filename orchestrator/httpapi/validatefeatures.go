package httpapi

import (
	"cmp"
	"strings"

	"github.com/hashicorp/nomad/api"
)

// refuseExposed refuses checks that need a sidecar proxy, and a network that it
// can stand in. (Nomad: the texts.)
func refuseExposed(job *api.Job) error {
	for _, group := range job.TaskGroups {
		for _, s := range group.Services {
			for _, c := range s.Checks {
				if !c.Expose {
					continue
				}
				if err := refuseNetworks(group, "connect expose check", false); err != nil {
					return err
				}
				if s.Connect == nil || s.Connect.SidecarService == nil {
					return textErrorf("exposed service check %s->%s->%s requires use of sidecar_proxy", *group.Name, s.Name, c.Name)
				}
			}
		}
	}
	return nil
}

// refuseNetworks refuses a network in which no proxy can stand. (Nomad: the texts.)
func refuseNetworks(group *api.TaskGroup, what string, host bool) error {
	if n := len(group.Networks); n != 1 {
		return textErrorf("%s: must have exactly one network for Consul Connect: group %q has %d networks", what, *group.Name, n)
	}
	mode, allowed := group.Networks[0].Mode, `"bridge" or "cni/*"`
	if mode == "bridge" || strings.HasPrefix(mode, "cni/") || host && mode == "host" {
		return nil
	}
	if host {
		allowed = `"bridge", "host", or "cni/*"`
	}
	return textErrorf("%s: invalid network mode for Consul Connect: group %q uses network mode %q; must be %s", what, *group.Name, mode, allowed)
}

// refuseProxies refuses proxies and gateways whose network is not for them.
// (Nomad: the texts.)
func refuseProxies(job *api.Job) error {
	for _, group := range job.TaskGroups {
		for _, s := range group.Services {
			if err := refuseProxy(group, s); err != nil {
				return err
			}
		}
	}
	return nil
}

func refuseProxy(group *api.TaskGroup, s *api.Service) error {
	switch {
	case s.Connect == nil:
		return nil
	case s.Connect.Gateway != nil:
		return refuseNetworks(group, "connect gateway", true)
	case s.Connect.SidecarService == nil:
		return nil
	}
	if err := refuseNetworks(group, "connect sidecar", false); err != nil {
		return err
	}
	if s.Name != strings.ToLower(s.Name) {
		return textErrorf("Consul Connect service name %q in group %q must not contain uppercase characters", s.Name, *group.Name)
	}
	if *group.Name != strings.ToLower(*group.Name) {
		return textErrorf("Consul Connect group %q with service %q must not contain uppercase characters", *group.Name, s.Name)
	}
	return nil
}

// refuseVault refuses jobs that need a Vault, of which there is none here.
// (Nomad: the text of an agent without one.)
func refuseVault(job *api.Job) error {
	for _, group := range job.TaskGroups {
		for _, task := range group.Tasks {
			if task.Vault != nil {
				return textErrorf("Vault %q not enabled but used in the job", cmp.Or(task.Vault.Cluster, "default"))
			}
		}
	}
	return nil
}

// refuseClusters refuses a Consul beside the one. (Nomad.)
func refuseClusters(job *api.Job) error {
	var clusters []string
	for _, group := range job.TaskGroups {
		services := group.Services
		if group.Consul != nil {
			clusters = append(clusters, group.Consul.Cluster)
		}
		for _, task := range group.Tasks {
			services = append(services[:len(services):len(services)], task.Services...)
			if task.Consul != nil {
				clusters = append(clusters, task.Consul.Cluster)
			}
		}
		for _, s := range services {
			if s.Provider == api.ServiceProviderConsul {
				clusters = append(clusters, s.Cluster)
			}
		}
	}
	for _, cluster := range clusters {
		if cluster != "" && cluster != "default" {
			return textError("non-default Consul cluster requires Nomad Enterprise")
		}
	}
	return nil
}

// refuseEnterprise refuses what only Nomad Enterprise does. (Nomad: the texts.)
func refuseEnterprise(p *problems, job *api.Job) {
	numa, schedule := false, false
	for _, group := range job.TaskGroups {
		for _, task := range group.Tasks {
			if v := task.Vault; v != nil && cmp.Or(v.Cluster, "default") != "default" {
				name := "vault_" + v.Cluster
				p.refuse(!hasIdentity(task, name), "Task %s uses Vault cluster %s but does not have an identity named %s "+
					"and no default identity is provided in agent configuration", task.Name, v.Cluster, name)
			}
			n := task.Resources.NUMA
			numa = numa || n != nil && n.Affinity != "" && n.Affinity != "none"
			schedule = schedule || task.Schedule != nil
		}
	}
	p.refuse(numa, "numa scheduling requires Nomad Enterprise")
	p.refuse(schedule, "task schedules requires Nomad Enterprise")
}

func hasIdentity(task *api.Task, name string) bool {
	for _, id := range task.Identities {
		if id.Name == name {
			return true
		}
	}
	return false
}
