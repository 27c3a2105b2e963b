package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/hashicorp/nomad/api"
	"github.com/urfave/cli/v2"

	"ostro/deploy"
	"ostro/watch"
)

func deployCommand(t *terminal) *cli.Command {
	return &cli.Command{
		Name: "deploy", Usage: "take a commit to a running, healthy deployment", ArgsUsage: "[TEMPLATE]",
		Flags: join(templateFlags(), configFlags(), clientFlags(), artifactFlags(), logFlags(), watchFlags(), []cli.Flag{
			&cli.BoolFlag{Name: "force", Usage: "submit even if nothing changed or nothing fits, and replace artifacts"},
			&cli.BoolFlag{Name: "force-batch", Usage: "launch a periodic job at once"},
			&cli.BoolFlag{Name: "force-count", Usage: "use the counts of the template, not those that run"},
			&cli.BoolFlag{Name: "ignore-no-changes", Value: true, Usage: "nothing to change is a success"},
			&cli.Uint64Flag{Name: "check-index", Usage: "submit only over the job modify index `N`; 0 means the job must not exist"},
			&cli.StringFlag{Name: "on-interrupt", Usage: "what the first Ctrl-C does to the deployment: detach or fail (`HOW`)"},
			&cli.StringFlag{Name: "report", Usage: "write the outcome as JSON to `FILE`"},
		}),
		Action: func(c *cli.Context) error {
			p, err := openForTemplate(c, t)
			if err != nil {
				return err
			}
			defer p.close()
			d, err := p.newDeployment()
			if err != nil {
				return usageError{err}
			}
			err = d.run(c.Context)
			return errors.Join(err, d.writeReport(err))
		},
	}
}

// deployment is one run of `ostro deploy`: templates that have been read, and
// how their deployment is to be judged.
type deployment struct {
	*project
	submit deploy.Options
	watch  watch.Options
	start  time.Time
	report []jobReport
}

func (p *project) newDeployment() (*deployment, error) {
	c, s := p.c, p.config.Settings
	d := &deployment{project: p, start: time.Now()}
	d.submit = deploy.Options{
		Force: c.Bool("force"), ForceBatch: c.Bool("force-batch"), ForceCount: c.Bool("force-count"),
		RefuseNoChanges: !c.Bool("ignore-no-changes"), WaitForCapacity: pick(c, "wait-for-capacity", s.WaitForCapacity, c.Duration),
	}
	if c.IsSet("check-index") {
		d.submit.CheckIndex = new(c.Uint64("check-index"))
	}
	d.watch = watch.Options{
		Timeout:         pick(c, "timeout", s.Timeout, c.Duration),
		WaitForCapacity: d.submit.WaitForCapacity,
		Promote:         pick(c, "promote", s.Promote, c.String),
		PromoteCheck:    pick(c, "promote-check", s.PromoteCheck, c.String),
		RevertOnFailure: c.Bool("revert-on-failure") || s.RevertOnFailure,
		Notify:          p.t.event,
	}
	if c.IsSet("canary-auto-promote") {
		if c.IsSet("promote") {
			return nil, errors.New("-canary-auto-promote and -promote exclude each other")
		}
		d.watch.Promote = watch.PromoteHealthy
		d.watch.PromoteAfter = time.Duration(c.Int("canary-auto-promote")) * time.Second
	}
	switch on := pick(c, "on-interrupt", s.OnInterrupt, c.String); on {
	case "", onInterruptDetach, onInterruptFail:
	default:
		return nil, fmt.Errorf("-on-interrupt %q is not one of detach, fail", on)
	}
	switch d.watch.Promote {
	case "", watch.PromoteHealthy, watch.PromoteWait, watch.PromoteDetach:
	default:
		return nil, fmt.Errorf("-promote %q is not one of healthy, wait, detach", d.watch.Promote)
	}
	return d, nil
}

// pick gives the flag where it was set, and else what the configuration says.
func pick[T any](c *cli.Context, name string, configured T, flag func(string) T) T {
	if c.IsSet(name) {
		return flag(name)
	}
	return configured
}

// run goes the whole road. Nothing is uploaded, dialled or submitted before
// every template has been read.
func (d *deployment) run(ctx context.Context) error {
	jobs, err := d.parseAll(ctx)
	if err != nil {
		return err
	}
	if len(d.artifacts) > 0 {
		if err := d.needCommit(); err != nil {
			return err
		}
	}
	ctx, cancel := d.bounded(ctx)
	defer cancel()
	to, err := d.connect(ctx)
	if err != nil {
		return err
	}
	defer to.close()
	if err := d.upload(ctx, to); err != nil {
		return err
	}
	for _, job := range jobs {
		if err := d.one(ctx, to, job); err != nil {
			return err
		}
	}
	return nil
}

var errTimeout = errors.New("the time is up")

// upload puts the artifacts into the bucket. In a pipeline the step before has
// usually done so: what is there under the commit's name is taken as it is.
func (d *deployment) upload(ctx context.Context, to *target) error {
	if len(d.artifacts) == 0 {
		return nil
	}
	bucket, err := d.openBucket(ctx, to.agent)
	if err != nil {
		return err
	}
	return d.pushAll(ctx, bucket, to.agent == nil && !d.c.Bool("force"), d.c.Bool("force"))
}

