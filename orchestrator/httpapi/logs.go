package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"ostro/orchestrator/runner"
)

// heartbeat is how often an idle stream shows that it lives. (Nomad: 1 s.)
const heartbeat = time.Second

// allocRunner finds the runner of an allocation. (Nomad: the text.)
func (s *server) allocRunner(id string) (*runner.Runner, error) {
	alloc := s.Store.Snapshot().Alloc(nil, id)
	if alloc == nil {
		return nil, fail(http.StatusNotFound, "Unknown allocation %q", id)
	}
	r := s.Runner(alloc.NodeID)
	if r == nil {
		return nil, fail(http.StatusNotFound, "Unknown node %s", alloc.NodeID)
	}
	return r, nil
}

// clientError gives an error of a runner the status that goes with it.
func clientError(err error) error {
	switch text := err.Error(); {
	case errors.Is(err, runner.ErrNotStarted), errors.Is(err, runner.ErrNoLogs), strings.HasPrefix(text, "Unknown allocation"):
		return fail(http.StatusNotFound, "%s", text)
	case strings.HasPrefix(text, "unknown task name"), strings.HasPrefix(text, "must provide"):
		return badRequest("%s", text)
	}
	return err
}

func (s *server) logs(r *request) (any, error) {
	task, kind := r.query.Get("task"), r.query.Get("type")
	switch {
	case task == "":
		return nil, badRequest("must provide task name")
	case kind != "stdout" && kind != "stderr":
		return nil, badRequest("must provide log type (stdout/stderr)")
	}
	offset, fromEnd, err := r.position()
	if err != nil {
		return nil, err
	}
	follow, err := r.flag("follow")
	if err != nil {
		return nil, badRequest("failed to parse follow field to boolean: %v", err)
	}
	plain, err := r.flag("plain")
	if err != nil {
		return nil, badRequest("failed to parse plain field to boolean: %v", err)
	}
	node, err := s.allocRunner(r.id())
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(r.Context())
	options := runner.LogOptions{Follow: follow, FromEnd: fromEnd, Offset: offset}
	read, err := node.Logs(ctx, r.id(), task, kind, options)
	if err != nil {
		cancel()
		return nil, clientError(err)
	}
	return stream(func(w http.ResponseWriter) error {
		defer cancel()
		return writeFrames(ctx, w, plain, func(yield func(runner.Frame, error) bool) { read(yield) })
	}), nil
}

// position reads where in a file the request wants to begin.
func (r *request) position() (offset int64, fromEnd bool, err error) {
	if text := r.query.Get("offset"); text != "" {
		if offset, err = strconv.ParseInt(text, 10, 64); err != nil {
			return 0, false, badRequest("error parsing offset: %v", err)
		}
	}
	switch r.query.Get("origin") {
	case "", "start":
		return offset, false, nil
	case "end":
		return offset, true, nil
	}
	return 0, false, badRequest("origin must be start or end")
}

// frame is a piece of a file as it goes over the wire. (Nomad.)
type frame struct {
	Offset    int64  `json:",omitempty"`
	Data      []byte `json:",omitempty"`
	File      string `json:",omitempty"`
	FileEvent string `json:",omitempty"`
}

// writeFrames copies pieces of files to the client until there are no more or
// it has gone. plain leaves only the bytes. What goes wrong after the first
// piece ends the answer: its status has been sent.
func writeFrames(ctx context.Context, w http.ResponseWriter, plain bool, read func(func(runner.Frame, error) bool)) error {
	w.Header().Set("Content-Type", "application/json")
	if plain {
		w.Header().Set("Content-Type", "text/plain")
	}
	control := http.NewResponseController(w)
	control.Flush()
	frames := make(chan runner.Frame)
	go func() {
		defer close(frames)
		read(func(f runner.Frame, err error) bool {
			if err != nil {
				return false
			}
			f.Data = slices.Clone(f.Data)
			select {
			case frames <- f:
				return true
			case <-ctx.Done():
				return false
			}
		})
	}()
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	encoder := json.NewEncoder(w)
	for {
		var err error
		select {
		case f, more := <-frames:
			switch {
			case !more:
				return nil
			case plain:
				_, err = w.Write(f.Data)
			default:
				err = encoder.Encode(frame{f.Offset, f.Data, f.File, f.Event})
			}
		case <-beat.C:
			if !plain {
				err = encoder.Encode(frame{})
			}
		case <-ctx.Done():
			return nil
		}
		if err != nil {
			return nil // The client has gone.
		}
		control.Flush()
	}
}
