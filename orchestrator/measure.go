package orchestrator

import (
	"context"

	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator/telemetry"
)

// gauges counts what there is, and measures what it uses where that is wished for.
// What cannot be measured now is left out.
func (o *Orchestrator) gauges(ctx context.Context) []telemetry.Gauge {
	snap := o.store.Snapshot()
	use := telemetry.Use{Hosts: map[string]*api.HostStats{}, Allocs: map[string]*api.AllocResourceUsage{}}
	if o.conf.Telemetry.Nodes {
		for id, node := range o.runners {
			if stats, err := node.HostUsage(ctx); err == nil {
				use.Hosts[id] = stats
			}
		}
	}
	if o.conf.Telemetry.Allocations {
		for _, a := range snap.Allocs(nil) {
			node := o.runners[a.NodeID]
			if node == nil || a.ClientStatus != api.AllocClientStatusRunning {
				continue
			}
			if stats, err := node.Usage(ctx, a.ID); err == nil {
				use.Allocs[a.ID] = stats
			}
		}
	}
	return o.measure.Gauges(snap, use)
}
