package watch_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/nomad/api"

	"ostro/watch"
)

// wire is a server and the way to it, without a network so that time can be
// synthetic. The job's deployment becomes successful after a minute.
type wire struct {
	start    time.Time
	index    func(elapsed time.Duration) uint64                        // of every list
	fault    func(elapsed time.Duration, r *http.Request) (int, error) // instead of an answer: a status or an error
	world    func(elapsed time.Duration) watch.Snapshot                // instead of a deployment that ends well after a minute
	hasty    bool                                                      // blocking queries do not block
	logs     map[string]string                                         // by stream
	requests atomic.Int64
}

var errBlackHole = errors.New("black hole")

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	w.requests.Add(1)
	status, err := 0, error(nil)
	if w.fault != nil {
		status, err = w.fault(time.Since(w.start), r)
	}
	switch {
	case err == errBlackHole:
		<-r.Context().Done()
		return nil, r.Context().Err()
	case err != nil:
		return nil, err
	case status != 0:
		return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader("No cluster leader")), Request: r}, nil
	}
	reply := httptest.NewRecorder()
	w.answer(reply, r)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	return reply.Result(), nil
}

// answer serves the four reads of a watch, and blocks as Nomad does.
func (w *wire) answer(reply http.ResponseWriter, r *http.Request) {
	if from, err := strconv.ParseUint(r.FormValue("index"), 10, 64); err == nil && from > 0 && !w.hasty {
		wait, _ := time.ParseDuration(r.FormValue("wait"))
		for until := time.Now().Add(wait); w.index(time.Since(w.start)) <= from && time.Now().Before(until) && r.Context().Err() == nil; {
			time.Sleep(100 * time.Millisecond)
		}
	}
	if w.world == nil {
		w.world = endsWith(deployed(1), alloc(1, "running", healthy))
	}
	s := w.world(time.Since(w.start))
	reply.Header().Set("X-Nomad-Index", fmt.Sprint(w.index(time.Since(w.start))))
	reply.Header().Set("X-Nomad-LastContact", "0")
	var job any
	if s.Job != nil {
		job = s.Job
	}
	body := map[string]any{"/v1/job/web": job, "/v1/job/web/evaluations": s.Evals, "/v1/job/web/deployments": s.Deployments, "/v1/job/web/allocations": s.Allocs, "/v1/jobs": []*api.JobListStub{}}[r.URL.Path]
	if r.URL.Path == "/v1/client/fs/logs/alloc-00" && r.FormValue("task") == "t" {
		body = api.StreamFrame{Data: []byte(w.logs[r.FormValue("type")])}
	}
	if body == nil {
		http.NotFound(reply, r)
		return
	}
	json.NewEncoder(reply).Encode(body)
}

// underWay is how long a deployment takes over the wire: until no moment in which
// a heartbeat is due, too.
const underWay = 65 * time.Second

// endsWith is a deployment that is under way for that time, and then that.
func endsWith(end ...func(*watch.Snapshot)) func(time.Duration) watch.Snapshot {
	return func(elapsed time.Duration) watch.Snapshot {
		if elapsed < underWay {
			return endless(elapsed)
		}
		return world(end...)
	}
}

func endless(time.Duration) watch.Snapshot {
	return world(deployment(1, "running", "Deployment is running"), alloc(1, "running"))
}

// watchOver watches over the wire in synthetic time and tells what was shown.
func watchOver(t *testing.T, w *wire, o watch.Options) (watch.Verdict, []watch.Event, error) {
	t.Helper()
	c, err := api.NewClient(&api.Config{Address: "http://nomad.test", HttpClient: &http.Client{Transport: w}})
	if err != nil {
		t.Fatal(err)
	}
	var shown []watch.Event
	o.Notify = func(e watch.Event) {
		t.Logf("%s %s: %s", e.At.Sub(w.start), e.Kind, e.Text)
		shown = append(shown, e)
	}
	w.start = time.Now()
	if w.index == nil {
		w.index = func(elapsed time.Duration) uint64 { return 100 + uint64(elapsed/underWay) }
	}
	v, err := watch.Run(t.Context(), c, world().Target, o)
	t.Logf("%s: %s after %s and %d requests", v.Outcome, v.Summary, time.Since(w.start), w.requests.Load())
	return v, shown, err
}

