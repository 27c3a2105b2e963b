package tunnel

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
)

// Forward accepts connections on l and joins each to Config.Remote until ctx
// ends, which is no error, or l fails. It closes l, and returns once every
// connection has ended. A connection whose far side cannot be reached is
// closed, and Config.Event hears why.
func (t *Tunnel) Forward(ctx context.Context, l net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	defer context.AfterFunc(ctx, func() { l.Close() })()
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	for {
		near, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			l.Close()
			return fmt.Errorf("accept on %s: %w", l.Addr(), err)
		}
		wg.Go(func() { t.carry(ctx, near) })
	}
}

// carry copies both ways between near and a new stream until both sides are
// done or ctx ends.
func (t *Tunnel) carry(ctx context.Context, near net.Conn) {
	defer near.Close()
	defer context.AfterFunc(ctx, func() { near.Close() })()
	far, err := t.DialContext(ctx, "", "")
	if err != nil {
		if ctx.Err() == nil && !errors.Is(err, net.ErrClosed) {
			t.event(Event{Err: err, Stream: true})
		}
		return
	}
	defer far.Close()
	defer context.AfterFunc(ctx, func() { far.Close() })()
	var wg sync.WaitGroup
	wg.Go(func() { pipe(far, near) })
	wg.Go(func() { pipe(near, far) })
	wg.Wait()
}

// copySize is what one write carries: several packets of SSH, which are 32 KiB.
const copySize = 256 << 10

// pipe copies until src ends and passes the end on. A half that breaks takes
// the other one with it.
func pipe(dst, src net.Conn) {
	// Without the wrapping, a TCP connection would take over, with a smaller buffer.
	_, err := io.CopyBuffer(struct{ io.Writer }{dst}, struct{ io.Reader }{src}, make([]byte, copySize))
	half, ok := dst.(interface{ CloseWrite() error })
	if err != nil || !ok || half.CloseWrite() != nil {
		dst.Close()
		src.Close()
	}
}
