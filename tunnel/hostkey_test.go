package tunnel_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"ostro/tunnel"
)

// refused opens a tunnel that must not open, and returns why.
func refused(t *testing.T, c tunnel.Config) *tunnel.Error {
	t.Helper()
	tun, err := tunnel.Open(t.Context(), c)
	if err == nil {
		tun.Close()
		t.Fatal("the tunnel opened, want a refusal")
	}
	e, ok := errors.AsType[*tunnel.Error](err)
	if !ok {
		t.Fatalf("error %v has no next step", err)
	}
	return e
}

func wantText(t *testing.T, what, got string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(got, want) {
			t.Errorf("%s:\n  %s\nlacks:\n  %s", what, got, want)
		}
	}
}

// known is a server, and a client that may log in but knows no host key yet.
func known(t *testing.T, options ...string) (*sshd, home, tunnel.Config) {
	t.Helper()
	server := startSSHD(t, options...)
	h := newHome(t)
	server.allow(t, writeKey(t, h.path("id_ed25519")))
	return server, h, tunnel.Config{Target: server.login(t), Home: h.dir, Getenv: environment(), Remote: startEcho(t, "tcp", "127.0.0.1:0")}
}

func TestUnknownHostKey(t *testing.T) {
	server, h, c := known(t)
	e := refused(t, c)
	wantText(t, "error", e.Error(), "the host key of "+server.login(t)+" is unknown", ssh.FingerprintSHA256(server.hostKey(t)))
	if strings.Contains(server.log.String(), "Accepted") {
		t.Error("we logged in at a host that nobody vouched for")
	}

	// The command line of the hint, run by a real shell, is all that it takes.
	_, command, ok := strings.Cut(e.Hint, "accept it: ")
	if !ok {
		t.Fatalf("hint %q has no command line", e.Hint)
	}
	if out, err := exec.Command("sh", "-c", command).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", command, err, out)
	}
	if _, err := os.Stat(h.path("known_hosts")); err != nil {
		t.Fatal(err)
	}
	echo(t, open(t, c).DialContext)

	t.Run("without a ~/.ssh", func(t *testing.T) {
		c := c
		c.IdentityFiles, c.Home = []string{h.path("id_ed25519")}, t.TempDir()
		_, command, _ := strings.Cut(refused(t, c).Hint, "accept it: ")
		run(t, "sh", "-c", command)
		echo(t, open(t, c).DialContext)
	})
}

func TestChangedHostKey(t *testing.T) {
	server, h, c := known(t)
	other := writeKey(t, h.path("other"))
	h.write(t, "known_hosts", fmt.Sprintf("# a comment\n%s %s", bracket(server.addr), ssh.MarshalAuthorizedKey(other)))
	e := refused(t, c)
	wantText(t, "error", e.Error(), "has changed", h.path("known_hosts")+":2", ssh.FingerprintSHA256(server.hostKey(t)), ssh.FingerprintSHA256(other))
	_, command, _ := strings.Cut(e.Hint, "connect again: ")
	if !strings.HasPrefix(command, "ssh-keygen ") {
		t.Fatalf("hint %q has no command line", e.Hint)
	}
	run(t, "sh", "-c", command)
	wantText(t, "error afterwards", refused(t, c).Error(), "is unknown")
}

// A key that changes while we hold the tunnel is refused at the reconnect.
func TestHostKeyChangesBetween(t *testing.T) {
	server, h, c := known(t)
	h.know(t, server)
	tun := open(t, c)
	echo(t, tun.DialContext)
	server.kill()
	writeKey(t, server.path("host_ed25519"))
	server.start(t)
	err := tryEcho(t.Context(), tun.DialContext)
	if err == nil {
		t.Fatal("the tunnel reconnected to another host key")
	}
	wantText(t, "error", err.Error(), "has changed", "known_hosts:1")
}

