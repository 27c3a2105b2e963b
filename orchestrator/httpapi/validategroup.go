package httpapi

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/Masterminds/semver/v3"
	"github.com/hashicorp/go-version"
	"github.com/hashicorp/nomad/api"
)

func validateGroup(job *api.Job, group *api.TaskGroup) error {
	p := &problems{}
	p.refuse(*group.Name == "", "Missing task group name")
	p.refuse(*group.Count < 0, "Task group count can't be negative")
	p.refuse(len(group.Tasks) == 0, "Missing tasks for task group")
	validatePlacement(p, *job.Type, group.Constraints, group.Affinities, group.Spreads)
	p.merge(validateRestart(group.RestartPolicy))
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
		if task.Lifecycle.Empty() {
			mains++
		}
	}
	p.refuse(leaders > 1, "Only one task may be marked as leader")
	p.refuse(len(group.Tasks) > 0 && mains == 0, "Task group %s must have at least one main task", *group.Name)
	p.within(validateNetworks(group), "Task group network validation failed")
	p.within(validateServices(group), "Task group service validation failed")
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
	p.refuse(group.Migrate != nil && jobType != api.JobTypeService, "Job type %q does not allow migrate block", jobType)
}

// validatePlacement checks what a job, a group or a task wants of a node.
func validatePlacement(p *problems, jobType string, constraints []*api.Constraint, affinities []*api.Affinity, spreads []*api.Spread) {
	for i, c := range constraints {
		p.within(validateConstraint(c), "Constraint %d validation failed", i+1)
	}
	p.refuse(jobType == api.JobTypeSystem && affinities != nil, "System jobs may not have an affinity block")
	p.refuse(jobType == api.JobTypeSystem && spreads != nil, "System jobs may not have a spread block")
	for i, a := range affinities {
		q := &problems{}
		q.refuse(a.LTarget == "", "No LTarget provided but is required")
		q.refuse(a.Weight == nil || *a.Weight == 0, "Affinity weight cannot be zero")
		q.refuse(a.Weight != nil && (*a.Weight > 100 || *a.Weight < -100), "Affinity weight must be within the range [-100,100]")
		p.within(q.err(), "Affinity %d validation failed", i+1)
	}
	for i, s := range spreads {
		q := &problems{}
		q.refuse(s.Attribute == "", "Missing spread attribute")
		q.refuse(s.Weight == nil || *s.Weight <= 0 || *s.Weight > 100, "Spread block must have a positive weight from 0 to 100")
		p.within(q.err(), "Spread %d validation failed", i+1)
	}
}

