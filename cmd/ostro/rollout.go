package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/hashicorp/nomad/api"

	"ostro/deploy"
	"ostro/watch"
)

// rollout is the deployment of one job, from its submission to its verdict.
type rollout struct {
	*deployment
	t  *terminal // speaks of this job
	to *target
	id string
	// namespace is the job's own, "" while it is that of the client.
	namespace string
	start     time.Time
	report    *jobReport
	// section ends what a CI system may fold away; the verdict stands outside.
	section func()
}

// rollout begins the deployment of a job, or of what somebody else has begun.
func (d *deployment) rollout(t *terminal, to *target, id string) *rollout {
	r := &rollout{deployment: d, t: t, to: to, id: id, start: time.Now(), section: func() {}, report: &jobReport{Job: id, Commit: d.commit.Tag}}
	d.report.add(r.report)
	return r
}

// submitAndFollow submits the job and follows it to its end.
func (r *rollout) submitAndFollow(ctx context.Context, source *rendered, o deploy.Options) error {
	job := source.job()
	strategy, err := watch.For(job)
	if err != nil {
		return usageError{err}
	}
	r.address(r.to, job)
	if job.Namespace != nil {
		r.namespace = *job.Namespace
	}
	o.Submission, o.Planned, o.Contact = source.result.Submission, r.t.planned, r.t.registering
	r.t.info("deploying job %q%s", r.id, r.commitNote())
	receipt, err := deploy.Submit(ctx, r.to.client, job, o)
	r.report.SubmitSeconds = time.Since(r.start).Seconds()
	if err != nil {
		r.section()
		err = r.submitFailure(err)
		r.report.notSubmitted(job, err, endCode(ctx, err))
		return err
	}
	return r.followReceipt(ctx, receipt, strategy)
}

// followReceipt follows what was submitted to its end.
func (r *rollout) followReceipt(ctx context.Context, receipt *deploy.Receipt, strategy watch.Strategy) error {
	for _, warning := range receipt.Warnings {
		r.t.warn("%s", warning)
	}
	if receipt.NoChange {
		r.t.info("no changes")
	}
	target := watch.Target{
		Namespace: receipt.Namespace, Region: receipt.Region, JobID: receipt.JobID, EvalID: receipt.EvalID,
		JobVersion: receipt.JobVersion, JobModifyIndex: receipt.JobModifyIndex, NoChange: receipt.NoChange, Strategy: strategy,
	}
	if receipt.Child != "" {
		target.JobID, target.Strategy = receipt.Child, watch.Auto
	}
	r.report.submitted(receipt)
	return r.follow(ctx, target)
}

// follow watches what was submitted, now or by somebody else, to its verdict.
func (r *rollout) follow(ctx context.Context, of watch.Target) error {
	begun := time.Now()
	o := r.watch
	o.Show = r.t.show(r.id)
	o.Notify = func(e watch.Event) {
		r.t.event(e)
		if e.Kind == watch.EventCanary && (o.Promote == "" || o.Promote == watch.PromoteWait) {
			r.t.info("to promote it: %s; to fail it: %s", r.commandFor("promote", of.Namespace, of.JobID), r.commandFor("fail", of.Namespace, of.JobID))
		}
	}
	verdict, err := watch.Run(ctx, r.to.client, of, o)
	r.t.hide(r.id)
	r.section()
	r.report.WatchSeconds = time.Since(begun).Seconds()
	r.report.judged(verdict)
	err = r.conclude(ctx, of, verdict, err)
	r.report.ExitCode = endCode(ctx, err)
	return err
}

// submitFailure adds what to do next.
func (r *rollout) submitFailure(err error) error {
	if unplaceable, ok := errors.AsType[*deploy.Unplaceable](err); ok {
		return withHint(unplaceable, "make room, change the job's constraints, or submit it all the same with -force or -wait-for-capacity")
	}
	if unreachable, ok := errors.AsType[*deploy.Unreachable](err); ok {
		return withHint(unreachable, "check -address, -ssh and NOMAD_ADDR, or try -standalone; nothing was submitted")
	}
	if unsettled, ok := errors.AsType[*deploy.Unsettled](err); ok {
		next := "watch"
		if unsettled.Launch {
			next = "status"
		}
		return withHint(unsettled, "%s", r.commandFor(next, r.namespace, r.id))
	}
	if conflict, ok := errors.AsType[*deploy.Conflict](err); ok {
		return r.conflict(conflict)
	}
	return refusedHint(err)
}

