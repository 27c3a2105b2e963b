package jobspec

import (
	"cmp"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"

	"github.com/hashicorp/nomad/api"
)

// Shorten gives a job without what every server fills in by itself.
func Shorten(job *api.Job) (*api.Job, error) {
	short, err := clone(job)
	if err != nil {
		return nil, err
	}
	s := shortener{job: short}
	if s.want, err = complete(short); err != nil {
		return nil, err
	}
	// The groups have taken what they need of the job's update block: without it, what
	// they have by default shows.
	update := short.Update
	short.Update = nil
	if got, err := complete(short); err != nil || !reflect.DeepEqual(got, s.want) {
		short.Update = update
	}
	s.fields(reflect.ValueOf(short).Elem())
	return short, nil
}

// shortener tries for each field whether the job is the same without it.
type shortener struct {
	job, want *api.Job // want has everything filled in
}

// complete fills in what a job leaves out. Nomad: every task has the default
// identity, a node pool and a host network are called default, the job's update
// block is but a default for its groups, and what is left out after that is zero.
func complete(job *api.Job) (*api.Job, error) {
	whole, err := clone(job)
	if err != nil {
		return nil, err
	}
	whole.Canonicalize()
	whole.Update = nil
	if deref(whole.NodePool) == "" {
		whole.NodePool = new("default")
	}
	for _, group := range whole.TaskGroups {
		for _, n := range group.Networks {
			for _, ports := range [][]api.Port{n.DynamicPorts, n.ReservedPorts} {
				for i := range ports {
					ports[i].HostNetwork = cmp.Or(ports[i].HostNetwork, "default")
				}
			}
		}
		for _, task := range group.Tasks {
			if id := task.Identity; id != nil && (id.Name == "" || id.Name == "default") && !id.Env && !id.File && id.TTL == 0 {
				task.Identity = nil
			}
		}
	}
	dropZeros(reflect.ValueOf(whole))
	return whole, nil
}

// dropZeros makes no difference between what is absent and what is zero or empty.
func dropZeros(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			dropZeros(v.Elem())
		}
	case reflect.Slice:
		for i := range v.Len() {
			dropZeros(v.Index(i))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			field := v.Field(i)
			if !field.CanSet() {
				continue
			}
			dropZeros(field)
			empty := (field.Kind() == reflect.Map || field.Kind() == reflect.Slice) && field.Len() == 0
			if empty || field.Kind() == reflect.Pointer && !field.IsNil() && field.Elem().IsZero() {
				field.SetZero()
			}
		}
	}
}

// fields empties every field of a struct that is filled in again, the others' fields
// after that.
func (s *shortener) fields(v reflect.Value) {
	for i := range v.NumField() {
		name, kind, _ := strings.Cut(v.Type().Field(i).Tag.Get("hcl"), ",")
		field := v.Field(i)
		if name == "" && v.Type().Field(i).Name != "Identity" || kind == "label" || field.IsZero() {
			continue
		}
		was := reflect.ValueOf(field.Interface())
		field.SetZero()
		if got, err := complete(s.job); err == nil && reflect.DeepEqual(got, s.want) {
			continue
		}
		field.Set(was)
		if kind == "block" {
			s.inner(field)
		}
	}
}

func (s *shortener) inner(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		s.inner(v.Elem())
	case reflect.Slice:
		for i := range v.Len() {
			s.inner(v.Index(i))
		}
	case reflect.Struct:
		s.fields(v)
	}
}

// clone copies a job by way of the API's JSON.
func clone(job *api.Job) (*api.Job, error) {
	text, err := json.Marshal(job)
	if err != nil {
		return nil, fmt.Errorf("copy the job: %w", err)
	}
	other := &api.Job{}
	if err := json.Unmarshal(text, other); err != nil {
		return nil, fmt.Errorf("copy the job: %w", err)
	}
	return other, nil
}
