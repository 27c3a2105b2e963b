package events

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/nomad/api"
)

// Filter says which events a subscription is about.
type Filter struct {
	// Namespace is the namespace of events that have one, "*" for all.
	Namespace string
	// Topics names the keys to follow of each topic; "*" is any of either.
	Topics map[string][]string
}

// wildcard is the topic and the key that stand for all.
const wildcard = "*"

// ParseTopics reads TOPIC or TOPIC:KEY; nothing means everything. (Nomad: the
// text.)
func ParseTopics(texts []string) (map[string][]string, error) {
	if len(texts) == 0 {
		return map[string][]string{wildcard: {wildcard}}, nil
	}
	topics := map[string][]string{}
	for _, text := range texts {
		topic, key, ok := strings.Cut(text, ":")
		if !ok {
			key = wildcard
		}
		if strings.Contains(key, ":") {
			return nil, fmt.Errorf("error parsing topics: Invalid key value pair for topic, topic: %s", text)
		}
		topics[topic] = append(topics[topic], key)
	}
	return topics, nil
}

func (f Filter) choose(all []Event) []Event {
	var chosen []Event
	for _, event := range all {
		if f.wants(&event) {
			chosen = append(chosen, event)
		}
	}
	return chosen
}

func (f Filter) wants(event *Event) bool {
	if event.Namespace != "" && f.Namespace != api.AllNamespacesNamespace && event.Namespace != f.Namespace {
		return false
	}
	for _, topic := range []string{wildcard, string(event.Topic)} {
		for _, key := range f.Topics[topic] {
			if key == wildcard || key == event.Key || slices.Contains(event.FilterKeys, key) {
				return true
			}
		}
	}
	return false
}
