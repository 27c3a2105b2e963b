package watch_test

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"

	"ostro/nomadtest"
	"ostro/watch"
)

// A group that has no part in the deployment counts all the same: one whose
// max_parallel is 0, one that is new, one that is gone.
func TestVerdictGroupsApart(t *testing.T) { nomadtest.Each(t, verdictGroupsApart) }

func verdictGroupsApart(t *testing.T, c *api.Client) {
	with := func(names map[string]string) *api.Job {
		j := job("apart", "service", serves)
		first := *j.TaskGroups[0]
		j.TaskGroups = nil
		for _, name := range []string{"web", "atonce", "new"} {
			script, has := names[name]
			if !has {
				continue
			}
			g, update := first, *first.Update
			g.Name, g.Update, g.Tasks = &name, &update, []*api.Task{nomadtest.Task("server", script)}
			if name == "atonce" {
				update = *job("", "service", script).TaskGroups[0].Update
				update.MaxParallel = new(0)
			}
			j.TaskGroups = append(j.TaskGroups, &g)
		}
		return j
	}
	wantOutcome(t, verdict(t, c, register(t, c, with(map[string]string{"web": serves, "atonce": serves})), watch.Options{}), watch.Successful)
	wantOutcome(t, verdict(t, c, register(t, c, with(map[string]string{"web": serves, "atonce": serves, "new": serves})), watch.Options{}), watch.Successful)
	wantOutcome(t, verdict(t, c, register(t, c, with(map[string]string{"web": serves + " 1"})), watch.Options{}), watch.Successful)
	v := verdict(t, c, register(t, c, with(map[string]string{"web": serves + " 2", "atonce": breaks})), watch.Options{})
	wantOutcome(t, v, watch.Failed)
	if len(v.Reasons) != 1 || v.Reasons[0].Group != "atonce" {
		t.Errorf("reasons: %+v", v.Reasons)
	}
}

// A job that was purged and comes back is another one: what was said of the first
// is not said of it.
func TestVerdictPurgedAndBack(t *testing.T) { nomadtest.Each(t, verdictPurgedAndBack) }

func verdictPurgedAndBack(t *testing.T, c *api.Client) {
	wantOutcome(t, verdict(t, c, register(t, c, job("back", "service", serves)), watch.Options{}), watch.Successful)
	if _, _, err := c.Jobs().Deregister("back", true, nil); err != nil {
		t.Fatal(err)
	}
	wantOutcome(t, verdict(t, c, register(t, c, job("back", "service", breaks)), watch.Options{}), watch.Failed, "no stable version")
	wantOutcome(t, verdict(t, c, register(t, c, job("back", "service", serves)), watch.Options{}), watch.Successful)
}

// What stumbles and gets up is a success: restarts within the policy, and an
// allocation that is rescheduled.
func TestVerdictGetsUp(t *testing.T) { nomadtest.Each(t, verdictGetsUp) }

func verdictGetsUp(t *testing.T, c *api.Client) {
	flag := t.TempDir() + "/tries"
	third := fmt.Sprintf("echo x >> %s; test $(wc -l < %s) -ge 3 || exit 1; %s", flag, flag, serves)
	restarts := job("restarts", "service", third)
	restarts.TaskGroups[0].RestartPolicy = &api.RestartPolicy{Attempts: new(5), Interval: new(time.Minute), Delay: new(500 * time.Millisecond), Mode: new("fail")}
	restarts.TaskGroups[0].Update.MinHealthyTime = new(time.Second)
	wantOutcome(t, verdict(t, c, register(t, c, restarts), watch.Options{}), watch.Successful)

	again := t.TempDir() + "/tries"
	second := fmt.Sprintf("echo x >> %s; test $(wc -l < %s) -ge 2 || exit 1; %s", again, again, serves)
	moved := job("moved", "service", second)
	moved.TaskGroups[0].ReschedulePolicy = &api.ReschedulePolicy{Attempts: new(3), Interval: new(time.Hour), Delay: new(5 * time.Second), DelayFunction: new("constant"), Unlimited: new(false)}
	moved.TaskGroups[0].Update.HealthCheck = new("manual")
	o := watch.Options{Timeout: 4 * time.Minute, Notify: func(e watch.Event) {
		t.Logf("%s: %s", e.Kind, e.Text)
		if tries, _ := os.ReadFile(again); string(tries) == "x\nx\n" && strings.HasSuffix(e.Text, ": running") {
			d, _, err := c.Jobs().LatestDeployment("moved", nil)
			if err == nil {
				err = sayHealthy(c, true)(d)
			}
			if err != nil {
				t.Error(err)
			}
		}
	}}
	v, err := run(t.Context(), t, c, register(t, c, moved), o)
	if err != nil {
		t.Fatal(err)
	}
	wantOutcome(t, v, watch.Successful)
}

// Each kind of failure has its own words on the last screen.
func TestVerdictWhy(t *testing.T) { nomadtest.Each(t, verdictWhy) }

