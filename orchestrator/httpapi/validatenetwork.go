package httpapi

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/hashicorp/nomad/api"
)

// networkCheck holds what the networks of a group may not have twice.
type networkCheck struct {
	*problems
	labels, static map[string]string
	cniArgs        map[string]bool
}

func validateNetworks(group *api.TaskGroup) error {
	c := networkCheck{&problems{}, map[string]string{}, map[string]string{}, map[string]bool{}}
	for _, network := range group.Networks {
		for _, port := range slices.Concat(network.ReservedPorts, network.DynamicPorts) {
			c.label(port)
			c.labels[port.Label] = "taskgroup network"
			c.value(port, "taskgroup network", port.IgnoreCollision)
			c.refuse(port.To < -1, "Port %q cannot be mapped to negative value %d", port.Label, port.To)
			c.refuse(port.To > math.MaxUint16, "Port %q cannot be mapped to a port (%d) greater than %d", port.Label, port.To, math.MaxUint16)
			c.refuse(port.IgnoreCollision && network.Mode != "" && network.Mode != "host",
				"Port %q collision may not be ignored on non-host network mode %q", port.Label, network.Mode)
		}
		c.cni(network.CNI)
		if name := network.Hostname; name != "" && !strings.Contains(name, "${") {
			c.refuse(!isDomainName(name), "Hostname is not a valid DNS name")
		}
	}
	for _, task := range group.Tasks {
		for _, network := range task.Resources.Networks {
			for _, port := range slices.Concat(network.ReservedPorts, network.DynamicPorts) {
				c.label(port)
				c.value(port, task.Name, false)
			}
		}
	}
	return c.err()
}

func (c networkCheck) label(port api.Port) {
	other, taken := c.labels[port.Label]
	c.refuse(taken, "Port label %s already in use by %s", port.Label, other)
}

func (c networkCheck) value(port api.Port, owner string, mayCollide bool) {
	if port.Value == 0 {
		return
	}
	key := fmt.Sprintf("%s:%d", port.HostNetwork, port.Value)
	if other, taken := c.static[key]; taken {
		c.refuse(!mayCollide, "Static port %d already reserved by %s", port.Value, other)
		return
	}
	if port.Value > math.MaxUint16 {
		c.refuse(true, "Port %s (%d) cannot be greater than %d", port.Label, port.Value, math.MaxUint16)
		return
	}
	c.static[key] = owner + ":" + port.Label
}

func (c networkCheck) cni(config *api.CNIConfig) {
	if config == nil {
		return
	}
	for _, key := range slices.Sorted(maps.Keys(config.Args)) {
		c.refuse(c.cniArgs[key], "duplicate CNI arg %q", key)
		c.cniArgs[key] = true
		c.refuse(strings.Contains(key, ";"), "invalid ';' character in CNI arg key %q", key)
		c.refuse(strings.Contains(config.Args[key], ";"), "invalid ';' character in CNI arg value %q", config.Args[key])
	}
}

// isDomainName tells whether every label of a name has 1 to 63 bytes and the
// whole at most 255. (RFC 1035.)
func isDomainName(name string) bool {
	name = strings.TrimSuffix(name, ".")
	return len(name) < 255 && !slices.ContainsFunc(strings.Split(name, "."), func(label string) bool {
		return label == "" || len(label) > 63
	})
}
