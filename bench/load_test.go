package bench

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"
)

// BenchmarkLoad takes how long it takes until a registered job runs, until a plain
// read is answered and until an event of a registration is heard, by an agent that
// has nothing to do, and then by the same with 10,000 allocations, 1,000 clients
// that wait for a change of a job, and 200 that follow the event stream.
func BenchmarkLoad(b *testing.B) {
	const jobs, perJob, watchers, streams = 1000, 10, 1000, 200
	ostro := engines(b)[0]
	for b.Loop() {
		a := ostro.start(b, "-nodes", "100")
		quiet, empty := a.latencies(b, "quiet"), a.memory(b, "")
		fill(b, a, 0, jobs, perJob)
		held := a.memory(b, "")
		stopWatching, stopListening := watch(b, a, watchers), listen(b, a, streams)
		loaded := a.latencies(b, "loaded")
		stopListening()
		stopWatching()
		a.end(b)
		for what, times := range loaded {
			for name, of := range map[string]float64{"p50": 0.5, "p99": 0.99} {
				busy, idle := quantile(times, of), quantile(quiet[what], of)
				b.ReportMetric(busy*1000, what+"-ms-"+name)
				b.ReportMetric(busy/idle, what+"-ratio-loaded-to-quiet-"+name)
			}
		}
		b.ReportMetric(float64(held-empty)/1024/(jobs*perJob), "KiB-per-allocation")
	}
}

// latencies registers jobs, one after the other, and takes the times in seconds.
func (a *agent) latencies(b *testing.B, name string) map[string][]float64 {
	const samples = 200
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	heard := a.registrations(b, ctx)
	taken := map[string][]float64{}
	take := func(what string, since time.Time) { taken[what] = append(taken[what], time.Since(since).Seconds()) }
	for i := range samples {
		id := fmt.Sprintf("%s-%d", name, i)
		begun := time.Now()
		a.register(b, mocked(id, 1))
		for <-heard != id {
		}
		take("event", begun)
		a.awaitAllocs(b, id, running(1))
		take("register-to-running", begun)
		begun = time.Now()
		if _, _, err := a.Jobs().Info(id, nil); err != nil {
			b.Fatal(err)
		}
		take("read", begun)
	}
	return taken
}

// registrations tells which jobs are registered, as the event stream does.
func (a *agent) registrations(b *testing.B, ctx context.Context) <-chan string {
	_, meta, err := a.Jobs().List(nil)
	if err != nil {
		b.Fatal(err)
	}
	frames, err := a.EventStream().Stream(ctx, map[api.Topic][]string{api.TopicJob: {"*"}}, meta.LastIndex+1, nil)
	if err != nil {
		b.Fatal(err)
	}
	ids := make(chan string)
	go func() {
		defer close(ids)
		for frame := range frames {
			for _, event := range frame.Events {
				select {
				case ids <- event.Key:
				case <-ctx.Done():
					return
				}
			}
		}
	}()
	return ids
}

// listen has n clients follow the event stream, until stop is called.
func listen(b *testing.B, a *agent, n int) (stop func()) {
	ctx, cancel := context.WithCancel(b.Context())
	var listening sync.WaitGroup
	for range n {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, a.Address()+"/v1/event/stream?topic=Job", nil)
		if err != nil {
			b.Fatal(err)
		}
		reply, err := http.DefaultClient.Do(request)
		if err != nil {
			b.Fatal(err)
		}
		listening.Go(func() {
			defer reply.Body.Close()
			io.Copy(io.Discard, reply.Body)
			if ctx.Err() == nil {
				b.Error("a stream ended")
			}
		})
	}
	return func() {
		cancel()
		listening.Wait()
	}
}

func quantile(times []float64, of float64) float64 {
	sorted := slices.Sorted(slices.Values(times))
	return sorted[int(of*float64(len(sorted)-1))]
}
