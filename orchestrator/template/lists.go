package template

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// listFunctions are about lists, maps and services.
func listFunctions() map[string]any {
	return map[string]any{
		"in":             in,
		"contains":       func(value, list any) bool { return in(list, value) },
		"containsAll":    func(values []any, list any) bool { return every(values, list, true) },
		"containsAny":    func(values []any, list any) bool { return !every(values, list, false) },
		"containsNone":   func(values []any, list any) bool { return every(values, list, false) },
		"containsNotAll": func(values []any, list any) bool { return !every(values, list, true) },

		"loop":                 loop,
		"byTag":                byTag,
		"byPort":               byPort,
		"byKey":                byKey,
		"byMeta":               byMeta,
		"explode":              explode,
		"explodeMap":           explodeMap,
		"mergeMap":             func(into, from map[string]any) map[string]any { return merge(into, from, false) },
		"mergeMapWithOverride": func(into, from map[string]any) map[string]any { return merge(into, from, true) },
	}
}

// in reports whether a list has a value, or a text another one.
func in(list, value any) bool {
	if s, ok := list.(string); ok {
		part, ok := value.(string)
		return ok && strings.Contains(s, part)
	}
	l := reflect.ValueOf(list)
	if l.Kind() != reflect.Slice && l.Kind() != reflect.Array {
		return false
	}
	for i := range l.Len() {
		if equal(l.Index(i).Interface(), value) {
			return true
		}
	}
	return false
}

func equal(a, b any) bool {
	if x, ok := toNumber(a); ok {
		y, ok := toNumber(b)
		return ok && x.kind == y.kind && x.float() == y.float()
	}
	return reflect.DeepEqual(a, b)
}

// every reports whether each of the values is in list, or with is false, is not.
func every(values []any, list any, is bool) bool {
	return !slices.ContainsFunc(values, func(v any) bool { return in(list, v) != is })
}

// maxLoop bounds what a typing error can cost.
const maxLoop = 1 << 20

// loop counts from 0 or the first argument up to the last one, without it.
func loop(bounds ...any) ([]int64, error) {
	if len(bounds) < 1 || len(bounds) > 2 {
		return nil, fmt.Errorf("loop: wrong number of arguments, expected 1 or 2, but got %d", len(bounds))
	}
	ends := []int64{0}
	for _, b := range bounds {
		n, ok := toNumber(b)
		if s, isText := b.(string); isText {
			i, err := parse("loop", func(s string) (int64, error) { var i int64; _, err := fmt.Sscan(s, &i); return i, err })(s)
			if err != nil {
				return nil, err
			}
			n, ok = number{kind: reflect.Int64, i: i}, true
		}
		if !ok || n.kind == reflect.Float64 {
			return nil, fmt.Errorf("loop: bad argument type: %T", b)
		}
		ends = append(ends, n.i)
	}
	start, stop := ends[len(ends)-2], ends[len(ends)-1]
	if stop-start > maxLoop {
		return nil, fmt.Errorf("loop: more than %d rounds", maxLoop)
	}
	var all []int64
	for i := start; i < stop; i++ {
		all = append(all, i)
	}
	return all, nil
}

// byTag sorts services by their tags.
func byTag(list any) (map[string][]any, error) {
	m := map[string][]any{}
	add := func(tags []string, service any) {
		for _, tag := range tags {
			m[tag] = append(m[tag], service)
		}
	}
	switch services := list.(type) {
	case nil:
	case []*Service:
		for _, s := range services {
			add(s.Tags, s)
		}
	case []*ServiceName:
		for _, s := range services {
			add(s.Tags, s)
		}
	case []*ConsulService:
		for _, s := range services {
			add(s.Tags, s)
		}
	default:
		return nil, fmt.Errorf("byTag: wrong argument type %T", list)
	}
	return m, nil
}

// byPort sorts services by their ports.
func byPort(list any) (map[int][]any, error) {
	m := map[int][]any{}
	switch services := list.(type) {
	case nil:
	case []*Service:
		for _, s := range services {
			m[s.Port] = append(m[s.Port], s)
		}
	case []*ConsulService:
		for _, s := range services {
			m[s.Port] = append(m[s.Port], s)
		}
	default:
		return nil, fmt.Errorf("byPort: wrong argument type %T", list)
	}
	return m, nil
}

// byKey sorts pairs by the first part of their keys.
func byKey(pairs []*KeyPair) map[string]map[string]*KeyPair {
	m := map[string]map[string]*KeyPair{}
	for _, pair := range pairs {
		top, rest, ok := strings.Cut(pair.Key, "/")
		if !ok || top == "" {
			continue
		}
		if m[top] == nil {
			m[top] = map[string]*KeyPair{}
		}
		m[top][rest] = &KeyPair{Path: pair.Path, Key: rest, Value: pair.Value}
	}
	return m
}

// byMeta sorts Consul's services by a key of their meta.
func byMeta(key string, services []*ConsulService) map[string][]*ConsulService {
	m := map[string][]*ConsulService{}
	for _, s := range services {
		m[s.ServiceMeta[key]] = append(m[s.ServiceMeta[key]], s)
	}
	return m
}

func explode(pairs []*KeyPair) (map[string]any, error) {
	m := map[string]any{}
	for _, pair := range pairs {
		if err := put(m, pair.Key, pair.Value); err != nil {
			return nil, fmt.Errorf("explode: %w", err)
		}
	}
	return m, nil
}

// explodeMap makes maps in maps of keys with slashes.
func explodeMap(flat map[string]any) (map[string]any, error) {
	m := map[string]any{}
	for _, key := range slices.Sorted(maps.Keys(flat)) {
		if err := put(m, key, flat[key]); err != nil {
			return nil, fmt.Errorf("explodeMap: %w", err)
		}
	}
	return m, nil
}

func put(m map[string]any, key string, value any) error {
	for rest := key; ; {
		top, below, nested := strings.Cut(rest, "/")
		if !nested {
			if top != "" {
				m[top] = value
			}
			return nil
		}
		if m[top] == nil {
			m[top] = map[string]any{}
		}
		inner, ok := m[top].(map[string]any)
		if !ok {
			return fmt.Errorf("not a map: %q: %q already has value %q", key, top, m[top])
		}
		m, rest = inner, below
	}
}

// merge puts what from has into a copy of into, maps in maps too.
func merge(into, from map[string]any, override bool) map[string]any {
	out := maps.Clone(into)
	if out == nil {
		out = map[string]any{}
	}
	for key, value := range from {
		old, there := out[key]
		oldMap, isMap := old.(map[string]any)
		newMap, toMap := value.(map[string]any)
		switch {
		case isMap && toMap:
			out[key] = merge(oldMap, newMap, override)
		case !there || override:
			out[key] = value
		}
	}
	return out
}
