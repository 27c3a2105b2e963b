package tunnel

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

const (
	// dialTimeout bounds the TCP connection and the key exchange, each.
	dialTimeout = 15 * time.Second
	// loginTimeout bounds the authentication, in which somebody may have to type
	// a passphrase or touch a key. OpenSSH: LoginGraceTime is 120 s.
	loginTimeout = 2 * time.Minute
	// A link is dead when nothing came in for deadAfter, seen every
	// keepaliveEvery: at most 14 s together.
	keepaliveEvery = 4 * time.Second
	deadAfter      = 10 * time.Second
)

// link is one SSH connection to the target, with those to the jump hosts under it.
type link struct {
	client *ssh.Client
	wire   *heard
	ground net.Conn      // the TCP connection under it, the first jump host's if there is one
	done   chan struct{} // closed once the connection has ended

	once  sync.Once
	cause error
}

// connect goes through every hop of the route to the target.
func (t *Tunnel) connect(ctx context.Context) (*link, error) {
	var jumps []*ssh.Client
	closeJumps := func() {
		for _, j := range jumps {
			j.Close()
		}
	}
	way := way{dial: (&net.Dialer{}).DialContext}
	for _, h := range t.route[:len(t.route)-1] {
		client, wire, err := t.connectHop(ctx, way, h, "")
		if err != nil {
			closeJumps()
			return nil, fmt.Errorf("jump host: %w", err)
		}
		jumps = append(jumps, client)
		way = way.through(client, wire)
	}
	client, wire, err := t.connectHop(ctx, way, t.route[len(t.route)-1], t.config.HostKey)
	if err != nil {
		closeJumps()
		return nil, err
	}
	l := &link{client: client, wire: wire, ground: way.through(client, wire).ground, done: make(chan struct{})}
	t.wg.Go(func() {
		err := client.Wait()
		l.fail(err)
		closeJumps()
		close(l.done)
	})
	return l, nil
}

// way is how to get to the next hop. To give up, close the ground first: over a
// jump host that has gone silent, closing the rest would wait for it.
type way struct {
	dial   func(ctx context.Context, network, addr string) (net.Conn, error)
	ground net.Conn
}

// through is the way on from a hop that has been reached over w.
func (w way) through(client *ssh.Client, wire net.Conn) way {
	if w.ground != nil {
		wire = w.ground
	}
	return way{dial: client.DialContext, ground: wire}
}

// connectHop dials h and logs in. hostKey, when not empty, is what the host
// must show.
func (t *Tunnel) connectHop(ctx context.Context, way way, h hop, hostKey string) (*ssh.Client, *heard, error) {
	trust, err := newTrust(h, hostKey)
	if err != nil {
		return nil, nil, err
	}
	var last error
	for _, algorithms := range trust.algorithms {
		client, wire, err := t.login(ctx, way, h, trust, algorithms)
		if err == nil {
			return client, wire, nil
		}
		last = err
		if !trust.tryNext(err) {
			break
		}
	}
	return nil, nil, last
}

// login makes one connection to h that takes host keys of the given algorithms only.
func (t *Tunnel) login(ctx context.Context, way way, h hop, trust *trust, algorithms []string) (*ssh.Client, *heard, error) {
	dialCtx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	raw, err := way.dial(dialCtx, "tcp", h.addr())
	if err != nil {
		return nil, nil, connectError(h, err)
	}
	wire := newHeard(raw)

	// Neither the agent nor the far side may hold us longer than ctx.
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	slow := time.AfterFunc(dialTimeout, func() { stop(fmt.Errorf("no answer within %s", dialTimeout)) })
	defer slow.Stop()
	defer context.AfterFunc(ctx, func() {
		if way.ground != nil {
			way.ground.Close()
		}
		raw.Close()
	})()

	keys := t.collectKeys(ctx, h)
	defer keys.close()
	conn, channels, requests, err := ssh.NewClientConn(wire, h.addr(), &ssh.ClientConfig{
		User: h.user,
		Auth: []ssh.AuthMethod{ssh.PublicKeys(keys.signers...)},
		HostKeyCallback: func(_ string, _ net.Addr, key ssh.PublicKey) error {
			slow.Reset(loginTimeout)
			return trust.check(key)
		},
		HostKeyAlgorithms: algorithms,
		ClientVersion:     "SSH-2.0-ostro",
	})
	if err != nil {
		raw.Close()
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return nil, nil, loginError(h, keys, err)
	}
	return ssh.NewClient(conn, channels, requests), wire, nil
}

