package httpapi

import (
	"fmt"
	"runtime"
	"strconv"
)

// stats are the figures of `nomad agent-info`. Those of raft and serf are a cluster's
// of one server, which is all that there is. (Nomad: the names.)
func (s *server) stats() map[string]map[string]string {
	snap := s.Store.Snapshot()
	node, allocs := s.firstNode(), 0
	for _, a := range snap.Allocs(nil) {
		if a.NodeID == node && !a.ClientTerminalStatus() {
			allocs++
		}
	}
	index := strconv.FormatUint(snap.Index(), 10)
	return map[string]map[string]string{
		"nomad": {
			"server": "true", "leader": "true", "leader_addr": s.Address, "bootstrap": "true", "known_regions": "1",
		},
		// A node in the server's own process is known to live.
		"client": {
			"node_id": node, "known_servers": s.Address, "num_allocations": strconv.Itoa(allocs),
			"heartbeat_ttl": "0s", "last_heartbeat": "0s",
		},
		"raft": {
			"state": "Leader", "num_peers": "0", "term": "2", "last_contact": "0", "fsm_pending": "0",
			"applied_index": index, "commit_index": index, "last_log_index": index, "last_log_term": "2",
			"last_snapshot_index": "0", "last_snapshot_term": "0", "logstore_backend": "file",
			"latest_configuration":       fmt.Sprintf("[{Suffrage:Voter ID:%s Address:%s}]", s.id, s.Address),
			"latest_configuration_index": "0",
			"protocol_version":           "3", "protocol_version_min": "0", "protocol_version_max": "3",
			"snapshot_version_min": "0", "snapshot_version_max": "1",
		},
		"serf": {
			"members": "1", "failed": "0", "left": "0", "health_score": "0", "encrypted": "false", "coordinate_resets": "0",
			"event_time": "1", "member_time": "1", "query_time": "1",
			"event_queue": "0", "intent_queue": "0", "query_queue": "0",
		},
		"runtime": {
			"arch": runtime.GOARCH, "kernel.name": runtime.GOOS, "version": runtime.Version(),
			"cpu_count": strconv.Itoa(runtime.NumCPU()), "max_procs": strconv.Itoa(runtime.GOMAXPROCS(0)),
			"goroutines": strconv.Itoa(runtime.NumGoroutine()),
		},
	}
}
