package artifact_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"ostro/artifact"
)

// cutter passes TCP connections on, and breaks the one that carries the byte at
// which the count of all that the client sent reaches a place: once, or from then on.
type cutter struct {
	at      int64
	lasting bool
	sent    atomic.Int64
	cut     atomic.Int32
}

func (c *cutter) start(t *testing.T, to string) (endpoint string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	wg.Go(func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { c.pass(ctx, near, strings.TrimPrefix(to, "http://")) })
		}
	})
	t.Cleanup(func() { cancel(); l.Close(); wg.Wait() })
	return "http://" + l.Addr().String()
}

func (c *cutter) pass(ctx context.Context, near net.Conn, to string) {
	defer near.Close()
	if c.lasting && c.cut.Load() > 0 {
		return
	}
	far, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer far.Close()
	defer context.AfterFunc(ctx, func() { near.Close() })() // the client keeps idle connections
	var wg sync.WaitGroup
	wg.Go(func() {
		defer near.Close()
		io.Copy(near, far)
	})
	io.Copy(far, io.TeeReader(near, c))
	far.Close()
	wg.Wait()
}

// Write counts what goes by, and fails at the place.
func (c *cutter) Write(p []byte) (int, error) {
	before := c.sent.Add(int64(len(p))) - int64(len(p))
	if c.lasting && c.cut.Load() > 0 || before < c.at && c.at <= before+int64(len(p)) && c.cut.Add(1) == 1 {
		c.cut.Add(1)
		return 0, io.ErrClosedPipe
	}
	return len(p), nil
}

// A connection that breaks at, just before or just after the end of a part is
// survived when it does so once; when the network is gone for good, nothing of the
// upload is there once it is back.
func TestCutAtEachPartBoundary(t *testing.T) {
	tree := large(t)
	const part = 6 << 20
	places := []int64{part}
	if os.Getenv("OSTRO_TEST") == "full" {
		places = []int64{1, part - 1, part, part + 1, 2*part - 1, 2 * part, 2*part + 1, 2*part + 900<<10}
	}
	for _, at := range places {
		t.Run(fmt.Sprint(at), func(t *testing.T) {
			t.Run("once", func(t *testing.T) {
				srv := ownStore(t, nil)
				c := &cutter{at: at}
				b := server{endpoint: c.start(t, srv.endpoint)}.open(t)
				if _, err := b.Push(t.Context(), tree, "k.zip", artifact.PushOptions{}); err != nil {
					t.Error(err)
				}
				if got := unzipped(t, srv.get(t, "k.zip")); len(got["app"]) != 17<<20 {
					t.Error("the object is broken")
				}
				if c.cut.Load() == 0 {
					t.Error("no connection was cut")
				}
			})
			t.Run("for good", func(t *testing.T) {
				t.Setenv("AWS_MAX_ATTEMPTS", "2")
				srv := ownStore(t, nil)
				c := &cutter{at: at, lasting: true}
				b := server{endpoint: c.start(t, srv.endpoint)}.open(t)
				_, err := b.Push(t.Context(), tree, "k.zip", artifact.PushOptions{})
				if err == nil || strings.Contains(err.Error(), "RequestID") {
					t.Errorf("the error is no sentence: %v", err)
				}
				// What the network kept from being removed, the error names.
				if _, err := srv.open(t).Stat(t.Context(), "k.zip"); err == nil {
					t.Error("the object is there")
				}
			})
		})
	}
}
