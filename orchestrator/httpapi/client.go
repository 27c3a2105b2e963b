package httpapi

import (
	"cmp"
	"net/http"

	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator/runner"
)

// allocStats is what the tasks of an allocation use.
func (s *server) allocStats(r *request) (any, error) {
	node, err := s.allocRunner(r.id())
	if err != nil {
		return nil, err
	}
	used, err := node.Usage(r.Context(), r.id())
	if err != nil {
		return nil, clientError(err)
	}
	return used, nil
}

func (s *server) allocChecks(r *request) (any, error) {
	node, err := s.allocRunner(r.id())
	if err != nil {
		return nil, err
	}
	checks, err := node.Checks(r.id())
	if err != nil {
		return nil, clientError(err)
	}
	return checks, nil
}

func (s *server) restartAlloc(r *request) (any, error) {
	req := api.AllocationRestartRequest{}
	if r.ContentLength != 0 {
		if err := decode(r, &req); err != nil {
			return nil, fail(http.StatusInternalServerError, "%v", err)
		}
	}
	node, err := s.allocRunner(r.id())
	if err != nil {
		return nil, err
	}
	if req.AllTasks && req.TaskName != "" {
		return nil, textError("task name cannot be set when restarting all tasks")
	}
	if err := node.Restart(r.Context(), r.id(), req.TaskName, req.AllTasks); err != nil {
		return nil, clientError(err)
	}
	return struct{}{}, nil
}

func (s *server) signalAlloc(r *request) (any, error) {
	req := api.AllocSignalRequest{}
	if err := decode(r, &req); err != nil {
		return nil, badRequest("Failed to decode body: %v", err)
	}
	node, err := s.allocRunner(r.id())
	if err != nil {
		return nil, err
	}
	signal := req.Signal
	if signal == "" {
		signal = "SIGKILL"
	}
	if err := node.Signal(r.Context(), r.id(), req.Task, signal); err != nil {
		return nil, clientError(err)
	}
	return struct{}{}, nil
}

// clientStats answers for a node of ours with what a node always has.
func (s *server) clientStats(r *request) (any, error) {
	node, err := s.nodeRunner(r)
	if err != nil {
		return nil, err
	}
	used, err := node.HostUsage(r.Context())
	if err != nil {
		return nil, err
	}
	return used, nil
}

// nodeRunner is the runner of the node that a request names, or of the first.
func (s *server) nodeRunner(r *request) (*runner.Runner, error) {
	id := cmp.Or(r.query.Get("node_id"), s.firstNode())
	node := s.Runner(id)
	if node == nil {
		return nil, fail(http.StatusNotFound, "Unknown node %s", id)
	}
	return node, nil
}

// collectAlloc removes the folder of an allocation that has ended.
func (s *server) collectAlloc(r *request) (any, error) {
	node, err := s.allocRunner(r.id())
	if err != nil {
		return nil, err
	}
	if err := node.Collect(r.id()); err != nil {
		return nil, err
	}
	return noContent(http.StatusOK, s.Store.Snapshot().Index()), nil
}

// collectAllocs removes the folders of all allocations of a node that have ended.
func (s *server) collectAllocs(r *request) (any, error) {
	node, err := s.nodeRunner(r)
	if err != nil {
		return nil, err
	}
	node.CollectAll()
	return noContent(http.StatusOK, s.Store.Snapshot().Index()), nil
}

// pauseAlloc answers for what only Nomad Enterprise has. (Nomad: the texts.)
func (s *server) pauseAlloc(r *request) (any, error) {
	if _, err := s.allocRunner(r.id()); err != nil {
		return nil, err
	}
	return nil, textErrorf("Enterprise only")
}
