package httpapi

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/cronexpr"
	"github.com/hashicorp/nomad/api"
)

// multiError is a list of problems in the form in which Nomad prints them.
type multiError []error

func (m multiError) Error() string {
	noun := "errors"
	if len(m) == 1 {
		noun = "error"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d %s occurred:\n", len(m), noun)
	for _, err := range m {
		fmt.Fprintf(&b, "\t* %s\n", err)
	}
	return b.String() + "\n"
}

// problems gathers what is wrong with one thing.
type problems struct{ list multiError }

// refuse notes a problem when bad holds.
func (p *problems) refuse(bad bool, format string, args ...any) {
	if bad {
		p.list = append(p.list, fmt.Errorf(format, args...))
	}
}

// within notes the problems of a part; where says which part.
func (p *problems) within(part error, where string, args ...any) {
	if part != nil {
		p.list = append(p.list, fmt.Errorf("%s: %w", fmt.Sprintf(where, args...), part))
	}
}

// merge notes the problems of a part as if they were its own.
func (p *problems) merge(part error) {
	if m, ok := errors.AsType[multiError](part); ok {
		p.list = append(p.list, m...)
	}
}

// all notes the problems of a part together.
func (p *problems) all(part error) {
	if part != nil {
		p.list = append(p.list, part)
	}
}

// texts are the problems one by one.
func (p *problems) texts() []string {
	texts := make([]string, len(p.list))
	for i, err := range p.list {
		texts[i] = err.Error()
	}
	return texts
}

func (p *problems) err() error {
	if len(p.list) == 0 {
		return nil
	}
	return p.list
}

// validate checks a canonical job and gives the warnings that go with the
// answer. (Nomad: the rules and their texts.)
func (s *server) validate(job *api.Job) (string, error) {
	p, snap := &problems{}, s.Store.Snapshot()
	p.all(refuseProxies(job))
	p.all(refuseExposed(job))
	p.all(refuseVault(job))
	p.all(refuseClusters(job))
	namespace := snap.Namespace(nil, *job.Namespace)
	p.refuse(namespace == nil, "job %q is in nonexistent namespace %q", *job.ID, *job.Namespace)
	p.refuse(snap.NodePool(nil, *job.NodePool) == nil, "job %q is in nonexistent node pool %q", *job.ID, *job.NodePool)
	if namespace != nil {
		p.merge(checkCapabilities(job, namespace))
	}
	p.merge(validateJob(job))
	p.all(checkTotal(job, 0))
	return warningsText(jobWarnings(job, schedulerOf(snap, nil).MemoryOversubscriptionEnabled)), p.err()
}

func validateJob(job *api.Job) error {
	p := &problems{}
	p.refuse(*job.ID == "", "Missing job ID")
	p.refuse(strings.Contains(*job.ID, " "), "Job ID contains a space")
	p.refuse(strings.Contains(*job.ID, "\x00"), "Job ID contains a null character")
	p.refuse(*job.Name == "", "Missing job name")
	p.refuse(strings.Contains(*job.Name, "\x00"), "Job Name contains a null character")
	p.refuse(*job.Type == "", "Missing job type")
	p.refuse(!slices.Contains([]string{"", api.JobTypeService, api.JobTypeBatch, api.JobTypeSystem, api.JobTypeSysbatch}, *job.Type),
		"Invalid job type: %q", *job.Type)
	p.refuse(slices.Contains(job.Datacenters, ""), "Job datacenter must be non-empty string")
	p.refuse(len(job.TaskGroups) == 0, "Missing job task groups")
	validateConstraints(p, job.Constraints)
	validateAffinities(p, *job.Type, job.Affinities)
	validateSpreads(p, *job.Type, job.Spreads)
	p.refuse(job.UI != nil && len(job.UI.Description) > maxUIDescription,
		"UI description must be under 1000 characters, currently %d", uiDescription(job))
	validateGroupNames(p, job)
	for _, group := range job.TaskGroups {
		p.within(validateGroup(job, group), "Task group %s validation failed", *group.Name)
	}
	validateLaunch(p, job)
	p.refuse(len(job.Payload) > 0, "job can't be submitted with a payload, only dispatched")
	p.refuse(*job.Priority < 1 || *job.Priority > maxPriority, "job priority must be between [1, %d]", maxPriority)
	refuseEnterprise(p, job)
	p.refuse(job.Multiregion != nil, "Multiregion jobs need Nomad Enterprise")
	return p.err()
}

// maxCount is how many allocations one job may have. (Nomad: job_max_count.)
const maxCount = 50000

// checkTotal refuses a job that is too large, or becomes it with more allocations.
// (Nomad: the text.)
func checkTotal(job *api.Job, more int64) error {
	total := more
	for _, group := range job.TaskGroups {
		total += int64(*group.Count)
	}
	if total > maxCount {
		return textErrorf("total count was greater than configured job_max_count: %d > %d", total, maxCount)
	}
	return nil
}

// validateGroupNames checks what one has to know of all groups.
func validateGroupNames(p *problems, job *api.Job) {
	names := map[string]int{}
	for i, group := range job.TaskGroups {
		first, again := names[*group.Name]
		p.refuse(*group.Name == "", "Job task group %d missing name", i+1)
		p.refuse(again, "Job task group %d redefines '%s' from group %d", i+1, *group.Name, first+1)
		names[*group.Name] = i
		p.refuse(group.ShutdownDelay != nil && *group.ShutdownDelay < 0, "ShutdownDelay must be a positive value")
		p.refuse(*job.Type == api.JobTypeSystem && *group.Count > 1,
			"Job task group %s has count %d. Count cannot exceed 1 with system scheduler", *group.Name, *group.Count)
	}
}

// maxUIDescription is how many characters the description of a job may have. (Nomad.)
const maxUIDescription = 1000

func uiDescription(job *api.Job) int {
	if job.UI == nil {
		return 0
	}
	return len(job.UI.Description)
}

// validateLaunch checks how a job is launched when not by its registration.
func validateLaunch(p *problems, job *api.Job) {
	batch := *job.Type == api.JobTypeBatch || *job.Type == api.JobTypeSysbatch
	if job.IsPeriodic() && *job.Periodic.Enabled {
		p.refuse(!batch, "Periodic can only be used with %q or %q scheduler", api.JobTypeBatch, api.JobTypeSysbatch)
		p.all(validatePeriodic(job.Periodic))
	}
	if job.IsParameterized() {
		p.refuse(!batch, "Parameterized job can only be used with %q or %q scheduler", api.JobTypeBatch, api.JobTypeSysbatch)
		p.all(validateParameterized(job.ParameterizedJob))
	}
}

func validatePeriodic(c *api.PeriodicConfig) error {
	p := &problems{}
	specs := slices.Clone(c.Specs)
	if c.Spec != nil && *c.Spec != "" {
		p.refuse(len(specs) > 0, "Only cron or crons may be used")
		specs = append([]string{*c.Spec}, specs...)
	}
	p.refuse(len(specs) == 0, "Must specify a spec")
	if _, err := time.LoadLocation(*c.TimeZone); err != nil {
		p.refuse(true, "Invalid time zone %q: %v", *c.TimeZone, err)
	}
	p.refuse(*c.SpecType != api.PeriodicSpecCron, "Unknown periodic specification type %q", *c.SpecType)
	for _, spec := range specs {
		if _, err := cronexpr.Parse(spec); err != nil {
			p.refuse(true, "Invalid cron spec %q: %v", spec, err)
		}
	}
	return p.err()
}

func validateParameterized(c *api.ParameterizedJobConfig) error {
	p := &problems{}
	p.refuse(!slices.Contains([]string{"optional", "required", "forbidden"}, c.Payload), "Unknown payload requirement: %q", c.Payload)
	both := slices.DeleteFunc(slices.Clone(c.MetaRequired), func(key string) bool { return !slices.Contains(c.MetaOptional, key) })
	p.refuse(len(both) > 0, "Required and optional meta keys should be disjoint. Following keys exist in both: %v", both)
	return p.err()
}

// checkTransition refuses a job that may not follow the stored one, if there is
// one. (Nomad.)
func checkTransition(old, job *api.Job) error {
	switch {
	case old == nil && job.Dispatched:
		return errors.New("job can't be submitted with 'Dispatched' set")
	case old == nil:
		return nil
	case *old.Type != *job.Type:
		return fmt.Errorf("cannot update job from type %q to %q", *old.Type, *job.Type)
	case old.IsPeriodic() && !job.IsPeriodic():
		return errors.New("cannot update periodic job to being non-periodic")
	case job.IsPeriodic() && !old.IsPeriodic():
		return errors.New("cannot update non-periodic job to being periodic")
	case old.IsParameterized() && !job.IsParameterized():
		return errors.New("cannot update parameterized job to being non-parameterized")
	case job.IsParameterized() && !old.IsParameterized():
		return errors.New("cannot update non-parameterized job to being parameterized")
	case old.Dispatched != job.Dispatched:
		return errors.New("field 'Dispatched' is read-only")
	}
	return nil
}
