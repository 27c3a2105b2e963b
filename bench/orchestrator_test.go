package bench

import (
	"context"
	"fmt"
	"net/http/httptrace"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"
)

// compare reports a figure of each engine, and what is Ostro's part of Nomad's.
func compare(b *testing.B, unit string, figures map[string]float64) {
	for name, figure := range figures {
		b.ReportMetric(figure, name+"-"+unit)
	}
	if nomad, ok := figures["nomad"]; ok && nomad > 0 {
		b.ReportMetric(figures["ostro"]/nomad, unit+"-ratio-to-nomad")
	}
}

const mib = 1 << 20

// BenchmarkReady takes the time from the start of the process until a job could
// be placed, and the memory that the agent holds when it has idled for a second.
func BenchmarkReady(b *testing.B) {
	all := engines(b)
	took, memory := map[string]float64{}, map[string]float64{}
	runs := 0
	for b.Loop() {
		runs++
		for _, e := range all {
			a := e.start(b)
			took[e.name] += float64(a.ready.Microseconds()) / 1000
			time.Sleep(time.Second)
			memory[e.name] = float64(a.memory(b, "")) / mib
			a.end(b)
		}
	}
	for name := range took {
		took[name] /= float64(runs)
	}
	compare(b, "ms", took)
	compare(b, "MiB", memory)
}

// BenchmarkRollingUpdate takes the time from the registration of a new version
// until its deployment is successful: two allocations, one after the other, each
// of which has to run for a second. The rules demand two seconds.
func BenchmarkRollingUpdate(b *testing.B) {
	const demanded = 2 * time.Second
	all := engines(b)
	took := map[string]float64{}
	agents := map[string]*agent{}
	for _, e := range all {
		agents[e.name] = e.start(b)
		agents[e.name].register(b, rolling("0"))
		agents[e.name].awaitDeployment(b, "rolling", 0)
	}
	version := uint64(0)
	for b.Loop() {
		version++
		for _, e := range all {
			begun := time.Now()
			agents[e.name].register(b, rolling(fmt.Sprint(version)))
			agents[e.name].awaitDeployment(b, "rolling", version)
			took[e.name] += float64(time.Since(begun).Milliseconds())
		}
	}
	for name := range took {
		took[name] /= float64(version)
	}
	compare(b, "ms", took)
	b.ReportMetric(took["ostro"]/float64(demanded.Milliseconds()), "ratio-to-demanded")
}

func rolling(version string) *api.Job {
	job := sleeper("rolling", 2, version)
	job.Update = &api.UpdateStrategy{
		MaxParallel: new(1), MinHealthyTime: new(time.Second), HealthyDeadline: new(time.Minute), ProgressDeadline: new(2 * time.Minute),
		HealthCheck: new("task_states"),
	}
	return job
}

// BenchmarkTasks takes the time from the registration of 200 tasks until all of
// them run, and the memory that it takes to look after them: that of the tasks
// themselves is left out.
func BenchmarkTasks(b *testing.B) {
	const tasks = 200
	took, memory := map[string]float64{}, map[string]float64{}
	all := engines(b)
	for b.Loop() {
		for _, e := range all {
			a := e.start(b)
			begun := time.Now()
			a.register(b, sleeper("tasks", tasks, ""))
			a.awaitAllocs(b, "tasks", running(tasks))
			took[e.name] = float64(time.Since(begun).Milliseconds())
			memory[e.name] = float64(a.memory(b, "sleep")) / mib
			if _, _, err := a.Jobs().Deregister("tasks", false, nil); err != nil {
				b.Fatal(err)
			}
			a.awaitAllocs(b, "tasks", running(0))
			a.end(b)
		}
	}
	compare(b, "ms", took)
	compare(b, "MiB", memory)
}

// BenchmarkAllocations takes the cost of one more allocation when there are
// 1,000 and when there are 10,000, and then with 1,000 watchers that wait for a
// change of other jobs. The tasks are mocks, on 100 nodes.
func BenchmarkAllocations(b *testing.B) {
	const perJob, few, many, watchers, rounds = 10, 100, 1000, 1000, 4
	ostro := engines(b)[0]
	var atFew, atMany, watched float64
	for b.Loop() {
		a := ostro.start(b, "-nodes", "100")
		fill(b, a, 0, few, perJob)
		atFew = more(b, a, "few", perJob)
		fill(b, a, few, many, perJob)
		atMany, watched = 0, 0
		for round := range rounds { // in turns, as each is short
			atMany += more(b, a, fmt.Sprintf("many-%d", round), perJob) / rounds
			stop := watch(b, a, watchers)
			watched += more(b, a, fmt.Sprintf("watched-%d", round), perJob) / rounds
			stop()
		}
		b.ReportMetric(float64(a.memory(b, ""))/mib, "MiB-at-10000")
		a.end(b)
	}
	b.ReportMetric(atFew, "ms-at-1000")
	b.ReportMetric(atMany, "ms-at-10000")
	b.ReportMetric(atMany/atFew, "ratio-10000-to-1000")
	b.ReportMetric(watched/atMany, "ratio-watched-to-not")
}

// mocked is a job whose tasks only seem to run.
func mocked(id string, count int) *api.Job {
	job := sleeper(id, count, "")
	task := job.TaskGroups[0].Tasks[0]
	task.Driver, task.Config = "mock_driver", map[string]any{"run_for": "24h"}
	job.Update = &api.UpdateStrategy{MaxParallel: new(0)}
	return job
}

// fill registers the jobs from..to and waits until all of them run.
func fill(b *testing.B, a *agent, from, to, perJob int) {
	for i := from; i < to; i++ {
		a.register(b, mocked(fmt.Sprintf("fill-%d", i), perJob))
	}
	for i := from; i < to; i++ {
		a.awaitAllocs(b, fmt.Sprintf("fill-%d", i), running(perJob))
	}
}

// more is the cost in milliseconds of an allocation that is added to those that
// are there, until it runs.
func more(b *testing.B, a *agent, name string, perJob int) float64 {
	const jobs = 30
	settleDisk()
	begun := time.Now()
	for i := range jobs {
		id := fmt.Sprintf("%s-%d", name, i)
		a.register(b, mocked(id, perJob))
		a.awaitAllocs(b, id, running(perJob))
	}
	return time.Since(begun).Seconds() * 1000 / float64(jobs*perJob)
}

// watch has n clients wait for a change of one job each, until stop is called.
// It returns when all of them have asked.
func watch(b *testing.B, a *agent, n int) (stop func()) {
	ctx, cancel := context.WithCancel(b.Context())
	asked := make(chan struct{}, n)
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteRequest: func(httptrace.WroteRequestInfo) { asked <- struct{}{} }})
	var waiting sync.WaitGroup
	for i := range n {
		job := fmt.Sprintf("fill-%d", i)
		_, meta, err := a.Jobs().Info(job, nil)
		if err != nil {
			b.Fatal(err)
		}
		waiting.Go(func() {
			options := (&api.QueryOptions{WaitIndex: meta.LastIndex, WaitTime: patience}).WithContext(ctx)
			if _, _, err := a.Jobs().Info(job, options); err == nil {
				b.Errorf("the watcher of %s came back", job)
			}
		})
	}
	for range n {
		<-asked
	}
	return func() {
		cancel()
		waiting.Wait()
	}
}
