package driver

import (
	"net"
	"net/netip"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
)

// An endpoint is what a container is in its network.
type endpoint struct {
	aliases    []string
	ipv4, ipv6 netip.Addr
	mac        network.HardwareAddr
}

// in is nil where nothing is wished for.
func (e endpoint) in(mode container.NetworkMode) *network.NetworkingConfig {
	if len(e.aliases) == 0 && !e.ipv4.IsValid() && !e.ipv6.IsValid() && e.mac == nil {
		return nil
	}
	settings := &network.EndpointSettings{Aliases: e.aliases, MacAddress: e.mac}
	if e.ipv4.IsValid() || e.ipv6.IsValid() {
		settings.IPAMConfig = &network.EndpointIPAMConfig{IPv4Address: e.ipv4, IPv6Address: e.ipv6}
	}
	return &network.NetworkingConfig{EndpointsConfig: map[string]*network.EndpointSettings{string(mode): settings}}
}

func address(value any) (netip.Addr, error) {
	s, err := text(value)
	if err != nil {
		return netip.Addr{}, err
	}
	return netip.ParseAddr(s)
}

func hardwareAddress(value any) (network.HardwareAddr, error) {
	s, err := text(value)
	if err != nil {
		return nil, err
	}
	mac, err := net.ParseMAC(s)
	return network.HardwareAddr(mac), err
}
