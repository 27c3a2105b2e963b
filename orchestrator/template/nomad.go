package template

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/nomad/api"
)

// Nomad is what a template may ask of the orchestrator. All answers are constants.
type Nomad struct {
	Variable  func(namespace, path string) *api.Variable // nil when there is none
	Variables func(namespace, prefix string) []*api.Variable
	Services  func(namespace, name string) []*api.ServiceRegistration // all services when name is ""
}

// A Service is one registration of a service.
type Service struct {
	ID, Name, Node, Address string
	Port                    int
	Datacenter              string
	Tags                    []string
	JobID, AllocID          string
}

// ServiceName is one service with the tags of all its registrations.
type ServiceName struct {
	Name string
	Tags []string
}

// nomadServices lists the services of the namespace.
func (e *execution) nomadServices(...string) []*ServiceName {
	tags := map[string][]string{}
	for _, reg := range e.world.Nomad.Services(e.world.Namespace, "") {
		tags[reg.ServiceName] = append(tags[reg.ServiceName], reg.Tags...)
	}
	var all []*ServiceName
	for _, name := range slices.Sorted(maps.Keys(tags)) {
		slices.Sort(tags[name])
		all = append(all, &ServiceName{Name: name, Tags: slices.Compact(tags[name])})
	}
	return all
}

// nomadService lists the registrations of a service, "[TAG.]NAME[@REGION]"; with COUNT KEY NAME as many as that, of which
// the same key always gets the same ones.
func (e *execution) nomadService(args ...any) ([]*Service, error) {
	switch len(args) {
	case 1:
		name, ok := args[0].(string)
		if !ok {
			return nil, errors.New("expected string for <service> argument")
		}
		return e.registrations(name), nil
	case 3:
		count, isInt := args[0].(int)
		key, isKey := args[1].(string)
		name, isName := args[2].(string)
		switch {
		case !isInt:
			return nil, errors.New("expected integer for <count> argument")
		case !isKey:
			return nil, errors.New("expected string for <key> argument")
		case !isName:
			return nil, errors.New("expected string for <service> argument")
		}
		all := e.registrations(name)
		slices.SortFunc(all, func(a, b *Service) int { return cmp.Compare(weight(key, a), weight(key, b)) })
		return all[:max(0, min(count, len(all)))], nil
	}
	return nil, errors.New("expected arguments <service> or <count> <key> <service>")
}

// weight orders registrations in a way of its own for each key (rendezvous hashing).
func weight(key string, s *Service) uint64 {
	h := fnv.New64a()
	fmt.Fprintf(h, "%s\x00%s", key, s.AllocID)
	return h.Sum64()
}

func (e *execution) registrations(query string) []*Service {
	query, _, _ = strings.Cut(query, "@")
	tag, name, tagged := strings.Cut(query, ".")
	if !tagged {
		tag, name = "", query
	}
	all := []*Service{}
	for _, reg := range e.world.Nomad.Services(e.world.Namespace, name) {
		if tag != "" && !slices.Contains(reg.Tags, tag) {
			continue
		}
		all = append(all, &Service{
			ID: reg.ID, Name: reg.ServiceName, Node: reg.NodeID, Address: reg.Address, Port: reg.Port,
			Datacenter: reg.Datacenter, Tags: reg.Tags, JobID: reg.JobID, AllocID: reg.AllocID,
		})
	}
	slices.SortFunc(all, func(a, b *Service) int { return cmp.Compare(a.ID, b.ID) })
	return all
}

// place takes "PATH[@NAMESPACE[.REGION]]" apart, and names it as Nomad does.
func (e *execution) place(query string) (namespace, path, name string) {
	path, rest, _ := strings.Cut(query, "@")
	namespace, region, _ := strings.Cut(rest, ".")
	namespace = cmp.Or(namespace, e.world.Namespace, api.DefaultNamespace)
	path = strings.Trim(path, "/")
	return namespace, path, fmt.Sprintf("%s@%s.%s", path, namespace, cmp.Or(region, e.world.Region, api.GlobalRegion))
}

