package httpapi

import (
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/nomad/api"
)

func validateGroup(job *api.Job, group *api.TaskGroup) error {
	p := &problems{}
	p.refuse(*group.Name == "", "Missing task group name")
	p.refuse(strings.Contains(*group.Name, "\x00"), "Task group name contains null character")
	p.refuse(*group.Count < 0, "Task group count can't be negative")
	p.refuse(len(group.Tasks) == 0, "Missing tasks for task group")
	p.merge(validateDisconnect(*job.Type, group.Disconnect))
	if group.MaxRunDuration != nil {
		batch := *job.Type == api.JobTypeBatch || *job.Type == api.JobTypeSysbatch
		p.refuse(*group.MaxRunDuration <= 0, "MaxRunDuration must be greater than zero")
		p.refuse(!batch, "Job type %q does not allow max_run_duration", *job.Type)
	}
	validateConstraints(p, group.Constraints)
	validateAffinities(p, *job.Type, group.Affinities)
	p.merge(validateRestart(group.RestartPolicy))
	validateSpreads(p, *job.Type, group.Spreads)
	validatePolicies(p, *job.Type, group)
	leaders, mains := 0, 0
	names := map[string]int{}
	for i, task := range group.Tasks {
		first, again := names[task.Name]
		p.refuse(task.Name == "", "Task %d missing name", i+1)
		p.refuse(again, "Task %d redefines '%s' from task %d", i+1, task.Name, first+1)
		names[task.Name] = i
		if task.Leader {
			leaders++
		}
		if task.Lifecycle == nil || task.Lifecycle.Hook == "" {
			mains++
		}
	}
	p.refuse(leaders > 1, "Only one task may be marked as leader")
	p.refuse(len(group.Tasks) > 0 && mains == 0, "Task group %s must have at least one main task", *group.Name)
	validateVolumes(p, *job.Type, group)
	p.within(validateNetworks(group), "Task group network validation failed")
	p.within(validateServices(group), "Task group service validation failed")
	p.within(validateScriptChecks(group), "Task group service check validation failed")
	p.within(validateScaling(group), "Task group scaling policy validation failed")
	for _, task := range group.Tasks {
		p.within(validateTask(*job.Type, group, task), "Task %s validation failed", task.Name)
	}
	return p.err()
}

// validatePolicies checks the blocks that some types of job may not have.
func validatePolicies(p *problems, jobType string, group *api.TaskGroup) {
	system := jobType == api.JobTypeSystem || jobType == api.JobTypeSysbatch
	p.refuse(system && group.ReschedulePolicy != nil, "System or sysbatch jobs should not have a reschedule policy")
	if !system && group.ReschedulePolicy != nil {
		p.merge(validateReschedule(group.ReschedulePolicy))
	}
	p.refuse(*group.EphemeralDisk.SizeMB < 10, "minimum DiskMB value is 10; got %d", *group.EphemeralDisk.SizeMB)
	if group.Update != nil {
		p.refuse(jobType != api.JobTypeService && jobType != api.JobTypeSystem, "Job type %q does not allow update block", jobType)
		p.merge(validateUpdate(group.Update))
	}
	if group.Migrate != nil {
		p.refuse(jobType != api.JobTypeService, "Job type %q does not allow migrate block", jobType)
		if jobType == api.JobTypeService {
			p.merge(validateMigrate(group.Migrate))
		}
	}
}

// minInterval is the shortest interval of a restart or reschedule policy.
// (Nomad: 5 s and 15 s.)
const (
	minRestartInterval    = 5 * time.Second
	minRescheduleInterval = 15 * time.Second
	minRescheduleDelay    = 5 * time.Second
)

func validateRestart(r *api.RestartPolicy) error {
	p := &problems{}
	attempts, interval, delay := *r.Attempts, *r.Interval, *r.Delay
	p.refuse(*r.Mode != "delay" && *r.Mode != "fail", "Unsupported restart mode: %q", *r.Mode)
	p.refuse(attempts == 0 && *r.Mode != "fail", "Restart policy %q with %d attempts is ambiguous", *r.Mode, attempts)
	p.refuse(interval < minRestartInterval, "Interval can not be less than %v (got %v)", minRestartInterval, interval)
	p.refuse(time.Duration(attempts)*delay > interval,
		"Nomad can't restart the TaskGroup %v times in an interval of %v with a delay of %v", attempts, interval, delay)
	return p.err()
}

