package tunnel

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	"golang.org/x/crypto/ssh"
)

// DefaultRemote is the far address when Config.Remote is empty: the HTTP API
// of a Nomad agent on the SSH server itself.
const DefaultRemote = "127.0.0.1:4646"

// retryFor is how long one DialContext goes on making a lost connection again
// before it returns the last error.
const retryFor = 30 * time.Second

// dialRounds is how many links one DialContext uses up: a server that hangs up
// on each request must not be logged in to for ever.
const dialRounds = 3

// Config says where a tunnel leads and what it may use to get there. Only
// Target is needed.
type Config struct {
	// Target is [USER@]HOST[:PORT]; HOST may be an alias of ~/.ssh/config.
	Target string
	// Remote is HOST:PORT or the path of a unix socket, both as the SSH server
	// sees them. Empty means DefaultRemote.
	Remote string
	// IdentityFiles are private key files (or public ones, whose private half
	// the agent holds). They are offered first, to jump hosts too. Empty means
	// those of ~/.ssh/config, else ~/.ssh/id_ed25519, id_ecdsa and id_rsa.
	IdentityFiles []string
	// HostKey is what the target must show: a fingerprint (SHA256:...), or a
	// line of known_hosts or of a .pub file. It takes the place of known_hosts
	// for the target; jump hosts are still looked up there.
	HostKey string
	// Home is the folder that ~ stands for; empty means $HOME. When it is set,
	// the system's files under /etc/ssh are left alone.
	Home string
	// Getenv reads the environment; nil means os.Getenv.
	Getenv func(string) string
	// Passphrase asks for the passphrase of a key file, once the server has said
	// that it would take that key; again when what it gave before does not open
	// the file. It returns when the context ends. When nil, encrypted keys are skipped.
	Passphrase func(ctx context.Context, file string, again bool) ([]byte, error)
	// Event hears of the connection being lost and being back. Calls do not
	// overlap. It may be nil.
	Event func(Event)
}

// Event is a change of the connection after Open.
type Event struct {
	// Err is why the connection was lost, or nil when it is back.
	Err error
	// Stream is true when Err is only why one connection that Forward accepted
	// could not be joined to the far side.
	Stream bool
}

// Tunnel is an SSH connection and the means to make it again. Its methods may
// be called from several goroutines.
type Tunnel struct {
	config Config
	route  []hop

	ctx    context.Context // ends with Close
	cancel context.CancelCauseFunc
	wg     sync.WaitGroup

	mu       sync.Mutex
	attempt  *attempt
	unlocked map[string]ssh.Signer // decrypted keys by file, so that a reconnect does not ask again
	eventMu  sync.Mutex
}

// attempt is one effort to have a connection; link and err are set before done
// is closed.
type attempt struct {
	done chan struct{}
	link *link
	err  error
}

// usable reports whether waiting for a leads, or may lead, to a live link.
func (a *attempt) usable() bool {
	select {
	case <-a.done:
		return a.err == nil && !a.link.dead()
	default:
		return true
	}
}

// Open reads the SSH configuration and connects, once. The connection
// outlives ctx; Close ends it. Errors are *Error where there is a next step.
func Open(ctx context.Context, c Config) (*Tunnel, error) {
	if c.Remote == "" {
		c.Remote = DefaultRemote
	}
	if c.Getenv == nil {
		c.Getenv = os.Getenv
	}
	if _, _, err := remoteNetwork(c.Remote); err != nil {
		return nil, err
	}
	route, err := resolveRoute(c)
	if err != nil {
		return nil, err
	}
	t := &Tunnel{config: c, route: route, unlocked: map[string]ssh.Signer{}}
	t.ctx, t.cancel = context.WithCancelCause(context.Background())
	l, err := t.connect(ctx)
	if err != nil {
		t.cancel(err)
		return nil, err
	}
	first := &attempt{done: make(chan struct{}), link: l}
	close(first.done)
	t.attempt = first
	t.watch(l)
	return t, nil
}

