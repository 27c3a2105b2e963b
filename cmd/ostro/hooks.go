package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"ostro/config"
	"ostro/watch"
)

// withHooks runs what the configuration has around a deployment: before it, which
// may prevent it, and after it, by how it ended. An interrupted deployment goes
// on, so nothing follows upon it.
func (d *deployment) withHooks(ctx context.Context, jobs []*rendered, do func() error) error {
	hooks := d.config.Hooks
	if err := d.runHook(ctx, "before_deploy", hooks.BeforeDeploy, d.hookEnviron(jobs)); err != nil {
		return err
	}
	err := do()
	switch {
	case isInterrupted(ctx):
		return err
	case err == nil:
		return d.runHook(ctx, "after_deploy", hooks.AfterDeploy, d.resultEnviron(jobs, codeOK))
	}
	late, cancel := context.WithTimeout(context.WithoutCancel(ctx), lateTime) // the time may be up
	defer cancel()
	if hookErr := d.runHook(late, "on_failure", hooks.OnFailure, d.resultEnviron(jobs, endCode(ctx, err))); hookErr != nil {
		d.t.warn("%v", hookErr)
	}
	return err
}

// lateTime is how long the command that follows a failure may take.
const lateTime = 10 * time.Minute

// pipeTime is how long a command that was killed may leave its output to others.
const pipeTime = 5 * time.Second

// runHook runs one command in the folder of the configuration. What it writes
// goes where our own lines go.
func (d *deployment) runHook(ctx context.Context, name string, argv, environ []string) error {
	if len(argv) == 0 {
		return nil
	}
	d.t.info("%s: %s", name, strings.Join(argv, " "))
	command := exec.CommandContext(ctx, argv[0], argv[1:]...)
	command.Dir, command.Env = d.dir, append(os.Environ(), environ...)
	command.Stdout, command.Stderr = d.t.err, d.t.err
	command.WaitDelay = pipeTime
	err := command.Run()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		return fmt.Errorf("%s: %s: %w", name, argv[0], err)
	}
	return nil
}

// hookEnviron tells a command what is about to be deployed.
func (d *deployment) hookEnviron(jobs []*rendered) []string {
	ids := make([]string, len(jobs))
	for i, job := range jobs {
		ids[i] = *job.job().ID
	}
	environ := []string{"OSTRO_JOBS=" + strings.Join(ids, " "), "OSTRO_COMMIT=" + d.commit.Tag, "OSTRO_ENV=" + d.c.String("env")}
	if !d.standalone() {
		environ = append(environ, "OSTRO_ADDRESS="+d.clientConfig().Address)
	}
	return environ
}

// resultEnviron tells a command what came of it, too. Of several jobs it speaks
// of the last one, which is the one that failed if one did.
func (d *deployment) resultEnviron(jobs []*rendered, code int) []string {
	environ := append(d.hookEnviron(jobs), "OSTRO_EXIT_CODE="+strconv.Itoa(code))
	if len(d.report.jobs) == 0 {
		return environ
	}
	last := d.report.jobs[len(d.report.jobs)-1]
	for _, r := range d.report.jobs {
		if r.ExitCode != codeOK {
			last = r
		}
	}
	version := ""
	if last.Version != nil {
		version = strconv.FormatUint(*last.Version, 10)
	}
	return append(environ, "OSTRO_JOB="+last.Job, "OSTRO_NAMESPACE="+last.Namespace, "OSTRO_VERSION="+version,
		"OSTRO_DEPLOYMENT="+last.Deployment, "OSTRO_OUTCOME="+last.Outcome, "OSTRO_SUMMARY="+last.Summary)
}

// parseRelease reads the template of the job that -release or the configuration
// has run before the others, nil when there is none.
func (d *deployment) parseRelease(ctx context.Context) (*rendered, error) {
	path := pick(d.c, "release", d.config.Hooks.Release, d.c.String)
	if path == "" {
		return nil, nil
	}
	job := config.Job{Template: path, Variables: d.config.Variables, VariableFiles: d.config.VariableFiles}
	r, err := d.parse(ctx, job)
	if err != nil {
		return nil, err
	}
	strategy, err := watch.For(r.job())
	if err == nil && strategy != watch.Completion {
		err = withHint(errors.New("the release job must be a batch job"), "write type = \"batch\" in %s", path)
	}
	if err != nil {
		return nil, usageError{err}
	}
	d.t.diagnostics(r.warnings, r.sources)
	return r, nil
}

// release runs the release job to its end. It runs again even if it is unchanged:
// a run that is over says nothing about what is deployed now.
func (d *deployment) release(ctx context.Context, to *target, job *rendered) error {
	r := d.rollout(d.t.about("release"), to, *job.job().ID)
	if d.parallel == 1 {
		r.section = d.t.section("release " + r.id)
	}
	o := d.submit
	o.Rerun, o.RefuseNoChanges, o.CheckIndex = true, false, nil
	err := r.submitAndFollow(ctx, job, o)
	if err != nil {
		d.t.info("the release job did not succeed: nothing else is deployed")
	}
	return err
}
