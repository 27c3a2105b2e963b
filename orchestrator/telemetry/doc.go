// Package telemetry measures the orchestrator under Nomad's metric names. What
// happens is counted as it happens; what is (how many allocations run) is
// counted from the state when somebody asks, or at each interval for the sinks
// that want to be told.
//
// The package starts nothing by itself and changes no state.
package telemetry
