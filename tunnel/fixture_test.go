package tunnel_test

import (
	"context"
	"crypto/ed25519"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

// home is a home folder with a .ssh in it.
type home struct{ dir string }

func newHome(t *testing.T) home {
	t.Helper()
	h := home{t.TempDir()}
	if err := os.Mkdir(filepath.Join(h.dir, ".ssh"), 0o700); err != nil {
		t.Fatal(err)
	}
	return h
}

func (h home) path(name string) string { return filepath.Join(h.dir, ".ssh", name) }

func (h home) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(h.path(name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// know puts the server's host key into known_hosts.
func (h home) know(t *testing.T, servers ...*sshd) {
	t.Helper()
	var text strings.Builder
	for _, s := range servers {
		fmt.Fprintf(&text, "%s %s", bracket(s.addr), ssh.MarshalAuthorizedKey(s.hostKey(t)))
	}
	h.write(t, "known_hosts", text.String())
}

func bracket(addr string) string {
	host, port, _ := net.SplitHostPort(addr)
	return "[" + host + "]:" + port
}

// writeKey makes an ed25519 key pair in file and file.pub.
func writeKey(t *testing.T, file string) ssh.PublicKey {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(private, "test key")
	if err != nil {
		t.Fatal(err)
	}
	return writePair(t, file, public, block)
}

// writeLockedKey is writeKey with a passphrase.
func writeLockedKey(t *testing.T, file, passphrase string) ssh.PublicKey {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKeyWithPassphrase(private, "locked key", []byte(passphrase))
	if err != nil {
		t.Fatal(err)
	}
	return writePair(t, file, public, block)
}

func writePair(t *testing.T, file string, public ed25519.PublicKey, private *pem.Block) ssh.PublicKey {
	t.Helper()
	key, err := ssh.NewPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{file: pem.EncodeToMemory(private), file + ".pub": ssh.MarshalAuthorizedKey(key)} {
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return key
}

func readPublic(t *testing.T, file string) ssh.PublicKey {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	key, _, _, _, err := ssh.ParseAuthorizedKey(text)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// environment is a Getenv with these variables only.
func environment(pairs ...string) func(string) string {
	return func(name string) string {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1]
			}
		}
		return ""
	}
}

// startEcho is a far side that sends back what it gets.
func startEcho(t *testing.T, network, addr string) string {
	t.Helper()
	l, err := net.Listen(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer c.Close()
				io.Copy(c, c)
			})
		}
	})
	t.Cleanup(func() { l.Close(); wg.Wait() })
	return l.Addr().String()
}

// dialer is the one method that the checks below need.
type dialFunc func(ctx context.Context, network, addr string) (net.Conn, error)

// echo sends a text through and wants it back.
func echo(t *testing.T, dial dialFunc) {
	t.Helper()
	if err := tryEcho(t.Context(), dial); err != nil {
		t.Fatal(err)
	}
}

func tryEcho(ctx context.Context, dial dialFunc) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	c, err := dial(ctx, "tcp", "ignored:1")
	if err != nil {
		return err
	}
	defer c.Close()
	const text = "through the tunnel"
	if _, err := io.WriteString(c, text); err != nil {
		return err
	}
	got := make([]byte, len(text))
	if _, err := io.ReadFull(c, got); err != nil {
		return err
	}
	if string(got) != text {
		return fmt.Errorf("echo is %q, want %q", got, text)
	}
	return nil
}
