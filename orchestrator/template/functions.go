package template

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"strconv"
	"strings"
	"text/template"
	"time"

	"github.com/Masterminds/sprig/v3"
)

// functions are all that a template may call (Nomad: those of consul-template 0.42).
func (e *execution) functions() template.FuncMap {
	all := template.FuncMap{
		"nomadService":     e.nomadService,
		"nomadServices":    e.nomadServices,
		"nomadVar":         e.nomadVar,
		"nomadVarExists":   e.nomadVarExists,
		"nomadVarList":     e.nomadVarList(false),
		"nomadVarListSafe": e.nomadVarList(true),

		"file":            e.file,
		"env":             func(name string) string { return e.world.Env[name] },
		"mustEnv":         e.mustEnv,
		"envOrDefault":    e.envOrDefault,
		"executeTemplate": e.executeTemplate,
		"timestamp":       e.timestamp,
	}
	scratch := &Scratch{values: map[string]any{}}
	all["scratch"] = func() *Scratch { return scratch }
	maps.Copy(all, e.consulFunctions())
	maps.Copy(all, textFunctions())
	maps.Copy(all, listFunctions())
	maps.Copy(all, mathFunctions())
	for name, f := range sprig.HermeticTxtFuncMap() {
		all["sprig_"+name] = f
	}
	for _, name := range []string{"plugin", "writeToFile"} {
		all[name] = func(...any) (string, error) { return "", errors.New("function is disabled") }
	}
	for _, name := range []string{"secret", "secrets", "pkiCert"} {
		all[name] = refuse("it needs Vault, which this agent does not speak to: keep the value in a variable (nomad var put), and read it with nomadVar")
	}
	for _, name := range []string{
		"datacenters", "node", "nodes", "partitions", "peerings", "connect", "caRoots", "caLeaf", "exportedServices", "importedServices",
	} {
		all[name] = refuse("this agent does not ask Consul for it: of Consul it knows key, keyExists, keyOrDefault, ls, tree, service and services")
	}
	for _, name := range []string{"toTOML", "sockaddr"} {
		all[name] = refuse("this agent does not have it: use a function of sprig, toJSON or toYAML")
	}
	return all
}

// refuse is a function of Nomad's that is not here. To render without it would be worse than not to render.
func refuse(why string) func(...any) (string, error) {
	return func(...any) (string, error) { return "", errors.New(why) }
}

// file reads a file of the task; one that is not there yet is waited for.
func (e *execution) file(path string) (string, error) {
	path = strings.TrimSpace(path)
	if path == "" {
		return "", nil
	}
	e.files = append(e.files, path)
	text, err := e.world.Read(path)
	if errors.Is(err, fs.ErrNotExist) {
		e.miss("file(" + path + ")")
		return "", nil
	}
	return text, err
}

func (e *execution) mustEnv(name string) (string, error) {
	value := e.world.Env[name]
	if value == "" {
		return "", fmt.Errorf("required environment variable %s is empty", name)
	}
	return value, nil
}

func (e *execution) envOrDefault(name, otherwise string) string {
	if value, ok := e.world.Env[name]; ok {
		return value
	}
	return otherwise
}

func (e *execution) timestamp(format ...string) (string, error) {
	now := e.world.Now.UTC()
	switch {
	case len(format) == 0:
		return now.Format(time.RFC3339), nil
	case len(format) > 1:
		return "", fmt.Errorf("timestamp: wrong number of arguments, expected 0 or 1, but got %d", len(format))
	case format[0] == "unix":
		return strconv.FormatInt(now.Unix(), 10), nil
	}
	return now.Format(format[0]), nil
}
