package main

import (
	"fmt"
	"slices"
	"time"

	"github.com/hashicorp/nomad/api"
	"github.com/urfave/cli/v2"
)

func historyCommand(t *terminal) *cli.Command {
	return &cli.Command{
		Name: "history", Usage: "list the kept versions of a job: commit, who, when, and how it ended", ArgsUsage: "JOB",
		Flags: join(configFlags(), clientFlags(), logFlags(), []cli.Flag{
			&cli.BoolFlag{Name: "json", Usage: "print the list as JSON"},
			commitMetaFlag(),
		}),
		Action: func(c *cli.Context) error {
			id, err := requiredArg(c, "JOB")
			if err != nil {
				return err
			}
			p, err := openConfig(t, c, "")
			if err != nil {
				return err
			}
			to, err := p.connect(c.Context)
			if err != nil {
				return err
			}
			defer to.close()
			entries, err := p.history(c, to.client, id)
			if err != nil {
				return err
			}
			if c.Bool("json") {
				return t.json(entries)
			}
			t.showHistory(entries)
			return nil
		},
	}
}

// historyEntry is one version. What is not known is empty.
type historyEntry struct {
	Version   uint64     `json:"version"`
	Current   bool       `json:"current"`
	Commit    string     `json:"commit,omitempty"`
	Who       string     `json:"who,omitempty"`
	Tag       string     `json:"tag,omitempty"`
	Submitted *time.Time `json:"submitted,omitempty"`
	Result    string     `json:"result,omitempty"`
	Stable    bool       `json:"stable"`
}

// history reads the versions, newest first.
func (p *project) history(c *cli.Context, client *api.Client, id string) ([]historyEntry, error) {
	versions, _, _, err := client.Jobs().Versions(id, false, queryOf(c))
	if err != nil {
		return nil, jobError(err, id)
	}
	deployments, _, err := client.Jobs().Deployments(id, false, queryOf(c))
	if err != nil {
		return nil, unreachable(err)
	}
	slices.SortFunc(versions, func(a, b *api.Job) int { return int(*b.Version) - int(*a.Version) })
	entries := []historyEntry{}
	for i, job := range versions {
		e := historyEntry{
			Version: *job.Version, Current: i == 0, Commit: job.Meta[p.commitMeta()],
			Stable: job.Stable != nil && *job.Stable, Result: resultOf(job, deployments),
		}
		if tag := job.VersionTag; tag != nil {
			e.Tag, e.Who = tag.Name, tag.Description
		}
		if job.SubmitTime != nil && *job.SubmitTime > 0 {
			e.Submitted = new(time.Unix(0, *job.SubmitTime).UTC())
		}
		entries = append(entries, e)
	}
	return entries, nil
}

// resultOf is how a version ended: as its deployment, where that still exists.
func resultOf(job *api.Job, deployments []*api.Deployment) string {
	if job.Stop != nil && *job.Stop {
		return "stopped"
	}
	for _, d := range deployments {
		if d.JobVersion == *job.Version && d.JobCreateIndex == *job.CreateIndex {
			return d.Status
		}
	}
	if job.Stable != nil && *job.Stable {
		return "stable"
	}
	return ""
}

func (t *terminal) showHistory(entries []historyEntry) {
	rows := [][]string{{"VERSION", "COMMIT", "RESULT", "SUBMITTED", "TAG", "WHO"}}
	for _, e := range entries {
		submitted := int64(0)
		if e.Submitted != nil {
			submitted = e.Submitted.UnixNano()
		}
		row := []string{fmt.Sprint(e.Version), e.Commit, e.Result, when(submitted), e.Tag, e.Who}
		for i, cell := range row {
			row[i] = orDefault(cell, "-")
		}
		rows = append(rows, row)
	}
	t.table(rows...)
}
