package render

import (
	"fmt"
	"math"
	"reflect"
	"strconv"
)

// index is text/template's, but reports a variable that is missing in a map,
// and finds a number among keys that are strings.
func (e *execution) index(n int, in any, keys ...any) (any, error) {
	s, err := e.site(n)
	if err != nil {
		return nil, err
	}
	current := in
	var path []string
	for _, key := range keys {
		path = append(path, fmt.Sprint(key))
	}
	for i, key := range keys {
		if _, gone := current.(absent); gone {
			return absent(nil), nil
		}
		value := reflect.Indirect(reflect.ValueOf(current))
		switch value.Kind() {
		case reflect.Array, reflect.Slice, reflect.String:
			current, err = element(value, key)
			if err != nil {
				return nil, err
			}
		case reflect.Map:
			next, err := entry(value, key)
			if err != nil {
				return nil, err
			}
			if !next.IsValid() {
				return e.missingKey(s, lookedUp{on: in, in: current, path: path, at: i})
			}
			current = next.Interface()
		case reflect.Invalid:
			return nil, fmt.Errorf("index of nil")
		default:
			return nil, fmt.Errorf("a %T cannot be indexed", current)
		}
	}
	return current, nil
}

// missingKey gives a missing element its value, and reports it.
func (e *execution) missingKey(s *site, l lookedUp) (any, error) {
	if e.run.opts.AllowMissing {
		// The zero value: nil for those of variables.
		return reflect.Zero(reflect.Indirect(reflect.ValueOf(l.in)).Type().Elem()).Interface(), nil
	}
	e.miss(s, l)
	if s.tested {
		return nil, nil
	}
	return absent(nil), nil
}

func element(list reflect.Value, key any) (any, error) {
	number, ok := numberOf(key)
	i, exact := number.int64()
	if !ok || !exact {
		return nil, fmt.Errorf("a list is indexed with a number, not with %v", key)
	}
	if i < 0 || i >= int64(list.Len()) {
		return nil, fmt.Errorf("index %d is out of range: the list has %d elements", i, list.Len())
	}
	return list.Index(int(i)).Interface(), nil
}

// entry looks a key up in a map; the result is invalid if it is not there.
func entry(m reflect.Value, key any) (reflect.Value, error) {
	want := m.Type().Key()
	k := reflect.ValueOf(key)
	number, isNumber := numberOf(key)
	i, exact := number.int64()
	switch {
	case want.Kind() == reflect.String && isNumber && exact:
		k = reflect.ValueOf(strconv.FormatInt(i, 10))
	case want.Kind() == reflect.Int && isNumber && exact && i >= math.MinInt && i <= math.MaxInt:
		k = reflect.ValueOf(int(i))
	}
	if want.Kind() == reflect.String && k.Kind() == reflect.String {
		k = k.Convert(want)
	}
	if !k.IsValid() || !k.Type().AssignableTo(want) {
		return reflect.Value{}, fmt.Errorf("the map has keys of type %s, and %v is a %T", want, key, key)
	}
	return m.MapIndex(k), nil
}
