package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/hashicorp/nomad/api"
	"github.com/urfave/cli/v2"

	"ostro/watch"
)

func statusCommand(t *terminal) *cli.Command {
	return &cli.Command{
		Name: "status", Usage: "show the jobs, or one job with its deployment and allocations", ArgsUsage: "[JOB]",
		Flags: join(configFlags(), clientFlags(), logFlags()),
		Action: func(c *cli.Context) error {
			job, err := oneArg(c, "JOB")
			if err != nil {
				return err
			}
			return withTarget(c, t, func(to *target) error {
				if job == "" {
					return t.showJobs(c, to.client)
				}
				return t.showJob(c, to, job)
			})
		},
	}
}

// withTarget connects for a command that needs no template.
func withTarget(c *cli.Context, t *terminal, do func(*target) error) error {
	p, err := openConfig(t, c, "")
	if err != nil {
		return err
	}
	to, err := p.connect(c.Context)
	if err != nil {
		return err
	}
	defer to.close()
	to.commitMeta = p.commitMeta()
	return do(to)
}

func queryOf(c *cli.Context) *api.QueryOptions {
	return (&api.QueryOptions{}).WithContext(c.Context)
}

// table prints rows in columns.
func (t *terminal) table(rows ...[]string) {
	for _, line := range columns(rows) {
		t.result("%s", line)
	}
}

// columns makes lines of rows, whose cells stand below each other.
func columns(rows [][]string) (lines []string) {
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		fmt.Fprintln(w, printable(strings.Join(row, "\t")))
	}
	w.Flush()
	for line := range strings.Lines(text.String()) {
		lines = append(lines, strings.TrimRight(line, " \n"))
	}
	return lines
}

func (t *terminal) showJobs(c *cli.Context, client *api.Client) error {
	jobs, _, err := client.Jobs().List(queryOf(c))
	if err != nil {
		return unreachable(err)
	}
	if len(jobs) == 0 {
		t.result("no jobs")
		return nil
	}
	rows := [][]string{{"JOB", "TYPE", "STATUS", "RUNNING", "SUBMITTED"}}
	for _, job := range jobs {
		running := 0
		if job.JobSummary != nil {
			for _, group := range job.JobSummary.Summary {
				running += group.Running
			}
		}
		status := job.Status
		if job.Stop {
			status += " (stopped)"
		}
		rows = append(rows, []string{job.ID, job.Type, status, fmt.Sprint(running), when(job.SubmitTime)})
	}
	t.table(rows...)
	return nil
}

func when(unixNano int64) string {
	if unixNano == 0 {
		return "-"
	}
	return time.Unix(0, unixNano).Format("2006-01-02 15:04:05")
}

func (t *terminal) showJob(c *cli.Context, to *target, id string) error {
	client := to.client
	job, _, err := client.Jobs().Info(id, queryOf(c))
	if err != nil {
		return jobError(err, id)
	}
	status := *job.Status
	if *job.Stop {
		status += " (stopped)"
	}
	rows := [][]string{{"job", *job.ID}, {"type", *job.Type}, {"status", status}, {"version", fmt.Sprint(*job.Version)}}
	if commit := job.Meta[to.commitMeta]; commit != "" {
		rows = append(rows, []string{"commit", commit})
	}
	deployment, _, err := client.Jobs().LatestDeployment(id, queryOf(c))
	if err != nil {
		return unreachable(err)
	}
	if deployment != nil {
		rows = append(rows, []string{"deployment", short(deployment.ID) + " " + deployment.Status + ": " + deployment.StatusDescription})
	}
	t.table(rows...)
	if deployment != nil {
		t.result("")
		t.showGroups(deployment)
	}
	if err := t.showAllocs(c, client, id); err != nil {
		return err
	}
	return t.showWaiting(c, client, id)
}

// showWaiting tells what waits for a node, and why there is none.
func (t *terminal) showWaiting(c *cli.Context, client *api.Client, id string) error {
	waiting, err := watch.Waiting(c.Context, client, "", "", id)
	if err != nil || len(waiting) == 0 {
		return err
	}
	t.result("")
	for _, u := range waiting {
		t.result("%s", printable(fmt.Sprintf("group %s: %d waiting for a node: %s", u.Group, u.Count, strings.Join(u.Reasons, ", "))))
	}
	return nil
}

func (t *terminal) showGroups(d *api.Deployment) {
	rows := [][]string{{"GROUP", "DESIRED", "PLACED", "HEALTHY", "UNHEALTHY"}}
	for _, name := range slices.Sorted(maps.Keys(d.TaskGroups)) {
		g := d.TaskGroups[name]
		rows = append(rows, []string{name, fmt.Sprint(g.DesiredTotal), fmt.Sprint(g.PlacedAllocs), fmt.Sprint(g.HealthyAllocs), fmt.Sprint(g.UnhealthyAllocs)})
	}
	t.table(rows...)
}

func (t *terminal) showAllocs(c *cli.Context, client *api.Client, id string) error {
	allocs, _, err := client.Jobs().Allocations(id, false, queryOf(c))
	if err != nil {
		return unreachable(err)
	}
	if len(allocs) == 0 {
		return nil
	}
	slices.SortFunc(allocs, func(a, b *api.AllocationListStub) int { return int(b.CreateIndex) - int(a.CreateIndex) })
	rows := [][]string{{"ALLOCATION", "GROUP", "VERSION", "DESIRED", "STATUS", "NODE"}}
	for _, a := range allocs {
		rows = append(rows, []string{short(a.ID), a.TaskGroup, fmt.Sprint(a.JobVersion), a.DesiredStatus, a.ClientStatus, a.NodeName})
	}
	t.result("")
	t.table(rows...)
	return nil
}
