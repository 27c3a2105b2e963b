package template

import (
	"errors"
	"fmt"
	"strings"
)

// Consul is what a template may ask of Consul.
type Consul struct {
	Key      func(path string) (value string, ok bool, err error)
	Keys     func(prefix string) ([]*KeyPair, error) // below prefix, Key without it, sorted
	Service  func(name, tag string) ([]*ConsulService, error)
	Services func() ([]*ServiceName, error)
}

// A KeyPair is a value of Consul's store.
type KeyPair struct{ Path, Key, Value string }

// A ConsulService is a healthy instance of a service in Consul.
type ConsulService struct {
	Node, NodeID, NodeAddress, NodeDatacenter string
	ID, Name, Address                         string
	Tags                                      []string
	ServiceMeta                               map[string]string
	Port                                      int
	Status                                    string
}

// errNoConsul is what a template gets that needs Consul where there is none. Nomad would wait for ever.
var errNoConsul = errors.New("it needs Consul, and no Consul answers this agent: start one at 127.0.0.1:8500, or set CONSUL_HTTP_ADDR for the agent")

// consulFunctions are the functions that ask Consul.
func (e *execution) consulFunctions() map[string]any {
	return map[string]any{
		"key": func(path string) (string, error) {
			value, ok, err := e.key(path)
			if err == nil && !ok {
				e.miss("kv.block(" + path + ")")
			}
			return value, err
		},
		"keyExists": func(path string) (bool, error) {
			_, ok, err := e.key(path)
			return ok, err
		},
		"keyOrDefault": func(path, otherwise string) (string, error) {
			value, ok, err := e.key(path)
			if !ok {
				value = otherwise
			}
			return value, err
		},
		"ls":       func(prefix string) ([]*KeyPair, error) { return e.keys(prefix, false, false) },
		"safeLs":   func(prefix string) ([]*KeyPair, error) { return e.keys(prefix, false, true) },
		"tree":     func(prefix string) ([]*KeyPair, error) { return e.keys(prefix, true, false) },
		"safeTree": func(prefix string) ([]*KeyPair, error) { return e.keys(prefix, true, true) },
		"service":  e.service,
		"services": e.services,
	}
}

func (e *execution) key(path string) (string, bool, error) {
	if e.world.Consul == nil {
		return "", false, errNoConsul
	}
	e.polled = true
	path, _, _ = strings.Cut(strings.Trim(path, "/"), "@")
	value, ok, err := e.world.Consul.Key(path)
	if ok {
		e.secrets = append(e.secrets, value)
	}
	return value, ok, e.waitFor("kv.get("+path+")", err)
}

// waitFor takes an error of Consul for data that is missing still: another attempt may cure it.
func (e *execution) waitFor(what string, err error) error {
	if err != nil {
		e.miss(fmt.Sprintf("%s: %v", what, err))
	}
	return nil
}

func (e *execution) keys(prefix string, deep, safe bool) ([]*KeyPair, error) {
	if e.world.Consul == nil {
		return nil, errNoConsul
	}
	e.polled = true
	prefix, _, _ = strings.Cut(strings.Trim(prefix, "/"), "@")
	all, err := e.world.Consul.Keys(prefix)
	if err != nil {
		return nil, e.waitFor("kv.list("+prefix+")", err)
	}
	var wanted []*KeyPair
	for _, pair := range all {
		if pair.Key != "" && !strings.HasSuffix(pair.Key, "/") && (deep || !strings.Contains(pair.Key, "/")) {
			wanted = append(wanted, pair)
		}
	}
	if safe && len(wanted) == 0 {
		e.miss("kv.list(" + prefix + ")")
	}
	return wanted, nil
}

// service lists the healthy instances of "[TAG.]NAME[@DATACENTER]".
func (e *execution) service(query string, _ ...string) ([]*ConsulService, error) {
	if e.world.Consul == nil {
		return nil, errNoConsul
	}
	e.polled = true
	name, _, _ := strings.Cut(query, "@")
	tag := ""
	if before, after, ok := strings.Cut(name, "."); ok {
		tag, name = before, after
	}
	all, err := e.world.Consul.Service(name, tag)
	return all, e.waitFor("health.service("+query+"|passing)", err)
}

func (e *execution) services(...string) ([]*ServiceName, error) {
	if e.world.Consul == nil {
		return nil, errNoConsul
	}
	e.polled = true
	all, err := e.world.Consul.Services()
	return all, e.waitFor("catalog.services", err)
}
