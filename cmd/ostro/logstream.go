package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/nomad/api"
	"github.com/urfave/cli/v2"
)

// logReader prints the logs of a job: those that there are, or with follow all
// that come, of the allocations of a newer version, too.
type logReader struct {
	c      *cli.Context
	t      *terminal
	client *api.Client
	job    string
	follow bool

	open   map[string]*logStream // by allocation, task and kind, ended ones included
	lines  chan logLine
	failed error
}

// logStream is one log file of one task.
type logStream struct {
	alloc      *api.AllocationListStub
	task, kind string
	ended      chan struct{}
	cancel     context.CancelFunc
	err        error // once it has ended
}

type logLine struct{ prefix, text string }

// So much of a log's end is read for each line that is wanted, more than most lines
// have, and for all of them.
const (
	bytesPerLine = 1024
	bytesAtLeast = 64 << 10
)

const (
	lookEvery = 2 * time.Second         // for new allocations
	drainTime = 1500 * time.Millisecond // what a task wrote last may take to arrive
	pastTime  = 500 * time.Millisecond  // what a short log holds already may take to arrive
)

func (l *logReader) run(ctx context.Context) error {
	index, err := l.look(ctx)
	if err != nil {
		return err
	}
	if id := l.c.String("alloc"); id != "" && len(l.open) == 0 {
		return withHint(fmt.Errorf("job %q has no allocation %q", l.job, id), "ostro status %s", l.job)
	}
	if len(l.open) == 0 && !l.follow {
		l.t.info("job %q has no allocations", l.job)
		return nil
	}
	printed := make(chan struct{})
	go l.print(printed)
	for l.follow && ctx.Err() == nil && !l.over(ctx) {
		index = l.lookAgain(ctx, index)
	}
	for _, s := range l.open {
		<-s.ended
		if s.err != nil && ctx.Err() == nil && l.failed == nil {
			l.failed = s.err // the others fail alike
		}
	}
	close(l.lines)
	<-printed
	return errors.Join(l.failed, context.Cause(ctx))
}

func (l *logReader) print(done chan struct{}) {
	defer close(done)
	for line := range l.lines {
		l.t.result("%s", l.t.ci.harmless(printable(line.prefix+" "+line.text)))
		if l.follow {
			l.t.out.Flush()
		}
	}
}

// look opens the streams of the allocations that have none yet, and ends those of
// allocations that are over.
func (l *logReader) look(ctx context.Context) (index uint64, err error) {
	job, _, err := l.client.Jobs().Info(l.job, queryOf(l.c))
	if err != nil {
		return 0, jobError(err, l.job)
	}
	stubs, meta, err := l.client.Jobs().Allocations(l.job, true, queryOf(l.c))
	if err != nil {
		return 0, unreachable(err)
	}
	wanted := newestAllocs(stubs, *job.Version)
	if id := l.c.String("alloc"); id != "" {
		wanted = slices.DeleteFunc(slices.Clone(stubs), func(s *api.AllocationListStub) bool { return !strings.HasPrefix(s.ID, id) })
	}
	for _, stub := range wanted {
		for _, task := range l.tasks(job, stub) {
			for _, kind := range logKinds(l.c) {
				if err := l.begin(ctx, stub, task, kind); err != nil {
					return 0, err
				}
			}
		}
	}
	for _, stub := range stubs {
		if stub.ClientStatus != api.AllocClientStatusPending && stub.ClientStatus != api.AllocClientStatusRunning && stub.ClientStatus != api.AllocClientStatusUnknown {
			l.endSoon(stub.ID)
		}
	}
	return meta.LastIndex, nil
}

// lookAgain waits for a change and looks. A server that does not answer is asked
// again.
func (l *logReader) lookAgain(ctx context.Context, index uint64) uint64 {
	query := queryOf(l.c)
	query.WaitIndex, query.WaitTime = index, lookEvery
	begun := time.Now()
	if _, _, err := l.client.Jobs().Allocations(l.job, false, query); err != nil || time.Since(begun) < lookEvery/4 {
		select {
		case <-time.After(lookEvery / 4):
		case <-ctx.Done():
		}
	}
	next, err := l.look(ctx)
	if err != nil {
		l.t.debug("look for new allocations: %v", err)
	}
	return next
}

