package webui_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator"
)

// TestAgentGone holds that the page says so when the agent is away, keeps what it
// shows, and comes back by itself.
func TestAgentGone(t *testing.T) {
	agent, origin := start(t, orchestrator.Config{})
	target, err := url.Parse(origin)
	if err != nil {
		t.Fatal(err)
	}
	way := httputil.NewSingleHostReverseProxy(target)
	way.FlushInterval = -1
	var cut atomic.Bool
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if cut.Load() {
			panic(http.ErrAbortHandler)
		}
		way.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		front.CloseClientConnections()
		front.Close()
	})
	register(t, agent, service("before", 0, 0))
	b := open(t, front.URL, "/ui/jobs")
	b.expect("net::ERR_")
	b.sees("td", "before")
	b.sees("#connection", "Live")

	cut.Store(true)
	front.CloseClientConnections()
	b.sees("#lost", "does not answer")
	b.sees("td", "before")
	b.shot("gone")
	register(t, agent, service("meanwhile", 0, 0))
	cut.Store(false)
	b.sees("td", "meanwhile")
	b.sees("#connection", "Live")
	b.until("document.getElementById('lost').innerText === ''")
}

// TestTokenIsAskedFor holds that a page without a token shows nothing, and that
// the token of a tab is enough.
func TestTokenIsAskedFor(t *testing.T) {
	agent, origin := start(t, orchestrator.Config{Token: "sesame"})
	agent.Client.SetSecretID("sesame")
	register(t, agent, service("web", 0, 0))
	b := open(t, origin, "/ui/jobs")
	b.expect("status of 403")
	b.sees("h1", "A token is needed")
	b.shot("token")
	b.enter("sesam")
	b.sees("#said", "is used from now on")
	b.sees("h1", "A token is needed")
	b.enter("sesame")
	b.sees("td", "web")
	b.sees("#connection", "Live")
	if kept := eval[int](b, "localStorage.length + document.cookie.length"); kept != 0 {
		t.Error("the token outlives the tab")
	}
}

func (b *tab) enter(secret string) {
	b.Helper()
	b.until("document.querySelector('input[name=secret]')")
	eval[int](b, fmt.Sprintf("(document.querySelector('input[name=secret]').value = %q, 1)", secret))
	b.click("Use this token")
}

// TestThousandJobs holds that a long list can be used.
func TestThousandJobs(t *testing.T) {
	agent, origin := start(t, orchestrator.Config{ServerOnly: true})
	numbers := make(chan int)
	var registering sync.WaitGroup
	for range 4 {
		registering.Go(func() {
			for n := range numbers {
				id := fmt.Sprintf("job-%04d", n)
				job := api.NewBatchJob(id, id, "global", 50).AddTaskGroup(api.NewTaskGroup("g", 1).AddTask(api.NewTask("t", "raw_exec").SetConfig("command", "/bin/true")))
				if _, _, err := agent.Client.Jobs().Register(job, nil); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for n := range 1000 {
		numbers <- n
	}
	close(numbers)
	registering.Wait()

	b := open(t, origin, "/ui/jobs")
	b.sees("main", "1000 jobs")
	b.sees(".pager", "Page 1 of 10")
	b.shot("thousand")
	b.click("Next")
	b.sees("td", "job-0100")
	b.fill("find", "job-0999")
	b.until("document.querySelectorAll('tbody tr').length === 1")
	b.sees("td", "job-0999")
	if address := eval[string](b, "location.search"); address != "?q=job-0999" {
		t.Errorf("the filter is not in the address: %q", address)
	}
	register(t, agent, service("job-09999", 0, 0))
	b.until("document.querySelectorAll('tbody tr').length === 2")
}
