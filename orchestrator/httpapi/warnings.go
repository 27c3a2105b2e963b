package httpapi

import (
	"fmt"
	"strings"

	"github.com/hashicorp/nomad/api"
)

// jobWarnings is what a job may do but hardly wants. (Nomad: the texts, and
// their order.) With oversubscribe a task may use more memory than is reserved.
func jobWarnings(job *api.Job, oversubscribe bool) []string {
	w := &problems{}
	some, all := false, true
	for _, group := range job.TaskGroups {
		w.within(groupWarnings(group), "Group %q has warnings", *group.Name)
		if u := group.Update; u != nil {
			some = some || *u.AutoPromote
			all = all && (*u.Canary == 0 || *u.AutoPromote)
		}
	}
	for _, group := range job.TaskGroups {
		delayWarnings(w, group)
	}
	w.refuse(some && !all, "auto_promote must be true for all groups to enable automatic promotion")
	w.refuse(job.Periodic != nil && job.Periodic.Spec != nil && *job.Periodic.Spec != "",
		"cron is deprecated and may be removed in a future release. Use crons instead")
	for _, group := range job.TaskGroups {
		for _, task := range group.Tasks {
			for _, identity := range task.Identities {
				w.refuse(task.Vault == nil && strings.HasPrefix(identity.Name, "vault_"),
					"Task %s has an identity called %s but no vault block", task.Name, identity.Name)
			}
		}
	}
	for _, group := range job.TaskGroups {
		for _, task := range group.Tasks {
			w.refuse(!oversubscribe && *task.Resources.MemoryMaxMB != 0, "Memory oversubscription is not enabled; Task \"%s.%s\" memory_max value will be ignored. "+
				"Update the Scheduler Configuration to allow oversubscription.", *group.Name, task.Name)
		}
	}
	return w.texts()
}

func groupWarnings(group *api.TaskGroup) error {
	w := &problems{}
	if u := group.Update; u != nil {
		w.refuse(*group.Count > 1 && *u.MaxParallel > *group.Count,
			"Update max parallel count is greater than task group count (%d > %d). "+
				"A destructive change would result in the simultaneous replacement of all allocations.", *u.MaxParallel, *group.Count)
	}
	w.refuse(len(group.Networks) > 0 && group.Networks[0].MBits != nil && *group.Networks[0].MBits > 0,
		"mbits has been deprecated as of Nomad 0.12.0. Please remove mbits from the network block")
	serviceWarnings(w, group.Services)
	for _, task := range group.Tasks {
		w.within(taskWarnings(task), "Task %q has warnings", task.Name)
	}
	return w.err()
}

func serviceWarnings(w *problems, services []*api.Service) {
	for _, s := range services {
		if s.Identity != nil {
			for _, text := range identityWarnings(s.Identity) {
				w.refuse(true, "Service %q: %s", s.Name, text)
			}
		}
	}
}

func taskWarnings(task *api.Task) error {
	w := &problems{}
	w.refuse(*task.Resources.IOPS != 0, "IOPS has been deprecated as of Nomad 0.9.0. Please remove IOPS from resource block.")
	w.refuse(len(task.Resources.Networks) > 0,
		"task network resources have been deprecated as of Nomad 0.12.0. Please configure networking via group network block.")
	for i, t := range task.Templates {
		w.refuse(t.VaultGrace != nil && *t.VaultGrace != 0, "Template[%d] VaultGrace has been deprecated as of Nomad 0.11 and ignored since Vault 0.5. "+
			"Please remove VaultGrace / vault_grace from template block.", i)
	}
	serviceWarnings(w, task.Services)
	for _, identity := range task.Identities {
		one := &problems{}
		for _, text := range identityWarnings(identity) {
			one.refuse(true, "Identity[%s] %s", identity.Name, text)
		}
		w.all(one.err())
	}
	return w.err()
}

// delayWarnings warns of services that are told to be gone only when they are.
func delayWarnings(w *problems, group *api.TaskGroup) {
	named, unnamed := map[string]bool{}, false
	for _, s := range group.Services {
		switch {
		case s.TaskName != "":
			named[s.TaskName] = true
		case s.Connect != nil && s.Connect.SidecarTask != nil:
			w.refuse(s.Connect.SidecarTask.ShutdownDelay == nil,
				"service %q defines a sidecar task in Consul Connect definition, but the task has no shutdown_delay set", s.Name)
		default:
			unnamed = true
		}
	}
	delayed := group.ShutdownDelay != nil && *group.ShutdownDelay > 0
	for _, task := range group.Tasks {
		delayed = delayed || task.ShutdownDelay > 0
		w.refuse(named[task.Name] && task.ShutdownDelay == 0,
			"group %q references task %q in a service definition, but the task has no shutdown_delay set", *group.Name, task.Name)
		w.refuse(task.ShutdownDelay <= 0 && len(task.Services) > 0, "task %q in group %q defines services, but has no shutdown_delay set", task.Name, *group.Name)
	}
	w.refuse(unnamed && !delayed, "group %q defines services, but neither the group nor any of its tasks have shutdown_delay set", *group.Name)
}

// warningsText puts warnings into the form that the command line prints.
func warningsText(warnings []string) string {
	for i, text := range warnings {
		warnings[i] = strings.TrimSpace(text)
	}
	switch len(warnings) {
	case 0:
		return ""
	case 1:
		return "1 warning:\n\n* " + warnings[0]
	}
	return fmt.Sprintf("%d warnings:\n\n* %s", len(warnings), strings.Join(warnings, "\n* "))
}
