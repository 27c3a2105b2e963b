package tunnel_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"ostro/nomadtest/freeport"
	"ostro/tunnel"
)

// trusted is a server, and a client that may log in at once.
func trusted(t *testing.T, options ...string) (*sshd, home, tunnel.Config) {
	t.Helper()
	server, h, c := stranger(t, options...)
	server.allow(t, writeKey(t, h.path("id_ed25519")))
	return server, h, c
}

func TestHTTPClientThroughOneConnection(t *testing.T) {
	server, _, c := trusted(t)
	far := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Write(body)
	}))
	defer far.Close()
	c.Remote = far.Listener.Addr().String()
	transport := &http.Transport{DialContext: open(t, c).DialContext}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}

	var wg sync.WaitGroup
	failures := make(chan error, 64)
	for i := range cap(failures) {
		wg.Go(func() {
			body := strings.Repeat(fmt.Sprint(i%10), 100_000)
			response, err := client.Post("http://nomad.invalid/", "text/plain", strings.NewReader(body))
			if err != nil {
				failures <- err
				return
			}
			defer response.Body.Close()
			got, err := io.ReadAll(response.Body)
			if err != nil || string(got) != body {
				failures <- fmt.Errorf("request %d: %d bytes, %v", i, len(got), err)
			}
		})
	}
	wg.Wait()
	close(failures)
	for err := range failures {
		t.Error(err)
	}
	if n := strings.Count(server.log.String(), "Accepted publickey"); n != 1 {
		t.Errorf("%d logins, want all requests over one connection", n)
	}
}

func TestUnixSocket(t *testing.T) {
	_, _, c := trusted(t)
	dir, err := os.MkdirTemp("", "far")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	c.Remote = startEcho(t, "unix", filepath.Join(dir, "s"))
	echo(t, open(t, c).DialContext)
}

func TestFarSide(t *testing.T) {
	t.Run("nothing listens", func(t *testing.T) {
		_, _, c := trusted(t)
		c.Remote = freeport.Address()
		_, err := open(t, c).DialContext(t.Context(), "", "")
		e, ok := errors.AsType[*tunnel.Error](err)
		if !ok {
			t.Fatalf("error %v has no next step", err)
		}
		wantText(t, "error", e.Error(), "cannot reach "+c.Remote, "Connection refused")
		wantText(t, "hint", e.Hint, "nothing answers there as seen from the SSH server")
	})
	t.Run("forbidden", func(t *testing.T) {
		_, _, c := trusted(t, "AllowTcpForwarding no")
		_, err := open(t, c).DialContext(t.Context(), "", "")
		e, ok := errors.AsType[*tunnel.Error](err)
		if !ok {
			t.Fatalf("error %v has no next step", err)
		}
		wantText(t, "hint", e.Hint, "AllowTcpForwarding")
	})
	t.Run("no address", func(t *testing.T) {
		for _, remote := range []string{"4646", "host:", "host:http", "host:0"} {
			if _, err := tunnel.Open(t.Context(), tunnel.Config{Target: "web", Remote: remote}); err == nil || !strings.Contains(err.Error(), "want HOST:PORT") {
				t.Errorf("Remote %q: error %v", remote, err)
			}
		}
	})
}

