package httpapi

import (
	"fmt"
	"slices"

	"github.com/hashicorp/go-bexpr"
)

// page applies the filter and the pagination of a request to a sorted list.
// key names an element; it is what the token of a page is made of. The list is
// never nil, so that it becomes [] and not null. (Nomad.)
func page[T any](r *request, list []T, key func(T) string) ([]T, string, error) {
	keep, err := filter[T](r.filter)
	if err != nil {
		return nil, "", err
	}
	out := []T{}
	if r.reverse {
		list = slices.Clone(list)
		slices.Reverse(list)
	}
	started := r.nextToken == ""
	for _, item := range list {
		if started = started || key(item) == r.nextToken || after(key(item), r.nextToken, r.reverse); !started {
			continue
		}
		ok, err := keep(item)
		if err != nil {
			return nil, "", badRequest("failed to filter: %v", err)
		}
		if !ok {
			continue
		}
		if r.perPage > 0 && len(out) == r.perPage {
			return out, key(item), nil
		}
		out = append(out, item)
	}
	return out, "", nil
}

func after(key, token string, reverse bool) bool {
	if reverse {
		return key < token
	}
	return key > token
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

// orderKey sorts as a number and then a name do.
func orderKey(index uint64, id string) string { return fmt.Sprintf("%020d.%s", index, id) }
