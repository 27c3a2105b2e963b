package orchestrator_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator"
	"ostro/orchestrator/orchestratortest"
)

// load is how much an agent has to bear.
type load struct{ jobs, perJob, streams int }

func loadOfTest() load {
	if os.Getenv("OSTRO_TEST") == "full" {
		return load{jobs: 60, perJob: 10, streams: 50}
	}
	return load{jobs: 20, perJob: 5, streams: 10}
}

// bytesOfAllocation are what an allocation takes at most.
const bytesOfAllocation = 64 << 10

// loadPatience is how long anything may take before somebody counts as starved.
const loadPatience = 5 * time.Minute

// TestLoad has an agent hold many allocations, while clients wait for changes, follow the event
// stream, and register. Nobody is forgotten, nobody starves, no stream has a gap, and
// memory is bounded by the number of allocations.
func TestLoad(t *testing.T) {
	l := loadOfTest()
	a := orchestratortest.Start(t, orchestrator.Config{Nodes: 10})
	ctx, cancel := context.WithTimeout(t.Context(), loadPatience)
	defer cancel()
	register(t, a, mocked("other", 1, "0"))
	awaitRunning(t, ctx, a, "other", 1)
	// What is kept of the last writes is there before it is measured.
	l.fill(t, ctx, a, 0, l.jobs/2)
	l.purge(t, a, 0, l.jobs/2)
	empty, routines := heap(), runtime.NumGoroutine()
	l.fill(t, ctx, a, 0, l.jobs)
	full := heap()
	t.Logf("%d KiB of each allocation", (full-empty)/l.allocs()>>10)
	if full-empty > l.allocs()*bytesOfAllocation {
		t.Errorf("%d allocations take %d bytes", l.allocs(), full-empty)
	}

	var watching, listening sync.WaitGroup
	l.watch(t, ctx, a, &watching)
	stories := l.listen(t, ctx, a, &listening)
	writes := l.storm(t, ctx, a)
	watching.Wait()
	listening.Wait()
	checkStories(t, stories, writes)

	l.purge(t, a, 0, l.jobs)
	http.DefaultClient.CloseIdleConnections()
	orchestratortest.Eventually(t, "nobody to serve clients that are gone", func() bool { return runtime.NumGoroutine() < routines+l.jobs })
}

func loadJob(i int) string { return fmt.Sprintf("load-%d", i) }

func (l load) allocs() int64 { return int64(l.jobs * l.perJob) }

// mocked is a job whose tasks only seem to run.
func mocked(id string, count int, version string) *api.Job {
	job := shellJob("service", id, count, "")
	job.Update = &api.UpdateStrategy{MaxParallel: new(0)}
	job.Meta = map[string]string{"VERSION": version}
	task := job.TaskGroups[0].Tasks[0]
	task.Driver, task.Config = "mock_driver", map[string]any{"run_for": "24h"}
	task.Resources = &api.Resources{CPU: new(1), MemoryMB: new(10)}
	task.LogConfig = &api.LogConfig{MaxFiles: new(1), MaxFileSizeMB: new(1)}
	job.TaskGroups[0].EphemeralDisk = &api.EphemeralDisk{SizeMB: new(10)}
	return job
}

// heap is how much memory is held, by the agent and by the test.
func heap() int64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

func awaitRunning(t *testing.T, ctx context.Context, a *orchestratortest.Agent, id string, count int) {
	t.Helper()
	options := (&api.QueryOptions{WaitTime: time.Minute}).WithContext(ctx)
	for {
		stubs, meta, err := a.Client.Jobs().Allocations(id, true, options)
		if err != nil {
			t.Errorf("wait for %s to run: %v", id, err)
			return
		}
		n := 0
		for _, s := range stubs {
			if s.ClientStatus == api.AllocClientStatusRunning {
				n++
			}
		}
		if n == count {
			return
		}
		options.WaitIndex = meta.LastIndex
	}
}

func (l load) fill(t *testing.T, ctx context.Context, a *orchestratortest.Agent, from, to int) {
	t.Helper()
	for i := from; i < to; i++ {
		register(t, a, mocked(loadJob(i), l.perJob, "0"))
	}
	for i := from; i < to; i++ {
		awaitRunning(t, ctx, a, loadJob(i), l.perJob)
	}
}

// purge removes the jobs, and returns when nothing of them is left.
func (l load) purge(t *testing.T, a *orchestratortest.Agent, from, to int) {
	t.Helper()
	for i := from; i < to; i++ {
		if _, _, err := a.Client.Jobs().Deregister(loadJob(i), true, nil); err != nil {
			t.Fatal(err)
		}
	}
	orchestratortest.Eventually(t, "the allocations to be gone", func() bool {
		if err := a.Client.System().GarbageCollect(); err != nil {
			t.Fatal(err)
		}
		left, _, err := a.Client.Allocations().List(&api.QueryOptions{Params: map[string]string{"filter": `JobID matches "^load-"`}})
		if err != nil {
			t.Fatal(err)
		}
		return len(left) == 0
	})
	a.Client.Close()
}

