// Package monitor lets readers follow the agent's log while it is written, in
// the lines that `nomad monitor` shows. Nobody waits for a reader: what one is
// too slow for is dropped, and it is told so.
package monitor

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// backlog is how many lines a slow reader may be behind. (Nomad.)
const backlog = 512

// Hub is where the log comes in and the readers are. Its zero value is ready.
type Hub struct {
	mu      sync.Mutex
	readers map[*Reader]bool
	// least is the least level that any reader wants.
	least atomic.Int64
	some  atomic.Bool
}

// Reader gets the lines of its level and above, each with its line feed.
type Reader struct {
	Lines   chan []byte
	level   slog.Level
	json    bool
	dropped int
}

// Follow adds a reader; stop takes it away.
func (h *Hub) Follow(level slog.Level, json bool) (r *Reader, stop func()) {
	r = &Reader{Lines: make(chan []byte, backlog), level: level, json: json}
	h.change(func() { h.readers[r] = true })
	return r, func() { h.change(func() { delete(h.readers, r) }) }
}

func (h *Hub) change(what func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.readers == nil {
		h.readers = map[*Reader]bool{}
	}
	what()
	h.some.Store(len(h.readers) > 0)
	least := slog.Level(1 << 20)
	for r := range maps.Keys(h.readers) {
		least = min(least, r.level)
	}
	h.least.Store(int64(least))
}

// Handler passes records on to next and to the readers.
func (h *Hub) Handler(next slog.Handler) slog.Handler { return &handler{hub: h, next: next} }

type handler struct {
	hub   *Hub
	next  slog.Handler
	attrs []slog.Attr
	group string
}

func (h *handler) wanted(level slog.Level) bool {
	return h.hub.some.Load() && int64(level) >= h.hub.least.Load()
}

func (h *handler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.wanted(level) || h.next.Enabled(ctx, level)
}

func (h *handler) Handle(ctx context.Context, record slog.Record) error {
	if h.wanted(record.Level) {
		h.hub.send(record, h.attrs)
	}
	if !h.next.Enabled(ctx, record.Level) {
		return nil
	}
	return h.next.Handle(ctx, record)
}

func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	named := slices.Clone(attrs)
	for i := range named {
		named[i].Key = h.group + named[i].Key
	}
	return &handler{h.hub, h.next.WithAttrs(attrs), slices.Concat(h.attrs, named), h.group}
}

func (h *handler) WithGroup(name string) slog.Handler {
	return &handler{h.hub, h.next.WithGroup(name), h.attrs, h.group + name + "."}
}

func (h *Hub) send(record slog.Record, attrs []slog.Attr) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var text, asJSON []byte
	for r := range h.readers {
		if record.Level < r.level {
			continue
		}
		line := &text
		if r.json {
			line = &asJSON
		}
		if *line == nil {
			*line = format(record, attrs, r.json)
		}
		r.offer(*line)
	}
}

// offer drops what does not fit, and says how much when there is room again.
func (r *Reader) offer(line []byte) {
	if r.dropped > 0 {
		line = append(fmt.Appendf(nil, "[WARN] Monitor dropped %d logs during monitor request\n", r.dropped), line...)
	}
	select {
	case r.Lines <- line:
		r.dropped = 0
	default:
		r.dropped++
	}
}

// format makes the line of a record. (Nomad: the form.)
func format(record slog.Record, attrs []slog.Attr, asJSON bool) []byte {
	record.Attrs(func(a slog.Attr) bool {
		attrs = append(slices.Clip(attrs), a)
		return true
	})
	var b bytes.Buffer
	if asJSON {
		renamed := slog.NewJSONHandler(&b, &slog.HandlerOptions{Level: slog.LevelDebug - 8, ReplaceAttr: hclogName})
		copied := slog.NewRecord(record.Time, record.Level, record.Message, 0)
		copied.AddAttrs(attrs...)
		_ = renamed.Handle(context.Background(), copied)
		return b.Bytes()
	}
	fmt.Fprintf(&b, "%s %-7s %s", record.Time.UTC().Format("2006-01-02T15:04:05.000Z"), "["+LevelName(record.Level)+"]", record.Message)
	for i, a := range attrs {
		separator := " "
		if i == 0 {
			separator = ": "
		}
		value := a.Value.Resolve().String()
		if strings.ContainsAny(value, " \t\n\"=") {
			value = fmt.Sprintf("%q", value)
		}
		fmt.Fprintf(&b, "%s%s=%s", separator, a.Key, value)
	}
	b.WriteByte('\n')
	return b.Bytes()
}

func hclogName(groups []string, a slog.Attr) slog.Attr {
	if len(groups) > 0 {
		return a
	}
	switch a.Key {
	case slog.TimeKey:
		a.Key = "@timestamp"
	case slog.MessageKey:
		a.Key = "@message"
	case slog.LevelKey:
		level, _ := a.Value.Any().(slog.Level)
		return slog.String("@level", strings.ToLower(LevelName(level)))
	}
	return a
}

// levels are the names of the levels. (Nomad.)
var levels = []struct {
	name  string
	level slog.Level
}{
	{"TRACE", slog.LevelDebug - 4}, {"DEBUG", slog.LevelDebug}, {"INFO", slog.LevelInfo}, {"WARN", slog.LevelWarn}, {"ERROR", slog.LevelError},
}

// LevelName is what a level is called in the log.
func LevelName(level slog.Level) string {
	name := levels[0].name
	for _, l := range levels {
		if level >= l.level {
			name = l.name
		}
	}
	return name
}

// ParseLevel reads the name of a level, in any case.
func ParseLevel(name string) (slog.Level, bool) {
	for _, l := range levels {
		if strings.EqualFold(l.name, name) {
			return l.level, true
		}
	}
	return 0, false
}