// The way leads over two jump hosts, of which the second one is reached
// through the first, and all host keys are checked.
func TestProxyJump(t *testing.T) {
	first, h, c := trusted(t)
	second, third := startSSHD(t), startSSHD(t, "LogLevel DEBUG1")
	for _, s := range []*sshd{second, third} {
		s.allow(t, readPublic(t, h.path("id_ed25519.pub")))
	}
	h.know(t, first, second, third)
	alias := func(name string, s *sshd) string {
		host, port, _ := net.SplitHostPort(s.addr)
		return fmt.Sprintf("Host %s\n HostName %s\n Port %s\n", name, host, port)
	}
	hosts := alias("first", first) + alias("second", second) + alias("third", third)
	c.Target = "third"

	for name, jump := range map[string]string{
		"a list":    "Host third\n ProxyJump first,second\n",
		"each next": "Host third\n ProxyJump second\nHost second\n ProxyJump first\n",
	} {
		t.Run(name, func(t *testing.T) {
			h.write(t, "config", hosts+jump)
			before := strings.Count(first.log.String(), "Accepted publickey")
			echo(t, open(t, c).DialContext)
			if after := strings.Count(first.log.String(), "Accepted publickey"); after != before+1 {
				t.Errorf("%d logins at the first jump host, want 1", after-before)
			}
		})
	}
	t.Run("in a circle", func(t *testing.T) {
		h.write(t, "config", hosts+"Host third\n ProxyJump second\nHost second\n ProxyJump third\n")
		if _, err := tunnel.Open(t.Context(), c); err == nil || !strings.Contains(err.Error(), "does it lead to itself?") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("unknown jump host", func(t *testing.T) {
		h.write(t, "config", hosts+"Host third\n ProxyJump first\n")
		h.know(t, third)
		e := refused(t, c)
		wantText(t, "error", e.Error(), "the host key of", first.addr, "is unknown")
	})
	t.Run("jump host killed", func(t *testing.T) {
		h.write(t, "config", hosts+"Host third\n ProxyJump first\n")
		h.know(t, first, third)
		tun := open(t, c)
		echo(t, tun.DialContext)
		first.kill()
		first.start(t)
		echo(t, tun.DialContext)
	})
	t.Run("ProxyCommand", func(t *testing.T) {
		h.write(t, "config", hosts+"Host third\n ProxyCommand ssh -W %h:%p first\n")
		wantText(t, "hint", refused(t, c).Hint, "ProxyJump")
	})
}

func TestNothingListens(t *testing.T) {
	h := newHome(t)
	c := tunnel.Config{Target: freeport.Address(), Home: h.dir, Getenv: environment()}
	wantText(t, "error", refused(t, c).Error(), "connection refused")
}

// A server that accepts and says nothing does not hold us longer than the context.
func TestSilentServer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err = tunnel.Open(ctx, tunnel.Config{Target: l.Addr().String(), Home: newHome(t).dir, Getenv: environment()})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v, want the context's", err)
	}
}

func TestDialEndsWithItsContext(t *testing.T) {
	server, _, c := trusted(t)
	tun := open(t, c)
	server.kill()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := tun.DialContext(ctx, "", ""); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v, want the context's", err)
	}
}

func TestClose(t *testing.T) {
	server, _, c := trusted(t)
	tun := open(t, c)
	stream, err := tun.DialContext(t.Context(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	server.kill() // so that an attempt to reconnect may be under way
	dialled := make(chan error)
	go func() { _, err := tun.DialContext(t.Context(), "", ""); dialled <- err }()
	if err := tun.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-dialled; err == nil {
		t.Error("a dial during Close came through")
	}
	if _, err := stream.Read(make([]byte, 1)); err == nil {
		t.Error("a stream outlives Close")
	}
	if _, err := tun.DialContext(t.Context(), "", ""); !errors.Is(err, net.ErrClosed) {
		t.Errorf("dial after Close: %v, want net.ErrClosed", err)
	}
	if err := tun.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
}

func TestStreamDeadline(t *testing.T) {
	_, _, c := trusted(t)
	tun := open(t, c)
	stream, err := tun.DialContext(t.Context(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	if err := stream.SetDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("error %v, want os.ErrDeadlineExceeded", err)
	}
	echo(t, tun.DialContext)
}

func TestForward(t *testing.T) {
	server, _, c := trusted(t)
	events := make(chan tunnel.Event, 16)
	c.Event = func(e tunnel.Event) { events <- e }
	tun := open(t, c)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- tun.Forward(ctx, l) }()
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", l.Addr().String())
	}
	echo(t, dial)

	t.Run("half-closed", func(t *testing.T) {
		conn, err := dial(t.Context(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		io.WriteString(conn, "the end")
		conn.(*net.TCPConn).CloseWrite()
		if got, err := io.ReadAll(conn); err != nil || string(got) != "the end" {
			t.Errorf("got %q, %v", got, err)
		}
	})
	server.kill()
	if e := <-events; e.Err == nil {
		t.Error("the loss was not reported")
	}
	server.start(t)
	echo(t, dial)

	open, err := dial(t.Context(), "", "") // must not hold up the end
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("Forward: %v", err)
	}
	if _, err := dial(t.Context(), "", ""); err == nil {
		t.Error("the port is still open after Forward")
	}
}

// New session keys, asked for by the server after each megabyte, go by
// unnoticed.
func TestRekey(t *testing.T) {
	_, _, c := trusted(t, "RekeyLimit 1M")
	stream, err := open(t, c).DialContext(t.Context(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	const size = 4 << 20
	sent := make(chan error, 1)
	go func() {
		_, err := io.CopyN(stream, zeros{}, size)
		sent <- err
	}()
	if n, err := io.Copy(io.Discard, io.LimitReader(stream, size)); n != size || err != nil {
		t.Errorf("%d bytes of %d came back, %v", n, size, err)
	}
	if err := <-sent; err != nil {
		t.Error(err)
	}
}
