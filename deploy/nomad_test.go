package deploy_test

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"

	"ostro/deploy"
	"ostro/nomadtest"
)

func TestMain(m *testing.M) { os.Exit(nomadtest.Main(m)) }

const serves = nomadtest.Serves

var job = nomadtest.Job

func submit(t *testing.T, c *api.Client, job *api.Job, o deploy.Options) (*deploy.Receipt, error) {
	t.Helper()
	t.Cleanup(func() { nomadtest.Purge(c, "", *job.ID) })
	r, err := deploy.Submit(t.Context(), c, job, o)
	t.Logf("receipt %+v, error %v", r, err)
	return r, err
}

func mustSubmit(t *testing.T, c *api.Client, job *api.Job, o deploy.Options) *deploy.Receipt {
	t.Helper()
	r, err := submit(t, c, job, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestServerSubmit(t *testing.T) {
	nomadtest.EachAlways(t, serverSubmit)
}

func serverSubmit(t *testing.T, c *api.Client) {
	r := mustSubmit(t, c, job("app", "service", serves), deploy.Options{})
	if r.EvalID == "" || r.JobModifyIndex == 0 || r.Namespace != "default" || r.Region != "global" || r.Previous != nil {
		t.Errorf("the first receipt is %+v", r)
	}
	again := mustSubmit(t, c, job("app", "service", serves), deploy.Options{})
	if !again.NoChange || again.EvalID != "" || again.JobModifyIndex != r.JobModifyIndex {
		t.Errorf("an unchanged job gives %+v", again)
	}
	if _, err := submit(t, c, job("app", "service", serves), deploy.Options{RefuseNoChanges: true}); !errors.Is(err, deploy.ErrNoChanges) {
		t.Errorf("an unchanged job gives error %v", err)
	}
	forced := mustSubmit(t, c, job("app", "service", serves), deploy.Options{Force: true})
	if !forced.NoChange || forced.EvalID == "" || forced.JobVersion != 0 {
		t.Errorf("a forced unchanged job gives %+v", forced)
	}
	var shown []string
	second := mustSubmit(t, c, job("app", "service", serves+" 1"), deploy.Options{Planned: func(p *deploy.PlanResult) { shown = append(shown, p.JobDiff.Type) }})
	if _, _, err := c.Jobs().Deregister("app", false, nil); err != nil {
		t.Fatal(err)
	}
	if revived := mustSubmit(t, c, job("app", "service", serves+" 1"), deploy.Options{}); revived.NoChange || revived.JobVersion != 3 {
		t.Errorf("a stopped job that comes back gives %+v", revived)
	}
	if second.JobVersion != 1 || second.Previous == nil || !slices.Equal(shown, []string{"Edited"}) {
		t.Errorf("an update gives %+v, shown %v", second, shown)
	}
}

func TestServerCounts(t *testing.T) {
	nomadtest.EachAlways(t, serverCounts)
}

func serverCounts(t *testing.T, c *api.Client) {
	mustSubmit(t, c, job("counted", "service", serves), deploy.Options{})
	await(t, func() bool {
		j, _, err := c.Jobs().Info("counted", nil)
		return err == nil && *j.Status == "running"
	})
	scaled := job("counted", "service", serves)
	scaled.TaskGroups[0].Count = new(3)
	count := func() int {
		j, _, err := c.Jobs().Info("counted", nil)
		if err != nil {
			t.Fatal(err)
		}
		return *j.TaskGroups[0].Count
	}
	kept, err := deploy.RunningCounts(t.Context(), c, scaled)
	if err != nil || *kept.TaskGroups[0].Count != 1 {
		t.Errorf("the running count is %v, %v", kept, err)
	}
	if r := mustSubmit(t, c, scaled, deploy.Options{}); !r.NoChange || count() != 1 || *scaled.TaskGroups[0].Count != 3 {
		t.Errorf("the running count was not kept: %d, %+v", count(), r)
	}
	if mustSubmit(t, c, scaled, deploy.Options{ForceCount: true}); count() != 3 {
		t.Errorf("with -force-count the count is %d", count())
	}
}

func TestServerGuards(t *testing.T) {
	nomadtest.EachAlways(t, serverGuards)
}

func serverGuards(t *testing.T, c *api.Client) {
	nowhere := job("guards", "service", serves)
	nowhere.Constraints = []*api.Constraint{{LTarget: "${attr.kernel.name}", RTarget: "windows", Operand: "="}}
	_, err := submit(t, c, nowhere, deploy.Options{})
	if e, ok := errors.AsType[*deploy.Unplaceable](err); !ok || !strings.Contains(err.Error(), `constraint "${attr.kernel.name} = windows" filtered 1 node`) {
		t.Errorf("an unplaceable job gives %+v", e)
	}
	if _, _, err := c.Jobs().Info("guards", nil); err == nil {
		t.Error("an unplaceable job was submitted")
	}
	invalid := job("guards", "service", serves)
	invalid.TaskGroups[0].Tasks[0].Driver = ""
	_, err = submit(t, c, invalid, deploy.Options{})
	if _, ok := errors.AsType[*deploy.Refused](err); !ok || !strings.Contains(err.Error(), "Missing task driver") {
		t.Errorf("an invalid job gives %v", err)
	}
	elsewhere := job("guards", "service", serves)
	elsewhere.Region = new("mars")
	_, err = submit(t, c, elsewhere, deploy.Options{})
	if _, ok := errors.AsType[*deploy.Refused](err); !ok || !strings.Contains(err.Error(), "No path to region") {
		t.Errorf("an unknown region gives %v", err)
	}
	_, err = submit(t, c, job("guards", "service", serves), deploy.Options{CheckIndex: new(uint64(5))})
	if e, ok := errors.AsType[*deploy.Conflict](err); !ok || e.Want != 5 || e.Have != 0 {
		t.Errorf("a wrong check index gives %v", err)
	}
	mustSubmit(t, c, job("guards", "service", serves), deploy.Options{CheckIndex: new(uint64(0))})
}

// A job that somebody else changes after it was planned is planned again, and
// submitted only if that changes what the first plan showed.
func TestServerConflict(t *testing.T) { nomadtest.EachAlways(t, serverConflict) }

func serverConflict(t *testing.T, c *api.Client) {
	mustSubmit(t, c, job("race", "service", serves), deploy.Options{})
	plans := 0
	// interfere lets somebody else register, after each of the first plans.
	interfere := func(times int, theirs func(n int) *api.Job) func(*deploy.PlanResult) {
		plans = 0
		return func(*deploy.PlanResult) {
			if plans++; plans <= times {
				if _, _, err := c.Jobs().Register(theirs(plans), nil); err != nil {
					t.Error(err)
				}
			}
		}
	}
	version := func() uint64 {
		j, _, err := c.Jobs().Info("race", nil)
		if err != nil {
			t.Fatal(err)
		}
		return *j.Version
	}
	other := func(n int) *api.Job { return job("race", "service", fmt.Sprint(serves, " ", n)) }
	_, err := submit(t, c, job("race", "service", serves+" 10"), deploy.Options{Planned: interfere(1, other)})
	if e, ok := errors.AsType[*deploy.Conflict](err); !ok || e.Now == nil || len(e.Now.Diff()) == 0 || plans != 2 || version() != 1 {
		t.Errorf("what would change is another thing by now, and after %d plans: %v", plans, err)
	}

	scaled := func(n int) *api.Job {
		j := other(1)
		j.TaskGroups[0].Count = new(1 + n%2)
		return j
	}
	r := mustSubmit(t, c, job("race", "service", serves+" 20"), deploy.Options{Planned: interfere(2, scaled)})
	if plans != 3 || r.JobVersion != 4 {
		t.Errorf("%d plans, receipt %+v", plans, r)
	}
	_, err = submit(t, c, job("race", "service", serves+" 30"), deploy.Options{Planned: interfere(100, func(n int) *api.Job {
		j := job("race", "service", serves+" 20")
		j.TaskGroups[0].Count = new(1 + n%2)
		return j
	})})
	if e, ok := errors.AsType[*deploy.Conflict](err); !ok || e.Attempts != 5 || e.Now != nil || plans != 5 {
		t.Errorf("after %d plans: %v", plans, err)
	}
	before := version()
	if r := mustSubmit(t, c, job("race", "service", serves+" 40"), deploy.Options{Force: true}); r.JobVersion != before+1 {
		t.Errorf("a forced submit gives %+v after version %d", r, before)
	}
}

// Of many who deploy at once, each either sees over what he deploys or is told
// that he did not.
func TestServerConcurrent(t *testing.T) { nomadtest.EachAlways(t, serverConcurrent) }

func serverConcurrent(t *testing.T, c *api.Client) {
	mustSubmit(t, c, job("crowd", "service", serves), deploy.Options{})
	const crowd = 6
	type result struct {
		receipt *deploy.Receipt
		err     error
	}
	results := make(chan result, crowd)
	planned := sync.WaitGroup{}
	planned.Add(crowd)
	for n := range crowd {
		go func() {
			var once sync.Once
			// All have planned before any registers.
			o := deploy.Options{Planned: func(*deploy.PlanResult) { once.Do(func() { planned.Done(); planned.Wait() }) }}
			r, err := deploy.Submit(t.Context(), c, job("crowd", "service", fmt.Sprint(serves, " ", n)), o)
			results <- result{r, err}
		}()
	}
	submitted := 0
	for range crowd {
		r := <-results
		if _, conflict := errors.AsType[*deploy.Conflict](r.err); r.err != nil && !conflict {
			t.Errorf("one of the crowd: %v", r.err)
		}
		if r.err == nil {
			submitted++
		}
	}
	j, _, err := c.Jobs().Info("crowd", nil)
	if err != nil || submitted != 1 || *j.Version != 1 {
		t.Errorf("%d submitted, the job is at version %d: %v", submitted, *j.Version, err)
	}
}

// A batch job that is over runs again, unchanged, only where that is asked for.
func TestServerRerun(t *testing.T) { nomadtest.EachAlways(t, serverRerun) }

func serverRerun(t *testing.T, c *api.Client) {
	once := mustSubmit(t, c, job("again", "batch", "exit 0"), deploy.Options{Rerun: true})
	over := func() bool {
		j, _, err := c.Jobs().Info("again", nil)
		return err == nil && *j.Status == "dead"
	}
	await(t, over)
	if r := mustSubmit(t, c, job("again", "batch", "exit 0"), deploy.Options{}); !r.NoChange || r.JobVersion != once.JobVersion {
		t.Errorf("an unchanged job gives %+v", r)
	}
	r := mustSubmit(t, c, job("again", "batch", "exit 0"), deploy.Options{Rerun: true})
	if r.NoChange || r.EvalID == "" || r.JobVersion != 2 {
		t.Errorf("an unchanged job to run again gives %+v", r)
	}
	await(t, func() bool {
		allocs, _, err := c.Jobs().Allocations("again", true, nil)
		return err == nil && slices.ContainsFunc(allocs, func(a *api.AllocationListStub) bool { return a.JobVersion == 2 && a.ClientStatus == "complete" })
	})
}

func await(t *testing.T, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); <-time.After(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("that did not come true")
		}
	}
}