// watch has three clients wait for a change of each job, of its allocations and of its
// evaluations. It returns when all of them know what is there now.
func (l load) watch(t *testing.T, ctx context.Context, a *orchestratortest.Agent, watching *sync.WaitGroup) {
	t.Helper()
	for i := range l.jobs {
		id := loadJob(i)
		for what, read := range map[string]func(*api.QueryOptions) (*api.QueryMeta, error){
			"job": func(q *api.QueryOptions) (*api.QueryMeta, error) {
				_, meta, err := a.Client.Jobs().Info(id, q)
				return meta, err
			},
			"allocations": func(q *api.QueryOptions) (*api.QueryMeta, error) {
				_, meta, err := a.Client.Jobs().Allocations(id, false, q)
				return meta, err
			},
			"evaluations": func(q *api.QueryOptions) (*api.QueryMeta, error) {
				_, meta, err := a.Client.Jobs().Evaluations(id, q)
				return meta, err
			},
		} {
			now, err := read(nil)
			if err != nil {
				t.Fatal(err)
			}
			watching.Go(func() {
				meta, err := read((&api.QueryOptions{WaitIndex: now.LastIndex, WaitTime: loadPatience}).WithContext(ctx))
				if err != nil || meta.LastIndex <= now.LastIndex {
					t.Errorf("who waits for the %s of %s after write %d is told of %+v: %v", what, id, now.LastIndex, meta, err)
				}
			})
		}
	}
}

// story is what a stream has told: the writes of registrations, in its order. It is
// over when the stream was closed, which tells its reader that he was too slow.
type story struct {
	writes []uint64
	over   bool
}

// listen has clients follow the event stream until they hear of the job "last", or are
// told that they were too slow. One of them does not read at first.
func (l load) listen(t *testing.T, ctx context.Context, a *orchestratortest.Agent, listening *sync.WaitGroup) []story {
	t.Helper()
	_, meta, err := a.Client.Jobs().List(nil)
	if err != nil {
		t.Fatal(err)
	}
	stories := make([]story, l.streams)
	for i := range stories {
		path := fmt.Sprintf("http://%s/v1/event/stream?topic=Job&index=%d", a.Addr(), meta.LastIndex+1)
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, path, nil)
		if err != nil {
			t.Fatal(err)
		}
		reply, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		listening.Go(func() {
			defer reply.Body.Close()
			if i == 0 {
				awaitRunning(t, ctx, a, "last", 1)
			}
			stories[i] = told(reply)
			if ctx.Err() != nil {
				t.Errorf("stream %d has told of %d registrations, and not of the last", i, len(stories[i].writes))
			}
		})
	}
	return stories
}

func told(reply *http.Response) (s story) {
	lines := bufio.NewReader(reply.Body)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			s.over = true
			return s
		}
		var frame struct {
			Events []struct {
				Type, Key string
				Index     uint64
			}
		}
		if err := json.Unmarshal(line, &frame); err != nil {
			return s
		}
		for _, event := range frame.Events {
			if event.Type == "JobRegistered" {
				s.writes = append(s.writes, event.Index)
			}
			if event.Key == "last" {
				return s
			}
		}
	}
}

// storm registers each job anew, while others read and register one job after the other,
// and last the job "last". It returns the writes of the registrations.
func (l load) storm(t *testing.T, ctx context.Context, a *orchestratortest.Agent) (writes []uint64) {
	t.Helper()
	over := make(chan struct{})
	var others sync.WaitGroup
	others.Go(func() {
		var slowest time.Duration
		for {
			select {
			case <-over:
				t.Logf("the slowest read took %s", slowest)
				return
			default:
			}
			begun := time.Now()
			if _, _, err := a.Client.Jobs().Info("other", (&api.QueryOptions{}).WithContext(ctx)); err != nil {
				t.Error(err)
				return
			}
			slowest = max(slowest, time.Since(begun))
		}
	})
	for i := range l.jobs {
		reply, _, err := a.Client.Jobs().Register(mocked(loadJob(i), l.perJob, "1"), nil)
		if err != nil {
			t.Fatal(err)
		}
		writes = append(writes, reply.JobModifyIndex)
		if i%10 == 0 {
			alone := fmt.Sprintf("alone-%d", i)
			reply, _, err := a.Client.Jobs().Register(mocked(alone, 1, "0"), nil)
			if err != nil {
				t.Fatal(err)
			}
			writes = append(writes, reply.JobModifyIndex)
			awaitRunning(t, ctx, a, alone, 1)
		}
	}
	reply, _, err := a.Client.Jobs().Register(mocked("last", 1, "0"), nil)
	if err != nil {
		t.Fatal(err)
	}
	awaitRunning(t, ctx, a, "last", 1)
	close(over)
	others.Wait()
	return append(writes, reply.JobModifyIndex)
}

// checkStories holds that each stream told of all registrations in their order, up to
// the last, or up to where it was closed.
func checkStories(t *testing.T, stories []story, writes []uint64) {
	t.Helper()
	closed := 0
	for i, s := range stories {
		if s.over {
			closed++
		}
		if len(s.writes) > len(writes) || !slices.Equal(s.writes, writes[:len(s.writes)]) || !s.over && len(s.writes) < len(writes) {
			t.Errorf("stream %d told of the registrations %v (closed: %t), which were %v", i, s.writes, s.over, writes)
		}
	}
	t.Logf("%d of %d streams were closed, as they were too slow", closed, len(stories))
}
