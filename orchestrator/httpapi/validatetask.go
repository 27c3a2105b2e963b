package httpapi

import (
	"encoding/hex"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/nomad/api"
)

func validateTask(jobType string, group *api.TaskGroup, task *api.Task) error {
	p := &problems{}
	p.refuse(task.Name == "", "Missing task name")
	p.refuse(task.Name == "alloc", "Task cannot be named \"alloc\"")
	p.refuse(strings.ContainsAny(task.Name, `/\`), "Task name cannot include slashes")
	p.refuse(strings.Contains(task.Name, "\x00"), "Task name cannot include null characters")
	// The name becomes a folder.
	p.refuse(task.Name == "." || task.Name == "..", "Task cannot be named %q", task.Name)
	p.refuse(task.Driver == "", "Missing task driver")
	p.refuse(*task.KillTimeout < 0, "KillTimeout must be a positive value")
	if u := group.Update; u != nil && jobType == api.JobTypeService && *u.ProgressDeadline > 0 {
		p.refuse(*task.KillTimeout > *u.ProgressDeadline, "KillTimout (%s) longer than the group's ProgressDeadline (%s)",
			*task.KillTimeout, *u.ProgressDeadline)
	}
	p.refuse(task.ShutdownDelay < 0, "ShutdownDelay must be a positive value")
	p.all(validateResources(task.Resources))
	p.all(validateLogs(task.LogConfig, group.EphemeralDisk))
	for i, c := range task.Constraints {
		p.within(validateConstraint(c), "Constraint %d validation failed", i+1)
		p.refuse(c.Operand == api.ConstraintDistinctHosts || c.Operand == api.ConstraintDistinctProperty,
			"Constraint %d has disallowed Operand at task level: %s", i+1, c.Operand)
	}
	validateAffinities(p, jobType, task.Affinities)
	p.all(validateTaskServices(group, task))
	for i, a := range task.Artifacts {
		p.within(validateArtifact(a), "Artifact %d validation failed", i+1)
	}
	p.within(validateVault(task.Vault), "Vault validation failed")
	destinations := map[string]int{}
	for i, t := range task.Templates {
		p.within(validateTemplate(t), "Template %d validation failed", i+1)
		first, again := destinations[*t.DestPath]
		p.refuse(again, "Template %d has same destination as %d", i+1, first)
		destinations[*t.DestPath] = i + 1
	}
	validateActions(p, task)
	p.refuse(task.DispatchPayload != nil && escapes(task.DispatchPayload.File),
		"Dispatch Payload validation failed: destination escapes allocation directory")
	p.within(validateLifecycle(task.Lifecycle), "Lifecycle validation failed")
	validateProxy(p, group, task)
	validateMounts(p, group, task)
	if c := task.CSIPluginConfig; c != nil {
		p.refuse(c.ID == "", "CSIPluginConfig must have a non-empty PluginID")
		p.refuse(!slices.Contains([]api.CSIPluginType{"node", "controller", "monolith"}, c.Type),
			"CSIPluginConfig PluginType must be one of 'node', 'controller', or 'monolith', got: \"%s\"", c.Type)
	}
	validateIdentities(p, task)
	validateSecrets(p, task)
	return p.err()
}

func validateResources(r *api.Resources) error {
	p := &problems{}
	p.refuse(*r.Cores > 0 && *r.CPU > 0, "Task can only ask for 'cpu' or 'cores' resource, not both.")
	p.refuse(*r.Cores < 0, "cores value (%d) cannot be negative", *r.Cores)
	least := &problems{}
	least.refuse(*r.CPU < 1 && *r.Cores == 0, "minimum CPU value is 1; got %d", *r.CPU)
	least.refuse(*r.MemoryMB < 10, "minimum MemoryMB value is 10; got %d", *r.MemoryMB)
	p.all(least.err())
	for i, device := range r.Devices {
		p.within(validateDevice(device), "device %d failed validation", i+1)
	}
	p.refuse(*r.MemoryMaxMB != 0 && *r.MemoryMaxMB != -1 && *r.MemoryMaxMB < *r.MemoryMB,
		"MemoryMaxMB value (%d) should be larger than MemoryMB value (%d)", *r.MemoryMaxMB, *r.MemoryMB)
	p.refuse(*r.SecretsMB > *r.MemoryMB, "SecretsMB value (%d) cannot be larger than MemoryMB value (%d)", *r.SecretsMB, *r.MemoryMB)
	p.refuse(*r.SecretsMB < 0, "SecretsMB value (%d) cannot be negative", *r.SecretsMB)
	return p.err()
}

func validateDevice(d *api.RequestedDevice) error {
	p := &problems{}
	p.refuse(d.Name == "", "device name must be given as one of the following: type, vendor/type, or vendor/type/name")
	for i, c := range d.Constraints {
		if c.Operand == api.ConstraintDistinctHosts || c.Operand == api.ConstraintDistinctProperty {
			p.refuse(true, "Constraint %d validation failed: using unsupported operand %q", i+1, c.Operand)
			continue
		}
		p.within(validateConstraint(c), "Constraint %d validation failed", i+1)
	}
	for i, a := range d.Affinities {
		p.within(validateAffinity(a), "Affinity %d validation failed", i+1)
	}
	return p.err()
}

func validateLogs(l *api.LogConfig, disk *api.EphemeralDisk) error {
	p := &problems{}
	files, size := *l.MaxFiles, *l.MaxFileSizeMB
	p.refuse(files < 1, "minimum number of files is 1; got %d", files)
	p.refuse(size < 1, "minimum file size is 1MB; got %d", size)
	p.refuse(*disk.SizeMB <= files*size, "log storage (%d MB) must be less than requested disk capacity (%d MB)", files*size, *disk.SizeMB)
	return p.err()
}

// escapes tells whether a path, seen from a task's folder, leads out of the
// allocation's. A path with a variable is checked when it is known.
func escapes(destination string) bool {
	clean := path.Clean("/alloc-dir/task/" + strings.TrimLeft(destination, "/"))
	return clean != "/alloc-dir" && !strings.HasPrefix(clean, "/alloc-dir/")
}

func validateArtifact(a *api.TaskArtifact) error {
	p := &problems{}
	p.refuse(*a.GetterSource == "", "source must be specified")
	modes := []string{"any", "file", "dir"}
	p.refuse(!slices.Contains(modes, *a.GetterMode), "invalid artifact mode %q; must be one of: %s", *a.GetterMode, strings.Join(modes, ", "))
	p.refuse(escapes(*a.RelativeDest), "destination escapes allocation directory")
	if sum, ok := a.GetterOptions["checksum"]; ok && !strings.Contains(sum, "${") {
		p.all(validateChecksum(strings.TrimSpace(sum)))
	}
	return p.err()
}

// validateChecksum checks TYPE:HEX.
func validateChecksum(sum string) error {
	if sum == "" {
		return textError("checksum value cannot be empty")
	}
	kind, text, found := strings.Cut(sum, ":")
	if !found || strings.Contains(text, ":") {
		return fmt.Errorf("checksum must be given as \"type:value\"; got %q", sum)
	}
	value, err := hex.DecodeString(text)
	if err != nil {
		return fmt.Errorf("invalid checksum: %w", err)
	}
	size, known := map[string]int{"md5": 16, "sha1": 20, "sha256": 32, "sha512": 64}[kind]
	switch {
	case !known:
		return fmt.Errorf("unsupported checksum type: %s", kind)
	case len(value) != size:
		return fmt.Errorf("invalid %s checksum: %v", kind, text)
	}
	return nil
}

func validateTemplate(t *api.Template) error {
	p := &problems{}
	p.refuse(*t.SourcePath == "" && *t.EmbeddedTmpl == "", "Must specify a source path or have an embedded template")
	p.refuse(*t.DestPath == "", "Must specify a destination for the template")
	p.refuse(escapes(*t.DestPath), "destination escapes allocation directory")
	switch *t.ChangeMode {
	case "noop", "restart":
	case "signal":
		p.refuse(*t.ChangeSignal == "", "Must specify signal value when change mode is signal")
		p.refuse(*t.Envvars, "cannot use signals with env var templates")
	case "script":
		p.refuse(t.ChangeScript == nil, "must specify change script configuration value when change mode is script")
		p.refuse(t.ChangeScript != nil && (t.ChangeScript.Command == nil || *t.ChangeScript.Command == ""),
			"must specify script path value when change mode is script")
	default:
		p.refuse(true, "Invalid change mode. Must be one of the following: noop, signal, script, restart")
	}
	p.refuse(*t.Splay < 0, "Must specify positive splay value")
	if *t.Perms != "" {
		_, err := strconv.ParseUint(*t.Perms, 8, 12)
		p.refuse(err != nil, "Failed to parse %q as octal: %v", *t.Perms, err)
	}
	if w := t.Wait; w != nil && w.Min != nil && w.Max != nil {
		p.refuse(*w.Min > *w.Max, "wait min %s is greater than max %s", *w.Min, *w.Max)
	}
	return p.err()
}

func validateLifecycle(l *api.TaskLifecycle) error {
	if l == nil {
		return nil
	}
	switch l.Hook {
	case "prestart", "poststart", "poststop":
		return nil
	case "":
		return fmt.Errorf("no lifecycle hook provided")
	}
	return fmt.Errorf("invalid hook: %v", l.Hook)
}

// validateProxy checks a task that stands for a sidecar. (Nomad.)
func validateProxy(p *problems, group *api.TaskGroup, task *api.Task) {
	name, isProxy := strings.CutPrefix(task.Kind, "connect-proxy:")
	if !isProxy {
		return
	}
	p.refuse(len(task.Services) > 0, "Connect proxy task must not have a service block")
	p.refuse(task.Leader, "Connect proxy task must not have leader set")
	var names []string
	for _, s := range group.Services {
		if s.Connect != nil && s.Connect.SidecarService != nil {
			names = append(names, s.Name)
		}
	}
	switch {
	case len(names) == 0:
		p.refuse(true, "No Connect services in task group with Connect proxy (%q)", name)
	case !slices.Contains(names, name):
		p.refuse(true, "Connect proxy service name (%q) not found in Connect services from task group: %s", name, names)
	}
}