// one submits one job and follows it to its end.
func (d *deployment) one(ctx context.Context, to *target, r *rendered) error {
	job := r.job()
	strategy, err := watch.For(job)
	if err != nil {
		return usageError{err}
	}
	d.address(to, job)
	options := d.submit
	options.Submission = r.result.Submission
	options.Planned = d.t.planned
	d.t.info("deploying job %q%s", *job.ID, d.commitNote())
	receipt, err := deploy.Submit(ctx, to.client, job, options)
	if err != nil {
		d.report = append(d.report, failedReport(job, err, d.commit.Tag))
		return d.submitFailure(err, *job.ID)
	}
	for _, warning := range receipt.Warnings {
		d.t.warn("%s", warning)
	}
	if receipt.NoChange {
		d.t.info("no changes")
	}
	target := watch.Target{
		Namespace: receipt.Namespace, Region: receipt.Region, JobID: receipt.JobID, EvalID: receipt.EvalID,
		JobVersion: receipt.JobVersion, JobModifyIndex: receipt.JobModifyIndex, NoChange: receipt.NoChange, Strategy: strategy,
	}
	if receipt.Child != "" {
		target.JobID, target.Strategy = receipt.Child, watch.Auto
	}
	verdict, err := watch.Run(ctx, to.client, target, d.watch)
	d.report = append(d.report, reportOf(receipt, verdict, d.commit.Tag))
	return d.conclude(ctx, to, target, verdict, err)
}

func (d *deployment) commitNote() string {
	if d.commit.Tag == "" {
		return ""
	}
	return ", commit " + d.commit.Tag
}

// submitFailure adds what to do next.
func (d *deployment) submitFailure(err error, jobID string) error {
	if unplaceable, ok := errors.AsType[*deploy.Unplaceable](err); ok {
		return withHint(unplaceable, "make room, change the job's constraints, or submit it all the same with -force or -wait-for-capacity")
	}
	if unreachable, ok := errors.AsType[*deploy.Unreachable](err); ok {
		return withHint(unreachable, "check -address, -ssh and NOMAD_ADDR, or try -standalone; nothing was submitted")
	}
	if unsettled, ok := errors.AsType[*deploy.Unsettled](err); ok {
		return withHint(unsettled, "ostro watch %s%s", d.joinFlags(""), jobID)
	}
	return err
}

// conclude tells the verdict. err is why the watch ended without one.
func (d *deployment) conclude(ctx context.Context, to *target, of watch.Target, v watch.Verdict, err error) error {
	jobID := of.JobID
	join := fmt.Sprintf("ostro watch %s%s", d.joinFlags(of.Namespace), jobID)
	if err != nil && context.Cause(ctx) != errTimeout {
		return d.leave(ctx, to, of, unknownError{err})
	}
	if v.Outcome == watch.Successful || v.Outcome == watch.ReadyForPromotion {
		d.t.success(v)
		if v.Outcome == watch.ReadyForPromotion {
			d.t.result("ostro promote %s%s", d.joinFlags(of.Namespace), jobID)
		}
		d.printAddresses(ctx, to, of)
		return nil
	}
	d.t.failed(v)
	if v.Outcome == watch.Unknown {
		d.t.hint("%s", join)
	} else if len(v.Reasons) > 0 {
		d.t.hint("ostro logs %s-alloc %s %s", d.joinFlags(of.Namespace), short(v.Reasons[0].AllocID), jobID)
	}
	return verdictError{v}
}

// failTime is how long an interrupted command may take to fail its deployment.
const failTime = 10 * time.Second

// leave ends a watch that was interrupted. The deployment goes on, or fails if
// -on-interrupt says so.
func (d *deployment) leave(ctx context.Context, to *target, of watch.Target, err error) error {
	interrupted := ctx.Err() != nil
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), failTime)
	defer cancel()
	if interrupted && pick(d.c, "on-interrupt", d.config.OnInterrupt, d.c.String) == onInterruptFail {
		id, failErr := failDeployment(ctx, to.client, of)
		if failErr == nil {
			d.t.info("deployment %s was failed", short(id))
			return err
		}
		d.t.warn("the deployment could not be failed: %v", failErr)
	}
	if interrupted {
		d.t.interrupted(err)
	} else {
		d.t.failure(err)
	}
	d.t.info("the deployment goes on without this command")
	d.t.hint("to fail it: ostro fail %s%s", d.joinFlags(of.Namespace), of.JobID)
	d.t.hint("ostro watch %s%s", d.joinFlags(of.Namespace), of.JobID)
	return told{err}
}

// failDeployment fails the deployment of the version that is being deployed,
// and of no other.
func failDeployment(ctx context.Context, client *api.Client, of watch.Target) (id string, err error) {
	query := (&api.QueryOptions{Namespace: of.Namespace, Region: of.Region}).WithContext(ctx)
	deployment, _, err := client.Jobs().LatestDeployment(of.JobID, query)
	if err != nil {
		return "", err
	}
	if deployment == nil || deployment.JobVersion != of.JobVersion {
		return "", fmt.Errorf("version %d has no deployment yet", of.JobVersion)
	}
	write := (&api.WriteOptions{Namespace: of.Namespace, Region: of.Region}).WithContext(ctx)
	_, _, err = client.Deployments().Fail(deployment.ID, write)
	return deployment.ID, err
}

// What -on-interrupt may say.
const (
	onInterruptDetach = "detach"
	onInterruptFail   = "fail"
)

// writeReport keeps the outcome for other programs, however early it came.
func (d *deployment) writeReport(outcome error) error {
	path := d.c.String("report")
	if path == "" {
		return nil
	}
	text, err := encodeReport(d.report, outcome, time.Since(d.start))
	if err != nil {
		return err
	}
	if err := os.WriteFile(path, []byte(d.t.redactor.String(string(text))), 0o644); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}