func TestServerForceBatch(t *testing.T) { nomadtest.Each(t, serverForceBatch) }

func serverForceBatch(t *testing.T, c *api.Client) {
	j := job("nightly", "batch", "exit 0")
	j.Periodic = &api.PeriodicConfig{Enabled: new(true), Spec: new("0 0 1 1 *"), SpecType: new("cron")}
	if r := mustSubmit(t, c, j, deploy.Options{}); r.EvalID != "" || r.Child != "" {
		t.Errorf("a periodic job gives %+v", r)
	}
	r := mustSubmit(t, c, j, deploy.Options{ForceBatch: true})
	child, _, err := c.Jobs().Info(r.Child, nil)
	if err != nil {
		t.Fatal(err)
	}
	if r.EvalID == "" || !strings.HasPrefix(r.Child, "nightly/periodic-") || r.NoChange || r.JobModifyIndex != *child.JobModifyIndex {
		t.Errorf("a forced launch gives %+v", r)
	}
}

// losing passes requests on to a real server and loses the answers to the first
// registers, before or after the server has seen them.
type losing struct {
	seen, unseen int
}

func (l *losing) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method != http.MethodPut || r.URL.Path != "/v1/jobs" {
		return http.DefaultTransport.RoundTrip(r)
	}
	if l.unseen > 0 {
		l.unseen--
		return nil, errors.New("connection reset before the request")
	}
	reply, err := http.DefaultTransport.RoundTrip(r)
	if err == nil && l.seen > 0 {
		l.seen--
		reply.Body.Close()
		return nil, errors.New("connection reset before the answer")
	}
	return reply, err
}

func TestServerLostAnswer(t *testing.T) {
	nomadtest.EachAlways(t, serverLostAnswer)
}

func serverLostAnswer(t *testing.T, c *api.Client) {
	for name, l := range map[string]*losing{"unseen": {unseen: 1}, "seen": {seen: 1}, "both": {seen: 1, unseen: 1}} {
		lossy, err := api.NewClient(&api.Config{Address: c.Address(), HttpClient: &http.Client{Transport: l}})
		if err != nil {
			t.Fatal(err)
		}
		for version := range uint64(2) {
			r := mustSubmit(t, lossy, job("lost-"+name, "service", fmt.Sprint(serves, " ", version)), deploy.Options{})
			eval, _, err := c.Evaluations().Info(r.EvalID, nil)
			if r.JobVersion != version || err != nil || eval.JobID != r.JobID || eval.CreateIndex != r.JobModifyIndex {
				t.Errorf("%s: receipt %+v, evaluation %+v", name, r, eval)
			}
		}
		if l.seen+l.unseen > 0 {
			t.Errorf("%s: no answer was lost", name)
		}
	}
}
