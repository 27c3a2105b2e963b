package httpapi

import (
	"cmp"
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"ostro/orchestrator/monitor"
)

// monitorHeartbeat is how often a quiet log shows that it lives. (Nomad.)
const monitorHeartbeat = 10 * time.Second

// agentMonitor follows the agent's log, in frames or plain. (Nomad: the texts.)
func (s *server) agentMonitor(r *request) (any, error) {
	name := cmp.Or(r.query.Get("log_level"), "INFO")
	level, ok := monitor.ParseLevel(name)
	if !ok {
		return nil, badRequest("Unknown log level: %s", name)
	}
	asJSON, err := r.monitorFlag("log_json")
	if err != nil {
		return nil, err
	}
	plain, err := r.monitorFlag("plain")
	if err != nil {
		return nil, err
	}
	nodeID, serverID := r.query.Get("node_id"), r.query.Get("server_id")
	switch {
	case nodeID != "" && serverID != "":
		return nil, badRequest("Cannot target node and server simultaneously")
	case nodeID != "" && s.Store.Snapshot().Node(nil, nodeID) == nil:
		return nil, fail(http.StatusInternalServerError, "Unknown node %s", nodeID)
	case serverID != "" && serverID != "leader" && serverID != s.serverName() && serverID != s.id:
		return nil, badRequest("unknown Nomad server %s", serverID)
	}
	return stream(func(w http.ResponseWriter) error {
		w.Header().Set("Content-Type", "application/json")
		if plain {
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		}
		reader, stop := s.Monitor.Follow(level, asJSON)
		defer stop()
		// Who left gets no error any more.
		_ = followLog(r.Context(), newLines(w), reader.Lines, plain)
		return nil
	}), nil
}

// monitorFlag reads a boolean parameter. (Nomad: the text.)
func (r *request) monitorFlag(name string) (bool, error) {
	text := r.query.Get(name)
	if text == "" {
		return false, nil
	}
	value, err := strconv.ParseBool(text)
	if err != nil {
		return false, badRequest("Unknown option for %s: %v", strings.ReplaceAll(name, "_", " "), err)
	}
	return value, nil
}

// logFrame is a piece of the log. (Nomad: base64, as JSON has it.)
type logFrame struct {
	Data []byte `json:",omitempty"`
}

func followLog(ctx context.Context, out *lines, lines <-chan []byte, plain bool) error {
	tick := time.NewTicker(monitorHeartbeat)
	defer tick.Stop()
	if err := out.flush(); err != nil {
		return err
	}
	for {
		var err error
		select {
		case <-ctx.Done():
			return ctx.Err()
		case line := <-lines:
			if plain {
				err = out.raw(line)
			} else {
				err = out.encode(logFrame{line})
			}
		case <-tick.C:
			if !plain {
				err = out.encode(logFrame{})
			}
		}
		if err != nil {
			return err
		}
	}
}
