package httpapi

import (
	"net"

	"github.com/hashicorp/nomad/api"
)

// nodeAnswer is a node as it is answered, and listedNode one in a list. (Nomad.)
type nodeAnswer struct {
	*api.Node
	NodeResources     *nodeResources
	ReservedResources *reservedResources
}

type listedNode struct {
	*api.NodeListStub
	HostVolumes       map[string]*api.HostVolumeInfo
	NodeResources     *nodeResources     `json:",omitempty"`
	ReservedResources *reservedResources `json:",omitempty"`
}

type nodeResources struct {
	*api.NodeResources
	// NodeNetworks are the networks once more, with all addresses of each.
	NodeNetworks []nodeNetwork
}

type nodeNetwork struct {
	Mode, Device, MacAddress string
	Speed                    int // in Mbit/s
	Addresses                []nodeAddress
}

type nodeAddress struct {
	Family, Alias, Address, ReservedPorts, Gateway string
}

// reservedResources is what a node keeps for others. It keeps no processors.
type reservedResources struct {
	*api.NodeReservedResources
	Cpu reservedCPU
}

type reservedCPU struct {
	CpuShares        uint64
	ReservedCpuCores []uint16
}

func resourcesOf(node *api.Node) *nodeResources {
	if node.NodeResources == nil {
		return nil
	}
	r := &nodeResources{NodeResources: node.NodeResources, NodeNetworks: []nodeNetwork{}}
	for _, network := range node.NodeResources.Networks {
		shown := nodeNetwork{Mode: network.Mode, Device: network.Device}
		if network.MBits != nil {
			shown.Speed = *network.MBits
		}
		if network.IP != "" {
			shown.Addresses = []nodeAddress{{Family: family(network.IP), Alias: "default", Address: network.IP}}
		}
		r.NodeNetworks = append(r.NodeNetworks, shown)
	}
	return r
}

func family(address string) string {
	if ip := net.ParseIP(address); ip != nil && ip.To4() == nil {
		return "ipv6"
	}
	return "ipv4"
}

func reservedOf(node *api.Node) *reservedResources {
	if node.ReservedResources == nil {
		return nil
	}
	return &reservedResources{NodeReservedResources: node.ReservedResources, Cpu: reservedCPU{CpuShares: node.ReservedResources.Cpu.CpuShares}}
}
