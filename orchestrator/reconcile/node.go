package reconcile

import (
	"maps"
	"slices"
	"time"

	"github.com/hashicorp/nomad/api"
)

// keptNodeEvents is how many events a node remembers. (Nomad.)
const keptNodeEvents = 10

// The events of a node. (Nomad's words.)
const (
	eventDrainSet      = "Node drain strategy set"
	eventDrainUpdated  = "Node drain strategy updated"
	eventDrainDisabled = "Node drain disabled"
	eventDrainComplete = "Node drain complete"

	EventRegistered      = "Node registered"
	EventReregistered    = "Node re-registered"
	EventHeartbeatMissed = "Node heartbeat missed"
	EventHeartbeatAgain  = "Node reregistered by heartbeat"
)

// The subsystems that node events are from. (Nomad.)
const subsystemCluster, subsystemDrain = "Cluster", "Drain"

// anonymous is who drains a node where there are no access control lists.
// (Nomad.)
const anonymous = "token:acls-disabled"

// withEvent is a copy of a node that remembers an event.
func withEvent(node *api.Node, subsystem, message string, details map[string]string, now time.Time) *api.Node {
	changed := *node
	changed.Events = append(slices.Clone(node.Events), &api.NodeEvent{
		Message: message, Subsystem: subsystem, Details: details, Timestamp: now,
	})
	if n := len(changed.Events); n > keptNodeEvents {
		changed.Events = changed.Events[n-keptNodeEvents:]
	}
	return &changed
}

// NodeEvent is a copy of a node that remembers an event of the cluster.
func NodeEvent(node *api.Node, message string, now time.Time) *api.Node {
	return withEvent(node, subsystemCluster, message, nil, now)
}

// NodeStatus is a copy of a node with another status, and the event of that.
func NodeStatus(node *api.Node, status string, now time.Time) *api.Node {
	changed := node
	switch {
	case status != api.NodeStatusReady:
		changed = NodeEvent(node, EventHeartbeatMissed, now)
	case node.Status == api.NodeStatusDown:
		changed = NodeEvent(node, EventHeartbeatAgain, now)
	}
	copied := *changed
	copied.Status, copied.StatusUpdatedAt = status, now.Unix()
	return &copied
}

// NodeEligibility is a copy of a node that takes new allocations, or does not.
func NodeEligibility(node *api.Node, eligibility string, now time.Time) *api.Node {
	changed := NodeEvent(node, "Node marked as "+eligibility+" for scheduling", now)
	changed.SchedulingEligibility, changed.StatusUpdatedAt = eligibility, now.Unix()
	return changed
}

// SetDrain is a copy of a node that is drained as spec says, or, where spec is
// nil, no more. meta is what the operator has to say about it. (Nomad: S5.)
func SetDrain(node *api.Node, spec *api.DrainSpec, markEligible bool, meta map[string]string, now time.Time) *api.Node {
	var strategy *api.DrainStrategy
	message := ""
	switch {
	case spec != nil && node.DrainStrategy == nil:
		message, strategy = eventDrainSet, &api.DrainStrategy{DrainSpec: *spec, StartedAt: now}
	case spec != nil:
		message, strategy = eventDrainUpdated, &api.DrainStrategy{DrainSpec: *spec, StartedAt: node.DrainStrategy.StartedAt}
	case node.DrainStrategy != nil:
		message = eventDrainDisabled
	}
	changed := *node
	if message != "" {
		changed = *withEvent(node, subsystemDrain, message, nil, now)
		changed.LastDrain = lastDrain(node, strategy != nil, DrainCanceled, meta, now)
	}
	if strategy != nil && strategy.Deadline > 0 {
		strategy.ForceDeadline = now.Add(strategy.Deadline)
	}
	changed.Drain, changed.DrainStrategy, changed.StatusUpdatedAt = strategy != nil, strategy, now.Unix()
	switch {
	case strategy != nil:
		changed.SchedulingEligibility = api.NodeSchedulingIneligible
	case markEligible:
		changed.SchedulingEligibility = api.NodeSchedulingEligible
	}
	return &changed
}

// DrainDone is a copy of a node whose drain is over. It stays ineligible.
func DrainDone(node *api.Node, deadline bool, now time.Time) *api.Node {
	var details map[string]string
	if deadline {
		details = map[string]string{"deadline_reached": "true"}
	}
	changed := withEvent(node, subsystemDrain, eventDrainComplete, details, now)
	changed.LastDrain = lastDrain(node, false, DrainComplete, nil, now)
	changed.Drain, changed.DrainStrategy, changed.StatusUpdatedAt = false, nil, now.Unix()
	return changed
}

// lastDrain is the record of the drain that is under way, or ended as the
// outcome says.
func lastDrain(node *api.Node, draining bool, outcome api.DrainStatus, meta map[string]string, now time.Time) *api.DrainMetadata {
	now = now.Truncate(time.Second)
	last := api.DrainMetadata{StartedAt: now, Status: outcome, AccessorID: anonymous}
	if node.DrainStrategy != nil && node.LastDrain != nil {
		last.StartedAt, last.Meta = node.LastDrain.StartedAt, node.LastDrain.Meta
	}
	if draining {
		last.Status = DrainDraining
	}
	if len(meta) > 0 {
		last.Meta = maps.Clone(meta)
	}
	last.UpdatedAt = now
	return &last
}
