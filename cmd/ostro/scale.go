package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/urfave/cli/v2"

	"ostro/deploy"
	"ostro/watch"
)

// The names of the commands that scale.
const (
	scaleIn  = "scale-in"
	scaleOut = "scale-out"
)

func scaleCommand(t *terminal, name string) *cli.Command {
	usage := map[string]string{scaleIn: "lower the counts of a running job", scaleOut: "raise the counts of a running job"}
	return &cli.Command{
		Name: name, Usage: usage[name], ArgsUsage: "JOB",
		Flags: join(configFlags(), clientFlags(), logFlags(), watchFlags(), []cli.Flag{
			&cli.IntFlag{Name: "count", Usage: "by `N`"},
			&cli.IntFlag{Name: "percent", Usage: "by `N` percent of the count that a group has, rounded to the nearest"},
			&cli.StringFlag{Name: "task-group", Usage: "only the group of that `NAME` (default: every group)"},
		}),
		Action: func(c *cli.Context) error {
			id, err := requiredArg(c, "JOB")
			if err != nil {
				return err
			}
			scaling, err := scalingOf(c, name == scaleIn)
			if err != nil {
				return usageError{err}
			}
			return withWatch(c, t, func(ctx context.Context, d *deployment, to *target) error {
				return d.scale(ctx, to, id, scaling)
			})
		},
	}
}

func scalingOf(c *cli.Context, in bool) (deploy.Scaling, error) {
	s := deploy.Scaling{In: in, Count: c.Int("count"), Percent: c.Int("percent"), Group: c.String("task-group")}
	switch {
	case s.Count < 0 || s.Percent < 0:
		return s, errors.New("-count and -percent take a number above 0")
	case (s.Count > 0) == (s.Percent > 0):
		return s, withHint(errors.New("one of -count and -percent is needed, and not both"), "%s -count 1 JOB", c.Command.HelpName)
	case in && s.Percent > 100:
		return s, fmt.Errorf("-percent %d: nobody can scale in by more than 100 percent", s.Percent)
	}
	return s, nil
}

// scale registers the job with other counts, over nothing but what it read, and
// follows the deployment that this makes.
func (d *deployment) scale(ctx context.Context, to *target, id string, by deploy.Scaling) error {
	job, err := readJob(ctx, to.client, id)
	if err != nil {
		return err
	}
	scaled, lines, err := by.Scaled(job)
	if err != nil {
		return err
	}
	if len(lines) == 0 {
		return withHint(deploy.ErrNoChanges, "-percent %d of the counts rounds to 0: say -count", by.Percent)
	}
	for _, line := range lines {
		d.t.info("scaling job %q: %s", id, line)
	}
	o := d.submit
	o.ForceCount, o.CheckIndex, o.Planned = true, job.JobModifyIndex, d.t.planned
	o.Submission = deploy.Source(ctx, to.client, job)
	strategy, err := watch.For(scaled)
	if err != nil {
		return err
	}
	r := d.rollout(d.t, to, id)
	receipt, err := deploy.Submit(ctx, to.client, scaled, o)
	if err != nil {
		return r.submitFailure(err)
	}
	return r.followReceipt(ctx, receipt, strategy)
}