func validateConstraint(c *api.Constraint) error {
	p := &problems{}
	switch c.Operand {
	case "":
		p.refuse(true, "Missing constraint operand")
	case api.ConstraintDistinctHosts:
		return nil
	case api.ConstraintSetContains, api.ConstraintSetContainsAll, api.ConstraintSetContainsAny:
		p.refuse(c.RTarget == "", "Set contains constraint requires an RTarget")
	case api.ConstraintRegex:
		_, err := regexp.Compile(c.RTarget)
		p.refuse(err != nil, "Regular expression failed to compile: %v", err)
	case api.ConstraintVersion:
		_, err := version.NewConstraint(c.RTarget)
		p.refuse(err != nil, "Version constraint is invalid: %v", err)
	case api.ConstraintSemver:
		_, err := semver.NewConstraint(c.RTarget)
		p.refuse(err != nil, "Semver constraint is invalid: %v", err)
	case api.ConstraintDistinctProperty:
		if c.RTarget != "" {
			count, err := strconv.ParseUint(c.RTarget, 10, 64)
			p.refuse(err != nil, "Failed to convert RTarget %q to uint64: %v", c.RTarget, err)
			p.refuse(err == nil && count < 1, "Distinct Property must have an allowed count of 1 or greater: %d < 1", count)
		}
	case "is_set", "is_not_set":
		p.refuse(c.RTarget != "", "Operator %q does not support an RTarget", c.Operand)
	case "=", "==", "is", "!=", "not", "<", "<=", ">", ">=":
		p.refuse(c.RTarget == "", "Operator %q requires an RTarget", c.Operand)
	default:
		p.refuse(true, "Unknown constraint type %q", c.Operand)
	}
	p.refuse(c.LTarget == "", "no attribute provided but is required by operator")
	return p.err()
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

func validateReschedule(r *api.ReschedulePolicy) error {
	attempts, unlimited, interval, delay := *r.Attempts, *r.Unlimited, *r.Interval, *r.Delay
	if attempts == 0 && !unlimited {
		return nil
	}
	p := &problems{}
	p.refuse(attempts > 0 && interval <= 0, "Interval must be a non zero value if Attempts > 0")
	p.refuse(attempts > 0 && unlimited, "Reschedule Policy with Attempts = %v, Interval = %v, and Unlimited = %v is ambiguous",
		attempts, interval, unlimited)
	p.refuse(attempts > 0 && unlimited, "If Attempts >0, Unlimited cannot also be set to true")
	p.refuse(delay < minRescheduleDelay, "Delay cannot be less than %v (got %v)", minRescheduleDelay, delay)
	functions := []string{"constant", "exponential", "fibonacci"}
	p.refuse(!slices.Contains(functions, *r.DelayFunction), "Invalid delay function %q, must be one of %q", *r.DelayFunction, functions)
	if *r.DelayFunction != "constant" {
		p.refuse(*r.MaxDelay < minRescheduleDelay, "Max Delay cannot be less than %v (got %v)", minRescheduleDelay, delay)
		p.refuse(*r.MaxDelay < delay, "Max Delay cannot be less than Delay %v (got %v)", delay, *r.MaxDelay)
	}
	p.refuse(!unlimited && interval < minRescheduleInterval, "Interval cannot be less than %v (got %v)", minRescheduleInterval, interval)
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
	p.refuse(high < 0, "Scaling policy invalid: maximum count must be specified and non-negative")
	p.refuse(high >= 0 && high < low, "Scaling policy invalid: maximum count must not be less than minimum count")
	p.refuse(count < low, "Scaling policy invalid: task group count must not be less than minimum count in scaling policy")
	p.refuse(count > high, "Scaling policy invalid: task group count must not be greater than maximum count in scaling policy")
	return p.err()
}

func validateNetworks(group *api.TaskGroup) error {
	p := &problems{}
	labels, static := map[string]string{}, map[string]string{}
	check := func(networks []*api.NetworkResource, owner, where string) {
		for _, network := range networks {
			for _, port := range slices.Concat(network.ReservedPorts, network.DynamicPorts) {
				other, taken := labels[port.Label]
				p.refuse(taken, "Port label %s already in use by %s", port.Label, other)
				labels[port.Label] = owner
				validatePort(p, static, port, where)
			}
		}
	}
	check(group.Networks, "taskgroup network", "taskgroup network")
	for _, task := range group.Tasks {
		check(task.Resources.Networks, task.Name, task.Name)
	}
	return p.err()
}

func validatePort(p *problems, static map[string]string, port api.Port, where string) {
	p.refuse(port.To < -1, "Port %q cannot be mapped to negative value %d", port.Label, port.To)
	p.refuse(port.To > math.MaxUint16, "Port %q cannot be mapped to a port (%d) greater than %d", port.Label, port.To, math.MaxUint16)
	if port.Value == 0 {
		return
	}
	key := fmt.Sprintf("%s:%d", port.HostNetwork, port.Value)
	other, taken := static[key]
	p.refuse(taken && !port.IgnoreCollision, "Static port %d already reserved by %s", port.Value, other)
	p.refuse(port.Value > math.MaxUint16, "Port %s (%d) cannot be greater than %d", port.Label, port.Value, math.MaxUint16)
	static[key] = where + ":" + port.Label
}
