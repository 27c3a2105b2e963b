package tunnel_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	glider "github.com/gliderlabs/ssh"
	"golang.org/x/crypto/ssh"

	"ostro/nomadtest/freeport"
	"ostro/tunnel"
)

// served is an SSH server in this process, so that the main roads are tested
// also where there is no OpenSSH.
type served struct {
	*glider.Server
	addr   string
	signer ssh.Signer
	logins atomic.Int32
}

// serve starts a server that lets key log in; channel answers requests to
// forward, nil for the usual way.
func serve(t *testing.T, key ssh.PublicKey, channel glider.ChannelHandler) *served {
	t.Helper()
	_, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	if channel == nil {
		channel = glider.DirectTCPIPHandler
	}
	s := &served{addr: freeport.Address(), signer: signer}
	s.Server = &glider.Server{
		HostSigners:                 []glider.Signer{signer},
		LocalPortForwardingCallback: func(glider.Context, string, uint32) bool { return true },
		ChannelHandlers:             map[string]glider.ChannelHandler{"direct-tcpip": channel},
		PublicKeyHandler: func(_ glider.Context, offered glider.PublicKey) bool {
			return bytes.Equal(offered.Marshal(), key.Marshal())
		},
		ConnectionFailedCallback: func(net.Conn, error) {},
		ConnCallback:             func(_ glider.Context, c net.Conn) net.Conn { s.logins.Add(1); return c },
	}
	s.listen(t)
	t.Cleanup(func() { s.Close() })
	return s
}

func (s *served) listen(t *testing.T) {
	t.Helper()
	l, err := net.Listen("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	go s.Serve(l)
}

// client is the configuration of somebody who may log in at s.
func (s *served) client(t *testing.T, h home) tunnel.Config {
	t.Helper()
	h.write(t, "known_hosts", fmt.Sprintf("%s %s", bracket(s.addr), ssh.MarshalAuthorizedKey(s.signer.PublicKey())))
	return tunnel.Config{Target: "deploy@" + s.addr, Home: h.dir, Getenv: environment(), Remote: startEcho(t, "tcp", "127.0.0.1:0")}
}

func TestInProcess(t *testing.T) {
	h := newHome(t)
	s := serve(t, writeKey(t, h.path("id_ed25519")), nil)
	c := s.client(t, h)
	events := make(chan tunnel.Event, 16)
	c.Event = func(e tunnel.Event) { events <- e }
	tun := open(t, c)
	echo(t, tun.DialContext)

	stream, err := tun.DialContext(t.Context(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	s.Close()
	if _, err := stream.Read(make([]byte, 1)); err == nil {
		t.Error("a stream outlives its connection")
	}
	if e := <-events; e.Err == nil || e.Stream {
		t.Errorf("first event %+v, want the loss", e)
	}
	s.Server = &glider.Server{
		HostSigners: s.HostSigners, LocalPortForwardingCallback: s.LocalPortForwardingCallback,
		ChannelHandlers: s.ChannelHandlers, PublicKeyHandler: s.PublicKeyHandler,
	}
	s.listen(t)
	echo(t, tun.DialContext)
	if e := <-events; e.Err != nil {
		t.Errorf("second event %+v, want that it is back", e)
	}
}

func TestInProcessRefusals(t *testing.T) {
	h := newHome(t)
	s := serve(t, writeKey(t, h.path("id_ed25519")), nil)
	c := s.client(t, h)
	writeKey(t, h.path("id_ed25519"))
	wantText(t, "error", refused(t, c).Error(), "permission denied: tried ~/.ssh/id_ed25519")
	h.write(t, "known_hosts", "")
	wantText(t, "error", refused(t, c).Error(), "is unknown")
	h.write(t, "known_hosts", fmt.Sprintf("%s %s", bracket(s.addr), ssh.MarshalAuthorizedKey(writeKey(t, h.path("other")))))
	wantText(t, "error", refused(t, c).Error(), "has changed", "known_hosts:1")
}

// A server that hangs up on each request is not logged in to for ever.
func TestServerHangsUp(t *testing.T) {
	h := newHome(t)
	s := serve(t, writeKey(t, h.path("id_ed25519")), func(_ *glider.Server, conn *ssh.ServerConn, _ ssh.NewChannel, _ glider.Context) {
		conn.Close()
	})
	tun := open(t, s.client(t, h))
	_, err := tun.DialContext(t.Context(), "", "")
	if err == nil || !strings.Contains(err.Error(), "the SSH connection broke each time") {
		t.Errorf("error %v", err)
	}
	if n := s.logins.Load(); n > 4 {
		t.Errorf("%d logins", n)
	}
}

// What Forward cannot join is closed, and the reason reported as one of the
// stream, not of the connection.
func TestForwardToNowhere(t *testing.T) {
	h := newHome(t)
	s := serve(t, writeKey(t, h.path("id_ed25519")), nil)
	c := s.client(t, h)
	c.Remote = freeport.Address()
	events := make(chan tunnel.Event, 1)
	c.Event = func(e tunnel.Event) { events <- e }
	tun := open(t, c)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- tun.Forward(ctx, l) }()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if got, err := io.ReadAll(conn); err == nil && len(got) > 0 {
		t.Errorf("read %q", got)
	}
	if e := <-events; !e.Stream || !strings.Contains(e.Err.Error(), "cannot reach "+c.Remote) {
		t.Errorf("event %+v", e)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
