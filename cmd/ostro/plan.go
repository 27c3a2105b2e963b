package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/nomad/api"
	"github.com/urfave/cli/v2"

	"ostro/deploy"
	"ostro/orchestrator/simulate"
)

func planCommand(t *terminal) *cli.Command {
	return &cli.Command{
		Name: "plan", Usage: "show what a deploy would change, and what the scheduler would do", ArgsUsage: "[TEMPLATE]",
		Flags: join(templateFlags(), configFlags(), clientFlags(), artifactFlags(), logFlags(), []cli.Flag{
			&cli.BoolFlag{Name: "force-count", Usage: "use the counts of the template, not those that run"},
			&cli.BoolFlag{Name: "ignore-no-changes", Usage: "nothing to change is a success, not exit code 1"},
			&cli.BoolFlag{Name: "detailed-exitcode", Usage: "end with 0 where nothing changes and with 2 where something does"},
			&cli.BoolFlag{Name: "json", Usage: "print the plan as JSON"},
			&cli.BoolFlag{Name: "simulate", Usage: "tell what the rollout would do when: if all goes well, if the new version crashes, if it never becomes healthy"},
		}),
		Action: func(c *cli.Context) error {
			p, err := openForTemplate(c, t)
			if err != nil {
				return err
			}
			defer p.close()
			plans, err := p.planAll(c.Context)
			if err != nil {
				return err
			}
			if err := p.showPlans(plans); err != nil {
				return err
			}
			return p.planOutcome(plans)
		},
	}
}

// planned is what a deploy of one template would do.
type planned struct {
	*deploy.PlanResult
	job     *api.Job // as it would be submitted
	futures []simulate.Timeline
}

// planAll asks for every job of the project. Nothing is uploaded or submitted.
func (p *project) planAll(ctx context.Context) ([]planned, error) {
	jobs, err := p.parseAll(ctx)
	if err != nil {
		return nil, err
	}
	p.warnUnread(jobs...)
	to, err := p.connect(ctx)
	if err != nil {
		return nil, err
	}
	defer to.close()
	var plans []planned
	for _, r := range jobs {
		plan, err := p.plan(ctx, to, r.job())
		if err != nil {
			return nil, p.planFailure(err)
		}
		if p.c.Bool("simulate") {
			if plan.futures, err = p.simulate(ctx, to, plan); err != nil {
				return nil, err
			}
		}
		plans = append(plans, plan)
	}
	return plans, nil
}

func (p *project) plan(ctx context.Context, to *target, job *api.Job) (planned, error) {
	p.address(to, job)
	if !p.c.Bool("force-count") {
		var err error
		if job, err = deploy.RunningCounts(ctx, to.client, job); err != nil {
			return planned{}, err
		}
	}
	result, err := deploy.Plan(ctx, to.client, job)
	if err != nil {
		return planned{}, err
	}
	p.maskDiff(result.JobDiff)
	return planned{PlanResult: result, job: job}, nil
}

func (p *project) planFailure(err error) error {
	if unreachable, ok := errors.AsType[*deploy.Unreachable](err); ok {
		return withHint(unreachable, "check -address, -ssh and NOMAD_ADDR, or try -standalone")
	}
	return refusedHint(err)
}

func (p *project) showPlans(plans []planned) error {
	if p.c.Bool("json") {
		return p.printPlans(plans)
	}
	for i, plan := range plans {
		if i > 0 {
			p.t.result("")
		}
		p.t.showPlan(plan)
	}
	return nil
}

// showPlan prints what changes, what the scheduler would do about it, and the
// index that a deploy of just this would enforce.
func (t *terminal) showPlan(plan planned) {
	for _, warning := range plan.Warnings {
		t.warn("%s", warning)
	}
	if plan.NoChange() {
		t.result("job %q: no changes", plan.JobID)
	}
	for _, line := range plan.Diff() {
		t.result("%s", printable(line.String()))
	}
	t.result("")
	for _, line := range plan.Outlook() {
		t.result("%s", printable(line))
	}
	if !plan.NextLaunch.IsZero() {
		t.result("next launch: %s", plan.NextLaunch.Format(time.RFC3339))
	}
	t.result("job modify index: %d", plan.JobModifyIndex)
	t.showSimulation(plan.job, plan.futures)
}

// planOutcome is the exit code: Levant's, where nothing to change is a failure,
// or that of -detailed-exitcode.
func (p *project) planOutcome(plans []planned) error {
	for _, plan := range plans {
		if plan.NoChange() {
			continue
		}
		if p.c.Bool("detailed-exitcode") {
			return told{changesError{fmt.Errorf("job %q changes", plan.JobID)}}
		}
		return nil
	}
	if p.c.Bool("ignore-no-changes") || p.c.Bool("detailed-exitcode") {
		return nil
	}
	return withHint(deploy.ErrNoChanges, "-ignore-no-changes makes it a success")
}

// plansReport is what -json prints.
type plansReport struct {
	Changes bool         `json:"changes"`
	Jobs    []planReport `json:"jobs"`
}

type planReport struct {
	Job            string                         `json:"job"`
	Namespace      string                         `json:"namespace,omitempty"`
	Changes        bool                           `json:"changes"`
	JobModifyIndex uint64                         `json:"job_modify_index"`
	Diff           *api.JobDiff                   `json:"diff"`
	Desired        map[string]*api.DesiredUpdates `json:"desired,omitempty"`
	Failed         []placementReport              `json:"failed,omitempty"`
	Warnings       []string                       `json:"warnings,omitempty"`
	NextLaunch     *time.Time                     `json:"next_launch,omitempty"`
	Simulation     []futureReport                 `json:"simulation,omitempty"`
}

type placementReport struct {
	Group   string   `json:"group"`
	Count   int      `json:"count"`
	Reasons []string `json:"reasons"`
}

func (p *project) printPlans(plans []planned) error {
	report := plansReport{Jobs: []planReport{}}
	for _, plan := range plans {
		report.Changes = report.Changes || !plan.NoChange()
		report.Jobs = append(report.Jobs, plan.report())
	}
	return p.t.json(report)
}

func (plan planned) report() planReport {
	r := planReport{
		Job: plan.JobID, Changes: !plan.NoChange(), JobModifyIndex: plan.JobModifyIndex, Diff: plan.JobDiff, Warnings: plan.Warnings,
		Simulation: futureReports(plan.futures),
	}
	if plan.job.Namespace != nil {
		r.Namespace = *plan.job.Namespace
	}
	if plan.Annotations != nil {
		r.Desired = plan.Annotations.DesiredTGUpdates
	}
	for _, f := range plan.Failed {
		r.Failed = append(r.Failed, placementReport{f.Group, f.Count, f.Reasons})
	}
	if !plan.NextLaunch.IsZero() {
		r.NextLaunch = &plan.NextLaunch
	}
	return r
}

// json prints a result for other programs.
func (t *terminal) json(value any) error {
	text, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the result: %w", err)
	}
	t.result("%s", printableJSON(text))
	return nil
}