func (e *execution) nomadVar(query string) Items {
	if query == "" {
		return nil
	}
	namespace, path, name := e.place(query)
	v := e.world.Nomad.Variable(namespace, path)
	if v == nil {
		e.miss("nomad.var.block(" + name + ")")
		return nil
	}
	return e.newVariable(v).Items
}

func (e *execution) nomadVarExists(query string) bool {
	namespace, path, _ := e.place(query)
	return query != "" && e.world.Nomad.Variable(namespace, path) != nil
}

// nomadVarList lists variables. The safe one waits until there are any.
func (e *execution) nomadVarList(safe bool) func(...string) ([]*VariableMeta, error) {
	return func(args ...string) ([]*VariableMeta, error) {
		if len(args) > 1 {
			return nil, fmt.Errorf("nomadVarList takes one prefix or none, not %d", len(args))
		}
		namespace, prefix, name := e.place(strings.Join(args, ""))
		all := []*VariableMeta{}
		for _, v := range e.world.Nomad.Variables(namespace, prefix) {
			all = append(all, meta(v))
		}
		if safe && len(all) == 0 {
			e.miss("nomad.var.list(" + name + ")")
		}
		return all, nil
	}
}

// A Variable is a variable as templates see it.
type Variable struct {
	VariableMeta
	Items Items
}

// Metadata is the variable without its items.
func (v *Variable) Metadata() *VariableMeta { return &v.VariableMeta }

// VariableMeta is what is known of a variable but its items. It prints as its path.
type VariableMeta struct {
	Namespace, Path          string
	CreateIndex, ModifyIndex uint64
	CreateTime, ModifyTime   Nanos
}

func (m VariableMeta) String() string { return m.Path }

// Nanos is a time in nanoseconds since 1970.
type Nanos int64

// Time is n as a time.
func (n Nanos) Time() time.Time { return time.Unix(0, int64(n)) }

func (n Nanos) String() string { return n.Time().String() }

func meta(v *api.Variable) *VariableMeta {
	return &VariableMeta{
		Namespace: v.Namespace, Path: v.Path, CreateIndex: v.CreateIndex, ModifyIndex: v.ModifyIndex,
		CreateTime: Nanos(v.CreateTime), ModifyTime: Nanos(v.ModifyTime),
	}
}

func (e *execution) newVariable(v *api.Variable) *Variable {
	out := &Variable{VariableMeta: *meta(v), Items: Items{}}
	for key, value := range v.Items {
		e.secrets = append(e.secrets, value)
		out.Items[key] = Item{Key: key, Value: value, parent: out}
	}
	return out
}

// Items are the items of a variable by key.
type Items map[string]Item

// Keys are the keys, sorted.
func (i Items) Keys() []string { return slices.Sorted(maps.Keys(i)) }

// Values are the values in the order of their keys.
func (i Items) Values() []string {
	all := []string{}
	for _, key := range i.Keys() {
		all = append(all, i[key].Value)
	}
	return all
}

// Tuples are keys and values in the order of the keys.
func (i Items) Tuples() []struct{ K, V string } {
	all := []struct{ K, V string }{}
	for _, key := range i.Keys() {
		all = append(all, struct{ K, V string }{key, i[key].Value})
	}
	return all
}

// ItemsMap is the items as a plain map.
func (i Items) ItemsMap() map[string]any {
	all := map[string]any{}
	for key, item := range i {
		all[key] = item.Value
	}
	return all
}

// Parent is the variable, nil when it has no items.
func (i Items) Parent() *Variable {
	for _, item := range i {
		return item.parent
	}
	return nil
}

// Metadata is what is known of the variable, nil when it has no items.
func (i Items) Metadata() *VariableMeta {
	for _, item := range i {
		return item.Metadata()
	}
	return nil
}

// An Item is one value of a variable. It prints as that value.
type Item struct {
	Key, Value string
	parent     *Variable
}

func (i Item) String() string { return i.Value }

// Parent is the variable.
func (i Item) Parent() *Variable { return i.parent }

// Metadata is what is known of the variable.
func (i Item) Metadata() *VariableMeta { return i.parent.Metadata() }

// MarshalJSON gives the value alone.
func (i Item) MarshalJSON() ([]byte, error) { return json.Marshal(i.Value) }
