package httpapi

import (
	"net"
	"os"
	"strconv"
)

// agentSelf says what `nomad agent-info` and the hints of the command line
// read; UI hints are off. (Nomad.)
func (s *server) agentSelf(*request) (any, error) {
	host, port := s.hostPort()
	return map[string]any{
		"config": map[string]any{
			"Region": s.Region, "Datacenter": s.Datacenter, "NodeName": s.Name, "BindAddr": host,
			"ACL":            map[string]any{"Enabled": s.ACL},
			"AdvertiseAddrs": map[string]any{"HTTP": s.Address, "RPC": s.Address, "Serf": s.Address},
			"Addresses":      map[string]any{"HTTP": host, "RPC": host, "Serf": host},
			"Ports":          map[string]any{"HTTP": port, "RPC": port, "Serf": port},
			"Client":         map[string]any{"Enabled": true},
			"Server":         map[string]any{"Enabled": true},
			"UI":             map[string]any{"Enabled": true, "ShowCLIHints": false},
			"Version":        s.versionInfo(),
		},
		"member": s.member(),
		"stats":  s.stats(),
	}, nil
}

func (s *server) versionInfo() map[string]any {
	return map[string]any{"Version": s.Version, "VersionPrerelease": "", "VersionMetadata": "", "Revision": ""}
}

func (s *server) hostPort() (string, int) {
	host, text, err := net.SplitHostPort(s.Address)
	if err != nil {
		return s.Address, 0
	}
	port, _ := strconv.Atoi(text)
	return host, port
}

func (s *server) firstNode() string {
	for _, node := range s.Store.Snapshot().Nodes(nil) {
		return node.ID
	}
	return ""
}

func hostName() string {
	name, err := os.Hostname()
	if err != nil {
		return "localhost"
	}
	return name
}

// agentHealth tells of the server and the client, or of the one that is asked for.
func (s *server) agentHealth(r *request) (any, error) {
	health := map[string]any{}
	for _, kind := range []string{"client", "server"} {
		if asked := r.query.Get("type"); asked == "" || asked == kind {
			health[kind] = map[string]any{"message": "ok", "ok": true}
		}
	}
	return health, nil
}

func (s *server) agentMembers(*request) (any, error) {
	return map[string]any{
		"Members": []any{s.member()}, "ServerDC": s.Datacenter, "ServerName": s.Name, "ServerRegion": s.Region,
	}, nil
}

// serverName is the name of the one server among all regions. (Nomad.)
func (s *server) serverName() string { return s.Name + "." + s.Region }

// member is the one server that there is.
func (s *server) member() map[string]any {
	host, port := s.hostPort()
	return map[string]any{
		"Name": s.serverName(), "Addr": host, "Port": port, "Status": "alive",
		"ProtocolMin": 1, "ProtocolMax": 5, "ProtocolCur": 2, "DelegateMin": 2, "DelegateMax": 5, "DelegateCur": 4,
		"Tags": map[string]string{
			"role": "nomad", "region": s.Region, "dc": s.Datacenter, "build": s.Version, "revision": "", "id": s.id,
			"port": strconv.Itoa(port), "rpc_addr": host, "bootstrap": "1", "expect": "1", "vsn": "1", "raft_vsn": "3",
		},
	}
}

func (s *server) leader(*request) (any, error) { return s.Address, nil }

func (s *server) peers(*request) (any, error) { return []string{s.Address}, nil }

func (s *server) regions(*request) (any, error) { return []string{s.Region}, nil }
