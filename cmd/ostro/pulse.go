package main

import (
	"context"
	"io"
	"sync"
	"time"
)

// pulse is a writer that knows when it was written to last.
type pulse struct {
	mu   sync.Mutex
	out  io.Writer
	last time.Time
}

func (p *pulse) Write(text []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last = time.Now()
	return p.out.Write(text)
}

func (p *pulse) silence() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Since(p.last)
}

// quiet is the longest silence. Some CI systems end a step that writes nothing.
const quiet = 25 * time.Second

// keepTalking says that the command still works whenever nothing was said for
// long: a build or a hook may take minutes. It ends with the context.
func (t *terminal) keepTalking(ctx context.Context) {
	if t.tty {
		return
	}
	begun := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(max(time.Second, quiet-t.pulse.silence())):
		}
		if t.pulse.silence() >= quiet {
			t.info("still at work after %s", clock(time.Since(begun)))
		}
	}
}
