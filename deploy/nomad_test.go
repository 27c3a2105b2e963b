package deploy_test

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"

	"ostro/deploy"
)

// nomad is one real agent for all tests of the package, started by the first
// that needs it.
var nomad struct {
	sync.Once
	client *api.Client
	stop   func()
	err    error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if nomad.stop != nil {
		nomad.stop()
	}
	os.Exit(code)
}

// realNomad returns a client of a real nomad agent, or skips the test.
func realNomad(t *testing.T) *api.Client {
	t.Helper()
	t.Parallel()
	path, err := exec.LookPath("nomad")
	if err != nil {
		t.Skip("no nomad on PATH: submitting to a real cluster is not tested")
	}
	nomad.Do(func() { nomad.client, nomad.stop, nomad.err = startNomad(path) })
	if nomad.err != nil {
		t.Fatal(nomad.err)
	}
	return nomad.client
}

func startNomad(path string) (*api.Client, func(), error) {
	dir, err := os.MkdirTemp("", "ostro-nomad-")
	if err != nil {
		return nil, nil, err
	}
	ports := freePorts(3)
	config := fmt.Sprintf(`
ports { http = %d, rpc = %d, serf = %d }
plugin "raw_exec" { config { enabled = true } }
client { options = { "fingerprint.denylist" = "env_aws,env_gce,env_azure,env_digitalocean" } }
`, ports[0], ports[1], ports[2])
	config = strings.ReplaceAll(config, ", ", "\n")
	file := filepath.Join(dir, "agent.hcl")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		return nil, nil, err
	}
	log, err := os.Create(filepath.Join(dir, "agent.log"))
	if err != nil {
		return nil, nil, err
	}
	cmd := exec.Command(path, "agent", "-dev", "-bind=127.0.0.1", "-config="+file)
	cmd.Env = slices.DeleteFunc(os.Environ(), func(s string) bool { return strings.HasPrefix(s, "AWS_CA_BUNDLE=") })
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return nil, nil, err
	}
	stop := func() {
		cmd.Process.Signal(os.Interrupt)
		cmd.Wait()
		os.RemoveAll(dir)
	}
	client, err := api.NewClient(&api.Config{Address: fmt.Sprintf("http://127.0.0.1:%d", ports[0])})
	if err == nil {
		err = awaitNode(client)
	}
	if err != nil {
		stop()
		return nil, nil, err
	}
	return client, stop, nil
}

// purge stops a job, waits until nothing of it runs, so that no process outlives
// the agent, and removes it.
func purge(c *api.Client, id string) {
	c.Jobs().Deregister(id, false, nil)
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); <-time.After(50 * time.Millisecond) {
		allocs, _, err := c.Jobs().Allocations(id, true, nil)
		if err != nil || !slices.ContainsFunc(allocs, func(a *api.AllocationListStub) bool {
			return a.ClientStatus == "running" || a.ClientStatus == "pending"
		}) {
			break
		}
	}
	c.Jobs().Deregister(id, true, nil)
}

// awaitNode waits until the agent has a node that takes allocations.
func awaitNode(c *api.Client) error {
	deadline := time.Now().Add(time.Minute)
	for time.Now().Before(deadline) {
		nodes, _, err := c.Nodes().List(nil)
		if err == nil && len(nodes) == 1 && nodes[0].Status == "ready" && nodes[0].Drivers["raw_exec"] != nil && nodes[0].Drivers["raw_exec"].Healthy {
			return nil
		}
		<-time.After(100 * time.Millisecond)
	}
	return fmt.Errorf("nomad has no ready node with raw_exec after a minute")
}

func freePorts(n int) (ports []int) {
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			panic(err)
		}
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports
}

// job is a shell script as a job with short times.
func job(id, kind, script string) *api.Job {
	j := &api.Job{
		ID: &id, Name: new(id + "-name"), Type: &kind, Datacenters: []string{"*"},
		TaskGroups: []*api.TaskGroup{{
			Name: new("web"),
			Update: &api.UpdateStrategy{
				MaxParallel: new(1), HealthCheck: new("task_states"), AutoRevert: new(true),
				MinHealthyTime: new(500 * time.Millisecond), HealthyDeadline: new(15 * time.Second), ProgressDeadline: new(20 * time.Second),
			},
			RestartPolicy:    &api.RestartPolicy{Attempts: new(0), Mode: new("fail"), Interval: new(time.Minute), Delay: new(time.Second)},
			ReschedulePolicy: &api.ReschedulePolicy{Attempts: new(0), Unlimited: new(false), Interval: new(time.Minute), Delay: new(5 * time.Second), DelayFunction: new("constant"), MaxDelay: new(time.Minute)},
			Tasks: []*api.Task{{
				Name: "server", Driver: "raw_exec",
				Config:      map[string]any{"command": "/bin/sh", "args": []string{"-c", script}},
				Resources:   &api.Resources{CPU: new(10), MemoryMB: new(10)},
				KillTimeout: new(time.Second),
			}},
		}},
	}
	switch kind {
	case "system":
		j.TaskGroups[0].ReschedulePolicy = nil
	case "batch":
		j.TaskGroups[0].Update = nil
	case "sysbatch":
		j.TaskGroups[0].Update, j.TaskGroups[0].ReschedulePolicy = nil, nil
	}
	return j
}

const serves = "exec sleep 600"

func submit(t *testing.T, c *api.Client, job *api.Job, o deploy.Options) (*deploy.Receipt, error) {
	t.Helper()
	t.Cleanup(func() { purge(c, *job.ID) })
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

func TestRealSubmit(t *testing.T) {
	c := realNomad(t)
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

func TestRealCounts(t *testing.T) {
	c := realNomad(t)
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

func TestRealGuards(t *testing.T) {
	c := realNomad(t)
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
func TestRealConflict(t *testing.T) {
	c := realNomad(t)
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

func TestRealForceBatch(t *testing.T) {
	c := realNomad(t)
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

func TestRealLostAnswer(t *testing.T) {
	c := realNomad(t)
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
