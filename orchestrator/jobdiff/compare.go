package jobdiff

import (
	"cmp"
	"maps"
	"reflect"
	"slices"

	"github.com/hashicorp/nomad/api"
)

// comparison says how much is shown.
type comparison struct{ contextual bool }

// parts compares what is in two blocks, either of which may be nil.
func (c comparison) parts(old, new *block) []*api.ObjectDiff {
	var diffs []*api.ObjectDiff
	for i := range max(len(old.inside()), len(new.inside())) {
		diffs = append(diffs, c.part(old.part(i), new.part(i))...)
	}
	return diffs
}

func (c comparison) part(old, new part) []*api.ObjectDiff {
	match := cmp.Or(new.matching, old.matching)
	var diffs []*api.ObjectDiff
	for _, pair := range match.pairs(old.blocks, new.blocks) {
		if d := c.block(pair[0], pair[1]); d != nil {
			diffs = append(diffs, d)
		}
	}
	slices.SortFunc(diffs, compareObjects)
	return diffs
}

// block compares two blocks of the same kind, one of which may be nil. It
// returns nil where there is nothing to show.
func (c comparison) block(old, new *block) *api.ObjectDiff {
	switch some := cmp.Or(new, old); some.kind {
	case set, changedSet:
		return c.set(some, old, new)
	case plain:
		return c.plain(some, old, new)
	default:
		return c.whole(some, old, new)
	}
}

// whole compares blocks that differ as soon as anything in them does.
func (c comparison) whole(some, old, new *block) *api.ObjectDiff {
	d := &api.ObjectDiff{Type: Edited, Name: some.name}
	switch {
	case old == nil:
		d.Type = Added
	case new == nil:
		d.Type = Deleted
	case reflect.DeepEqual(old.value, new.value):
		return nil
	}
	d.Fields = fieldDiffs(old.values(), new.values(), c.contextual && !some.terse)
	d.Objects = c.parts(old, new)
	return d
}

// plain compares blocks by nothing but the values that are shown.
func (c comparison) plain(some, old, new *block) *api.ObjectDiff {
	fields := fieldDiffs(old.values(), new.values(), c.contextual)
	has := func(kind string) bool {
		return slices.ContainsFunc(fields, func(f *api.FieldDiff) bool { return f.Type == kind })
	}
	d := &api.ObjectDiff{Name: some.name, Fields: fields}
	switch {
	case has(Edited), has(Added) && has(Deleted):
		d.Type = Edited
	case has(Added):
		d.Type = Added
	case has(Deleted):
		d.Type = Deleted
	default:
		return nil
	}
	return d
}

// set compares sets of strings; each member becomes a value with the name of
// the set.
func (c comparison) set(some, old, new *block) *api.ObjectDiff {
	d := &api.ObjectDiff{Type: None, Name: some.name}
	var added, deleted bool
	for _, f := range fieldDiffs(old.values(), new.values(), c.contextual) {
		added, deleted = added || f.Type == Added, deleted || f.Type == Deleted
		f.Name = some.name
		d.Fields = append(d.Fields, f)
	}
	switch {
	case added && deleted:
		d.Type = Edited
	case added:
		d.Type = Added
	case deleted:
		d.Type = Deleted
	case len(d.Fields) == 0 || some.kind == changedSet:
		return nil
	}
	slices.SortFunc(d.Fields, compareFields)
	return d
}

// fieldDiffs compares values by name. A value that is not there is the same as
// an empty one. Only with all are unchanged ones returned.
func fieldDiffs(old, new map[string]string, all bool) []*api.FieldDiff {
	names := map[string]bool{}
	for name := range old {
		names[name] = true
	}
	for name := range new {
		names[name] = true
	}
	var diffs []*api.FieldDiff
	for _, name := range slices.Sorted(maps.Keys(names)) {
		d := &api.FieldDiff{Type: Edited, Name: name, Old: old[name], New: new[name]}
		switch {
		case d.Old == d.New:
			d.Type = None
		case d.Old == "":
			d.Type = Added
		case d.New == "":
			d.Type = Deleted
		}
		if d.Type != None || all {
			diffs = append(diffs, d)
		}
	}
	return diffs
}

func compareFields(a, b *api.FieldDiff) int {
	return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Old, b.Old), cmp.Compare(a.New, b.New))
}

// compareObjects sorts by name, then by type, then by size and content.
// (Nomad.)
func compareObjects(a, b *api.ObjectDiff) int {
	rank := map[string]int{Edited: 0, Added: 1, Deleted: 2, None: 3}
	return cmp.Or(
		cmp.Compare(a.Name, b.Name), cmp.Compare(rank[a.Type], rank[b.Type]),
		cmp.Compare(len(a.Fields), len(b.Fields)), cmp.Compare(len(a.Objects), len(b.Objects)),
		slices.CompareFunc(a.Fields, b.Fields, compareFields),
		slices.CompareFunc(a.Objects, b.Objects, compareObjects),
	)
}
