package httpapi

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/go-bexpr"
)

// key is what a list is sorted by, and names the first element of a page.
// (Nomad: CREATEINDEX.ID, or NAMESPACE.ID, or a name.)
type key struct {
	index   uint64
	indexed bool
	name    string
}

// nameKey sorts by a name, namespaceKey by a namespace and a name, indexKey by
// age.
func nameKey(name string) key { return key{name: name} }

func namespaceKey(namespace, id string) key { return key{name: namespace + "." + id} }

func indexKey(index uint64, id string) key { return key{index, true, id} }

func (k key) String() string {
	if k.indexed {
		return fmt.Sprintf("%d.%s", k.index, k.name)
	}
	return k.name
}

func (k key) compare(other key) int {
	return cmp.Or(cmp.Compare(k.index, other.index), cmp.Compare(k.name, other.name))
}

// parse reads the token of a page as a key of the same kind.
func (k key) parse(token string) key {
	if k.indexed {
		index, id, _ := strings.Cut(token, ".")
		if n, err := strconv.ParseUint(index, 10, 64); err == nil {
			return indexKey(n, id)
		}
	}
	return key{0, k.indexed, token}
}

// ageKey is the key of evaluations, allocations and deployments: they are
// listed by age, or by ID where only some are asked for. (Nomad.)
func ageKey(r *request, index uint64, id string) key {
	if r.prefix != "" {
		return nameKey(id)
	}
	return indexKey(index, id)
}

// page sorts a list, and applies the filter and the pagination of a request to
// it. It owns the list. What it returns is never nil, so that it becomes [] and
// not null. (Nomad.)
func page[T any](r *request, list []T, keyOf func(T) key) ([]T, string, error) {
	keep, err := filter[T](r.filter)
	if err != nil {
		return nil, "", err
	}
	slices.SortStableFunc(list, func(a, b T) int { return keyOf(a).compare(keyOf(b)) })
	if r.reverse {
		slices.Reverse(list)
	}
	out := []T{}
	for _, item := range list {
		k := keyOf(item)
		if r.nextToken != "" && before(k, k.parse(r.nextToken), r.reverse) {
			continue
		}
		ok, err := keep(item)
		if err != nil {
			return nil, "", badRequest("failed to read result page: %v", err)
		}
		if !ok {
			continue
		}
		if r.perPage > 0 && len(out) == r.perPage {
			return out, k.String(), nil
		}
		out = append(out, item)
	}
	return out, "", nil
}

func before(k, token key, reverse bool) bool {
	if reverse {
		return k.compare(token) > 0
	}
	return k.compare(token) < 0
}

func filter[T any](expression string) (func(T) (bool, error), error) {
	if expression == "" {
		return func(T) (bool, error) { return true, nil }, nil
	}
	evaluator, err := bexpr.CreateEvaluator(expression)
	if err != nil {
		return nil, badRequest("failed to create result paginator: failed to read filter expression: %v", err)
	}
	return func(item T) (bool, error) { return evaluator.Evaluate(item) }, nil
}
