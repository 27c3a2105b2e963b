package jobspec

import (
	"cmp"
	"slices"
	"time"

	"github.com/hashicorp/nomad/api"
)

// normalize does what Nomad's parser does after decoding, and no more: all other
// defaults are the server's.
func normalize(job *api.Job, label string, common shared) {
	job.ID = cmp.Or(job.ID, &label)
	job.Name = cmp.Or(job.Name, &label)
	if job.Periodic != nil && (job.Periodic.Spec != nil || job.Periodic.Specs != nil) {
		job.Periodic.SpecType = new("cron")
	}
	normalizeVault(common.vault)

	var alone []*api.TaskGroup
	for _, task := range common.tasks {
		alone = append(alone, &api.TaskGroup{Name: &task.Name, Tasks: []*api.Task{task}})
	}
	if len(alone) > 0 {
		job.TaskGroups = append(alone, job.TaskGroups...)
	}
	for _, group := range job.TaskGroups {
		normalizePorts(group.Networks)
		for _, task := range group.Tasks {
			normalizeTask(task, common)
		}
	}
}

func normalizeTask(task *api.Task, common shared) {
	if task.Resources != nil {
		normalizePorts(task.Resources.Networks)
	}
	for _, t := range task.Templates {
		normalizeTemplate(t)
	}
	normalizeVault(task.Vault)
	task.Vault = cmp.Or(task.Vault, common.vault)
	if len(task.Secrets) == 0 {
		task.Secrets = common.secrets
	} else {
		task.Secrets = append(task.Secrets, common.secrets...)
	}

	// The default identity has a place of its own, which older clients know.
	i := slices.IndexFunc(task.Identities, func(id *api.WorkloadIdentity) bool {
		return id.Name == "" || id.Name == "default"
	})
	if i >= 0 {
		task.Identity = task.Identities[i]
		task.Identities = slices.Delete(task.Identities, i, i+1)
	}
}

// normalizePorts moves the ports with a static number to ReservedPorts.
func normalizePorts(networks []*api.NetworkResource) {
	for _, n := range networks {
		if len(n.DynamicPorts) == 0 {
			continue
		}
		var dynamic, static []api.Port
		for _, port := range n.DynamicPorts {
			if port.Value > 0 {
				static = append(static, port)
			} else {
				dynamic = append(dynamic, port)
			}
		}
		n.DynamicPorts, n.ReservedPorts = dynamic, static
	}
}

func normalizeVault(v *api.Vault) {
	if v == nil {
		return
	}
	v.Env = cmp.Or(v.Env, new(true))
	v.DisableFile = cmp.Or(v.DisableFile, new(false))
	v.ChangeMode = cmp.Or(v.ChangeMode, new("restart"))
}

func normalizeTemplate(t *api.Template) {
	t.ChangeMode = cmp.Or(t.ChangeMode, new("restart"))
	t.Perms = cmp.Or(t.Perms, new("0644"))
	t.Splay = cmp.Or(t.Splay, new(5*time.Second))
	t.ErrMissingKey = cmp.Or(t.ErrMissingKey, new(false))
	if s := t.ChangeScript; s != nil {
		if s.Args == nil {
			s.Args = []string{}
		}
		s.Timeout = cmp.Or(s.Timeout, new(5*time.Second))
		s.FailOnError = cmp.Or(s.FailOnError, new(false))
		s.RunOnFirstRender = cmp.Or(s.RunOnFirstRender, new(false))
	}
}
