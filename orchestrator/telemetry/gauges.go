package telemetry

import (
	"runtime"
	"strings"

	"github.com/hashicorp/go-metrics"
	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator/state"
)

// Gauge is one thing that is counted. Its name begins after "nomad".
type Gauge struct {
	Name   []string
	Value  float32
	Labels []metrics.Label
}

// gauges gathers them.
type gauges struct{ list []Gauge }

func (g *gauges) set(value float64, labels []metrics.Label, name string) {
	g.list = append(g.list, Gauge{strings.Split(name, "/"), float32(value), append([]metrics.Label(nil), labels...)})
}

// Gauges counts what the state holds, and tells what was measured. (Nomad: the
// names and labels.)
func (t *Telemetry) Gauges(snap *state.Snapshot, use Use) []Gauge {
	g := &gauges{}
	allocs := snap.Allocs(nil)
	g.jobs(snap, allocs)
	g.queues(snap)
	g.nodes(snap, allocs)
	if t.conf.Allocations {
		g.allocations(allocs)
	}
	g.hosts(snap.Nodes(nil), use.Hosts)
	g.tasks(allocs, use.Allocs)
	g.runtime()
	return g.list
}

// queues are the evaluations that wait, and the like.
func (g *gauges) queues(snap *state.Snapshot) {
	waiting, ready := 0, 0
	for _, eval := range snap.OpenEvals(nil, api.EvalStatusPending) {
		if eval.WaitUntil.IsZero() {
			ready++
		} else {
			waiting++
		}
	}
	g.set(float64(len(snap.OpenEvals(nil, api.EvalStatusBlocked))), nil, "nomad/blocked_evals/total_blocked")
	g.set(0, nil, "nomad/blocked_evals/total_escaped")
	g.set(0, nil, "nomad/blocked_evals/total_quota_limit")
	g.set(float64(ready), nil, "nomad/broker/total_ready")
	g.set(0, nil, "nomad/broker/total_unacked")
	g.set(0, nil, "nomad/broker/total_pending")
	g.set(0, nil, "nomad/broker/total_cancelable")
	g.set(float64(waiting), nil, "nomad/broker/total_waiting")
	g.set(0, nil, "nomad/plan/queue_depth")
	g.set(float64(len(snap.Nodes(nil))), nil, "nomad/heartbeat/active")
	g.set(float64(snap.Index()), nil, "raft/appliedIndex")
	g.set(float64(snap.Index()), nil, "state/snapshotIndex")
	g.set(float64(len(snap.Locks(nil))), nil, "variables/locks/ttl_timer/num")
}

// runtime is what this process uses.
func (g *gauges) runtime() {
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	g.set(float64(runtime.NumGoroutine()), nil, "runtime/num_goroutines")
	g.set(float64(stats.Alloc), nil, "runtime/alloc_bytes")
	g.set(float64(stats.Sys), nil, "runtime/sys_bytes")
	g.set(float64(stats.Mallocs), nil, "runtime/malloc_count")
	g.set(float64(stats.Frees), nil, "runtime/free_count")
	g.set(float64(stats.HeapObjects), nil, "runtime/heap_objects")
	g.set(float64(stats.PauseTotalNs), nil, "runtime/total_gc_pause_ns")
	g.set(float64(stats.NumGC), nil, "runtime/total_gc_runs")
}

func label(name, value string) metrics.Label { return metrics.Label{Name: name, Value: value} }
