package orchestrator_test

import (
	"slices"
	"testing"

	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator"
	"ostro/orchestrator/orchestratortest"
	"ostro/orchestrator/telemetry"
)

// TestWhatTasksAndNodesUseIsMeasured holds that the metrics of tasks and machines
// are there under Nomad's names, with the labels of whom they are about.
func TestWhatTasksAndNodesUseIsMeasured(t *testing.T) {
	agent := orchestratortest.Start(t, orchestrator.Config{Telemetry: telemetry.Config{Allocations: true, Nodes: true}})
	register(t, agent, shellJob("service", "web", 1, "while :; do :; done"))
	orchestratortest.Eventually(t, "web to run", func() bool { return len(running(t, agent, "web")) == 1 })
	alloc := running(t, agent, "web")[0]
	found := func(summary *api.MetricsSummary, name string) *api.GaugeValue {
		for _, gauge := range summary.Gauges {
			if gauge.Name == "nomad.client."+name {
				return &gauge
			}
		}
		return nil
	}
	var summary *api.MetricsSummary
	orchestratortest.Eventually(t, "the task to have used a processor", func() bool {
		var err error
		if summary, _, err = agent.Client.Operator().MetricsSummary(nil); err != nil {
			t.Fatal(err)
		}
		busy := found(summary, "allocs.cpu.total_percent")
		return busy != nil && busy.Value > 0
	})
	for _, name := range []string{"allocs.memory.rss", "allocs.memory.usage", "allocs.memory.allocated", "allocs.cpu.user", "allocs.cpu.total_ticks"} {
		gauge := found(summary, name)
		if gauge == nil || gauge.Value <= 0 || gauge.DisplayLabels["alloc_id"] != alloc.ID || gauge.DisplayLabels["task"] != "t" || gauge.DisplayLabels["job"] != "web" {
			t.Errorf("%s is %+v", name, gauge)
		}
	}
	for _, name := range []string{"host.memory.total", "host.memory.available", "host.disk.size", "host.disk.used_percent", "host.cpu.idle", "uptime"} {
		gauge := found(summary, name)
		if gauge == nil || gauge.Value <= 0 || gauge.DisplayLabels["node_id"] != alloc.NodeID {
			t.Errorf("%s is %+v", name, gauge)
		}
	}
	// What is counted is told of the last full interval.
	orchestratortest.Eventually(t, "the start of the task is counted", func() bool {
		summary, _, err := agent.Client.Operator().MetricsSummary(nil)
		if err != nil {
			t.Fatal(err)
		}
		return slices.ContainsFunc(summary.Counters, func(c api.SampledValue) bool {
			return c.Name == "nomad.client.allocs.running" && c.DisplayLabels["task"] == "t" && c.Count == 1
		})
	})
}