// between makes a fault that lasts from one moment to another.
func between(from, to time.Duration, status int, err error) func(time.Duration, *http.Request) (int, error) {
	return func(elapsed time.Duration, _ *http.Request) (int, error) {
		if elapsed < from || elapsed >= to {
			return 0, nil
		}
		return status, err
	}
}

func tellsOnce(t *testing.T, shown []watch.Event, words ...string) {
	t.Helper()
	for _, word := range words {
		n := 0
		for _, e := range shown {
			n += strings.Count(e.Text, word)
		}
		if n != 1 {
			t.Errorf("%q is told %d times, want once", word, n)
		}
	}
}

func TestContactComesBack(t *testing.T) {
	reset := errors.New("connection reset by peer")
	for name, fault := range map[string]func(time.Duration, *http.Request) (int, error){
		"reset":      between(20*time.Second, 80*time.Second, 0, reset),
		"no leader":  between(20*time.Second, 80*time.Second, 500, nil),
		"gateway":    between(20*time.Second, 80*time.Second, 502, nil),
		"black hole": between(20*time.Second, 80*time.Second, 0, errBlackHole),
		"at first":   between(0, 80*time.Second, 0, reset),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &wire{fault: fault}
				v, shown, err := watchOver(t, w, watch.Options{})
				if err != nil {
					t.Fatal(err)
				}
				wantOutcome(t, v, watch.Successful)
				tellsOnce(t, shown, "contact lost", "contact is back")
				if took := time.Since(w.start); took > 95*time.Second {
					t.Errorf("known after %s only", took)
				}
				if n := w.requests.Load(); n > 120 {
					t.Errorf("%d requests in 80 seconds", n)
				}
			})
		})
	}
}

// A job that is missing, or older than its own registration, in a state from before
// that registration is not purged: a follower lags behind, or the address is another
// server's now.
func TestOlderState(t *testing.T) {
	older := func(w *watch.Snapshot) { *w = world(); w.Job, w.Evals = serverJob("service", 0, 10), nil }
	nothing := func(w *watch.Snapshot) { *w = world(); w.Job, w.Evals = nil, nil }
	for name, c := range map[string]struct {
		change  func(*watch.Snapshot)
		index   uint64 // of the lists while it lasts
		until   time.Duration
		outcome watch.Outcome
		words   string
	}{
		"no job for a while":      {nothing, 19, 40 * time.Second, watch.Successful, "older state: it is at index 19, and job web was registered at 20"},
		"older job for a while":   {older, 19, 40 * time.Second, watch.Successful, "older state: it is at index 19, and job web was registered at 20"},
		"no job until the end":    {nothing, 19, time.Hour, watch.Unknown, "older state"},
		"no job in a newer state": {nothing, 30, time.Hour, watch.Superseded, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				during := func(e time.Duration) bool { return e >= 20*time.Second && e < c.until }
				w := &wire{
					world: func(e time.Duration) watch.Snapshot {
						s := endsWith(deployed(1), alloc(1, "running", healthy))(e)
						if during(e) {
							c.change(&s)
						}
						return s
					},
					index: func(e time.Duration) uint64 {
						if during(e) {
							return c.index
						}
						return 100 + uint64(e/underWay)
					},
				}
				v, shown, err := watchOver(t, w, watch.Options{Timeout: 5 * time.Minute})
				if err != nil {
					t.Fatal(err)
				}
				wantOutcome(t, v, c.outcome)
				if c.outcome != watch.Superseded {
					tellsOnce(t, shown, c.words, "contact lost")
				}
			})
		})
	}
}

