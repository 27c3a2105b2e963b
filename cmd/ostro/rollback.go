package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/hashicorp/nomad/api"
	"github.com/urfave/cli/v2"

	"ostro/deploy"
	"ostro/watch"
)

func rollbackCommand(t *terminal) *cli.Command {
	return &cli.Command{
		Name: "rollback", Usage: "deploy an older version of a job again", ArgsUsage: "JOB",
		Flags: join(configFlags(), clientFlags(), logFlags(), watchFlags(), []cli.Flag{
			&cli.StringFlag{Name: "to", Usage: "the `COMMIT`, version or tag to go back to (default: the last stable version that differs)"},
			commitMetaFlag(),
		}),
		Action: func(c *cli.Context) error {
			id, err := requiredArg(c, "JOB")
			if err != nil {
				return err
			}
			return withWatch(c, t, func(ctx context.Context, d *deployment, to *target) error {
				return d.rollback(ctx, to, id)
			})
		},
	}
}

func commitMetaFlag() cli.Flag {
	return &cli.StringFlag{Name: "commit-meta", Usage: "the `NAME` of the job's meta that holds the commit", DefaultText: deploy.CommitMeta}
}

// commitMeta is the name of the meta that holds a version's commit.
func (p *project) commitMeta() string {
	return orDefault(pick(p.c, "commit-meta", p.config.CommitMeta, p.c.String), deploy.CommitMeta)
}

// rollback deploys an older version, and follows its deployment.
func (d *deployment) rollback(ctx context.Context, to *target, id string) error {
	current, err := readJob(ctx, to.client, id)
	if err != nil {
		return err
	}
	versions, err := sought(ctx, func(q *api.QueryOptions) ([]*api.Job, *api.QueryMeta, error) {
		versions, _, meta, err := to.client.Jobs().Versions(id, false, q)
		return versions, meta, err
	})
	if err != nil {
		return jobError(err, id)
	}
	older, err := d.rollbackTarget(versions, current)
	if err != nil {
		return err
	}
	if deploy.SameSpec(older, current) {
		d.t.info("no changes: version %d says the same as version %d", *older.Version, *current.Version)
		return d.join(ctx, to, id)
	}
	d.t.info("rolling job %q back from %s to %s", id, d.versionName(current), d.versionName(older))
	strategy, err := watch.For(older)
	if err != nil {
		return err
	}
	r := d.rollout(d.t, to, id)
	receipt, err := deploy.Rollback(ctx, to.client, current, older)
	if err != nil {
		return r.submitFailure(err)
	}
	return r.followReceipt(ctx, receipt, strategy)
}

// rollbackTarget is the version that -to names, or the last stable one.
func (d *deployment) rollbackTarget(versions []*api.Job, current *api.Job) (*api.Job, error) {
	next := d.commandFor("history", "", *current.ID)
	if !d.c.IsSet("to") {
		if older := deploy.LastStable(versions, current); older != nil {
			return older, nil
		}
		return nil, withHint(fmt.Errorf("job %q has no stable version to roll back to", *current.ID), "%s", next)
	}
	older, err := deploy.FindVersion(versions, d.c.String("to"), d.commitMeta())
	if err != nil {
		return nil, withHint(err, "%s", next)
	}
	if older.Stop != nil && *older.Stop {
		return nil, withHint(errors.New(d.versionName(older)+" is a stop: nothing would run"), "%s", d.commandFor("stop", "", *current.ID))
	}
	if older.Stable == nil || !*older.Stable {
		d.t.warn("%s was never stable", d.versionName(older))
	}
	return older, nil
}

// versionName is how people call a version.
func (p *project) versionName(job *api.Job) string {
	if commit := job.Meta[p.commitMeta()]; commit != "" {
		return fmt.Sprintf("version %d (commit %s)", *job.Version, commit)
	}
	return fmt.Sprintf("version %d", *job.Version)
}
