package deploy

import (
	"context"

	"github.com/hashicorp/nomad/api"
)

// RunningCounts returns the job as [Submit] would send it: with the counts that
// its groups have on the server. It is meant for a [Plan] that shows what Submit
// would do.
func RunningCounts(ctx context.Context, c *api.Client, job *api.Job) (*api.Job, error) {
	running, err := readJob(ctx, c, job, contactBudget, contactBudget)
	if err != nil {
		return nil, err
	}
	return withRunningCounts(job, running), nil
}

// withRunningCounts returns the job with the counts that its groups have on the
// server, so that a deploy does not undo a scale-up. Levant: only while the job
// runs, and only for groups that exist there. The job itself is left alone.
func withRunningCounts(job, running *api.Job) *api.Job {
	if running == nil || deref(running.Status) != "running" {
		return job
	}
	counts := make(map[string]*int)
	for _, g := range running.TaskGroups {
		counts[deref(g.Name)] = g.Count
	}
	kept := *job
	kept.TaskGroups = make([]*api.TaskGroup, len(job.TaskGroups))
	for i, g := range job.TaskGroups {
		if count := counts[deref(g.Name)]; count != nil {
			group := *g
			group.Count = count
			g = &group
		}
		kept.TaskGroups[i] = g
	}
	return &kept
}
