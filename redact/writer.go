package redact

import (
	"io"
	"sync"
)

// A Writer masks the secrets of its Redactor in what is written through it.
// It is safe for use by several goroutines.
type Writer struct {
	redactor *Redactor
	to       io.Writer

	mu   sync.Mutex
	held []byte // may be the beginning of a secret
}

// Writer returns a Writer that passes masked text on to w. It catches a
// secret that is split over several writes: it holds back the end of what
// was written as long as that may be the beginning of a secret, never more
// than the longest secret's length, and passes on everything else at once.
// What is held back goes out with [Writer.Flush] or [Writer.Close].
func (r *Redactor) Writer(w io.Writer) *Writer {
	return &Writer{redactor: r, to: w}
}

// Write masks p and passes it on. It reports len(p) unless the underlying
// writer fails.
func (w *Writer) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.pass(append(w.held, p...), false); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Flush passes on what is held back, masked.
func (w *Writer) Flush() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.pass(w.held, true)
}

// Close is Flush: the underlying writer belongs to somebody else.
func (w *Writer) Close() error { return w.Flush() }

func (w *Writer) pass(text []byte, final bool) error {
	masked, rest := mask(text, w.redactor.known(), final)
	w.held = append([]byte(nil), rest...)
	if len(masked) == 0 {
		return nil
	}
	_, err := w.to.Write(masked)
	return err
}
