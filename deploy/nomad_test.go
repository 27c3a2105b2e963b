package deploy_test

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
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
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); <-time.After(20 * time.Millisecond) {
		if j, _, err := c.Jobs().Info("counted", nil); err == nil && *j.Status == "running" {
			break
		}
	}
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
// what is registered in the end is what the last plan showed.
func TestServerConflict(t *testing.T) {
	nomadtest.EachAlways(t, serverConflict)
}

func serverConflict(t *testing.T, c *api.Client) {
	mustSubmit(t, c, job("race", "service", serves), deploy.Options{})
	plans := 0
	interfere := func(times int) func(*deploy.PlanResult) {
		plans = 0
		return func(*deploy.PlanResult) {
			if plans++; plans <= times {
				if _, _, err := c.Jobs().Register(job("race", "service", fmt.Sprint(serves, " ", plans)), nil); err != nil {
					t.Error(err)
				}
			}
		}
	}
	r := mustSubmit(t, c, job("race", "service", serves+" 10"), deploy.Options{Planned: interfere(2)})
	if plans != 3 || r.JobVersion != 3 {
		t.Errorf("%d plans, receipt %+v", plans, r)
	}
	_, err := submit(t, c, job("race", "service", serves+" 20"), deploy.Options{Planned: interfere(100)})
	if e, ok := errors.AsType[*deploy.Conflict](err); !ok || e.Attempts != 5 || plans != 5 {
		t.Errorf("after %d plans: %v", plans, err)
	}
}

func TestServerForceBatch(t *testing.T) { serverForceBatch(t, nomadtest.Real(t)) }

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
