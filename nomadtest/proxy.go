//go:build unix

package nomadtest

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// Fault is what a [Proxy] does to the connections. The zero value does nothing.
type Fault struct {
	Reset   bool          // connections are reset, open and new ones
	Hole    bool          // nothing arrives any more, and nothing is closed
	Status  int           // each request is answered with this status, and with what Nomad says without a leader
	Latency time.Duration // of each piece of data, in each direction
	Rate    int           // bytes per second of an answer, 0 for no limit
}

// Proxy stands between a client and a server and has faults.
type Proxy struct {
	Addr string // HOST:PORT to talk to

	target string
	mu     sync.Mutex
	fault  Fault
	conns  map[net.Conn]bool
}

// NewProxy makes a proxy before the server at the address, which may be a URL. It
// ends with the test.
func NewProxy(t testing.TB, target string) *Proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{Addr: listener.Addr().String(), target: strings.TrimPrefix(target, "http://"), conns: map[net.Conn]bool{}}
	var serving sync.WaitGroup
	serving.Go(func() { p.accept(listener, &serving) })
	t.Cleanup(func() {
		listener.Close()
		p.Set(Fault{Reset: true})
		serving.Wait()
	})
	return p
}

// Set changes the fault. What a reset or a black hole has taken does not come
// back; new connections have the new fault.
func (p *Proxy) Set(f Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fault = f; f.Reset || f.Status != 0 {
		for c := range p.conns {
			reset(c)
		}
	}
}

func (p *Proxy) now() Fault {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.fault
}

func (p *Proxy) accept(l net.Listener, serving *sync.WaitGroup) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		p.mu.Lock()
		p.conns[c] = true
		p.mu.Unlock()
		serving.Go(func() {
			p.serve(c)
			p.mu.Lock()
			delete(p.conns, c)
			p.mu.Unlock()
			c.Close()
		})
	}
}

func (p *Proxy) serve(c net.Conn) {
	switch f := p.now(); {
	case f.Reset:
		reset(c)
		return
	case f.Status != 0:
		answer(c, f.Status)
		return
	}
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		reset(c)
		return
	}
	defer server.Close()
	done := make(chan struct{}, 2)
	go func() { p.copy(server, c, false); done <- struct{}{} }()
	go func() { p.copy(c, server, true); done <- struct{}{} }()
	<-done
	c.Close()
	server.Close()
	<-done
}

// copy passes data on as the fault of the moment has it.
func (p *Proxy) copy(to, from net.Conn, slow bool) {
	buffer, lost := make([]byte, 4<<10), false
	for {
		n, err := from.Read(buffer)
		f := p.now()
		if lost = lost || f.Hole; lost {
			if err == nil {
				continue
			}
			return
		}
		<-time.After(f.Latency)
		if slow && f.Rate > 0 {
			<-time.After(time.Duration(n) * time.Second / time.Duration(f.Rate))
		}
		if _, writeErr := to.Write(buffer[:n]); err != nil || writeErr != nil {
			return
		}
	}
}

// answer reads a request and refuses it as a server without a leader does.
func answer(c net.Conn, status int) {
	request, err := http.ReadRequest(bufio.NewReader(c))
	if err != nil {
		return
	}
	io.Copy(io.Discard, request.Body)
	const text = "No cluster leader"
	fmt.Fprintf(c, "HTTP/1.1 %d x\r\nContent-Type: text/plain\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", status, len(text), text)
}

// reset closes a connection so that the other side sees a reset.
func reset(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
	c.Close()
}
