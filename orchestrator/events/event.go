package events

import (
	"encoding/json"

	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator/state"
)

// Event is one changed thing, as it goes over the wire.
type Event struct {
	Topic      api.Topic
	Type       string
	Key        string
	Namespace  string
	FilterKeys []string
	Index      uint64
	Payload    json.RawMessage

	// text is the event as JSON, made once for all who read it.
	text []byte
}

// eventsOf makes the events of one write. (Nomad: their type tells what the
// write was for, not what their topic is.)
func eventsOf(index uint64, changes state.Changes) []Event {
	cause := causeOf(changes)
	var events []Event
	for _, change := range changes {
		if !state.IsCurrent(change.Table) {
			continue
		}
		for _, t := range cause.types(changes, change.Before, change.After) {
			event, payload := describe(change.Before, t.row)
			if payload == nil {
				continue
			}
			text, err := json.Marshal(payload)
			if err != nil {
				continue // What is in the state was encoded before.
			}
			event.Index, event.Payload = index, text
			if event.Type == "" {
				event.Type = string(t.name)
			}
			if event.text, err = json.Marshal(event); err != nil {
				continue
			}
			events = append(events, event)
		}
	}
	return events
}

// describe makes the event of one changed row; it has no payload where there is
// none. Type is set where it does not depend on the rest of the write.
func describe(before, after any) (Event, any) {
	row, gone := after, after == nil
	if gone {
		row = before
	}
	switch r := row.(type) {
	case *api.Job:
		return Event{Topic: api.TopicJob, Key: *r.ID, Namespace: *r.Namespace}, jobPayload{r, gone}
	case *api.Evaluation:
		return Event{Topic: api.TopicEvaluation, Key: r.ID, Namespace: r.Namespace, FilterKeys: []string{r.JobID, r.DeploymentID}},
			unlessGone(gone, map[string]any{"Evaluation": r})
	case *api.Allocation:
		bare := *r
		bare.Job = nil
		return Event{Topic: api.TopicAllocation, Key: r.ID, Namespace: r.Namespace, FilterKeys: []string{r.JobID, r.DeploymentID}},
			unlessGone(gone, map[string]any{"Allocation": &bare})
	case *api.Deployment:
		return Event{Topic: api.TopicDeployment, Key: r.ID, Namespace: r.Namespace, FilterKeys: []string{r.JobID}},
			unlessGone(gone, map[string]any{"Deployment": r})
	case *api.Node:
		return Event{Topic: api.TopicNode, Key: r.ID}, map[string]any{"Node": r}
	}
	return describeShared(row, gone)
}

// describeShared is describe for what belongs to no job.
func describeShared(row any, gone bool) (Event, any) {
	switch r := row.(type) {
	case *api.ServiceRegistration:
		return Event{
			Topic: api.TopicService, Key: r.ID, Namespace: r.Namespace, FilterKeys: []string{r.JobID, r.ServiceName},
			Type: either(gone, "ServiceDeregistration", "ServiceRegistration"),
		}, map[string]any{"Service": r}
	case *api.Variable:
		bare := map[string]any{
			"Namespace": r.Namespace, "Path": r.Path, "CreateIndex": r.CreateIndex, "ModifyIndex": r.ModifyIndex,
			"CreateTime": r.CreateTime, "ModifyTime": r.ModifyTime,
		}
		return Event{Topic: "Variable", Key: r.Path, Namespace: r.Namespace, Type: "VariableUpdated"},
			map[string]any{"Metadata": bare, "Deleted": gone}
	case *api.ACLToken:
		bare := *r
		bare.SecretID = ""
		return Event{Topic: "ACLToken", Key: r.AccessorID, Type: either(gone, "ACLTokenDeleted", "ACLTokenUpserted")},
			map[string]any{"ACLToken": &bare}
	case *api.ACLPolicy:
		return Event{Topic: "ACLPolicy", Key: r.Name, Type: either(gone, "ACLPolicyDeleted", "ACLPolicyUpserted")},
			map[string]any{"ACLPolicy": r}
	}
	if pool := state.PoolOf(row); pool != nil {
		return Event{Topic: api.TopicNodePool, Key: pool.Name, Type: either(gone, "NodePoolDeleted", "NodePoolUpserted")},
			map[string]any{"NodePool": pool}
	}
	return Event{}, nil
}

// jobPayload tells also that a job is no longer there. (Nomad.)
type jobPayload struct {
	Job     *api.Job
	Deleted bool `json:",omitempty"`
}

// unlessGone is the payload of what is not told of when it is removed. (Nomad.)
func unlessGone(gone bool, payload map[string]any) any {
	if gone {
		return nil
	}
	return payload
}

func either(holds bool, yes, no string) string {
	if holds {
		return yes
	}
	return no
}