// tasks are the tasks of an allocation whose logs are wanted.
func (l *logReader) tasks(job *api.Job, stub *api.AllocationListStub) []string {
	names := slices.Sorted(maps.Keys(stub.TaskStates))
	if group := job.LookupTaskGroup(stub.TaskGroup); len(names) == 0 && group != nil {
		for _, task := range group.Tasks {
			names = append(names, task.Name)
		}
	}
	only := l.c.String("task")
	return slices.DeleteFunc(names, func(name string) bool { return only != "" && name != only })
}

// over reports whether nothing more is to come: the job has ended, and so have all
// streams.
func (l *logReader) over(ctx context.Context) bool {
	for _, s := range l.open {
		select {
		case <-s.ended:
		default:
			return false
		}
	}
	if l.c.String("alloc") != "" {
		return true
	}
	job, _, err := l.client.Jobs().Info(l.job, queryOf(l.c).WithContext(ctx))
	return err == nil && *job.Status == "dead" && len(l.open) > 0
}

func (l *logReader) begin(ctx context.Context, stub *api.AllocationListStub, task, kind string) error {
	key := strings.Join([]string{stub.ID, task, kind}, " ")
	if l.open[key] != nil {
		return nil
	}
	ctx, cancel := context.WithCancel(ctx)
	s := &logStream{alloc: stub, task: task, kind: kind, ended: make(chan struct{}), cancel: cancel}
	l.open[key] = s
	go func() {
		defer close(s.ended)
		defer cancel()
		s.err = l.copy(ctx, s)
	}()
	return nil
}

// endSoon ends the streams of an allocation that writes no more. (Nomad goes on
// following the log of a task that is dead.)
func (l *logReader) endSoon(allocID string) {
	for _, s := range l.open {
		if s.alloc.ID == allocID && l.follow {
			time.AfterFunc(drainTime, s.cancel)
		}
	}
}

// copy sends a stream's lines. A task that has not started yet has none; with
// follow, its start is waited for, and so is a server that does not answer.
func (l *logReader) copy(ctx context.Context, s *logStream) error {
	offset := int64(0)
	if n := l.c.Int64("n"); n > 0 {
		offset = max(n*bytesPerLine, bytesAtLeast)
	}
	for {
		err := l.read(ctx, s, offset)
		notYet := err != nil && strings.Contains(err.Error(), "not started yet")
		switch {
		case ctx.Err() != nil, err == nil, notYet && !l.follow:
			return nil
		case !l.follow:
			return fmt.Errorf("read the %s of task %q: %w", s.kind, s.task, unreachable(err))
		case !notYet:
			offset = 0 // what has been printed is not printed again
		}
		select {
		case <-time.After(lookEvery / 4):
		case <-ctx.Done():
			return nil
		}
	}
}

// read reads a log once, through the server, which is known to be reachable; the
// node's own address, behind a tunnel, may be somebody else's.
func (l *logReader) read(ctx context.Context, s *logStream, offset int64) error {
	query := queryOf(l.c).WithContext(ctx)
	query.Params = map[string]string{
		"task": s.task, "type": s.kind, "origin": api.OriginEnd, "offset": strconv.FormatInt(offset, 10), "follow": strconv.FormatBool(l.follow),
	}
	body, err := l.client.Raw().Response("/v1/client/fs/logs/"+s.alloc.ID, query)
	if err != nil {
		return err
	}
	defer body.Close()
	stop := context.AfterFunc(ctx, func() { body.Close() })
	defer stop()
	out := &logTail{
		last: int(l.c.Int64("n")), past: offset, cut: offset > 0, live: l.follow && offset == 0,
		send: func(text string) { l.lines <- logLine{fmt.Sprintf("%s %s", short(s.alloc.ID), s.task), text} },
	}
	if l.follow {
		come := time.AfterFunc(pastTime, out.present)
		defer come.Stop()
	}
	for frames := json.NewDecoder(body); ; {
		var frame api.StreamFrame
		if err := frames.Decode(&frame); err != nil {
			out.end()
			if errors.Is(err, io.EOF) || ctx.Err() != nil {
				return nil
			}
			return err
		}
		out.write(frame.Data, l.follow)
	}
}