// DialContext opens a stream to Config.Remote; network and addr are ignored. A
// lost connection is made again first, with growing pauses, for as long as ctx
// allows and half a minute at most. A deadline set on the stream ends it.
func (t *Tunnel) DialContext(ctx context.Context, _, _ string) (net.Conn, error) {
	var last error
	for range dialRounds {
		l, err := t.current(ctx)
		if err != nil {
			return nil, err
		}
		conn, err := l.dial(ctx, t.config.Remote)
		if err == nil {
			return conn, nil
		}
		if ctx.Err() != nil {
			return nil, fmt.Errorf("reach %s through %s: %w", t.config.Remote, t.target(), context.Cause(ctx))
		}
		if _, refused := errors.AsType[*ssh.OpenChannelError](err); refused {
			return nil, t.farSideError(err)
		}
		l.fail(err) // the link broke under the request: the next round makes another
		<-l.done
		last = l.reason()
	}
	return nil, fmt.Errorf("reach %s through %s: the SSH connection broke each time: %w", t.config.Remote, t.target(), last)
}

// Close ends the connection, and with it every stream, and waits until nothing
// of the tunnel runs any more. Further calls do nothing.
func (t *Tunnel) Close() error {
	t.mu.Lock()
	t.cancel(net.ErrClosed) // under the lock, so that no attempt starts after it
	a := t.attempt
	t.mu.Unlock()
	<-a.done
	if a.link != nil {
		a.link.fail(net.ErrClosed)
		<-a.link.done
	}
	t.wg.Wait()
	return nil
}

// target is the SSH server as the user wrote it.
func (t *Tunnel) target() string { return t.config.Target }

// current returns the live link, waiting for one to be made where there is none.
func (t *Tunnel) current(ctx context.Context) (*link, error) {
	a, err := t.join()
	if err != nil {
		return nil, err
	}
	select {
	case <-a.done:
		return a.link, a.err
	case <-ctx.Done():
		return nil, fmt.Errorf("waiting for the SSH connection to %s: %w", t.target(), context.Cause(ctx))
	}
}

// join returns the attempt that is under way or has succeeded, else starts one.
func (t *Tunnel) join() (*attempt, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ctx.Err() != nil {
		return nil, fmt.Errorf("tunnel to %s: %w", t.target(), net.ErrClosed)
	}
	if !t.attempt.usable() {
		t.attempt = t.reconnect()
	}
	return t.attempt, nil
}

// reconnect starts an attempt that all callers share, so it depends on none of
// their contexts.
func (t *Tunnel) reconnect() *attempt {
	a := &attempt{done: make(chan struct{})}
	t.wg.Go(func() {
		defer close(a.done)
		a.link, a.err = backoff.Retry(t.ctx, func() (*link, error) {
			l, err := t.connect(t.ctx)
			if err != nil && isFinal(err) {
				return nil, backoff.Permanent(err)
			}
			return l, err
		}, backoff.WithBackOff(newBackOff()), backoff.WithMaxElapsedTime(retryFor))
		if t.ctx.Err() != nil && a.err != nil {
			a.err = fmt.Errorf("tunnel to %s: %w", t.target(), context.Cause(t.ctx))
		}
		if a.err != nil {
			return
		}
		t.event(Event{}) // before the watch, which may report the next loss
		t.watch(a.link)
	})
	return a
}

func newBackOff() backoff.BackOff {
	b := backoff.NewExponentialBackOff()
	b.InitialInterval = 200 * time.Millisecond
	b.MaxInterval = 5 * time.Second
	return b
}

// watch keeps l alive in the background and reports its end.
func (t *Tunnel) watch(l *link) {
	t.wg.Go(l.keepalive)
	t.wg.Go(func() {
		<-l.done
		if t.ctx.Err() == nil {
			t.event(Event{Err: l.reason()})
		}
	})
}

func (t *Tunnel) event(e Event) {
	if t.config.Event == nil {
		return
	}
	t.eventMu.Lock()
	defer t.eventMu.Unlock()
	t.config.Event(e)
}
