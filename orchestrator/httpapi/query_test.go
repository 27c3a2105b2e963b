package httpapi

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator/state"
)

func TestBlockingQueryAnswersOnAChange(t *testing.T) {
	client, _ := newAgent(t)
	register(t, client, testJob("web"))
	_, meta, err := client.Jobs().Info("web", nil)
	if err != nil {
		t.Fatal(err)
	}
	type result struct {
		job  *api.Job
		meta *api.QueryMeta
		err  error
	}
	done := make(chan result, 1)
	go func() {
		job, meta, err := client.Jobs().Info("web", &api.QueryOptions{WaitIndex: meta.LastIndex, WaitTime: time.Minute})
		done <- result{job, meta, err}
	}()
	// A change of something else does not wake it for good.
	register(t, client, testJob("other"))
	changed := testJob("web")
	changed.Priority = new(70)
	register(t, client, changed)
	got := <-done
	if got.err != nil || *got.job.Priority != 70 || got.meta.LastIndex <= meta.LastIndex {
		t.Errorf("got %+v, %+v, %v", got.job, got.meta, got.err)
	}
}

func TestBlockingQueryWaitsForWhatIsNotThereYet(t *testing.T) {
	client, c := newAgent(t)
	done := make(chan error, 1)
	index := c.Store.Snapshot().TableIndex("jobs")
	go func() {
		_, _, err := client.Jobs().Info("web", &api.QueryOptions{WaitIndex: index, WaitTime: time.Minute})
		done <- err
	}()
	register(t, client, testJob("web"))
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestBlockingQueryTimesOut runs in a bubble, where five minutes take no time.
func TestBlockingQueryTimesOut(t *testing.T) {
	for path, want := range map[string]time.Duration{
		"/v1/jobs?index=2":             5 * time.Minute,
		"/v1/jobs?index=2&wait=2000ms": 2 * time.Second,
		"/v1/jobs?index=2&wait=1h":     5 * time.Minute,
		"/v1/jobs?wait=1h":             0,
		"/v1/jobs?index=1":             0,
	} {
		t.Run(path, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := New(testConfig(t))
				began := time.Now()
				w := httptest.NewRecorder()
				h.ServeHTTP(w, httptest.NewRequest("GET", "http://localhost"+path, nil))
				took := time.Since(began)
				if took < want || took > want+want/16+time.Millisecond {
					t.Errorf("took %v, want %v and at most a sixteenth more", took, want)
				}
				if w.Code != http.StatusOK || w.Header().Get("X-Nomad-Index") != "2" || w.Body.String() != "[]" {
					t.Errorf("got %d, index %s, %s", w.Code, w.Header().Get("X-Nomad-Index"), w.Body)
				}
			})
		})
	}
}

// TestIndexIsNeverWithoutNews holds that a client that polls with the index it
// was given does not spin.
func TestIndexIsNeverWithoutNews(t *testing.T) {
	client, c := newAgent(t)
	register(t, client, testJob("web"))
	update(t, c, func(tx *state.Txn) { tx.PutNode(&api.Node{ID: node1, Name: "n"}) })
	for _, path := range []string{
		"/v1/jobs", "/v1/job/web", "/v1/job/nope", "/v1/job/web/versions", "/v1/job/web/summary", "/v1/job/web/allocations",
		"/v1/job/web/evaluations", "/v1/job/web/deployments", "/v1/job/web/deployment", "/v1/job/web/scale", "/v1/evaluations",
		"/v1/allocations", "/v1/deployments", "/v1/nodes", "/v1/node/" + node1, "/v1/allocation/" + nobody, "/v1/namespaces",
	} {
		t.Run(path, func(t *testing.T) {
			_, _, header := do(t, client.Address(), "GET", path, "", nil)
			index := header.Get("X-Nomad-Index")
			if index == "" || index == "0" || index == "1" {
				t.Fatalf("got index %q", index)
			}
			_, _, header = do(t, client.Address(), "GET", path+"?wait=1ms&index="+index, "", nil)
			if got := header.Get("X-Nomad-Index"); got != index {
				t.Errorf("without a change the index went from %s to %s", index, got)
			}
		})
	}
}

func TestPrettyAndCompressed(t *testing.T) {
	client, _ := newAgent(t)
	register(t, client, testJob("web"))
	_, text, header := do(t, client.Address(), "GET", "/v1/job/web?pretty", "", nil)
	if !strings.Contains(text, "\n    \"ID\": \"web\"") || header.Get("Content-Encoding") != "" {
		t.Errorf("got %s", text)
	}
	_, packed, header := do(t, client.Address(), "GET", "/v1/job/web", "", map[string]string{"Accept-Encoding": "gzip"})
	if header.Get("Content-Encoding") != "gzip" || len(packed) >= len(text) {
		t.Errorf("got %v of %d bytes", header, len(packed))
	}
	if job, _, err := client.Jobs().Info("web", nil); err != nil || *job.ID != "web" {
		t.Errorf("the client cannot read it: %v", err)
	}
}