// refusedHint adds what to look at when the server refuses a token.
func refusedHint(err error) error {
	if refused, ok := errors.AsType[*deploy.Refused](err); ok && refused.Status == http.StatusForbidden {
		return withHint(refused, tokenHint)
	}
	return err
}

// conflict shows what would change by now, for whoever deploys again.
func (r *rollout) conflict(c *deploy.Conflict) error {
	if c.Now == nil {
		return c
	}
	r.maskDiff(c.Now.JobDiff)
	r.t.atOnce(func(t *terminal) {
		t.info("what would change by now:")
		for _, line := range c.Now.Diff() {
			t.block(line.String())
		}
	})
	return withHint(c, "deploy again to submit it over what is there now, or submit it unseen with -force")
}

// conclude tells the verdict. err is why the watch ended without one.
func (r *rollout) conclude(ctx context.Context, of watch.Target, v watch.Verdict, err error) error {
	if err != nil && context.Cause(ctx) != errTimeout {
		return r.leave(ctx, of, isRun(v.Job), unknownError{err})
	}
	if v.Outcome == watch.Successful || v.Outcome == watch.ReadyForPromotion {
		r.t.success(v)
		if v.Outcome == watch.ReadyForPromotion {
			r.t.result("%s", printable(r.commandFor("promote", of.Namespace, of.JobID)))
		}
		r.printAddresses(ctx, of)
		return nil
	}
	r.t.atOnce(func(t *terminal) {
		t.failed(v)
		switch {
		case v.Outcome == watch.Unknown:
			t.hint("%s", r.commandFor("watch", of.Namespace, of.JobID))
		case v.Outcome == watch.Unplaceable:
			t.hint("the job waits for room; to stop it: %s", r.commandFor("stop", of.Namespace, of.JobID))
		case len(v.Reasons) > 0:
			t.hint("%s", r.commandFor("logs", of.Namespace, "-alloc", short(v.Reasons[0].AllocID), of.JobID))
		}
	})
	return verdictError{v}
}

// failTime is how long an interrupted command may take to fail its deployment.
const failTime = 10 * time.Second

// isRun reports whether a job runs to its end, without a deployment.
func isRun(job *api.Job) bool {
	return job != nil && job.Type != nil && (*job.Type == api.JobTypeBatch || *job.Type == api.JobTypeSysbatch)
}

// leave ends a watch that was interrupted. The deployment, or the run, goes on, or
// the deployment fails if -on-interrupt says so.
func (r *rollout) leave(ctx context.Context, of watch.Target, run bool, err error) error {
	interrupted := isInterrupted(ctx)
	if interrupted {
		r.report.Outcome = "interrupted"
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), failTime)
	defer cancel()
	if interrupted && pick(r.c, "on-interrupt", r.config.OnInterrupt, r.c.String) == onInterruptFail && r.fail(ctx, of, run) {
		return err
	}
	if interrupted {
		r.t.interrupted(err)
	} else {
		r.t.failure(err)
	}
	if run {
		r.t.info("the run goes on without this command")
		r.t.hint("to stop it: %s", r.commandFor("stop", of.Namespace, of.JobID))
	} else {
		r.t.info("the deployment goes on without this command")
		r.t.hint("to fail it: %s", r.commandFor("fail", of.Namespace, of.JobID))
	}
	r.t.hint("%s", r.commandFor("watch", of.Namespace, of.JobID))
	return told{err}
}

// fail fails the deployment, and reports whether it did.
func (r *rollout) fail(ctx context.Context, of watch.Target, run bool) bool {
	if run {
		r.t.warn("a run has no deployment that could be failed")
		return false
	}
	id, err := failDeployment(ctx, r.to.client, of)
	if err != nil {
		r.t.warn("the deployment could not be failed: %v", err)
		return false
	}
	r.t.info("deployment %s was failed", short(id))
	return true
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
