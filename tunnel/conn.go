package tunnel

import (
	"bufio"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// stream is a channel of the SSH connection as a net.Conn. Channels know no
// deadlines, but callers such as WebSocket clients set them: here one that
// passes ends the stream, reads and writes alike.
type stream struct {
	net.Conn
	expired atomic.Bool

	mu    sync.Mutex
	timer *time.Timer
}

// SetDeadline ends the stream at the given time; the zero time means never.
func (s *stream) SetDeadline(at time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.timer != nil {
		s.timer.Stop()
		s.timer = nil
	}
	if at.IsZero() {
		return nil
	}
	s.timer = time.AfterFunc(time.Until(at), func() {
		s.expired.Store(true)
		s.Conn.Close()
	})
	return nil
}

// SetReadDeadline is SetDeadline: the two directions end together.
func (s *stream) SetReadDeadline(at time.Time) error { return s.SetDeadline(at) }

// SetWriteDeadline is SetDeadline: the two directions end together.
func (s *stream) SetWriteDeadline(at time.Time) error { return s.SetDeadline(at) }

func (s *stream) Read(p []byte) (int, error) {
	n, err := s.Conn.Read(p)
	return n, s.explain(err)
}

func (s *stream) Write(p []byte) (int, error) {
	n, err := s.Conn.Write(p)
	return n, s.explain(err)
}

// CloseWrite tells the far side that nothing more will come.
func (s *stream) CloseWrite() error {
	if c, ok := s.Conn.(interface{ CloseWrite() error }); ok {
		return c.CloseWrite()
	}
	return nil
}

func (s *stream) Close() error {
	s.SetDeadline(time.Time{})
	return s.Conn.Close()
}

func (s *stream) explain(err error) error {
	if err != nil && s.expired.Load() {
		return os.ErrDeadlineExceeded
	}
	return err
}

// readAhead is what one read takes from the network: the SSH library by itself
// asks for each packet in several.
const readAhead = 256 << 10

// heard is a connection that remembers when it last received something.
type heard struct {
	net.Conn
	ahead *bufio.Reader
	start time.Time
	last  atomic.Int64 // nanoseconds since start
}

func newHeard(c net.Conn) *heard {
	h := &heard{Conn: c, start: time.Now()}
	h.ahead = bufio.NewReaderSize(receiver{h}, readAhead)
	return h
}

func (h *heard) Read(p []byte) (int, error) { return h.ahead.Read(p) }

// receiver reads from the network itself.
type receiver struct{ *heard }

func (r receiver) Read(p []byte) (int, error) {
	n, err := r.Conn.Read(p)
	if n > 0 {
		r.last.Store(int64(time.Since(r.start)))
	}
	return n, err
}

// silence is how long nothing has come in.
func (h *heard) silence() time.Duration {
	return time.Since(h.start) - time.Duration(h.last.Load())
}
