package main

import (
	"context"
	"errors"
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
			&cli.BoolFlag{Name: "f", Usage: "go on as more is written"},
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
	stubs, _, err := client.Jobs().Allocations(id, true, queryOf(c))
	if err != nil {
		return unreachable(err)
	}
	newest := newestAllocs(stubs, *job.Version)
	if id := c.String("alloc"); id != "" {
		newest = slices.DeleteFunc(stubs, func(s *api.AllocationListStub) bool { return !strings.HasPrefix(s.ID, id) })
	}
	if len(newest) == 0 {
		t.info("job %q has no allocations", id)
		return nil
	}
	if name := c.String("task"); name != "" && !hasTask(job, name) {
		return usageError{fmt.Errorf("job %q has no task %q", id, name)}
	}
	var streams []*logStream
	for _, stub := range newest {
		alloc, _, err := client.Allocations().Info(stub.ID, queryOf(c))
		if err != nil {
			return unreachable(err)
		}
		for _, task := range tasksOf(alloc, c.String("task")) {
			for _, kind := range logKinds(c) {
				streams = append(streams, &logStream{client: client, alloc: alloc, task: task, kind: kind, lines: c.Int64("n")})
			}
		}
	}
	return t.copyLogs(c.Context, streams, c.Bool("f"))
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

func tasksOf(alloc *api.Allocation, only string) []string {
	var tasks []string
	if group := alloc.Job.LookupTaskGroup(alloc.TaskGroup); group != nil {
		for _, task := range group.Tasks {
			if only == "" || task.Name == only {
				tasks = append(tasks, task.Name)
			}
		}
	}
	return tasks
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

// logStream is one log file of one task.
type logStream struct {
	client     *api.Client
	alloc      *api.Allocation
	task, kind string
	lines      int64
}

// bytesPerLine is more than most lines have: so much of a log's end is read for
// each line that is wanted.
const bytesPerLine = 1024

type logLine struct{ prefix, text string }

func (t *terminal) copyLogs(ctx context.Context, streams []*logStream, follow bool) error {
	lines, errs := make(chan logLine), make(chan error, len(streams))
	for _, s := range streams {
		go func() { errs <- s.copy(ctx, follow, lines) }()
	}
	var failed []error
	for open := len(streams); open > 0; {
		select {
		case l := <-lines:
			t.result("%s %s", l.prefix, printable(l.text))
			if follow {
				t.out.Flush()
			}
		case err := <-errs:
			open--
			if err != nil && ctx.Err() == nil {
				failed = append(failed, err)
			}
		}
	}
	return errors.Join(append(failed, context.Cause(ctx))...)
}

// copy sends the stream's lines; a task that has not started yet has none.
func (s *logStream) copy(ctx context.Context, follow bool, lines chan<- logLine) error {
	query := (&api.QueryOptions{}).WithContext(ctx)
	frames, errs := s.client.AllocFS().Logs(s.alloc, follow, s.task, s.kind, api.OriginEnd, s.lines*bytesPerLine, ctx.Done(), query)
	prefix := fmt.Sprintf("%s %s", short(s.alloc.ID), s.task)
	// Without -f the lines wait for the end, to be counted from there.
	var waiting []string
	rest := ""
	for {
		select {
		case frame, ok := <-frames:
			if !ok || frame == nil {
				if rest != "" {
					waiting = append(waiting, rest)
				}
				return sendAll(ctx, lines, prefix, waiting[max(len(waiting)-int(s.lines), 0):])
			}
			var whole []string
			whole, rest = cutLines(rest + string(frame.Data))
			if !follow {
				waiting = append(waiting, whole...)
			} else if err := sendAll(ctx, lines, prefix, whole); err != nil {
				return err
			}
		case err := <-errs:
			if err == nil || strings.Contains(err.Error(), "not started yet") {
				return nil
			}
			return fmt.Errorf("read the %s of task %q: %w", s.kind, s.task, err)
		}
	}
}

// cutLines gives the whole lines of a text, and what begins the next one.
func cutLines(text string) (whole []string, rest string) {
	whole = strings.Split(text, "\n")
	return whole[:len(whole)-1], whole[len(whole)-1]
}

func sendAll(ctx context.Context, lines chan<- logLine, prefix string, texts []string) error {
	for _, text := range texts {
		select {
		case lines <- logLine{prefix, text}:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
