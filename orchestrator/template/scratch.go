package template

import (
	"fmt"
	"maps"
	"slices"
)

// Scratch keeps values for a template while it renders. Its setters print nothing.
type Scratch struct{ values map[string]any }

// Key reports whether there is a value.
func (s *Scratch) Key(key string) bool { _, ok := s.values[key]; return ok }

// Get returns a value, nil when there is none.
func (s *Scratch) Get(key string) any { return s.values[key] }

// Set sets a value.
func (s *Scratch) Set(key string, value any) string { s.values[key] = value; return "" }

// SetX sets a value unless there is one.
func (s *Scratch) SetX(key string, value any) string {
	if !s.Key(key) {
		s.Set(key, value)
	}
	return ""
}

// MapSet sets a value in the map called name.
func (s *Scratch) MapSet(name, key string, value any) (string, error) {
	m, err := s.at(name)
	if err == nil {
		m[key] = value
	}
	return "", err
}

// MapSetX sets a value in the map called name unless there is one.
func (s *Scratch) MapSetX(name, key string, value any) (string, error) {
	m, err := s.at(name)
	if _, ok := m[key]; err == nil && !ok {
		m[key] = value
	}
	return "", err
}

// MapValues are the values of the map called name in the order of their keys.
func (s *Scratch) MapValues(name string) []any {
	m, _ := s.values[name].(map[string]any)
	var all []any
	for _, key := range slices.Sorted(maps.Keys(m)) {
		all = append(all, m[key])
	}
	return all
}

func (s *Scratch) at(name string) (map[string]any, error) {
	if !s.Key(name) {
		s.values[name] = map[string]any{}
	}
	m, ok := s.values[name].(map[string]any)
	if !ok {
		return nil, fmt.Errorf("%q is not a map", name)
	}
	return m, nil
}
