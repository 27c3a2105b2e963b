package tunnel_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"ostro/tunnel"
)

// stranger is a client that knows the server's host key and has no key yet.
func stranger(t *testing.T, options ...string) (*sshd, home, tunnel.Config) {
	t.Helper()
	server := startSSHD(t, options...)
	h := newHome(t)
	h.know(t, server)
	return server, h, tunnel.Config{Target: server.login(t), Home: h.dir, Getenv: environment(), Remote: startEcho(t, "tcp", "127.0.0.1:0")}
}

func TestNoKey(t *testing.T) {
	_, _, c := stranger(t)
	e := refused(t, c)
	wantText(t, "error", e.Error(), "permission denied: there was no key to try", "skipped the agent (SSH_AUTH_SOCK is not set)")
	wantText(t, "hint", e.Hint, "ssh-add")
}

func TestRefusedKeysAreNamed(t *testing.T) {
	_, h, c := stranger(t)
	key := writeKey(t, h.path("id_ed25519"))
	writeLockedKey(t, h.path("id_rsa"), "secret")
	c.Getenv = environment("SSH_AUTH_SOCK", h.path("no-agent"))
	e := refused(t, c)
	wantText(t, "error", e.Error(), "tried ~/.ssh/id_ed25519 (ssh-ed25519 "+ssh.FingerprintSHA256(key)+")",
		"skipped the agent (SSH_AUTH_SOCK: dial unix", "~/.ssh/id_rsa: it is encrypted")
	wantText(t, "hint", e.Hint, "authorized_keys")
}

func TestNamedKeyFile(t *testing.T) {
	server, h, c := stranger(t)
	server.allow(t, writeKey(t, h.path("deploy")))
	c.IdentityFiles = []string{"~/.ssh/deploy"}
	echo(t, open(t, c).DialContext)

	t.Run("that is not there", func(t *testing.T) {
		c := c
		c.IdentityFiles = []string{"~/.ssh/deplyo"}
		wantText(t, "error", refused(t, c).Error(), "~/.ssh/deplyo: no such file or directory")
	})
	t.Run("by IdentityFile", func(t *testing.T) {
		c := c
		c.IdentityFiles = nil
		h.write(t, "config", "Host 127.0.0.1\n IdentityFile %d/.ssh/dep${SUFFIX}\n")
		c.Getenv = environment("SUFFIX", "loy")
		echo(t, open(t, c).DialContext)
	})
}

func TestRSAKey(t *testing.T) {
	server, h, c := stranger(t)
	run(t, "ssh-keygen", "-q", "-t", "rsa", "-b", "2048", "-m", "PEM", "-N", "", "-f", h.path("id_rsa"))
	server.allow(t, readPublic(t, h.path("id_rsa.pub")))
	echo(t, open(t, c).DialContext)

	c.Getenv = environment("SSH_AUTH_SOCK", startAgent(t, h.path("id_rsa")))
	if err := os.Remove(h.path("id_rsa")); err != nil {
		t.Fatal(err)
	}
	echo(t, open(t, c).DialContext)
}

func TestLockedKey(t *testing.T) {
	server, h, c := stranger(t)
	server.allow(t, writeLockedKey(t, h.path("id_ed25519"), "secret"))
	writeLockedKey(t, h.path("id_ecdsa"), "not asked for")
	var asked []string
	c.Passphrase = func(_ context.Context, file string, _ bool) ([]byte, error) {
		asked = append(asked, filepath.Base(file))
		return []byte("secret"), nil
	}
	tun := open(t, c)
	echo(t, tun.DialContext)
	server.kill()
	server.start(t)
	echo(t, tun.DialContext)
	if fmt.Sprint(asked) != "[id_ed25519]" {
		t.Errorf("asked for the passphrases of %v, want once for the key that the server takes", asked)
	}

	t.Run("wrong passphrase", func(t *testing.T) {
		c := c
		var again []bool
		c.Passphrase = func(_ context.Context, _ string, once bool) ([]byte, error) {
			again = append(again, once)
			return []byte("wrong"), nil
		}
		wantText(t, "error", refused(t, c).Error(), "the passphrase does not open "+h.path("id_ed25519"))
		if fmt.Sprint(again) != "[false true true]" {
			t.Errorf("asked again: %v, want three tries", again)
		}
	})
	t.Run("right at the second try", func(t *testing.T) {
		c := c
		c.Passphrase = func(_ context.Context, _ string, again bool) ([]byte, error) {
			if !again {
				return nil, nil
			}
			return []byte("secret"), nil
		}
		echo(t, open(t, c).DialContext)
	})
	t.Run("nobody answers", func(t *testing.T) {
		c := c
		c.Passphrase = func(context.Context, string, bool) ([]byte, error) { return nil, errors.New("no terminal") }
		e := refused(t, c)
		wantText(t, "error", e.Error(), "no terminal")
		wantText(t, "hint", e.Hint, "ssh-add "+h.path("id_ed25519"))
	})
	t.Run("held by the agent", func(t *testing.T) {
		c := c
		server.allow(t, writeKey(t, h.path("plain")))
		socket := startAgent(t, h.path("plain"))
		if err := os.Rename(h.path("plain.pub"), h.path("id_ed25519.pub")); err != nil {
			t.Fatal(err)
		}
		c.Passphrase = nil
		c.Getenv = environment("SSH_AUTH_SOCK", socket)
		echo(t, open(t, c).DialContext)
	})
}

