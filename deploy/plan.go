package deploy

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/nomad/api"
)

// PlanResult is the server's dry run of a job against the one it has.
type PlanResult struct {
	JobID          string
	JobModifyIndex uint64 // of the job that was compared with; 0 when it does not exist
	JobDiff        *api.JobDiff
	Annotations    *api.PlanAnnotations
	Failed         []GroupFailure // what the scheduler could not place
	Warnings       []string
	NextLaunch     time.Time // of a periodic job, else zero
}

// NoChange reports whether the server already has exactly this job.
func (p *PlanResult) NoChange() bool { return p.JobDiff != nil && p.JobDiff.Type == "None" }

// Plan asks the server what registering the job would change and where it would
// run. Nothing is stored. The job is sent as it is, see [RunningCounts].
func Plan(ctx context.Context, c *api.Client, job *api.Job) (*PlanResult, error) {
	return plan(ctx, c, job, contactBudget)
}

func plan(ctx context.Context, c *api.Client, job *api.Job, budget time.Duration) (*PlanResult, error) {
	id := deref(job.ID)
	opts := &api.PlanOptions{Diff: true}
	reply, err := retry(ctx, "plan job "+id, budget, requestTimeout, func(ctx context.Context) (*api.JobPlanResponse, error) {
		reply, _, err := c.Jobs().PlanOpts(job, opts, writeOptions(ctx, job))
		return reply, err
	})
	if err != nil {
		return nil, err
	}
	return &PlanResult{
		JobID:          id,
		JobModifyIndex: reply.JobModifyIndex,
		JobDiff:        reply.Diff,
		Annotations:    reply.Annotations,
		Failed:         failures(job, reply.FailedTGAllocs),
		Warnings:       warnings(reply.Warnings),
		NextLaunch:     reply.NextPeriodicLaunch,
	}, nil
}

// warnings takes apart the list that Nomad packs into one text: a heading, then
// one line per warning, each led by a star.
func warnings(text string) []string {
	var list []string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if w, found := strings.CutPrefix(line, "* "); found {
			list = append(list, w)
		} else if line != "" && !strings.HasSuffix(line, ":") {
			list = append(list, line)
		}
	}
	return list
}

// queryOptions and writeOptions address the job's own namespace and region; what
// the job leaves out is the client's.
func queryOptions(ctx context.Context, job *api.Job) *api.QueryOptions {
	return (&api.QueryOptions{Namespace: deref(job.Namespace), Region: deref(job.Region)}).WithContext(ctx)
}

func writeOptions(ctx context.Context, job *api.Job) *api.WriteOptions {
	return (&api.WriteOptions{Namespace: deref(job.Namespace), Region: deref(job.Region)}).WithContext(ctx)
}

// readJob returns the job as the server has it, nil when it has none.
func readJob(ctx context.Context, c *api.Client, job *api.Job, budget, timeout time.Duration) (*api.Job, error) {
	id := deref(job.ID)
	return retry(ctx, fmt.Sprintf("read job %s", id), budget, timeout, func(ctx context.Context) (*api.Job, error) {
		have, _, err := c.Jobs().Info(id, queryOptions(ctx, job))
		if notFound(err) {
			return nil, nil
		}
		return have, err
	})
}

func deref[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}
