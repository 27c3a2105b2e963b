package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

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
			&cli.StringFlag{Name: "report", Usage: "write the outcome as JSON to `FILE`"},
			&cli.StringFlag{Name: "junit", Usage: "write the outcome as JUnit test results to `FILE`"},
			&cli.IntFlag{Name: "parallel", DefaultText: "1", Usage: "deploy `N` jobs of ostro.hcl at once, where none needs the other"},
			&cli.StringFlag{Name: "release", Usage: "run the batch job of `TEMPLATE` to its end first, and go on only if it succeeds"},
		}),
		Action: func(c *cli.Context) error {
			outliveReaders()
			p, err := openForTemplate(c, t)
			if err != nil {
				return err
			}
			defer p.close()
			d, err := p.newDeployment()
			if err != nil {
				return usageError{err}
			}
			talking, silent := context.WithCancel(c.Context)
			defer silent()
			go t.keepTalking(talking)
			err = d.run(c.Context)
			d.tellPipeline(c.Context, err)
			unwritten := d.writeReport(c.Context, err)
			if unwritten != nil && err != nil {
				t.warn("%v", unwritten) // the outcome stays what the run ends with
				return err
			}
			return cmp.Or(err, unwritten)
		},
	}
}

// deployment is one run of `ostro deploy`: templates that have been read, and
// how their deployment is to be judged.
type deployment struct {
	*project
	submit   deploy.Options
	watch    watch.Options
	start    time.Time
	parallel int
	report   outcomes
}

func (p *project) newDeployment() (*deployment, error) {
	c, s := p.c, p.config.Settings
	d := &deployment{project: p, start: time.Now(), parallel: max(1, pick(c, "parallel", s.Parallel, c.Int))}
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
	ctx, cancel := d.bounded(ctx)
	defer cancel()
	jobs, err := d.parseAll(ctx)
	if err != nil {
		return err
	}
	release, err := d.parseRelease(ctx)
	if err != nil {
		return err
	}
	d.warnUnread(append(slices.Clone(jobs), release)...)
	if len(d.artifacts) > 0 {
		if err := d.needCommit(); err != nil {
			return err
		}
	}
	if err := d.checkProtection(ctx, jobs); err != nil {
		return err
	}
	return d.withHooks(ctx, jobs, func() error { return d.rollOut(ctx, release, jobs) })
}

// rollOut uploads, runs the release job, and deploys the jobs.
func (d *deployment) rollOut(ctx context.Context, release *rendered, jobs []*rendered) error {
	to, err := d.connect(ctx)
	if err != nil {
		return err
	}
	defer to.close()
	if err := d.upload(ctx, to); err != nil {
		return err
	}
	if release != nil {
		if err := d.release(ctx, to, release); err != nil {
			return err
		}
	}
	return d.inOrder(ctx, to, jobs)
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

func (d *deployment) commitNote() string {
	if d.commit.Tag == "" {
		return ""
	}
	return ", commit " + d.commit.Tag
}

// What -on-interrupt may say.
const (
	onInterruptDetach = "detach"
	onInterruptFail   = "fail"
)