func validateUpdate(u *api.UpdateStrategy) error {
	p := &problems{}
	p.refuse(!slices.Contains([]string{"checks", "task_states", "manual"}, *u.HealthCheck), "Invalid health check given: %q", *u.HealthCheck)
	p.refuse(*u.MaxParallel < 0, "Max parallel can not be less than zero: %d < 0", *u.MaxParallel)
	p.refuse(*u.Canary < 0, "Canary count can not be less than zero: %d < 0", *u.Canary)
	p.refuse(*u.Canary == 0 && *u.AutoPromote, "Auto Promote requires a Canary count greater than zero")
	p.refuse(*u.MinHealthyTime < 0, "Minimum healthy time may not be less than zero: %v", *u.MinHealthyTime)
	p.refuse(*u.HealthyDeadline <= 0, "Healthy deadline must be greater than zero: %v", *u.HealthyDeadline)
	p.refuse(*u.ProgressDeadline < 0, "Progress deadline must be zero or greater: %v", *u.ProgressDeadline)
	p.refuse(*u.MinHealthyTime >= *u.HealthyDeadline, "Minimum healthy time must be less than healthy deadline: %v > %v",
		*u.MinHealthyTime, *u.HealthyDeadline)
	p.refuse(*u.ProgressDeadline != 0 && *u.HealthyDeadline >= *u.ProgressDeadline,
		"Healthy deadline must be less than progress deadline: %v > %v", *u.HealthyDeadline, *u.ProgressDeadline)
	p.refuse(*u.Stagger <= 0, "Stagger must be greater than zero: %v", *u.Stagger)
	return p.err()
}

func validateMigrate(m *api.MigrateStrategy) error {
	p := &problems{}
	p.refuse(*m.MaxParallel < 0, "MaxParallel must be >= 0 but found %d", *m.MaxParallel)
	p.refuse(!slices.Contains([]string{"checks", "task_states", ""}, *m.HealthCheck), "Invalid HealthCheck: %q", *m.HealthCheck)
	p.refuse(*m.HealthCheck == "" && *m.MaxParallel > 0, "Missing HealthCheck")
	p.refuse(*m.MinHealthyTime < 0, "MinHealthyTime is %s and must be >= 0", *m.MinHealthyTime)
	p.refuse(*m.HealthyDeadline < 0, "HealthyDeadline is %s and must be >= 0", *m.HealthyDeadline)
	p.refuse(*m.MinHealthyTime > *m.HealthyDeadline, "MinHealthyTime must be less than HealthyDeadline")
	return p.err()
}

func validateDisconnect(jobType string, d *api.DisconnectStrategy) error {
	if d == nil {
		return nil
	}
	p := &problems{}
	lost := d.LostAfter != nil && *d.LostAfter != 0
	if stop := d.StopOnClientAfter; stop != nil {
		p.refuse(*stop < 0, "stop_after cannot be a negative duration")
		p.refuse(jobType != api.JobTypeService && jobType != api.JobTypeBatch, "stop_after can only be used with service or batch job types")
	}
	p.refuse(lost && *d.LostAfter < 0, "lost_after cannot be a negative duration")
	p.refuse(d.StopOnClientAfter != nil && lost, "Disconnect cannot be configured with both lost_after and stop_after")
	if r := d.Reconcile; r != nil {
		options := []string{"", "best_score", "longest_running", "keep_original", "keep_replacement"}
		p.refuse(!slices.Contains(options, *r), "reconcile option is invalid: %s", *r)
	}
	return p.err()
}

func validateScaling(group *api.TaskGroup) error {
	s := group.Scaling
	if s == nil {
		return nil
	}
	p := &problems{}
	low, high, count := int64(0), int64(-1), int64(*group.Count)
	if s.Min != nil {
		low = *s.Min
	}
	if s.Max != nil {
		high = *s.Max
	}
	p.refuse(s.Type != api.ScalingPolicyTypeHorizontal, "Scaling policy invalid: scaling policy type \"%s\" is not valid", s.Type)
	p.refuse(high < 0, "Scaling policy invalid: maximum count must be specified and non-negative")
	p.refuse(high >= 0 && high < low, "Scaling policy invalid: maximum count must not be less than minimum count")
	p.refuse(low < 0, "Scaling policy invalid: minimum count must be specified and non-negative")
	p.refuse(count > high, "Scaling policy invalid: task group count must not be greater than maximum count in scaling policy")
	p.refuse(count < low, "Scaling policy invalid: task group count must not be less than minimum count in scaling policy")
	return p.err()
}
