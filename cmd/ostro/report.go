package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/hashicorp/nomad/api"

	"ostro/deploy"
	"ostro/watch"
)

// jobReport is the outcome of one job in the file that -report names.
type jobReport struct {
	Job           string             `json:"job"`
	Namespace     string             `json:"namespace"`
	Version       *uint64            `json:"version,omitempty"` // nil when nothing was submitted
	Commit        string             `json:"commit,omitempty"`
	Evaluation    string             `json:"evaluation,omitempty"`
	Deployment    string             `json:"deployment,omitempty"`
	Outcome       string             `json:"outcome"`
	ExitCode      int                `json:"exit_code"`
	Summary       string             `json:"summary"`
	Changed       bool               `json:"changed"`
	SubmitSeconds float64            `json:"submit_seconds"`
	WatchSeconds  float64            `json:"watch_seconds"`
	RevertedTo    *uint64            `json:"reverted_to,omitempty"`
	SupersededBy  *uint64            `json:"superseded_by,omitempty"`
	Allocations   []allocationReport `json:"allocations,omitempty"`
	Reasons       []reasonReport     `json:"reasons,omitempty"`
	Unplaced      []unplacedReport   `json:"unplaced,omitempty"`
}

type allocationReport struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Group   string `json:"group"`
	Node    string `json:"node"`
	Status  string `json:"status"`
	Healthy *bool  `json:"healthy,omitempty"`
}

type reasonReport struct {
	Allocation string   `json:"allocation"`
	Group      string   `json:"group"`
	Task       string   `json:"task"`
	Count      int      `json:"count"`
	ExitCode   *int     `json:"exit_code,omitempty"`
	Events     []string `json:"events,omitempty"`
	Log        string   `json:"log,omitempty"`
}

type unplacedReport struct {
	Group   string   `json:"group"`
	Count   int      `json:"count"`
	Reasons []string `json:"reasons"`
}

// notSubmitted is about a job of which nothing reached the server.
func (r *jobReport) notSubmitted(job *api.Job, err error, code int) {
	r.Outcome, r.ExitCode, r.Summary = "not submitted", code, err.Error()
	if _, unsettled := errors.AsType[*deploy.Unsettled](err); unsettled {
		r.Outcome = watch.Unknown.String()
	}
	if job.Namespace != nil {
		r.Namespace = *job.Namespace
	}
	if unplaceable, ok := errors.AsType[*deploy.Unplaceable](err); ok {
		for _, g := range unplaceable.Groups {
			r.Unplaced = append(r.Unplaced, unplacedReport{g.Group, g.Count, g.Reasons})
		}
	}
}

func (r *jobReport) submitted(receipt *deploy.Receipt) {
	r.Namespace, r.Version, r.Evaluation, r.Changed = receipt.Namespace, &receipt.JobVersion, receipt.EvalID, !receipt.NoChange
}

func (r *jobReport) judged(v watch.Verdict) {
	r.Outcome, r.Summary, r.RevertedTo, r.SupersededBy = v.Outcome.String(), v.Summary, v.RevertedTo, v.SupersededBy
	if v.Deployment != nil {
		r.Deployment = v.Deployment.ID
	}
	for _, a := range v.Allocs {
		report := allocationReport{ID: a.ID, Name: a.Name, Group: a.TaskGroup, Node: a.NodeName, Status: a.ClientStatus}
		if a.DeploymentStatus != nil {
			report.Healthy = a.DeploymentStatus.Healthy
		}
		r.Allocations = append(r.Allocations, report)
	}
	r.Reasons = reasonReports(v.Reasons)
	for _, u := range v.Unplaced {
		r.Unplaced = append(r.Unplaced, unplacedReport{u.Group, u.Count, u.Reasons})
	}
}

func reasonReports(reasons []watch.Reason) (list []reasonReport) {
	for _, why := range reasons {
		list = append(list, reasonReport{
			Allocation: why.AllocID, Group: why.Group, Task: why.Task, Count: why.Count,
			ExitCode: why.ExitCode, Events: why.Events, Log: why.LogTail,
		})
	}
	return list
}

// outcomes are the reports of the jobs that were attempted, in the order in
// which they were begun.
type outcomes struct {
	mu   sync.Mutex
	jobs []*jobReport
}

func (o *outcomes) add(r *jobReport) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.jobs = append(o.jobs, r)
}

// deployReport is the file that -report names. Jobs holds those that were
// attempted; Error says why the command ended, where it was not successful.
type deployReport struct {
	Environment string       `json:"environment,omitempty"`
	Commit      string       `json:"commit,omitempty"`
	ExitCode    int          `json:"exit_code"`
	Error       string       `json:"error,omitempty"`
	Seconds     float64      `json:"seconds"`
	Jobs        []*jobReport `json:"jobs"`
}

// writeReport keeps the outcome for other programs, however early it came.
func (d *deployment) writeReport(ctx context.Context, outcome error) error {
	path := d.c.String("report")
	if path == "" {
		return nil
	}
	report := deployReport{
		Environment: d.c.String("env"), Commit: d.commit.Tag, ExitCode: endCode(ctx, outcome),
		Seconds: time.Since(d.start).Seconds(), Jobs: append([]*jobReport{}, d.report.jobs...),
	}
	if outcome != nil {
		report.Error = outcome.Error()
	}
	text, err := json.MarshalIndent(report, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the report: %w", err)
	}
	return d.writeMasked(path, append(text, '\n'))
}

// writeMasked writes a file for other programs, without secrets.
func (d *deployment) writeMasked(path string, text []byte) error {
	if err := os.WriteFile(path, []byte(d.t.redactor.String(string(text))), 0o644); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}
