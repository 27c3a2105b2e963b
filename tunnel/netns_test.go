package tunnel_test

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"ostro/tunnel"
)

// ip runs iproute2, or skips the test where it may not.
func ip(t *testing.T, line string, args ...any) {
	t.Helper()
	words := strings.Fields(fmt.Sprintf(line, args...))
	if out, err := exec.Command("ip", words...).CombinedOutput(); err != nil {
		t.Skipf("network namespaces are not to be had here: ip %s: %v\n%s", strings.Join(words, " "), err, out)
	}
}

// A chain is three hosts in network namespaces, each of which reaches only its
// neighbours; this machine is the neighbour of the first.
type chain struct{ spaces, addresses []string }

func newChain(t *testing.T) chain {
	t.Helper()
	if _, err := exec.LookPath("ip"); err != nil || os.Getuid() != 0 {
		t.Skip("network namespaces need root and iproute2")
	}
	id := os.Getpid()
	var c chain
	before := "" // the namespace of the neighbour; this machine's at first
	for i, name := range []string{"a", "b", "c"} {
		space, link := fmt.Sprintf("ostro%d%s", id, name), fmt.Sprintf("o%d%s", id, name)
		subnet := fmt.Sprintf("198.%d.%d", 18+id%2, id/2%80*3+i) // the range for tests (RFC 2544)
		ip(t, "netns add %s", space)
		t.Cleanup(func() { exec.Command("ip", "netns", "del", space).Run() }) // its links go with it
		in := ""
		if before != "" {
			in = "-n " + before
		}
		ip(t, "%s link add %s type veth peer name eth0 netns %s", in, link, space)
		ip(t, "%s addr add %s.1/24 dev %s", in, subnet, link)
		ip(t, "%s link set %s up", in, link)
		ip(t, "-n %s addr add %s.2/24 dev eth0", space, subnet)
		ip(t, "-n %s link set eth0 up", space)
		ip(t, "-n %s link set lo up", space)
		ip(t, "netns exec %s true", space)
		c.spaces, c.addresses = append(c.spaces, space), append(c.addresses, subnet+".2")
		before = space
	}
	return c
}

// serve runs a real sshd in each host. The name of the host is in its greeting.
func (c chain) serve(t *testing.T, user ssh.PublicKey) (servers []*sshd) {
	t.Helper()
	for i, space := range c.spaces {
		s := &sshd{dir: t.TempDir(), addr: net.JoinHostPort(c.addresses[i], "22")}
		servers = append(servers, s)
		writeKey(t, s.path("host_ed25519"))
		s.allow(t, user)
		s.write(t, "sshd_config", strings.Join([]string{
			"Port 22", "HostKey " + s.path("host_ed25519"), "PidFile none", "AuthorizedKeysFile " + s.path("authorized_keys"), "StrictModes no",
			"UsePAM no", "PermitRootLogin yes", "PasswordAuthentication no", "KbdInteractiveAuthentication no", "VersionAddendum host-" + string("abc"[i]),
		}, "\n")+"\n")
		s.cmd = exec.Command("ip", "netns", "exec", space, "/usr/sbin/sshd", "-D", "-e", "-f", s.path("sshd_config"))
		s.cmd.Stderr = &s.log
		if err := s.cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(s.kill)
		until(t, "sshd to listen in "+space, func() bool { return strings.Contains(s.log.String(), "Server listening") })
	}
	return servers
}

