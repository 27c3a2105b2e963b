package httpapi

import (
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/nomad/api"
	"golang.org/x/crypto/blake2b"
)

// namespaceHash tells by which a client sees that a namespace is another.
func namespaceHash(n *api.Namespace) []byte {
	texts := []string{n.Name, n.Description, n.Quota}
	if c := n.Capabilities; c != nil {
		texts = slices.Concat(texts, c.EnabledTaskDrivers, c.DisabledTaskDrivers, c.EnabledNetworkModes, c.DisabledNetworkModes)
	}
	return contentHash(n.Meta, texts...)
}

// contentHash is the sum of what an operator has set: the texts, and the
// metadata by its keys. (Nomad: the algorithm and the order, so that the same
// content has the same hash on both.)
func contentHash(meta map[string]string, texts ...string) []byte {
	for _, key := range slices.Sorted(maps.Keys(meta)) {
		texts = append(texts, key, meta[key])
	}
	sum := blake2b.Sum256([]byte(strings.Join(texts, "")))
	return sum[:]
}
