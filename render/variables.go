package render

import (
	"fmt"
	"strings"
)

// Variables are the merged variables of a template.
//
// Nested maps are map[string]any, but a YAML map whose keys are all integers
// is a map[int]any, so that it keeps its order. Lists are []any. Whole numbers
// are int, or uint64 beyond that, or a string of digits beyond that; others
// are float64. So 1000000 and 2^53+1 render as they were written.
type Variables map[string]any

// Set sets the variable at a dotted path ("a.b"), as -var a.b=c does, and
// makes the maps on the way. It is an error if something on the way holds a
// value that is not a map, or if a name is empty.
func (v Variables) Set(path string, value any) error {
	names := strings.Split(path, ".")
	last := len(names) - 1
	target := map[string]any(v)
	for i, name := range names {
		if name == "" {
			return fmt.Errorf("variable %q: a name is empty", path)
		}
		if i == last {
			break
		}
		next, there := target[name]
		if !there {
			next = map[string]any{}
			target[name] = next
		}
		nested, isMap := next.(map[string]any)
		if !isMap {
			return fmt.Errorf("variable %q: %q already has a value that is not a map", path, strings.Join(names[:i+1], "."))
		}
		target = nested
	}
	target[names[last]] = value
	return nil
}

// Merge merges over into v, deeply: where both have a map, the maps are
// merged; elsewhere over wins. What is taken from over is copied.
func (v Variables) Merge(over Variables) { merge(v, over) }

func merge[K comparable](into, over map[K]any) {
	for k, value := range over {
		into[k] = merged(into[k], value)
	}
}

func merged(old, over any) any {
	switch over := over.(type) {
	case map[string]any:
		if old, ok := old.(map[string]any); ok {
			merge(old, over)
			return old
		}
	case map[int]any:
		if old, ok := old.(map[int]any); ok {
			merge(old, over)
			return old
		}
	}
	return clone(over)
}

// clone copies the maps and lists of a value.
func clone(value any) any {
	switch value := value.(type) {
	case map[string]any:
		return cloneMap(value)
	case map[int]any:
		return cloneMap(value)
	case []any:
		list := make([]any, len(value))
		for i, element := range value {
			list[i] = clone(element)
		}
		return list
	}
	return value
}

func cloneMap[K comparable](m map[K]any) map[K]any {
	c := make(map[K]any, len(m))
	for k, value := range m {
		c[k] = clone(value)
	}
	return c
}
