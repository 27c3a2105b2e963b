package jobdiff

import "slices"

// matching says which blocks of two lists belong together.
type matching int

const (
	// byKey pairs the blocks with the same key.
	byKey matching = iota + 1
	// byLikeness pairs services, which have no name of their own.
	byLikeness
	// byKeyOrAlone is byKey, but one block on each side always makes a pair.
	byKeyOrAlone
)

// pairs matches blocks; one without a counterpart is paired with nil.
func (m matching) pairs(old, new []*block) [][2]*block {
	if m != byKey && len(old) == 1 && len(new) == 1 {
		return [][2]*block{{old[0], new[0]}}
	}
	if m == byKey {
		return pairs(old, new, func(b *block) string { return b.key })
	}
	var out [][2]*block
	left := slices.Clone(new)
	for place, b := range old {
		i := m.find(b, place, left)
		if i < 0 {
			out = append(out, [2]*block{b, nil})
			continue
		}
		out = append(out, [2]*block{b, left[i]})
		left[i] = nil
	}
	for _, b := range left {
		if b != nil {
			out = append(out, [2]*block{nil, b})
		}
	}
	return out
}

// find gives the index of the block in list that old, which stands at place,
// became, or -1. What has found its pair is nil.
func (m matching) find(old *block, place int, list []*block) int {
	best, found := 0, -1
	for i, b := range list {
		if b == nil {
			continue
		}
		score := 0
		if m == byKeyOrAlone {
			if b.key == old.key {
				return i
			}
			continue
		}
		if i == place {
			score++
		}
		if b.fields["PortLabel"] == old.fields["PortLabel"] {
			score += 2
		}
		if b.fields["Name"] == old.fields["Name"] {
			score += 3
		}
		// The place alone is not enough. (Nomad.)
		if score > 2 && score > best {
			best, found = score, i
		}
	}
	return found
}
