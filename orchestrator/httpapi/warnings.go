package httpapi

import (
	"fmt"
	"strings"

	"github.com/hashicorp/nomad/api"
)

// jobWarnings is what a job may do but hardly wants. (Nomad: the texts.)
func jobWarnings(job *api.Job) []string {
	var warnings []string
	some, all := false, true
	for _, group := range job.TaskGroups {
		warnings = append(warnings, groupWarnings(group)...)
		if u := group.Update; u != nil {
			some = some || *u.AutoPromote
			all = all && (*u.Canary == 0 || *u.AutoPromote)
		}
	}
	if some && !all {
		warnings = append(warnings, "auto_promote must be true for all groups to enable automatic promotion")
	}
	if job.Periodic != nil && job.Periodic.Spec != nil && *job.Periodic.Spec != "" {
		warnings = append(warnings, "cron is deprecated and may be removed in a future release. Use crons instead")
	}
	return warnings
}

func groupWarnings(group *api.TaskGroup) []string {
	var warnings []string
	warn := func(format string, args ...any) { warnings = append(warnings, fmt.Sprintf(format, args...)) }
	if u := group.Update; u != nil && *group.Count > 1 && *u.MaxParallel > *group.Count {
		warn("Group %q has warnings: 1 error occurred:\n\t* "+
			"Update max parallel count is greater than task group count (%d > %d). "+
			"A destructive change would result in the simultaneous replacement of all allocations.", *group.Name, *u.MaxParallel, *group.Count)
	}
	delayed := group.ShutdownDelay != nil && *group.ShutdownDelay > 0
	for _, task := range group.Tasks {
		if task.ShutdownDelay > 0 {
			delayed = true
		} else if len(task.Services) > 0 {
			warn("task %q in group %q defines services, but has no shutdown_delay set", task.Name, *group.Name)
		}
		if limit := *task.Resources.MemoryMaxMB; limit != 0 {
			warn("Memory oversubscription is not enabled; Task \"%s.%s\" memory_max value will be ignored. "+
				"Update the Scheduler Configuration to allow oversubscription.", *group.Name, task.Name)
		}
	}
	if len(group.Services) > 0 && !delayed {
		warn("group %q defines services, but neither the group nor any of its tasks have shutdown_delay set", *group.Name)
	}
	return warnings
}

// warningsText puts warnings into the form that the command line prints.
func warningsText(warnings []string) string {
	switch len(warnings) {
	case 0:
		return ""
	case 1:
		return "1 warning:\n\n* " + warnings[0]
	}
	return fmt.Sprintf("%d warnings:\n\n* %s", len(warnings), strings.Join(warnings, "\n* "))
}