func TestUserCertificate(t *testing.T) {
	server, h, c := stranger(t, "TrustedUserCAKeys DIR/ca.pub")
	writeKey(t, server.path("ca"))
	writeKey(t, h.path("id_ed25519"))
	name, _, _ := cutLast(server.login(t), "@")
	run(t, "ssh-keygen", "-q", "-s", server.path("ca"), "-I", "deploy", "-n", name, "-V", "-1h:+1h", h.path("id_ed25519.pub"))
	echo(t, open(t, c).DialContext)

	t.Run("in the agent", func(t *testing.T) {
		c := c
		socket := startAgent(t, h.path("id_ed25519")) // ssh-add takes the certificate along
		empty := newHome(t)
		empty.know(t, server)
		c.Home, c.Getenv = empty.dir, environment("SSH_AUTH_SOCK", socket)
		echo(t, open(t, c).DialContext)
	})
	t.Run("by CertificateFile", func(t *testing.T) {
		if err := os.Rename(h.path("id_ed25519-cert.pub"), h.path("elsewhere.pub")); err != nil {
			t.Fatal(err)
		}
		wantText(t, "error without it", refused(t, c).Error(), "permission denied")
		h.write(t, "config", "CertificateFile ~/.ssh/elsewhere.pub\n")
		echo(t, open(t, c).DialContext)
	})
}

func cutLast(s, sep string) (before, after string, ok bool) {
	for i := len(s) - len(sep); i >= 0; i-- {
		if s[i:i+len(sep)] == sep {
			return s[:i], s[i+len(sep):], true
		}
	}
	return s, "", false
}

// A full agent must not use up the server's patience before the named key.
func TestFullAgent(t *testing.T) {
	server, h, c := stranger(t, "MaxAuthTries 3")
	var files []string
	for i := range 5 {
		writeKey(t, h.path(fmt.Sprintf("k%d", i)))
		files = append(files, h.path(fmt.Sprintf("k%d", i)))
	}
	c.Getenv = environment("SSH_AUTH_SOCK", startAgent(t, files...))
	server.allow(t, writeKey(t, h.path("deploy")))
	t.Run("named", func(t *testing.T) {
		c := c
		c.IdentityFiles = []string{h.path("deploy")}
		echo(t, open(t, c).DialContext)
	})
	t.Run("public half named", func(t *testing.T) {
		c := c
		server.allow(t, readPublic(t, h.path("k4.pub")))
		c.IdentityFiles = []string{h.path("k4.pub")}
		echo(t, open(t, c).DialContext)
	})
	t.Run("not named", func(t *testing.T) {
		server.allow(t, readPublic(t, h.path("k4.pub")))
		wantText(t, "hint", refused(t, c).Hint, "IdentitiesOnly")
	})
	t.Run("IdentitiesOnly", func(t *testing.T) {
		h.write(t, "config", "IdentityFile ~/.ssh/k4\nIdentitiesOnly yes\n")
		if err := os.Remove(h.path("k4.pub")); err != nil {
			t.Fatal(err)
		}
		echo(t, open(t, c).DialContext)
	})
}

// An agent that accepts and never answers does not hold us longer than the context.
func TestHungAgent(t *testing.T) {
	_, h, c := stranger(t)
	dir, err := os.MkdirTemp("", "agent")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	l, err := net.Listen("unix", filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	writeKey(t, h.path("id_ed25519"))
	c.Getenv = environment("SSH_AUTH_SOCK", filepath.Join(dir, "s"))
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := tunnel.Open(ctx, c); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v, want the context's", err)
	}
}
