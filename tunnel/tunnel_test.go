package tunnel_test

import (
	"errors"
	"testing"

	"go.uber.org/goleak"

	"ostro/tunnel"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// open opens a tunnel that the test closes.
func open(t *testing.T, c tunnel.Config) *tunnel.Tunnel {
	t.Helper()
	tun, err := tunnel.Open(t.Context(), c)
	if err != nil {
		e, _ := errors.AsType[*tunnel.Error](err)
		t.Fatalf("open: %v\n%+v", err, e)
	}
	t.Cleanup(func() { tun.Close() })
	return tun
}

func TestKeyFile(t *testing.T) {
	server := startSSHD(t)
	h := newHome(t)
	h.know(t, server)
	server.allow(t, writeKey(t, h.path("id_ed25519")))
	tun := open(t, tunnel.Config{Target: server.login(t), Home: h.dir, Getenv: environment(), Remote: startEcho(t, "tcp", "127.0.0.1:0")})
	echo(t, tun.DialContext)
}

func TestAgent(t *testing.T) {
	server := startSSHD(t)
	h := newHome(t)
	h.know(t, server)
	elsewhere := newHome(t)
	server.allow(t, writeKey(t, elsewhere.path("key")))
	socket := startAgent(t, elsewhere.path("key"))
	tun := open(t, tunnel.Config{Target: server.login(t), Home: h.dir, Getenv: environment("SSH_AUTH_SOCK", socket), Remote: startEcho(t, "tcp", "127.0.0.1:0")})
	echo(t, tun.DialContext)
}

func TestServerRestart(t *testing.T) {
	server := startSSHD(t)
	h := newHome(t)
	h.know(t, server)
	server.allow(t, writeKey(t, h.path("id_ed25519")))
	events := make(chan tunnel.Event, 10)
	tun := open(t, tunnel.Config{
		Target: server.login(t), Home: h.dir, Getenv: environment(), Remote: startEcho(t, "tcp", "127.0.0.1:0"),
		Event: func(e tunnel.Event) { events <- e },
	})
	echo(t, tun.DialContext)
	server.kill()
	if e := <-events; e.Err == nil {
		t.Fatal("the first event says that the connection is back, want lost")
	}
	server.start(t)
	echo(t, tun.DialContext)
	if e := <-events; e.Err != nil {
		t.Fatalf("the second event says %v, want back", e.Err)
	}
}
