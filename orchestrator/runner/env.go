package runner

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator/driver"
)

// hostEnv names what a task gets of the agent's own environment. Nomad hands raw_exec tasks everything but a list of
// known secrets; a list of what is harmless cannot leak the secrets that nobody thought of.
var hostEnv = []string{"PATH", "HOME", "LANG", "LANGUAGE", "TZ", "TMPDIR", "USER", "LOGNAME", "SHELL", "SSL_CERT_FILE", "SSL_CERT_DIR"}

// A taskEnv is the environment of a task, and what `${...}` in its configuration stands for.
type taskEnv struct {
	env    map[string]string // the task's environment
	node   *api.Node
	region string
}

// folders are those of a task as it sees them.
type folders struct {
	alloc, local, secrets string
	offHost               bool // the task has nothing of the host's environment
}

// hostFolders are those of a task on the host, below the allocation's folder.
func hostFolders(allocDir, task string) folders {
	return folders{
		alloc:   filepath.Join(allocDir, "alloc"),
		local:   filepath.Join(allocDir, task, "local"),
		secrets: filepath.Join(allocDir, task, "secrets"),
	}
}

// foldersOf are those of a task as its driver shows them to it.
func foldersOf(spec *api.Task, allocDir string) folders {
	if driver.OwnRoot(spec.Driver) {
		return folders{alloc: driver.RootAlloc, local: driver.RootLocal, secrets: driver.RootSecrets, offHost: !driver.OnHost(spec.Driver)}
	}
	return hostFolders(allocDir, spec.Name)
}

// newTaskEnv builds the environment of a task. The order of precedence, lowest first: the host's where the task runs on
// it, NOMAD_*, the job's meta, the task's env block.
func newTaskEnv(alloc *api.Allocation, group *api.TaskGroup, task *api.Task, node *api.Node, dirs folders, cores []int) taskEnv {
	e := taskEnv{env: map[string]string{}, node: node, region: derefOr(alloc.Job.Region, "global")}
	if !dirs.offHost {
		e.addHost()
	}
	e.env["NOMAD_ALLOC_DIR"] = dirs.alloc
	e.env["NOMAD_TASK_DIR"] = dirs.local
	e.env["NOMAD_SECRETS_DIR"] = dirs.secrets
	e.addNames(alloc, group, task, node)
	e.addResources(alloc, task)
	if len(cores) > 0 {
		e.env["NOMAD_CPU_CORES"] = coreList(cores)
	}
	e.addPorts(alloc)
	e.addMeta(alloc.Job.Meta, group.Meta, task.Meta)
	for _, key := range slices.Sorted(maps.Keys(task.Env)) {
		e.env[cleanName(key)] = e.replace(task.Env[key])
	}
	return e
}

// addHost adds what every process of this machine may know.
func (e taskEnv) addHost() {
	for _, key := range hostEnv {
		if value, ok := os.LookupEnv(key); ok {
			e.env[key] = value
		}
	}
	for _, kv := range os.Environ() {
		if key, value, _ := strings.Cut(kv, "="); strings.HasPrefix(key, "LC_") {
			e.env[key] = value
		}
	}
}

func (e taskEnv) addNames(alloc *api.Allocation, group *api.TaskGroup, task *api.Task, node *api.Node) {
	job := alloc.Job
	for key, value := range map[string]string{
		"NOMAD_ALLOC_ID":       alloc.ID,
		"NOMAD_SHORT_ALLOC_ID": alloc.ID[:min(8, len(alloc.ID))],
		"NOMAD_ALLOC_NAME":     alloc.Name,
		"NOMAD_ALLOC_INDEX":    allocIndex(alloc.Name),
		"NOMAD_TASK_NAME":      task.Name,
		"NOMAD_GROUP_NAME":     deref(group.Name),
		"NOMAD_JOB_ID":         deref(job.ID),
		"NOMAD_JOB_NAME":       deref(job.Name),
		"NOMAD_JOB_PARENT_ID":  deref(job.ParentID),
		"NOMAD_DC":             node.Datacenter,
		"NOMAD_REGION":         deref(job.Region),
		"NOMAD_NAMESPACE":      derefOr(job.Namespace, alloc.Namespace),
	} {
		if value != "" {
			e.env[key] = value
		}
	}
}

// allocIndex is N of an allocation's name "job.group[N]".
func allocIndex(name string) string {
	i := strings.LastIndexByte(name, '[')
	if i < 0 || !strings.HasSuffix(name, "]") {
		return ""
	}
	return name[i+1 : len(name)-1]
}

func (e taskEnv) addResources(alloc *api.Allocation, task *api.Task) {
	if alloc.AllocatedResources == nil {
		return
	}
	r, ok := alloc.AllocatedResources.Tasks[task.Name]
	if !ok || r == nil {
		return
	}
	e.env["NOMAD_CPU_LIMIT"] = strconv.FormatInt(r.Cpu.CpuShares, 10)
	e.env["NOMAD_MEMORY_LIMIT"] = strconv.FormatInt(r.Memory.MemoryMB, 10)
	if r.Memory.MemoryMaxMB > 0 {
		e.env["NOMAD_MEMORY_MAX_LIMIT"] = strconv.FormatInt(r.Memory.MemoryMaxMB, 10)
	}
}

