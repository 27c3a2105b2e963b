package jobdiff

import "github.com/hashicorp/nomad/api"

func layoutTask(task *api.Task) *block {
	if task == nil {
		return nil
	}
	config := part{matching: byKey}
	if len(task.Config) > 0 {
		config.blocks = []*block{free("Config", task.Config)}
	}
	return &block{
		fields: pick(task, "Driver", "User", "Env", "Meta", "KillTimeout", "Leader", "ShutdownDelay", "KillSignal", "Kind"),
		parts: []part{
			constraints(task.Constraints), affinities(task.Affinities),
			config,
			single(task.Resources, layoutResources),
			single(task.LogConfig, fieldsOf[api.LogConfig]("LogConfig", plain, "MaxFiles", "MaxFileSizeMB", "Disabled")),
			single(task.DispatchPayload, fieldsOf[api.DispatchPayloadConfig]("DispatchPayload", plain, "File")),
			list(byKey, task.Artifacts, fieldsOf[api.TaskArtifact]("Artifact", plain, "GetterSource", "GetterOptions",
				"GetterHeaders", "GetterMode", "GetterInsecure", "RelativeDest", "Chown"), artifactKey),
			services(task.Services),
			single(task.Vault, fieldsOf[api.Vault]("Vault", whole, "Role", "Namespace", "Cluster", "Env", "DisableFile",
				"ChangeMode", "ChangeSignal", "AllowTokenExpiration")),
			list(byKey, task.Secrets, fieldsOf[api.Secret]("Secret", whole, "Name", "Provider", "Path", "Config", "Env"),
				func(_ int, s *api.Secret) string { return s.Name }),
			single(task.Consul, fieldsOf[api.Consul]("Consul", plain, "Namespace", "Cluster", "Partition")),
			list(byKeyOrAlone, task.Templates, layoutTemplate, func(_ int, t *api.Template) string { return text(t.DestPath) }),
			single(task.Identity, layoutIdentity),
			list(byKey, task.Identities, layoutIdentity, func(_ int, id *api.WorkloadIdentity) string { return id.Name }),
			list(byKey, task.Actions, layoutAction, place),
			list(byKey, task.VolumeMounts, fieldsOf[api.VolumeMount]("VolumeMount", whole,
				"Volume", "Destination", "ReadOnly", "PropagationMode", "SELinuxLabel"), place),
		},
	}
}

// artifactKey is the destination: the same destination is the same artifact.
func artifactKey(_ int, a *api.TaskArtifact) string { return text(a.RelativeDest) }

func layoutAction(a *api.Action) *block {
	return &block{
		name: "Action", value: a, fields: pick(a, "Name", "Command"),
		parts: []part{members("Args", set, a.Args)},
	}
}

func layoutResources(r *api.Resources) *block {
	return &block{
		name: "Resources", value: r,
		fields: pick(r, "CPU", "Cores", "MemoryMB", "MemoryMaxMB", "DiskMB", "IOPS", "SecretsMB"),
		parts: []part{
			networks(r.Networks),
			list(byKey, r.Devices, fieldsOf[api.RequestedDevice]("Device", whole, "Name", "Count"),
				func(_ int, d *api.RequestedDevice) string { return d.Name }),
			single(r.NUMA, fieldsOf[api.NUMAResource]("NUMA", whole, "Affinity")),
		},
	}
}

func layoutTemplate(t *api.Template) *block {
	fields := pick(t, "SourcePath", "DestPath", "EmbeddedTmpl", "ChangeMode", "ChangeSignal", "Once", "Splay", "Perms",
		"LeftDelim", "RightDelim", "Envvars", "VaultGrace", "ErrMissingKey")
	for name, id := range map[string]*int{"Uid": t.Uid, "Gid": t.Gid} {
		if id != nil {
			fields[name] = text(id)
		}
	}
	return &block{
		name: "Template", value: t, fields: fields,
		parts: []part{
			// Nomad calls it a template, too.
			single(t.Wait, func(w *api.WaitConfig) *block {
				return &block{name: "Template", value: w, fields: flatten(w)}
			}),
			single(t.ChangeScript, layoutChangeScript),
		},
	}
}

func layoutChangeScript(s *api.ChangeScript) *block {
	return &block{
		name: "ChangeScript", value: s,
		fields: pick(s, "Command", "Timeout", "FailOnError", "RunOnFirstRender"),
		parts:  []part{members("Args", set, s.Args)},
	}
}
