package reconcile

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/nomad/api"
)

// Ready tells whether a node takes new allocations.
func Ready(node *api.Node) bool {
	return node.Status == api.NodeStatusReady && node.SchedulingEligibility != api.NodeSchedulingIneligible &&
		!node.Drain && node.DrainStrategy == nil
}

// inDatacenters knows wildcards. (Nomad: datacenters are patterns, default "*".)
func inDatacenters(job *api.Job, node *api.Node) bool {
	return slices.ContainsFunc(job.Datacenters, func(pattern string) bool {
		return matches(pattern, node.Datacenter)
	})
}

// matches tells whether a text is like a pattern, in which a star stands for any
// text, also for none, and nothing else for anything but itself.
func matches(pattern, text string) bool {
	parts := strings.Split(pattern, "*")
	first, last := parts[0], parts[len(parts)-1]
	if len(parts) == 1 {
		return text == pattern
	}
	if !strings.HasPrefix(text, first) || !strings.HasSuffix(text[len(first):], last) {
		return false
	}
	text = text[len(first) : len(text)-len(last)]
	for _, part := range parts[1 : len(parts)-1] {
		_, after, found := strings.Cut(text, part)
		if !found {
			return false
		}
		text = after
	}
	return true
}

func inNodePool(job *api.Job, node *api.Node) bool {
	pool := *job.NodePool
	return pool == api.NodePoolAll || pool == node.NodePool
}

// Targets tells whether a node is in the job's datacenters and node pool.
func Targets(job *api.Job, node *api.Node) bool {
	return inNodePool(job, node) && inDatacenters(job, node)
}

// infeasible gives the first reason why a group cannot run on a node whatever
// is free there, in Nomad's words and order, or "". (Nomad: F1.)
func infeasible(job *api.Job, group *api.TaskGroup, node *api.Node) string {
	if why := unmet(job.Constraints, node); why != "" {
		return why
	}
	for _, task := range group.Tasks {
		if driver := node.Drivers[task.Driver]; driver == nil || !driver.Detected || !driver.Healthy {
			return "missing drivers"
		}
	}
	if why := unmet(group.Constraints, node); why != "" {
		return why
	}
	for _, task := range group.Tasks {
		if why := unmet(task.Constraints, node); why != "" {
			return why
		}
	}
	for _, task := range group.Tasks {
		if task.Resources != nil && len(task.Resources.Devices) > 0 {
			return "missing devices"
		}
	}
	if why := missingNetwork(group, node); why != "" {
		return why
	}
	return missingVolume(group, node)
}

// unmet names the first constraint that a node does not meet.
func unmet(constraints []*api.Constraint, node *api.Node) string {
	for _, c := range constraints {
		if !holds(c.Operand, c.LTarget, c.RTarget, node) {
			return fmt.Sprintf("%s %s %s", c.LTarget, c.Operand, c.RTarget)
		}
	}
	return ""
}

// missingNetwork tells whether the node lacks a network of the mode that the
// group asks for, or a network of that name.
func missingNetwork(group *api.TaskGroup, node *api.Node) string {
	mode := "host"
	var ports []api.Port
	if len(group.Networks) > 0 {
		if asked := group.Networks[0]; asked.Mode != "" {
			mode = asked.Mode
		}
		ports = slices.Concat(group.Networks[0].DynamicPorts, group.Networks[0].ReservedPorts)
	}
	if mode == "none" {
		return ""
	}
	if !slices.ContainsFunc(node.NodeResources.Networks, func(n *api.NetworkResource) bool {
		return n.Mode == mode || n.Mode == "" && mode == "host"
	}) {
		return "missing network"
	}
	for _, port := range ports {
		if port.HostNetwork == "" {
			continue
		}
		name, ok := resolve(port.HostNetwork, node)
		if !ok {
			return fmt.Sprintf("invalid host network %q template for port %q", port.HostNetwork, port.Label)
		}
		if name != "default" && node.HostNetworks[name] == nil {
			return fmt.Sprintf("missing host network %q for port %q", name, port.Label)
		}
	}
	return ""
}

// missingVolume tells whether the node lacks a volume that the group asks for.
// No node here has a volume of a storage plug-in.
func missingVolume(group *api.TaskGroup, node *api.Node) string {
	var missing []string
	for _, volume := range group.Volumes {
		if volume.Type == "csi" {
			missing = append(missing, volume.Source)
			continue
		}
		if have := node.HostVolumes[volume.Source]; have == nil || have.ReadOnly && !volume.ReadOnly {
			return "missing compatible host volumes"
		}
	}
	if len(missing) == 0 {
		return ""
	}
	slices.Sort(missing)
	return "missing CSI volume(s) " + strings.Join(missing, ", ")
}
