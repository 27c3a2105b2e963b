package main

import (
	"context"
	"fmt"
	"time"

	"github.com/hashicorp/nomad/api"
	"github.com/urfave/cli/v2"

	"ostro/watch"
)

func watchCommand(t *terminal) *cli.Command {
	return &cli.Command{
		Name: "watch", Usage: "join a deployment that is under way, or judge what runs", ArgsUsage: "JOB",
		Flags: join(configFlags(), clientFlags(), logFlags(), watchFlags()),
		Action: func(c *cli.Context) error {
			id, err := requiredArg(c, "JOB")
			if err != nil {
				return err
			}
			return withWatch(c, t, func(ctx context.Context, d *deployment, to *target) error {
				return d.join(ctx, to, id)
			})
		},
	}
}

// watchFlags say how a deployment is followed.
func watchFlags() []cli.Flag {
	return []cli.Flag{
		&cli.DurationFlag{Name: "timeout", DefaultText: "1h", Usage: "for the whole deployment: `DURATION`, such as 20m"},
		&cli.DurationFlag{Name: "wait-for-capacity", Usage: "how long a group may wait for a node that fits: `DURATION`"},
		&cli.StringFlag{Name: "promote", Usage: "canaries: promote once all are healthy, wait for somebody, or detach (`HOW`: healthy, wait, detach)"},
		&cli.StringFlag{Name: "promote-check", Usage: "the `URL` that must answer 2xx before a promotion"},
		&cli.IntFlag{Name: "canary-auto-promote", Usage: "as -promote healthy, `SECONDS` after the start at the earliest"},
		&cli.BoolFlag{Name: "revert-on-failure", Usage: "roll back when the job has no auto_revert"},
		&cli.StringFlag{Name: "on-interrupt", Usage: "what the first Ctrl-C does to the deployment: detach or fail (`HOW`)"},
	}
}

// withWatch connects for a command that needs no template, and follows a
// deployment.
func withWatch(c *cli.Context, t *terminal, do func(context.Context, *deployment, *target) error) error {
	p, err := openConfig(t, c, "")
	if err != nil {
		return err
	}
	d, err := p.newDeployment()
	if err != nil {
		return usageError{err}
	}
	ctx, cancel := d.bounded(c.Context)
	defer cancel()
	to, err := d.connect(ctx)
	if err != nil {
		return err
	}
	defer to.close()
	return do(ctx, d, to)
}

// join follows the newest deployment of a job to its end, and gives the verdict
// that whoever started it gets.
func (d *deployment) join(ctx context.Context, to *target, id string) error {
	conf := d.clientConfig()
	target, err := sought(ctx, func(q *api.QueryOptions) (watch.Target, *api.QueryMeta, error) {
		target, err := watch.Join(q.Context(), to.client, conf.Namespace, conf.Region, id)
		return target, nil, err
	})
	if err != nil {
		return jobError(err, id)
	}
	return d.rollout(d.t, to, id).follow(ctx, target)
}

// bounded ends a deployment's work when its time is up.
func (d *deployment) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	timeout := d.watch.Timeout
	if timeout <= 0 {
		timeout = time.Hour
	}
	return context.WithTimeoutCause(ctx, timeout, errTimeout)
}

func failCommand(t *terminal) *cli.Command {
	return &cli.Command{
		Name: "fail", Usage: "fail the deployment of a job that is under way", ArgsUsage: "JOB",
		Flags: join(configFlags(), clientFlags(), logFlags()),
		Action: func(c *cli.Context) error {
			return withDeployment(c, t, func(client *api.Client, d *api.Deployment, write *api.WriteOptions) error {
				if _, _, err := client.Deployments().Fail(d.ID, write); err != nil {
					return fmt.Errorf("fail deployment %s of version %d: %w", short(d.ID), d.JobVersion, unreachable(err))
				}
				t.info("deployment %s of version %d was failed", short(d.ID), d.JobVersion)
				return nil
			})
		},
	}
}

func promoteCommand(t *terminal) *cli.Command {
	return &cli.Command{
		Name: "promote", Usage: "let the canaries of a job's deployment take over", ArgsUsage: "JOB",
		Flags: join(configFlags(), clientFlags(), logFlags()),
		Action: func(c *cli.Context) error {
			return withDeployment(c, t, func(client *api.Client, d *api.Deployment, write *api.WriteOptions) error {
				if _, _, err := client.Deployments().PromoteAll(d.ID, write); err != nil {
					return fmt.Errorf("promote deployment %s of version %d: %w", short(d.ID), d.JobVersion, unreachable(err))
				}
				t.info("deployment %s of version %d was promoted", short(d.ID), d.JobVersion)
				return nil
			})
		},
	}
}

// isOver reports whether nothing can be done about a deployment any more.
func isOver(d *api.Deployment) bool {
	switch d.Status {
	case api.DeploymentStatusSuccessful, api.DeploymentStatusFailed, api.DeploymentStatusCancelled:
		return true
	}
	return false
}

// withDeployment finds the newest deployment of a job for a command that acts
// on it.
func withDeployment(c *cli.Context, t *terminal, do func(*api.Client, *api.Deployment, *api.WriteOptions) error) error {
	id, err := requiredArg(c, "JOB")
	if err != nil {
		return err
	}
	return withTarget(c, t, func(to *target) error {
		if _, err := readJob(c.Context, to.client, id); err != nil {
			return err
		}
		d, err := sought(c.Context, func(q *api.QueryOptions) (*api.Deployment, *api.QueryMeta, error) {
			return to.client.Jobs().LatestDeployment(id, q)
		})
		switch {
		case err != nil:
			return unreachable(err)
		case d == nil:
			return fmt.Errorf("job %q has no deployment", id)
		case isOver(d):
			return fmt.Errorf("deployment %s of version %d of job %q is over: it is %s", short(d.ID), d.JobVersion, id, d.Status)
		}
		ctx, cancel := context.WithTimeout(c.Context, contactTime)
		defer cancel()
		return do(to.client, d, (&api.WriteOptions{Namespace: d.Namespace}).WithContext(ctx))
	})
}
