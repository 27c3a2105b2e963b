package jobspec

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/nomad/api"
)

// Write gives a job file from which [Parse] makes the same job. What only a server
// sets, such as the version, is left out. A free-form value that HCL would turn into
// another one is an error.
func Write(job *api.Job) ([]byte, error) {
	text, err := write(job)
	if err != nil {
		return nil, err
	}
	again, diags := Parse("job.nomad", text, Options{DisableFileFunctions: true})
	if diags.HasErrors() {
		return nil, fmt.Errorf("the job cannot be written as HCL: %w", diags)
	}
	want, err := complete(job)
	if err != nil {
		return nil, err
	}
	if got, err := complete(again.Job); err != nil || !reflect.DeepEqual(got.TaskGroups, want.TaskGroups) {
		return nil, errors.Join(errors.New("the job cannot be written as HCL: something in it would become something else"), err)
	}
	return text, nil
}

func write(job *api.Job) ([]byte, error) {
	whole, err := clone(job)
	if err != nil {
		return nil, err
	}
	label := whole.ID
	if whole.Name != nil && label != nil && *whole.Name == *label {
		whole.Name = nil
	}
	whole.ID = nil
	for _, group := range whole.TaskGroups {
		joinPorts(group.Networks)
		for _, task := range group.Tasks {
			if task.Resources != nil {
				joinPorts(task.Resources.Networks)
			}
			if task.Identity != nil {
				task.Identities = append([]*api.WorkloadIdentity{task.Identity}, task.Identities...)
			}
		}
	}
	w := &writer{}
	w.line("job %s {", Quote(deref(label)))
	w.fields(reflect.ValueOf(whole).Elem())
	w.line("}")
	return Format([]byte(w.text.String())), w.err
}

// joinPorts undoes what normalizePorts does.
func joinPorts(networks []*api.NetworkResource) {
	for _, n := range networks {
		n.DynamicPorts = append(n.DynamicPorts, n.ReservedPorts...)
		n.ReservedPorts = nil
	}
}

// writer writes blocks; how they are laid out is left to Format.
type writer struct {
	text strings.Builder
	err  error // the first thing that cannot be written
}

func (w *writer) line(format string, args ...any) { fmt.Fprintf(&w.text, format+"\n", args...) }

func (w *writer) fail(name string, why string) {
	if w.err == nil {
		w.err = fmt.Errorf("%s cannot be written as HCL: %s", name, why)
	}
}

// fields writes the attributes of a struct, then its blocks, groups and tasks last.
func (w *writer) fields(v reflect.Value) {
	for turn := range 3 {
		for i := range v.NumField() {
			name, kind, _ := strings.Cut(v.Type().Field(i).Tag.Get("hcl"), ",")
			if name == "" || name == "-" || kind == "label" || turnOf(name, kind) != turn || v.Field(i).IsZero() {
				continue
			}
			if turn > 0 {
				w.blocks(name, v.Field(i))
			} else if !(name == "operator" && v.Field(i).String() == "=") {
				w.attribute(name, reflect.Indirect(v.Field(i)))
			}
		}
	}
}

func turnOf(name, kind string) int {
	switch {
	case kind != "block":
		return 0
	case name == "group" || name == "task":
		return 2
	}
	return 1
}

func (w *writer) attribute(name string, v reflect.Value) {
	if d, ok := v.Interface().(time.Duration); ok {
		w.line("%s = %s", name, Quote(duration(d)))
		return
	}
	if text, ok := wholeLines(v); ok {
		w.line("%s = <<EOT\n%sEOT", name, text)
		return
	}
	w.line("%s = %s", name, w.value(name, v.Interface()))
}

// blocks writes a field that stands for one block, or for one per element.
func (w *writer) blocks(name string, v reflect.Value) {
	switch {
	case v.Kind() == reflect.Slice:
		for i := range v.Len() {
			w.block(name, reflect.Indirect(v.Index(i)))
		}
	case v.Kind() == reflect.Map && v.Type().Elem().Kind() == reflect.Pointer:
		for _, key := range sortedKeys(v) {
			w.line("%s %s {", name, Quote(key))
			w.fields(v.MapIndex(reflect.ValueOf(key)).Elem())
			w.line("}")
		}
	case v.Kind() == reflect.Map:
		w.mapping(name, v)
	default:
		w.block(name, reflect.Indirect(v))
	}
}

// block writes a struct with its labels.
func (w *writer) block(name string, v reflect.Value) {
	labels := ""
	for i := range v.NumField() {
		if _, kind, _ := strings.Cut(v.Type().Field(i).Tag.Get("hcl"), ","); kind == "label" {
			labels += " " + Quote(reflect.Indirect(v.Field(i)).String())
		}
	}
	if policy, ok := v.Interface().(api.ScalingPolicy); ok && strings.HasPrefix(policy.Type, "vertical_") {
		labels = " " + Quote(strings.TrimPrefix(policy.Type, "vertical_"))
	}
	w.line("%s%s {", name, labels)
	w.fields(v)
	w.line("}")
}

// mapping writes a map with names of the user's own: as a block, or as an object
// where a name is no identifier and the block may be an attribute, too.
func (w *writer) mapping(name string, v reflect.Value) {
	keys := sortedKeys(v)
	if !slices.ContainsFunc(keys, func(key string) bool { return !hclsyntax.ValidIdentifier(key) }) {
		w.line("%s {", name)
		for _, key := range keys {
			w.entry(key, v.MapIndex(reflect.ValueOf(key)))
		}
		w.line("}")
		return
	}
	if name != "meta" && name != "env" {
		w.fail(name, "one of its names is no identifier")
		return
	}
	w.line("%s = %s", name, w.value(name, v.Interface()))
}

func (w *writer) entry(key string, v reflect.Value) {
	if v.Kind() == reflect.Interface {
		v = v.Elem()
	}
	if !v.IsValid() {
		w.fail(key, "it is null")
		return
	}
	if v.Kind() == reflect.Map { // the bare object would become a list
		w.line("%s = merge(%s)", key, w.value(key, v.Interface()))
		return
	}
	w.attribute(key, v)
}

func sortedKeys(v reflect.Value) []string {
	var keys []string
	for _, key := range v.MapKeys() {
		keys = append(keys, key.String())
	}
	slices.Sort(keys)
	return keys
}

// value is an expression for a text, a number, true or false, a list or an object.
func (w *writer) value(name string, value any) string {
	v := reflect.ValueOf(value)
	switch v.Kind() {
	case reflect.String:
		return Quote(v.String())
	case reflect.Slice:
		items := make([]string, v.Len())
		for i := range items {
			items[i] = w.value(name, v.Index(i).Interface())
		}
		return "[" + strings.Join(items, ", ") + "]"
	case reflect.Map:
		var b strings.Builder
		b.WriteString("{\n")
		for _, key := range sortedKeys(v) {
			label := key
			if !hclsyntax.ValidIdentifier(key) {
				label = Quote(key)
			}
			fmt.Fprintf(&b, "%s = %s\n", label, w.value(name, v.MapIndex(reflect.ValueOf(key)).Interface()))
		}
		return b.String() + "}"
	case reflect.Invalid:
		return "null"
	case reflect.Float64:
		return decimal(v.Float())
	}
	return fmt.Sprint(value)
}
