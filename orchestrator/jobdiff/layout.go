package jobdiff

import (
	"fmt"
	"reflect"
	"strconv"
)

// kind says how two blocks are compared.
type kind int

const (
	whole kind = iota
	plain
	// set is a set of strings.
	set
	// changedSet is a set that is not shown while it stays the same.
	changedSet
)

// block is a piece of a job as the comparison sees it.
type block struct {
	name   string
	key    string
	kind   kind
	value  any
	fields map[string]string
	parts  []part
	// terse blocks never show values that stay the same.
	terse bool
}

// part are the blocks of one kind within a block. Blocks of the same kind have
// the same parts in the same order.
type part struct {
	matching matching
	blocks   []*block
}

func (b *block) values() map[string]string {
	if b == nil {
		return nil
	}
	return b.fields
}

func (b *block) inside() []part {
	if b == nil {
		return nil
	}
	return b.parts
}

func (b *block) part(i int) part {
	if b == nil {
		return part{}
	}
	return b.parts[i]
}

// list lays the elements of a slice out; key is what they are matched by.
func list[T any](m matching, items []T, lay func(T) *block, key func(i int, item T) string) part {
	p := part{matching: m}
	for i, item := range items {
		b := lay(item)
		b.key = key(i, item)
		p.blocks = append(p.blocks, b)
	}
	return p
}

// single lays a block out that is there once or not at all.
func single[T any](item *T, lay func(*T) *block) part {
	if item == nil {
		return part{matching: byKey}
	}
	return part{byKey, []*block{lay(item)}}
}

// place matches by the place in the list.
func place[T any](i int, _ T) string { return strconv.Itoa(i) }

// content matches only what is the same.
func content[T any](_ int, item T) string { return fmt.Sprint(flatten(item)) }

// members lays a set of strings out.
func members(name string, k kind, items []string) part {
	if len(items) == 0 {
		return part{matching: byKey}
	}
	b := &block{name: name, kind: k, fields: map[string]string{}}
	for _, member := range items {
		b.fields[member] = member
	}
	return part{byKey, []*block{b}}
}

// free lays a map of whatever the author wrote out.
func free[M ~map[K]V, K comparable, V any](name string, m M) *block {
	return &block{name: name, value: m, fields: flatten(m)}
}

// pick gives the named fields of a struct as text. One that was left out is the
// zero of its type; the elements of a map have the map's name and their key.
func pick(item any, names ...string) map[string]string {
	v := reflect.Indirect(reflect.ValueOf(item))
	out := map[string]string{}
	for _, name := range names {
		field := v.FieldByName(name)
		if field.Kind() == reflect.Pointer && field.IsNil() {
			field = reflect.Zero(field.Type().Elem())
		}
		flattenInto(out, name, field)
	}
	return out
}

// flatten gives every value in something as text, named by its path.
func flatten(item any) map[string]string {
	out := map[string]string{}
	flattenInto(out, "", reflect.ValueOf(item))
	return out
}

func flattenInto(out map[string]string, path string, v reflect.Value) {
	switch v.Kind() {
	case reflect.Invalid:
		out[path] = "nil"
	case reflect.Pointer, reflect.Interface:
		flattenInto(out, path, v.Elem())
	case reflect.Map:
		for _, key := range v.MapKeys() {
			flattenInto(out, sub(path, key.String()), v.MapIndex(key))
		}
	case reflect.Slice, reflect.Array:
		if v.Kind() == reflect.Slice && v.IsNil() {
			out[path] = "nil"
		}
		for i := range v.Len() {
			flattenInto(out, path+"["+strconv.Itoa(i)+"]", v.Index(i))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			name := v.Type().Field(i).Name
			if path != "" {
				name = path + "." + name
			}
			flattenInto(out, name, v.Field(i))
		}
	default:
		out[path] = scalar(v)
	}
}

// scalar prints durations as nanoseconds.
func scalar(v reflect.Value) string {
	if v.CanInt() {
		return strconv.FormatInt(v.Int(), 10)
	}
	return fmt.Sprint(v)
}

func sub(path, key string) string {
	if path == "" {
		return key
	}
	return path + "[" + key + "]"
}

// text prints a value, nothing for one that was left out.
func text[T any](p *T) string {
	if p == nil {
		return ""
	}
	return scalar(reflect.ValueOf(*p))
}
