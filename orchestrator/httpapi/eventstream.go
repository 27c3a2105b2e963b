package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"ostro/orchestrator/events"
)

// How often a stream shows that it lives, and how long its reader may take for
// one piece. (Nomad.)
const (
	eventHeartbeat = 30 * time.Second
	streamTimeout  = 40 * time.Second
)

// eventStream follows the writes to the state, one line of JSON each, until the
// reader leaves or falls too far behind. (Nomad: the texts; 1.3.)
func (s *server) eventStream(r *request) (any, error) {
	topics, err := events.ParseTopics(r.query["topic"])
	if err != nil {
		return nil, badRequest("Invalid topic query: %v", err)
	}
	subscription := s.Events.Subscribe(r.index, events.Filter{Namespace: r.namespace, Topics: topics})
	return stream(func(w http.ResponseWriter) error {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-cache")
		// Who left, or is too slow, gets no error any more.
		_ = follow(r.Context(), newLines(w), subscription)
		return nil
	}), nil
}

func follow(ctx context.Context, lines *lines, subscription *events.Subscription) error {
	if err := lines.write([]byte("{}")); err != nil {
		return err
	}
	for {
		waiting, cancel := context.WithTimeout(ctx, eventHeartbeat)
		found, err := subscription.Next(waiting)
		cancel()
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, context.DeadlineExceeded):
			err = lines.write([]byte("{}"))
		case err == nil:
			err = lines.add(found.JSON())
			if err == nil && !subscription.Ready() {
				err = lines.flush()
			}
		}
		if err != nil {
			return err
		}
	}
}

// lines writes one line after the other, each at once.
type lines struct {
	w    http.ResponseWriter
	conn *http.ResponseController
}

func newLines(w http.ResponseWriter) *lines { return &lines{w, http.NewResponseController(w)} }

func (l *lines) encode(value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return l.write(text)
}

func (l *lines) write(text []byte) error { return l.raw(append(text, '\n')) }

func (l *lines) raw(text []byte) error {
	if err := l.put(text); err != nil {
		return err
	}
	return l.flush()
}

// add writes a line that the next flush, or a full buffer, sends off.
func (l *lines) add(text []byte) error { return l.put(append(text, '\n')) }

func (l *lines) put(text []byte) error {
	if err := l.conn.SetWriteDeadline(time.Now().Add(streamTimeout)); err != nil {
		return err
	}
	_, err := l.w.Write(text)
	return err
}

func (l *lines) flush() error { return l.conn.Flush() }