func verdictWhy(t *testing.T, c *api.Client) {
	for name, test := range map[string]struct {
		edit  func(*api.Job)
		words string
	}{
		"no-program": {func(j *api.Job) { j.TaskGroups[0].Tasks[0].Config = map[string]any{"command": "/no/such/program"} }, "/no/such/program"},
		"no-artifact": {func(j *api.Job) {
			j.TaskGroups[0].Tasks[0].Artifacts = []*api.TaskArtifact{{GetterSource: new(absent(t) + "/app.zip")}}
		}, "404"},
		"prestart": {func(j *api.Job) {
			init := nomadtest.Task("init", "echo no schema >&2; exit 6")
			init.Lifecycle = &api.TaskLifecycle{Hook: "prestart"}
			j.TaskGroups[0].Tasks = append(j.TaskGroups[0].Tasks, init)
		}, "Exit Code: 6"},
		"check": {func(j *api.Job) {
			g := j.TaskGroups[0]
			g.Networks = []*api.NetworkResource{{DynamicPorts: []api.Port{{Label: "http"}}}}
			g.Services = []*api.Service{{Name: "why-check", PortLabel: "http", Provider: "nomad", Checks: []api.ServiceCheck{{Type: "tcp", Interval: time.Second, Timeout: time.Second}}}}
			g.Update.HealthCheck, g.Update.HealthyDeadline, g.Update.ProgressDeadline = new("checks"), new(4*time.Second), new(2*time.Minute)
		}, "healthy"},
		"no-progress": {func(j *api.Job) {
			*j = *job(*j.ID, "service", breaks)
			j.TaskGroups[0].Update.ProgressDeadline = new(time.Duration(0))
		}, "Exit Code: 7"},
		"user": {func(j *api.Job) { j.TaskGroups[0].Tasks[0].User = "nobody-of-that-name" }, "nobody-of-that-name"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := job("why-"+name, "service", serves)
			test.edit(j)
			v := verdict(t, c, register(t, c, j), watch.Options{})
			wantOutcome(t, v, watch.Failed)
			told := ""
			for _, r := range v.Reasons {
				told += strings.Join(r.Events, "\n")
			}
			if !strings.Contains(told, test.words) {
				t.Errorf("the reasons do not say %q:\n%s", test.words, told)
			}
		})
	}
}

// absent is a server that has nothing.
func absent(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: http.NotFoundHandler()}
	go s.Serve(l)
	t.Cleanup(func() { s.Close() })
	return "http://" + l.Addr().String()
}

// An operator may stop an allocation in the midst of a deployment: its replacement
// takes its part.
func TestVerdictAllocStopped(t *testing.T) { nomadtest.Each(t, verdictAllocStopped) }

func verdictAllocStopped(t *testing.T, c *api.Client) {
	j := job("plucked", "service", serves)
	j.TaskGroups[0].Count, j.TaskGroups[0].Update.MinHealthyTime = new(2), new(3*time.Second)
	v := act(t, c, register(t, c, j), watch.Options{}, "running", func(*api.Deployment) error {
		allocs, _, err := c.Jobs().Allocations("plucked", false, nil)
		if err == nil && len(allocs) > 0 {
			_, err = c.Allocations().Stop(&api.Allocation{ID: allocs[0].ID}, nil)
		}
		return err
	})
	wantOutcome(t, v, watch.Successful)
}

// Where people say what is healthy, the verdict waits for them.
func TestVerdictManualHealth(t *testing.T) { nomadtest.Each(t, verdictManualHealth) }

func verdictManualHealth(t *testing.T, c *api.Client) {
	manual := func(script string) *api.Job {
		j := job("manual-health", "service", script)
		j.TaskGroups[0].Update.HealthCheck, j.TaskGroups[0].Update.AutoRevert = new("manual"), new(false)
		return j
	}
	wantOutcome(t, act(t, c, register(t, c, manual(serves)), watch.Options{}, ": running", sayHealthy(c, true)), watch.Successful)
	wantOutcome(t, act(t, c, register(t, c, manual(serves+" 1")), watch.Options{}, ": running", sayHealthy(c, false)), watch.Failed, "unhealthy allocations")
}

// sayHealthy says of all live allocations of a deployment whether they are
// healthy, as an operator may.
func sayHealthy(c *api.Client, healthy bool) func(*api.Deployment) error {
	return func(d *api.Deployment) error {
		allocs, _, err := c.Deployments().Allocations(d.ID, nil)
		if err != nil {
			return err
		}
		var good, bad []string
		for _, a := range allocs {
			switch {
			case a.ClientStatus == api.AllocClientStatusFailed:
			case healthy:
				good = append(good, a.ID)
			default:
				bad = append(bad, a.ID)
			}
		}
		_, _, err = c.Deployments().SetAllocHealth(d.ID, good, bad, nil)
		return err
	}
}
