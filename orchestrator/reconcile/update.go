package reconcile

import (
	"maps"
	"reflect"
	"slices"

	"github.com/hashicorp/nomad/api"
)

// NeedsExchange tells whether an allocation of a group has to be replaced for
// the new version of its job, because something changed that a running task
// cannot take up. (Nomad: U1, U2.)
func NeedsExchange(old, new *api.Job, name string) bool {
	a, b := old.LookupTaskGroup(name), new.LookupTaskGroup(name)
	if a == nil || b == nil || len(a.Tasks) != len(b.Tasks) {
		return true
	}
	if differ(groupParts(a), groupParts(b)) {
		return true
	}
	for _, task := range a.Tasks {
		i := slices.IndexFunc(b.Tasks, func(t *api.Task) bool { return t.Name == task.Name })
		if i < 0 || differ(taskParts(old, a, task), taskParts(new, b, b.Tasks[i])) {
			return true
		}
	}
	return false
}

// groupParts are the parts of a group that cannot change under a running task.
func groupParts(g *api.TaskGroup) []any {
	var networks []api.NetworkResource
	for _, n := range g.Networks {
		networks = append(networks, api.NetworkResource{
			Mode: n.Mode, DNS: n.DNS, Hostname: n.Hostname, CNI: n.CNI,
			ReservedPorts: n.ReservedPorts, DynamicPorts: n.DynamicPorts,
		})
	}
	var connect []*api.ConsulConnect
	for _, s := range g.Services {
		if s.Connect != nil {
			connect = append(connect, s.Connect)
		}
	}
	renders := g.RestartPolicy != nil && g.RestartPolicy.RenderTemplates != nil && *g.RestartPolicy.RenderTemplates
	return []any{g.EphemeralDisk, networks, g.Consul, connect, g.Volumes, renders}
}

// taskParts are the parts of a task that cannot change while it runs.
func taskParts(job *api.Job, g *api.TaskGroup, t *api.Task) []any {
	meta := map[string]string{}
	maps.Copy(meta, job.Meta)
	maps.Copy(meta, g.Meta)
	maps.Copy(meta, t.Meta)
	logsDisabled := t.LogConfig != nil && t.LogConfig.Disabled != nil && *t.LogConfig.Disabled
	renders := t.RestartPolicy != nil && t.RestartPolicy.RenderTemplates != nil && *t.RestartPolicy.RenderTemplates
	r := api.Resources{}
	if t.Resources != nil {
		r = *t.Resources
	}
	return []any{
		t.Driver, t.User, t.Config, t.Env, t.Artifacts, t.Vault, t.Secrets, t.Consul, t.Templates,
		t.CSIPluginConfig, t.VolumeMounts, meta, r.Networks, r.CPU, r.Cores, r.MemoryMB, r.MemoryMaxMB,
		r.Devices, r.NUMA, r.SecretsMB, t.Identity, t.Identities, logsDisabled, renders,
	}
}

// differ compares part by part; an empty list or map is like an absent one.
func differ(a, b []any) bool {
	for i := range a {
		if !reflect.DeepEqual(a[i], b[i]) && !(empty(a[i]) && empty(b[i])) {
			return true
		}
	}
	return false
}

func empty(part any) bool {
	v := reflect.ValueOf(part)
	switch v.Kind() {
	case reflect.Slice, reflect.Map:
		return v.Len() == 0
	case reflect.Pointer:
		return v.IsNil()
	}
	return !v.IsValid()
}
