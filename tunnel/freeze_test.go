package tunnel_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"ostro/tunnel"
)

// freezer passes connections on to an address, until it is frozen: then they
// stay open and nothing moves, as when a cable is pulled.
type freezer struct {
	addr   string
	frozen chan struct{}
}

func startFreezer(t *testing.T, to string) *freezer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &freezer{addr: l.Addr().String(), frozen: make(chan struct{})}
	var wg sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	wg.Go(func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { f.pass(ctx, near, to) })
		}
	})
	t.Cleanup(func() { cancel(); l.Close(); wg.Wait() })
	return f
}

func (f *freezer) pass(ctx context.Context, near net.Conn, to string) {
	defer near.Close()
	far, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer far.Close()
	defer context.AfterFunc(ctx, func() { near.Close(); far.Close() })()
	var wg sync.WaitGroup
	copyUntilFrozen := func(dst, src net.Conn) {
		buf := make([]byte, 32<<10)
		for {
			n, err := src.Read(buf)
			select {
			case <-f.frozen:
				<-ctx.Done()
				return
			default:
			}
			if err != nil {
				dst.Close()
				return
			}
			if _, err := dst.Write(buf[:n]); err != nil {
				return
			}
		}
	}
	wg.Go(func() { copyUntilFrozen(far, near) })
	wg.Go(func() { copyUntilFrozen(near, far) })
	wg.Wait()
}

// The network goes silent under a tunnel over a jump host while every buffer
// on the way is full of what we send: the loss is found in time all the same,
// nothing hangs on the way out, and a context still ends a dial.
func TestFrozenNetwork(t *testing.T) {
	if os.Getenv("OSTRO_TEST") != "full" {
		t.Skip("takes 15 s of real time: set OSTRO_TEST=full to run this test")
	}
	first, h, c := trusted(t)
	second := startSSHD(t)
	second.allow(t, readPublic(t, h.path("id_ed25519.pub")))
	h.know(t, first, second)
	freezer := startFreezer(t, first.addr)
	host, port, _ := net.SplitHostPort(freezer.addr)
	h.write(t, "config", "Host first\n HostName "+host+"\n Port "+port+"\n HostKeyAlias first\nHost 127.0.0.1\n ProxyJump first\n")
	known, err := os.ReadFile(h.path("known_hosts"))
	if err != nil {
		t.Fatal(err)
	}
	h.write(t, "known_hosts", string(known)+"first "+string(mustRead(t, first.path("host_ed25519.pub"))))
	c.Target = second.login(t)
	lost := make(chan tunnel.Event, 1)
	c.Event = func(e tunnel.Event) { lost <- e }
	tun := open(t, c)
	stream, err := tun.DialContext(t.Context(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	written := make(chan error, 1)
	go func() {
		_, err := io.Copy(stream, zeros{})
		written <- err
	}()
	close(freezer.frozen)
	silent := time.Now()
	select {
	case <-lost:
	case <-time.After(20 * time.Second):
		t.Fatal("the loss was not found")
	}
	if took := time.Since(silent); took > 15*time.Second {
		t.Errorf("found after %s, want 15 s at most", took)
	}
	if err := <-written; err == nil {
		t.Error("the writer ended without an error")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := tun.DialContext(ctx, "", ""); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("dial over a frozen network: %v, want the context's error", err)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

func mustRead(t *testing.T, file string) []byte {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
