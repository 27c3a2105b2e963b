package tunnel

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/ssh"
)

// pairUp connects a link to an SSH server in memory, whose answers pass
// through gate: while that is closed, nothing gets through.
func pairUp(t *testing.T) (l *link, gate *gate) {
	t.Helper()
	near, far := net.Pipe()
	gate = newGate(near)
	_, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	config := &ssh.ServerConfig{NoClientAuth: true}
	config.AddHostKey(signer)
	go func() {
		conn, channels, requests, err := ssh.NewServerConn(far, config)
		if err != nil {
			return
		}
		go ssh.DiscardRequests(requests)
		for c := range channels {
			c.Reject(ssh.Prohibited, "none here")
		}
		conn.Wait()
	}()
	wire := newHeard(gate)
	conn, channels, requests, err := ssh.NewClientConn(wire, "far", &ssh.ClientConfig{HostKeyCallback: ssh.FixedHostKey(signer.PublicKey())})
	if err != nil {
		t.Fatal(err)
	}
	l = &link{client: ssh.NewClient(conn, channels, requests), wire: wire, ground: wire, done: make(chan struct{})}
	go func() {
		l.fail(l.client.Wait())
		close(l.done)
	}()
	return l, gate
}

// gate is a pipe with some room, as a network has, whose incoming bytes can be
// held back.
type gate struct {
	net.Conn
	out  chan []byte
	shut chan struct{} // closed: nothing comes in any more

	closed chan struct{}
	once   sync.Once
}

func newGate(c net.Conn) *gate {
	g := &gate{Conn: c, out: make(chan []byte, 1000), shut: make(chan struct{}), closed: make(chan struct{})}
	go func() {
		for {
			select {
			case p := <-g.out:
				if _, err := g.Conn.Write(p); err != nil {
					return
				}
			case <-g.closed:
				return
			}
		}
	}()
	return g
}

func (g *gate) Write(p []byte) (int, error) {
	g.out <- bytes.Clone(p)
	return len(p), nil
}

func (g *gate) Close() error {
	g.once.Do(func() { close(g.closed) })
	return g.Conn.Close()
}

func (g *gate) Read(p []byte) (int, error) {
	for {
		n, err := g.Conn.Read(p)
		select {
		case <-g.shut:
			if err == nil {
				continue // lost on the way
			}
		default:
		}
		return n, err
	}
}

func TestDeadLinkIsFoundIn15Seconds(t *testing.T) {
	// The silence may begin anywhere between two keepalives.
	for offset := time.Duration(0); offset < keepaliveEvery; offset += 500 * time.Millisecond {
		synctest.Test(t, func(t *testing.T) {
			l, gate := pairUp(t)
			go l.keepalive()
			time.Sleep(time.Hour + offset)
			if l.dead() {
				t.Fatalf("an idle link that answers was given up: %v", l.reason())
			}
			close(gate.shut)
			silent := time.Now()
			<-l.done
			if took := time.Since(silent); took > 15*time.Second {
				t.Errorf("found dead after %s, want 15 s at most", took)
			}
			if l.reason() == nil {
				t.Error("no reason given")
			}
		})
	}
}

func TestDialOnADeadLinkEndsWithIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, gate := pairUp(t)
		go l.keepalive()
		close(gate.shut)
		begin := time.Now()
		if _, err := l.dial(context.Background(), DefaultRemote); err == nil {
			t.Fatal("dial over a silent link succeeded")
		}
		if took := time.Since(begin); took > 15*time.Second {
			t.Errorf("dial hung for %s", took)
		}
		<-l.done
	})
}