// connectError explains a failed TCP connection.
func connectError(h hop, err error) error {
	err = fmt.Errorf("ssh %s: %w", h, err)
	dns, ok := errors.AsType[*net.DNSError](err)
	if ok && dns.IsTimeout {
		return &Error{Err: err, Hint: fmt.Sprintf("no name server answers where %s is looked up: check the network, then try again", dns.Name)}
	}
	if ok && dns.IsNotFound {
		return &Error{Err: err, Hint: fmt.Sprintf("%q is neither a host name nor an alias in ~/.ssh/config", h.host)}
	}
	return &Error{Err: err, Hint: fmt.Sprintf("is the SSH server running and reachable? try: nc -vz %s %s", h.host, h.port)}
}

// loginError explains a failed handshake.
func loginError(h hop, keys *keys, err error) error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	text := err.Error()
	switch {
	case strings.Contains(text, "unable to authenticate"), strings.Contains(text, "Too many authentication failures"):
		return keys.refused(h, text)
	}
	return &Error{Err: fmt.Errorf("ssh %s: %w", h, err), Hint: "try: ssh -v " + h.commandLine()}
}

// dial opens a stream to remote as the SSH server sees it.
func (l *link) dial(ctx context.Context, remote string) (net.Conn, error) {
	network, addr, err := remoteNetwork(remote)
	if err != nil {
		return nil, err
	}
	conn, err := l.client.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return &stream{Conn: conn}, nil
}

// remoteNetwork splits Config.Remote into what Dial wants.
func remoteNetwork(remote string) (network, addr string, err error) {
	if path, ok := strings.CutPrefix(remote, "unix:"); ok {
		return "unix", path, nil
	}
	if strings.HasPrefix(remote, "/") {
		return "unix", remote, nil
	}
	if _, port, err := net.SplitHostPort(remote); err != nil || !validPort(port) {
		return "", "", fmt.Errorf("far side of the tunnel %q: want HOST:PORT or the path of a unix socket", remote)
	}
	return "tcp", remote, nil
}

// keepalive asks the server for a sign of life while nothing else comes in,
// and ends the link when none arrives.
func (l *link) keepalive() {
	tick := time.NewTicker(keepaliveEvery)
	defer tick.Stop()
	answered := make(chan struct{}, 1)
	asking := false
	for {
		select {
		case <-l.done:
			return
		case <-answered:
			asking = false
		case <-tick.C:
			if quiet := l.wire.silence(); quiet >= deadAfter {
				l.fail(fmt.Errorf("no sign of life for %s", quiet.Round(time.Second)))
				return
			}
			if asking {
				continue
			}
			asking = true
			go func() {
				l.client.SendRequest("keepalive@openssh.com", true, nil)
				answered <- struct{}{}
			}()
		}
	}
}

// fail ends the link; the first reason given stays.
func (l *link) fail(err error) {
	l.once.Do(func() {
		l.cause = err
		l.ground.Close()
		l.client.Close()
	})
}

// dead reports whether the connection has ended.
func (l *link) dead() bool {
	select {
	case <-l.done:
		return true
	default:
		return false
	}
}

// reason is why the link ended; call it after done.
func (l *link) reason() error {
	if l.cause == nil || errors.Is(l.cause, io.EOF) {
		return errors.New("the server closed it")
	}
	return l.cause
}
