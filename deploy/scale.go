package deploy

import (
	"context"
	"fmt"
	"strings"

	"github.com/hashicorp/nomad/api"
)

// Scaling says by how much the counts of a job's groups change. One of Count and
// Percent is above 0.
type Scaling struct {
	In      bool   // down, else up
	Count   int    // by so many
	Percent int    // of the count that a group has, rounded to the nearest
	Group   string // the only group, "" for all
}

// Scaled is the job with other counts, and a line about each group that changes.
// The job itself is left alone. A job that does not run is not scaled, but for a
// service whose counts are 0. (Levant does not scale that either.)
func (s Scaling) Scaled(job *api.Job) (*api.Job, []string, error) {
	if deref(job.Stop) || deref(job.Status) != "running" && deref(job.Type) != api.JobTypeService {
		return nil, nil, fmt.Errorf("job %q does not run, and only a running job is scaled", deref(job.ID))
	}
	scaled, found := *job, false
	scaled.VersionTag = nil
	scaled.TaskGroups = nil
	var lines, names []string
	for _, g := range job.TaskGroups {
		group := *g
		scaled.TaskGroups = append(scaled.TaskGroups, &group)
		names = append(names, deref(g.Name))
		if s.Group != "" && s.Group != deref(g.Name) {
			continue
		}
		found = true
		have := deref(g.Count)
		count := have + s.by(have)
		if count < 0 {
			return nil, nil, fmt.Errorf("group %q has a count of %d and cannot be scaled in by %d", deref(g.Name), have, have-count)
		}
		group.Count = &count
		if count != have {
			lines = append(lines, fmt.Sprintf("group %q: from %d to %d", deref(g.Name), have, count))
		}
	}
	if !found {
		return nil, nil, fmt.Errorf("job %q has no group %q: its groups are %s", deref(job.ID), s.Group, strings.Join(names, ", "))
	}
	return &scaled, lines, nil
}

// by is the change of a count.
func (s Scaling) by(count int) int {
	n := s.Count
	if s.Percent > 0 {
		n = (count*s.Percent + 50) / 100
	}
	if s.In {
		return -n
	}
	return n
}

// Source is the text that the current version of a job was made of, nil where
// the server has none: whoever registers the job again keeps it.
func Source(ctx context.Context, c *api.Client, job *api.Job) *api.JobSubmission {
	source, _, err := c.Jobs().Submission(deref(job.ID), int(deref(job.Version)), queryOptions(ctx, job))
	if err != nil {
		return nil
	}
	return source
}
