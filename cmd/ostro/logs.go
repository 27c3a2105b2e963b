package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/nomad/api"
	"github.com/urfave/cli/v2"
)

func logsCommand(t *terminal) *cli.Command {
	return &cli.Command{
		Name: "logs", Usage: "print what the tasks of a job write", ArgsUsage: "JOB",
		Flags: join(configFlags(), clientFlags(), logFlags(), []cli.Flag{
			&cli.BoolFlag{Name: "f", Usage: "go on as more is written, by the tasks of a newer version, too"},
			&cli.BoolFlag{Name: "stderr", Usage: "only stderr"},
			&cli.BoolFlag{Name: "stdout", Usage: "only stdout"},
			&cli.Int64Flag{Name: "n", Value: 50, Usage: "the last `N` lines of each"},
			&cli.StringFlag{Name: "task", Usage: "only the task `NAME`"},
			&cli.StringFlag{Name: "alloc", Usage: "only the allocation `ID`, of whatever version; its first characters do"},
		}),
		Action: func(c *cli.Context) error {
			job, err := requiredArg(c, "JOB")
			if err != nil {
				return err
			}
			if c.Int64("n") < 0 {
				return usageError{fmt.Errorf("-n %d: want 0 lines or more", c.Int64("n"))}
			}
			return withTarget(c, t, func(to *target) error { return t.showLogs(c, to.client, job) })
		},
	}
}

// showLogs prints the logs of the newest version's allocations, each line after
// the allocation and the task that wrote it.
func (t *terminal) showLogs(c *cli.Context, client *api.Client, id string) error {
	job, _, err := client.Jobs().Info(id, queryOf(c))
	if err != nil {
		return jobError(err, id)
	}
	if name := c.String("task"); name != "" && !hasTask(job, name) {
		return usageError{fmt.Errorf("job %q has no task %q", id, name)}
	}
	l := &logReader{c: c, t: t, client: client, job: id, follow: c.Bool("f"), open: map[string]*logStream{}, lines: make(chan logLine)}
	return l.run(c.Context)
}

// newestAllocs are the allocations of the current version, or where it has none
// those of the version before.
func newestAllocs(stubs []*api.AllocationListStub, current uint64) []*api.AllocationListStub {
	best := uint64(0)
	for _, s := range stubs {
		if s.JobVersion <= current {
			best = max(best, s.JobVersion)
		}
	}
	of := slices.DeleteFunc(slices.Clone(stubs), func(s *api.AllocationListStub) bool { return s.JobVersion != best })
	slices.SortFunc(of, func(a, b *api.AllocationListStub) int { return strings.Compare(a.Name, b.Name) })
	return of
}

func hasTask(job *api.Job, name string) bool {
	return slices.ContainsFunc(job.TaskGroups, func(group *api.TaskGroup) bool {
		return slices.ContainsFunc(group.Tasks, func(task *api.Task) bool { return task.Name == name })
	})
}

func logKinds(c *cli.Context) []string {
	switch {
	case c.Bool("stderr") && !c.Bool("stdout"):
		return []string{"stderr"}
	case c.Bool("stdout") && !c.Bool("stderr"):
		return []string{"stdout"}
	}
	return []string{"stdout", "stderr"}
}