func TestKnownHostsForms(t *testing.T) {
	server, h, c := known(t)
	key := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(server.hostKey(t))))
	_, port, _ := strings.Cut(server.addr, ":")
	for name, line := range map[string]string{
		"host and port":      bracket(server.addr) + " " + key,
		"one of several":     "elsewhere," + bracket(server.addr) + " " + key,
		"without the port":   "127.0.0.1 " + key,
		"bare and authority": "@cert-authority * " + strings.TrimSpace(string(ssh.MarshalAuthorizedKey(writeKey(t, h.path("ca"))))) + "\n127.0.0.1 " + key,
		"pattern":            "127.0.0.* " + key,
		"pattern with port":  "[127.*]:" + port + " " + key,
		"second of two":      bracket(server.addr) + " " + strings.TrimSpace(string(ssh.MarshalAuthorizedKey(writeKey(t, h.path("x"))))) + "\n" + bracket(server.addr) + " " + key,
		"authority besides":  "@cert-authority * " + strings.TrimSpace(string(ssh.MarshalAuthorizedKey(writeKey(t, h.path("ca"))))) + "\n" + bracket(server.addr) + " " + key,
	} {
		t.Run(name, func(t *testing.T) {
			h.write(t, "known_hosts", line+"\n")
			echo(t, open(t, c).DialContext)
		})
	}
	t.Run("hashed", func(t *testing.T) {
		h.know(t, server)
		run(t, "ssh-keygen", "-H", "-f", h.path("known_hosts"))
		text, _ := os.ReadFile(h.path("known_hosts"))
		if !strings.HasPrefix(string(text), "|1|") {
			t.Fatalf("ssh-keygen did not hash: %s", text)
		}
		echo(t, open(t, c).DialContext)
	})
	for name, line := range map[string]string{
		"another port":      "[127.0.0.1]:1 " + key,
		"negated":           "127.0.0.*,!127.0.0.1 " + key,
		"only an authority": "@cert-authority * " + key,
	} {
		t.Run(name, func(t *testing.T) {
			h.write(t, "known_hosts", line+"\n")
			wantText(t, "error", refused(t, c).Error(), "is unknown")
		})
	}
	t.Run("revoked", func(t *testing.T) {
		h.write(t, "known_hosts", bracket(server.addr)+" "+key+"\n@revoked * "+key+"\n")
		wantText(t, "error", refused(t, c).Error(), "is revoked by "+h.path("known_hosts")+":2")
	})
	t.Run("broken line", func(t *testing.T) {
		h.write(t, "known_hosts", "a b c\n"+bracket(server.addr)+" "+key+"\n")
		echo(t, open(t, c).DialContext)
		h.write(t, "known_hosts", "# first\n"+bracket(server.addr)+" "+key[:len(key)-10]+"\n")
		wantText(t, "error", refused(t, c).Error(), "is unknown", "skipped "+h.path("known_hosts")+":2")
	})
	t.Run("UserKnownHostsFile and HostKeyAlias", func(t *testing.T) {
		h.write(t, "known_hosts", "")
		h.write(t, "config", "HostKeyAlias build\nUserKnownHostsFile ~/.ssh/none %d/.ssh/others\n")
		h.write(t, "others", "build "+key+"\n")
		echo(t, open(t, c).DialContext)
	})
}

func TestHostCertificate(t *testing.T) {
	server, h, c := known(t, "HostCertificate DIR/host_ed25519-cert.pub")
	ca := writeKey(t, h.path("ca"))
	sign := func(principal string) {
		run(t, "ssh-keygen", "-q", "-s", h.path("ca"), "-I", "host", "-h", "-n", principal, "-V", "-1h:+1h", server.path("host_ed25519.pub"))
		server.kill()
		server.start(t)
	}
	h.write(t, "known_hosts", fmt.Sprintf("@cert-authority [127.0.0.*]:* %s", ssh.MarshalAuthorizedKey(ca)))
	sign("127.0.0.1")
	echo(t, open(t, c).DialContext)

	t.Run("as the expected authority", func(t *testing.T) {
		c := c
		c.HostKey = "@cert-authority * " + strings.TrimSpace(string(ssh.MarshalAuthorizedKey(ca)))
		h.write(t, "known_hosts", "")
		echo(t, open(t, c).DialContext)
	})
	t.Run("for another host", func(t *testing.T) {
		h.write(t, "known_hosts", fmt.Sprintf("@cert-authority [127.0.0.*]:* %s", ssh.MarshalAuthorizedKey(ca)))
		sign("elsewhere")
		wantText(t, "error", refused(t, c).Error(), "the host certificate of", "is refused")
	})
	t.Run("of another authority, key known", func(t *testing.T) {
		h.write(t, "known_hosts", fmt.Sprintf("@cert-authority * %s%s %s", ssh.MarshalAuthorizedKey(writeKey(t, h.path("ca2"))),
			bracket(server.addr), ssh.MarshalAuthorizedKey(server.hostKey(t))))
		echo(t, open(t, c).DialContext)
	})
}

func TestExpectedHostKey(t *testing.T) {
	server, h, c := known(t, "HostKey DIR/host_ecdsa", "HostKey DIR/host_rsa")
	key := server.hostKey(t)
	for name, expected := range map[string]string{
		"fingerprint":        ssh.FingerprintSHA256(key),
		"fingerprint of RSA": ssh.FingerprintSHA256(readPublic(t, server.path("host_rsa.pub"))),
		"public key":         string(ssh.MarshalAuthorizedKey(key)),
		"public ECDSA key":   string(ssh.MarshalAuthorizedKey(readPublic(t, server.path("host_ecdsa.pub")))),
		"known_hosts line":   "whatever " + string(ssh.MarshalAuthorizedKey(key)),
	} {
		t.Run(name, func(t *testing.T) {
			c := c
			c.HostKey = expected
			echo(t, open(t, c).DialContext)
		})
	}
	c.HostKey = ssh.FingerprintSHA256(writeKey(t, h.path("other")))
	wantText(t, "error", refused(t, c).Error(), "is not the expected "+c.HostKey, "it shows ssh-ed25519 "+ssh.FingerprintSHA256(key), "ecdsa-", "ssh-rsa")
	c.HostKey = "SHA1:abc"
	wantText(t, "error", refused(t, c).Error(), "neither a fingerprint nor a key")
}
