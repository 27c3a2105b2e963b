package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"strings"

	"github.com/hashicorp/nomad/api"
	"github.com/urfave/cli/v2"

	"ostro/artifact"
	"ostro/watch"
)

// checkProtection holds the deployment against what its environment demands: a
// tree that is what was committed, and a commit that another environment has
// found to be stable. -force goes on all the same, and says so.
func (d *deployment) checkProtection(ctx context.Context, jobs []*rendered) error {
	e := d.config.Environment
	if e == nil || !e.Protected && e.Requires == "" {
		return nil
	}
	err := d.checkTree()
	if err == nil && e.Requires != "" {
		err = d.checkRequired(ctx, e.Requires, jobs)
	}
	if err != nil && d.c.Bool("force") && ctx.Err() == nil {
		d.t.warn("environment %q is protected, and -force goes on all the same: %v", e.Name, err)
		return nil
	}
	return err
}

// checkTree refuses what nobody could deploy again.
func (d *deployment) checkTree() error {
	name := d.config.Environment.Name
	if d.noCommit != nil {
		return usageError{withHint(fmt.Errorf("environment %q is protected and needs a commit: %w", name, d.noCommit), "say which commit it is with -commit")}
	}
	if d.commit.Tag == "" {
		if err := d.findCommit(d.c.Context); err != nil || d.noCommit != nil {
			return usageError{errors.Join(err, d.noCommit)}
		}
	}
	if d.commit.Dirty || strings.Contains(d.commit.Tag, dirtyMark) {
		return usageError{withHint(fmt.Errorf("environment %q is protected: %w", name, artifact.ErrDirty), "commit them first")}
	}
	// Who names the commit does not say what the job file holds. A build may have left
	// files that git does not keep.
	edited, err := artifact.Edited(d.c.Context, d.dir)
	if err != nil {
		return fmt.Errorf("environment %q is protected: see whether its files are edited: %w", name, err)
	}
	if edited != "" {
		return usageError{withHint(fmt.Errorf("environment %q is protected: %w (%s)", name, artifact.ErrDirty, edited), "commit them first")}
	}
	return nil
}

// checkRequired looks whether every job that has deployments is stable in another
// environment with this commit.
func (d *deployment) checkRequired(ctx context.Context, env string, jobs []*rendered) error {
	other, err := d.environment(env)
	if err != nil {
		return err
	}
	to, err := other.connect(ctx)
	if err != nil {
		return fmt.Errorf("look into environment %q: %w", env, err)
	}
	defer to.close()
	for _, r := range jobs {
		if strategy, err := watch.For(r.job()); err != nil || strategy != watch.Rollout {
			continue // it has no deployment, and is never called stable
		}
		if err := d.checkStable(ctx, to.client, env, other.clientConfig().Namespace, r.job()); err != nil {
			return err
		}
	}
	return nil
}

// environment is the project in another environment, reached as the
// configuration alone says: flags and NOMAD_* are about this one.
func (d *deployment) environment(name string) (*project, error) {
	selected, err := d.file.Select(name, "variables", "bucket", "endpoint", "promote_check")
	if err != nil {
		return nil, usageError{err}
	}
	noFlags := cli.NewContext(d.c.App, flag.NewFlagSet(name, flag.ContinueOnError), nil)
	noFlags.Context = d.c.Context
	return &project{t: d.t, c: noFlags, file: d.file, dir: d.dir, config: selected, elsewhere: true}, nil
}

// firstIn is the command line that deploys the same to another environment.
func (d *deployment) firstIn(env string) string {
	words := []string{"ostro", "deploy", "-env", env}
	if d.c.IsSet("config") {
		words = append(words, "-config", d.c.String("config"))
	}
	if d.target != "" {
		words = append(words, d.target)
	}
	return commandLine(words)
}

func (d *deployment) checkStable(ctx context.Context, client *api.Client, env, namespace string, job *api.Job) error {
	meta := d.commitMeta()
	commit := job.Meta[meta]
	if commit == "" {
		return withHint(fmt.Errorf("job %q has no meta %s: environment %q cannot vouch for its commit", *job.ID, meta, env),
			"add to the job: meta { %s = \"[[ .BB_COMMIT ]]\" }", meta)
	}
	if job.Namespace != nil {
		namespace = *job.Namespace
	}
	ctx, cancel := context.WithTimeout(ctx, contactTime)
	defer cancel()
	versions, _, _, err := client.Jobs().Versions(*job.ID, false, (&api.QueryOptions{Namespace: namespace}).WithContext(ctx))
	if reply, ok := errors.AsType[api.UnexpectedResponseError](err); err != nil && !(ok && reply.StatusCode() == http.StatusNotFound) {
		return unreachable(fmt.Errorf("look for job %q in environment %q: %w", *job.ID, env, err))
	}
	for _, v := range versions {
		if v.Stable != nil && *v.Stable && v.Meta[meta] == commit && (v.Stop == nil || !*v.Stop) {
			d.t.info("job %q is stable in environment %q with commit %s: version %d", *job.ID, env, commit, *v.Version)
			return nil
		}
	}
	return withHint(fmt.Errorf("job %q has no stable version with commit %s in environment %q", *job.ID, commit, env),
		"deploy it there first: %s", d.firstIn(env))
}