// Two jump hosts, one behind the other, lead to a host that nothing else reaches.
func TestProxyJumpOverTwoHosts(t *testing.T) {
	startSSHD(t) // skips where there is no sshd
	hosts := newChain(t)
	h := newHome(t)
	servers := hosts.serve(t, writeKey(t, h.path("id_ed25519")))
	var known, config strings.Builder
	for i, address := range hosts.addresses {
		fmt.Fprintf(&known, "%s %s", address, ssh.MarshalAuthorizedKey(servers[i].hostKey(t)))
		fmt.Fprintf(&config, "Host %c\n  HostName %s\n", 'a'+i, address)
		if i > 0 {
			fmt.Fprintf(&config, "  ProxyJump %c\n", 'a'+i-1)
		}
	}
	h.write(t, "known_hosts", known.String())
	h.write(t, "config", config.String())
	tun := open(t, tunnel.Config{Target: "root@c", Remote: "127.0.0.1:22", Home: h.dir, Getenv: environment()})
	conn, err := tun.DialContext(t.Context(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if greeting, err := bufio.NewReader(conn).ReadString('\n'); err != nil || !strings.Contains(greeting, "host-c") {
		t.Errorf("the far side greets with %q, %v", greeting, err)
	}

	for i, server := range servers {
		neighbour := strings.TrimSuffix(hosts.addresses[i], "2") + "1"
		if log := server.log.String(); !strings.Contains(log, "Accepted publickey for root from "+neighbour) {
			t.Errorf("host %c was not reached from its neighbour %s:\n%s", 'a'+i, neighbour, log)
		}
	}

	// A key that changes on the way is refused there, by name.
	h.write(t, "known_hosts", strings.Replace(known.String(), string(ssh.MarshalAuthorizedKey(servers[1].hostKey(t))), string(ssh.MarshalAuthorizedKey(servers[0].hostKey(t))), 1))
	_, err = tunnel.Open(t.Context(), tunnel.Config{Target: "root@c", Remote: "127.0.0.1:22", Home: h.dir, Getenv: environment()})
	if err == nil || !strings.Contains(err.Error(), hosts.addresses[1]) || !strings.Contains(err.Error(), "has changed") {
		t.Errorf("with another key of the second jump host: %v", err)
	}
}

// A host that has no IPv4 at all, and a far side on its ::1.
func TestHostWithIPv6Only(t *testing.T) {
	startSSHD(t) // skips where there is no sshd
	if _, err := exec.LookPath("ip"); err != nil || os.Getuid() != 0 {
		t.Skip("network namespaces need root and iproute2")
	}
	id := os.Getpid()
	space, link, subnet := fmt.Sprintf("ostro%dsix", id), fmt.Sprintf("o%dsix", id), fmt.Sprintf("fd00:6:%x", id%65536)
	ip(t, "netns add %s", space)
	t.Cleanup(func() { exec.Command("ip", "netns", "del", space).Run() })
	ip(t, "link add %s type veth peer name eth0 netns %s", link, space)
	ip(t, "addr add %s::1/64 dev %s nodad", subnet, link)
	ip(t, "link set %s up", link)
	ip(t, "-n %s addr add %s::2/64 dev eth0 nodad", space, subnet)
	ip(t, "-n %s link set eth0 up", space)
	ip(t, "-n %s link set lo up", space)
	ip(t, "netns exec %s true", space)
	host := chain{spaces: []string{space}, addresses: []string{subnet + "::2"}}
	h := newHome(t)
	server := host.serve(t, writeKey(t, h.path("id_ed25519")))[0]
	h.write(t, "known_hosts", host.addresses[0]+" "+string(ssh.MarshalAuthorizedKey(server.hostKey(t))))
	for _, target := range []string{"root@[" + host.addresses[0] + "]", "root@[" + host.addresses[0] + "]:22"} {
		tun := open(t, tunnel.Config{Target: target, Remote: "[::1]:22", Home: h.dir, Getenv: environment()})
		conn, err := tun.DialContext(t.Context(), "", "")
		if err != nil {
			t.Fatalf("%s: %v", target, err)
		}
		if greeting, err := bufio.NewReader(conn).ReadString('\n'); err != nil || !strings.Contains(greeting, "host-a") {
			t.Errorf("%s: the far side greets with %q, %v", target, greeting, err)
		}
		conn.Close()
	}
}
