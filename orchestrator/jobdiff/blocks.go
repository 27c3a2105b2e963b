package jobdiff

import (
	"strings"

	"github.com/hashicorp/nomad/api"
)

func layoutJob(job *api.Job) *block {
	if job == nil {
		return nil
	}
	return &block{
		fields: pick(job, "Stop", "Region", "Namespace", "ParentID", "Name", "Type", "Priority", "AllAtOnce", "NodePool",
			"Dispatched", "DispatchIdempotencyToken", "Meta", "ConsulNamespace", "VaultNamespace"),
		parts: []part{
			members("Datacenters", changedSet, job.Datacenters),
			constraints(job.Constraints), affinities(job.Affinities),
			single(job.Periodic, layoutPeriodic), single(job.ParameterizedJob, layoutParameterized),
			single(job.UI, layoutUI),
		},
	}
}

func layoutPeriodic(p *api.PeriodicConfig) *block {
	return &block{
		name: "Periodic", value: p, fields: pick(p, "Enabled", "Spec", "SpecType", "ProhibitOverlap", "TimeZone"),
		parts: []part{members("Specs", changedSet, p.Specs)},
	}
}

func layoutParameterized(p *api.ParameterizedJobConfig) *block {
	return &block{
		name: "ParameterizedJob", value: p, fields: pick(p, "Payload"),
		parts: []part{members("MetaOptional", set, p.MetaOptional), members("MetaRequired", set, p.MetaRequired)},
	}
}

func layoutUI(ui *api.JobUIConfig) *block {
	return &block{
		name: "UI", value: ui, fields: pick(ui, "Description"),
		parts: []part{list(byKey, ui.Links, func(l *api.JobUILink) *block {
			return &block{name: "Link", value: l, fields: map[string]string{"Label": l.Label, "Url": l.URL}}
		}, place)},
	}
}

func constraints(items []*api.Constraint) part {
	return list(byKey, items, func(c *api.Constraint) *block {
		return &block{name: "Constraint", kind: plain, fields: pick(c, "LTarget", "RTarget", "Operand")}
	}, content)
}

func affinities(items []*api.Affinity) part {
	return list(byKey, items, func(a *api.Affinity) *block {
		return &block{name: "Affinity", kind: plain, fields: pick(a, "LTarget", "RTarget", "Operand", "Weight")}
	}, content)
}

// fieldsOf lays a block out that is nothing but its values.
func fieldsOf[T any](name string, k kind, names ...string) func(*T) *block {
	return func(item *T) *block { return &block{name: name, kind: k, value: item, fields: pick(item, names...)} }
}

func layoutGroup(group *api.TaskGroup) *block {
	if group == nil {
		return nil
	}
	return &block{
		fields: pick(group, "Count", "Meta", "PreventRescheduleOnLost"),
		parts: []part{
			constraints(group.Constraints), affinities(group.Affinities),
			single(group.RestartPolicy, fieldsOf[api.RestartPolicy]("RestartPolicy", plain,
				"Attempts", "Interval", "Delay", "Mode", "RenderTemplates")),
			single(group.Migrate, fieldsOf[api.MigrateStrategy]("Migrate", plain,
				"MaxParallel", "HealthCheck", "MinHealthyTime", "HealthyDeadline")),
			single(group.ReschedulePolicy, fieldsOf[api.ReschedulePolicy]("ReschedulePolicy", plain,
				"Attempts", "Interval", "Delay", "DelayFunction", "MaxDelay", "Unlimited")),
			single(group.EphemeralDisk, fieldsOf[api.EphemeralDisk]("EphemeralDisk", plain, "Sticky", "SizeMB", "Migrate")),
			single(group.Consul, fieldsOf[api.Consul]("Consul", plain, "Namespace", "Cluster", "Partition")),
			single(group.Update, fieldsOf[api.UpdateStrategy]("Update", plain, "MaxParallel", "HealthCheck", "MinHealthyTime",
				"HealthyDeadline", "ProgressDeadline", "AutoRevert", "AutoPromote", "Canary")),
			single(group.Disconnect, layoutDisconnect),
			networks(group.Networks),
			single(group.Scaling, layoutScaling),
			services(group.Services),
			volumes(group.Volumes),
		},
	}
}

// layoutDisconnect tells what was left out by the word nil. (Nomad.)
func layoutDisconnect(d *api.DisconnectStrategy) *block {
	fields := pick(d, "LostAfter", "Reconcile")
	for name, value := range map[string]string{"StopOnClientAfter": text(d.StopOnClientAfter), "Replace": text(d.Replace)} {
		if value == "" {
			value = "nil"
		}
		fields[name] = value
	}
	return &block{name: "Disconnect", value: d, fields: fields}
}

func layoutScaling(p *api.ScalingPolicy) *block {
	policy := part{matching: byKey}
	if len(p.Policy) > 0 {
		b := free("Policy", p.Policy)
		b.terse = true
		policy.blocks = []*block{b}
	}
	return &block{name: "Scaling", value: p, terse: true, fields: pick(p, "Min", "Max", "Enabled"), parts: []part{policy}}
}

func networks(items []*api.NetworkResource) part {
	return list(byKey, items, layoutNetwork, content)
}

func layoutNetwork(n *api.NetworkResource) *block {
	ports := func(name string, items []api.Port, fields ...string) part {
		return list(byKey, items, func(p api.Port) *block {
			return &block{name: name, kind: plain, fields: pick(p, fields...)}
		}, func(_ int, p api.Port) string { return p.Label })
	}
	return &block{
		name: "Network", value: n, fields: pick(n, "Mode", "Hostname"),
		parts: []part{
			ports("Static Port", n.ReservedPorts, "Label", "Value", "To", "HostNetwork", "IgnoreCollision"),
			ports("Dynamic Port", n.DynamicPorts, "Label", "To", "HostNetwork"),
			single(n.DNS, layoutDNS),
			single(n.CNI, func(c *api.CNIConfig) *block {
				return &block{name: "CNIConfig", kind: plain, fields: flatten(c.Args)}
			}),
		},
	}
}

func layoutDNS(d *api.DNSConfig) *block {
	fields := map[string]string{}
	for name, values := range map[string][]string{"Servers": d.Servers, "Searches": d.Searches, "Options": d.Options} {
		if len(values) > 0 {
			fields[name] = strings.Join(values, ",")
		}
	}
	return &block{name: "DNS", value: d, fields: fields}
}

func volumes(items map[string]*api.VolumeRequest) part {
	p := part{matching: byKey}
	for name, v := range items {
		b := &block{
			name: "Volume", key: name, value: v,
			fields: pick(v, "Name", "Type", "Source", "ReadOnly", "Sticky", "AccessMode", "AttachmentMode", "PerAlloc"),
			parts:  []part{single(v.MountOptions, layoutMountOptions)},
		}
		p.blocks = append(p.blocks, b)
	}
	return p
}

func layoutMountOptions(o *api.CSIMountOptions) *block {
	return &block{
		name: "MountOptions", value: o, fields: map[string]string{"FSType": o.FSType},
		parts: []part{members("MountFlags", set, o.MountFlags)},
	}
}
