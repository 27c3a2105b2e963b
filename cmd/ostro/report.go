package main

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/hashicorp/nomad/api"

	"ostro/deploy"
	"ostro/watch"
)

// jobReport is the outcome of one job in the file that -report names.
type jobReport struct {
	Job        string         `json:"job"`
	Namespace  string         `json:"namespace"`
	Version    uint64         `json:"version"`
	Commit     string         `json:"commit,omitempty"`
	Evaluation string         `json:"evaluation,omitempty"`
	Deployment string         `json:"deployment,omitempty"`
	Outcome    string         `json:"outcome"`
	ExitCode   int            `json:"exit_code"`
	Summary    string         `json:"summary"`
	RevertedTo *uint64        `json:"reverted_to,omitempty"`
	Reasons    []reasonReport `json:"reasons,omitempty"`
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

func reportOf(r *deploy.Receipt, v watch.Verdict, commit string) jobReport {
	report := jobReport{
		Job: r.JobID, Namespace: r.Namespace, Version: r.JobVersion, Commit: commit, Evaluation: r.EvalID,
		Outcome: v.Outcome.String(), ExitCode: verdictCode(v.Outcome), Summary: v.Summary, RevertedTo: v.RevertedTo,
	}
	if v.Deployment != nil {
		report.Deployment = v.Deployment.ID
	}
	for _, why := range v.Reasons {
		report.Reasons = append(report.Reasons, reasonReport{
			Allocation: why.AllocID, Group: why.Group, Task: why.Task, Count: why.Count,
			ExitCode: why.ExitCode, Events: why.Events, Log: why.LogTail,
		})
	}
	return report
}

// failedReport is about a job that was not submitted.
func failedReport(job *api.Job, err error, commit string) jobReport {
	report := jobReport{Job: *job.ID, Commit: commit, Outcome: "not submitted", ExitCode: exitCode(err), Summary: err.Error()}
	if job.Namespace != nil {
		report.Namespace = *job.Namespace
	}
	return report
}

// deployReport is the file that -report names. Jobs holds those that were
// attempted; Error says why the command ended, where it was not successful.
type deployReport struct {
	ExitCode int         `json:"exit_code"`
	Error    string      `json:"error,omitempty"`
	Seconds  float64     `json:"seconds"`
	Jobs     []jobReport `json:"jobs"`
}

func encodeReport(jobs []jobReport, outcome error, took time.Duration) ([]byte, error) {
	report := deployReport{Seconds: took.Seconds(), Jobs: append([]jobReport{}, jobs...)}
	if outcome != nil {
		report.ExitCode, report.Error = exitCode(outcome), outcome.Error()
	}
	text, err := json.MarshalIndent(report, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode the report: %w", err)
	}
	return append(text, '\n'), nil
}