func TestContactLostForGood(t *testing.T) {
	for name, err := range map[string]error{"reset": errors.New("connection reset by peer"), "black hole": errBlackHole} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &wire{fault: between(20*time.Second, time.Hour, 0, err)}
				v, shown, err := watchOver(t, w, watch.Options{Timeout: 5 * time.Minute})
				if err != nil {
					t.Fatal(err)
				}
				wantOutcome(t, v, watch.Unknown, "contact lost")
				tellsOnce(t, shown, "contact lost")
				if v.Deployment == nil {
					t.Error("the deployment that was seen is forgotten")
				}
				if took := time.Since(w.start); took < 5*time.Minute || took > 5*time.Minute+time.Second {
					t.Errorf("gave up after %s, want 5m", took)
				}
			})
		})
	}
}

// Whatever an index does, the watch neither spins nor sleeps through the end.
func TestIndexes(t *testing.T) {
	for name, index := range map[string]func(time.Duration) uint64{
		"backwards": func(e time.Duration) uint64 { return 1000 - uint64(e/(10*time.Second)) },
		"restored":  func(e time.Duration) uint64 { return map[bool]uint64{true: 500, false: 20}[e < 30*time.Second] },
		"none":      func(time.Duration) uint64 { return 0 },
		"busy":      func(e time.Duration) uint64 { return 100 + uint64(e/time.Millisecond) },
		"still":     func(time.Duration) uint64 { return 100 },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &wire{index: index}
				v, _, err := watchOver(t, w, watch.Options{})
				if err != nil {
					t.Fatal(err)
				}
				wantOutcome(t, v, watch.Successful)
				if took := time.Since(w.start); took > 75*time.Second {
					t.Errorf("known after %s only", took)
				}
				if n := w.requests.Load() * int64(time.Minute) / int64(underWay); n > 1500 {
					t.Errorf("%d requests in a minute", n)
				}
			})
		})
	}
}

// A server that answers blocking queries at once, with nothing new, is not asked
// without end.
func TestHastyServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{hasty: true}
		v, _, err := watchOver(t, w, watch.Options{})
		if err != nil {
			t.Fatal(err)
		}
		wantOutcome(t, v, watch.Successful)
		if n := w.requests.Load(); n > 100 || time.Since(w.start) > 75*time.Second {
			t.Errorf("%d requests in %s", n, time.Since(w.start))
		}
	})
}

// While the scheduler looks again, the time that a group waits for capacity goes
// on.
func TestCapacityRunsOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{
			index: func(e time.Duration) uint64 { return 100 + uint64(e/time.Second) },
			world: func(elapsed time.Duration) watch.Snapshot {
				s := world(deployment(1, "running", "Deployment is running"), eval("complete", noRoom))
				if elapsed/time.Second%10 == 5 {
					eval("pending")(&s)
				}
				return s
			},
		}
		v, _, err := watchOver(t, w, watch.Options{WaitForCapacity: 30 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		wantOutcome(t, v, watch.Unplaceable, "memory exhausted")
		if took := time.Since(w.start); took < 30*time.Second || took > 33*time.Second {
			t.Errorf("given up after %s, want 30s", took)
		}
	})
}

func TestSilenceIsShort(t *testing.T) {
	for name, fault := range map[string]func(time.Duration, *http.Request) (int, error){
		"quiet":      nil,
		"black hole": between(time.Minute, 4*time.Minute, 0, errBlackHole),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &wire{fault: fault, world: endless}
				v, shown, err := watchOver(t, w, watch.Options{Timeout: 5 * time.Minute})
				if err != nil {
					t.Fatal(err)
				}
				wantOutcome(t, v, watch.Unknown, "timed out")
				last := w.start
				for _, e := range shown {
					if gap := e.At.Sub(last); gap > 30*time.Second {
						t.Errorf("silent for %s before %q", gap, e.Text)
					}
					last = e.At
				}
			})
		})
	}
}

// A deadline of the context is a timeout like the option, with its reasons.
func TestContextDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{world: endless, start: time.Now(), index: func(time.Duration) uint64 { return 100 }}
		c, err := api.NewClient(&api.Config{Address: "http://nomad.test", HttpClient: &http.Client{Transport: w}})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		v, err := watch.Run(ctx, c, world().Target, watch.Options{})
		if err != nil {
			t.Fatal(err)
		}
		wantOutcome(t, v, watch.Unknown, "timed out")
		if len(v.Reasons) != 1 || time.Since(w.start) > 21*time.Second {
			t.Errorf("%d reasons after %s", len(v.Reasons), time.Since(w.start))
		}
	})
}

func TestRefusedRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{fault: between(0, time.Hour, 403, nil)}
		v, _, err := watchOver(t, w, watch.Options{})
		if err == nil || v.Outcome != watch.Unknown || time.Since(w.start) > time.Second {
			t.Errorf("a refused read gives %s, %v after %s", v.Outcome, err, time.Since(w.start))
		}
	})
}

func TestInterrupt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{start: time.Now(), index: func(time.Duration) uint64 { return 100 }}
		c, err := api.NewClient(&api.Config{Address: "http://nomad.test", HttpClient: &http.Client{Transport: w}})
		if err != nil {
			t.Fatal(err)
		}
		reason := errors.New("interrupted")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(5*time.Second, func() { cancel(reason) })
		v, err := watch.Run(ctx, c, world().Target, watch.Options{})
		if !errors.Is(err, reason) || v.Deployment == nil || v.Outcome != watch.Unknown || time.Since(w.start) > 6*time.Second {
			t.Errorf("an interrupt gives %+v, %v after %s", v, err, time.Since(w.start))
		}
	})
}

// What is shown is told once, in this order and in these words.
func TestLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, shown, err := watchOver(t, &wire{fault: between(20*time.Second, 22*time.Second, 500, nil)}, watch.Options{})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range shown {
			got = append(got, fmt.Sprintf("%s: %s", e.Kind, e.Text))
		}
		want := []string{
			"progress: deployment deploy-1 of version 1: deployment is running",
			"progress: group g of version 1: 0 of 2 placed, 0 healthy",
			"alloc: allocation alloc-00 (web.g[0]) on node-1: running",
			"heartbeat: still waiting after 15s, giving up in 59m45s: deployment deploy-1 is running, 0 of 2 healthy",
			"heartbeat: still waiting after 30s, giving up in 59m30s: deployment deploy-1 is running, 0 of 2 healthy",
			"heartbeat: still waiting after 45s, giving up in 59m15s: deployment deploy-1 is running, 0 of 2 healthy",
			"heartbeat: still waiting after 1m0s, giving up in 59m0s: deployment deploy-1 is running, 0 of 2 healthy",
			"progress: deployment deploy-1 of version 1: deployment completed successfully",
			"alloc: allocation alloc-00 (web.g[0]) on node-1: running, healthy",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}

func TestLogTail(t *testing.T) {
	many := strings.Repeat("line\n", 100) + "bell \a and \x1b[31mred\x1b[0m\xff\r\n" + strings.Repeat("x", 1000) + "\n"
	long := strings.Repeat("y", 8<<10)
	safe := strings.Repeat("line\n", 3) + `bell \a and \x1b[31mred\x1b[0m` + "\uFFFD\n" + strings.Repeat("x", 1000)
	for name, test := range map[string]struct {
		logs                 map[string]string
		wantStream, wantTail string
	}{
		"stderr first":               {map[string]string{"stderr": many, "stdout": "other"}, "stderr", safe},
		"stdout instead":             {map[string]string{"stdout": "only this\n"}, "stdout", "only this"},
		"nothing":                    {nil, "stdout", ""},
		"the end begins amid a line": {map[string]string{"stderr": "half a secret" + long + "\n" + long + "\nend\n"}, "stderr", long + "\nend"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v, _, err := watchOver(t, &wire{world: endsWith(failed(""), alloc(1, "failed")), logs: test.logs}, watch.Options{LogLines: 5})
				if err != nil {
					t.Fatal(err)
				}
				wantOutcome(t, v, watch.Failed)
				if r := v.Reasons[0]; r.LogStream != test.wantStream || r.LogTail != test.wantTail {
					t.Errorf("%s: %q", r.LogStream, r.LogTail)
				}
			})
		})
	}
}