// addPorts adds the addresses of the group's ports. With a mapping (`to`) the task listens on that one, and the world
// reaches it on the other. Without a network of its own a task is reached where it listens.
func (e taskEnv) addPorts(alloc *api.Allocation) {
	if alloc.AllocatedResources == nil {
		return
	}
	for _, p := range alloc.AllocatedResources.Shared.Ports {
		inside := p.Value
		if p.To > 0 {
			inside = p.To
		}
		label := cleanLabel(p.Label)
		for prefix, port := range map[string]int{"": inside, "HOST_": p.Value} {
			e.env["NOMAD_"+prefix+"IP_"+label] = p.HostIP
			e.env["NOMAD_"+prefix+"PORT_"+label] = strconv.Itoa(port)
		}
		e.env["NOMAD_ADDR_"+label] = joinHostPort(p.HostIP, p.Value)
		e.env["NOMAD_HOST_ADDR_"+label] = joinHostPort(p.HostIP, p.Value)
		e.env["NOMAD_ALLOC_PORT_"+label] = strconv.Itoa(inside)
	}
}

func joinHostPort(host string, port int) string {
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return host + ":" + strconv.Itoa(port)
}

// addMeta adds the meta of job, group and task, the latter winning, each key as written and in capitals.
func (e taskEnv) addMeta(levels ...map[string]string) {
	for _, meta := range levels {
		for _, key := range slices.Sorted(maps.Keys(meta)) {
			name, value := e.replace(key), e.replace(meta[key])
			e.env["NOMAD_META_"+cleanLabel(strings.ToUpper(name))] = value
			e.env["NOMAD_META_"+cleanLabel(name)] = value
		}
	}
}

// attrs is what a job file may say of the node: "attr.kernel.name", "node.datacenter", "meta.rack".
func (e taskEnv) attrs() map[string]string {
	attrs := map[string]string{}
	for _, name := range []string{"unique.id", "unique.name", "datacenter", "class", "pool", "region"} {
		attrs["node."+name], _ = e.attr("node." + name)
	}
	for key, value := range e.node.Attributes {
		attrs["attr."+key] = value
	}
	for key, value := range e.node.Meta {
		attrs["meta."+key] = value
	}
	return attrs
}

// attr is one of attrs.
func (e taskEnv) attr(name string) (value string, ok bool) {
	kind, key, _ := strings.Cut(name, ".")
	switch kind {
	case "attr":
		value, ok = e.node.Attributes[key]
		return value, ok
	case "meta":
		value, ok = e.node.Meta[key]
		return value, ok
	}
	switch name {
	case "node.unique.id":
		return e.node.ID, true
	case "node.unique.name":
		return e.node.Name, true
	case "node.datacenter":
		return e.node.Datacenter, true
	case "node.class":
		return e.node.NodeClass, true
	case "node.pool":
		return e.node.NodePool, true
	case "node.region":
		return e.region, true
	}
	return "", false
}

// list is the environment as a process gets it, sorted.
func (e taskEnv) list() []string {
	all := make([]string, 0, len(e.env))
	for key, value := range e.env {
		all = append(all, key+"="+value)
	}
	slices.Sort(all)
	return all
}

// cleanName makes key fit for an environment (Nomad keeps letters, digits, _ and dots).
func cleanName(key string) string {
	return strings.Map(func(r rune) rune {
		if r == '_' || r == '.' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' {
			return r
		}
		return '_'
	}, key)
}

func cleanLabel(key string) string { return strings.ReplaceAll(cleanName(key), ".", "_") }

var reference = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\$\{[a-zA-Z0-9_.-]+\}`) })

// replace puts in what each `${...}` stands for: a variable of the environment, `attr.x`, `meta.x` or `node.x`. What is
// not known, or is more than a name, stays as it is (Nomad).
func (e taskEnv) replace(s string) string {
	return reference().ReplaceAllStringFunc(s, func(ref string) string {
		name := ref[2 : len(ref)-1]
		if value, ok := e.env[name]; ok {
			return value
		}
		if value, ok := e.attr(name); ok {
			return value
		}
		return ref
	})
}

// taskPath makes path, interpolated already, absolute. One outside the task's and the shared folder is taken from the
// task's folder (Nomad), and is refused when it still leads out.
func (e taskEnv) taskPath(taskDir, path string) (string, error) {
	inside := func(path string) bool {
		for _, root := range []string{taskDir, e.env["NOMAD_ALLOC_DIR"]} {
			if path == root || strings.HasPrefix(path, root+string(filepath.Separator)) {
				return true
			}
		}
		return false
	}
	if filepath.IsAbs(path) && inside(filepath.Clean(path)) {
		return filepath.Clean(path), nil
	}
	full := filepath.Join(taskDir, path)
	if !inside(full) {
		return "", fmt.Errorf("the path %s is outside of the allocation's folder", path)
	}
	return full, nil
}
