package httpapi

import (
	"net/http"

	"github.com/hashicorp/nomad/api"
)

// allocStats are zeros: what tasks use is not measured here.
func (s *server) allocStats(r *request) (any, error) {
	if _, err := s.allocRunner(r.id()); err != nil {
		return nil, err
	}
	now := s.Clock.Now().UnixNano()
	usage := func() *api.ResourceUsage {
		return &api.ResourceUsage{MemoryStats: &api.MemoryStats{}, CpuStats: &api.CpuStats{}, DeviceStats: []*api.DeviceGroupStats{}}
	}
	stats := &api.AllocResourceUsage{ResourceUsage: usage(), Tasks: map[string]*api.TaskResourceUsage{}, Timestamp: now}
	for task := range s.Store.Snapshot().Alloc(nil, r.id()).TaskStates {
		stats.Tasks[task] = &api.TaskResourceUsage{ResourceUsage: usage(), Timestamp: now}
	}
	return stats, nil
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
			return nil, err
		}
	}
	if req.AllTasks && req.TaskName != "" {
		return nil, badRequest("cannot restart task %q when all tasks are to be restarted", req.TaskName)
	}
	node, err := s.allocRunner(r.id())
	if err != nil {
		return nil, err
	}
	if err := node.Restart(r.Context(), r.id(), req.TaskName, req.AllTasks); err != nil {
		return nil, clientError(err)
	}
	return struct{}{}, nil
}

func (s *server) signalAlloc(r *request) (any, error) {
	req := api.AllocSignalRequest{}
	if err := decode(r, &req); err != nil {
		return nil, err
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
	id := r.query.Get("node_id")
	if id == "" {
		id = s.firstNode()
	}
	if s.Store.Snapshot().Node(nil, id) == nil {
		return nil, fail(http.StatusNotFound, "Unknown node %s", id)
	}
	return &api.HostStats{
		Memory: &api.HostMemoryStats{}, CPU: []*api.HostCPUStats{}, DiskStats: []*api.HostDiskStats{},
		DeviceStats: []*api.DeviceGroupStats{},
	}, nil
}
