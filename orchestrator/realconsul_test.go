package orchestrator_test

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator"
	"ostro/orchestrator/orchestratortest"
)

// consulJob is two instances of a service that Consul knows, with a check that Consul does.
func consulJob(kind, version string) *api.Job {
	job := answeringJob(kind, version)
	job.Update.HealthyDeadline, job.Update.ProgressDeadline = new(2*time.Minute), new(3*time.Minute)
	service := job.TaskGroups[0].Services[0]
	service.Provider, service.Tags, service.CanaryTags = "consul", []string{"urlprefix-/foo", "v" + version}, []string{"canary"}
	service.Meta = map[string]string{"team": "a"}
	service.Checks[0].Timeout = 30 * time.Second
	return job
}

// idsOf are the IDs of the instances of a service, sorted.
func idsOf(entries []consulEntry) []string {
	var ids []string
	for _, e := range entries {
		ids = append(ids, e.Service.ID)
	}
	slices.Sort(ids)
	return ids
}

// A service lives in Consul as long as its allocation: through an update, a failure and a kill of the agent, beside
// services of others and of another agent.
func TestRealConsul(t *testing.T) {
	c := startConsul(t, "", "")
	c.put(t, "/v1/agent/service/register", map[string]any{"ID": "_nomad-task-foreign", "Name": "foreign"})
	a := orchestratortest.Start(t, orchestrator.Config{Consul: c.url, Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	register(t, a, consulJob("good", "0"))
	deployment(t, a, "web", 0, "successful")
	if n := c.passing(t, "web"); n != 2 {
		t.Fatalf("%d instances pass in Consul when the deployment is over: %+v", n, c.service(t, "web"))
	}
	first := c.service(t, "web")

	t.Run("agent restarts", func(t *testing.T) {
		a.Restart(t)
		orchestratortest.Eventually(t, "it has taken its tasks up", func() bool { return len(running(t, a, "web")) == 2 })
		again := c.service(t, "web")
		for i, e := range again {
			if len(again) != 2 || e.Service.CreateIndex != first[i].Service.CreateIndex || e.Checks[0].CreateIndex != first[i].Checks[0].CreateIndex || e.Checks[0].Status != "passing" {
				t.Errorf("it was registered anew: %+v", e)
			}
		}
	})

	t.Run("update", func(t *testing.T) {
		tagged := consulJob("good", "0")
		tagged.TaskGroups[0].Services[0].Tags = []string{"other"}
		register(t, a, tagged)
		deployment(t, a, "web", 1, "successful")
		now := c.service(t, "web")
		if !slices.Equal(idsOf(now), idsOf(first)) || !slices.Equal(now[0].Service.Tags, []string{"other"}) || !slices.Equal(now[1].Service.Tags, []string{"other"}) {
			t.Errorf("%+v", now)
		}
	})

	t.Run("canary", func(t *testing.T) {
		canary := consulJob("good", "2")
		canary.Update.Canary = new(1)
		register(t, a, canary)
		tagged := func() (n int) {
			for _, e := range c.service(t, "web") {
				if slices.Equal(e.Service.Tags, []string{"canary"}) {
					n++
				}
			}
			return n
		}
		orchestratortest.Eventually(t, "there is a canary", func() bool { return tagged() == 1 && c.passing(t, "web") == 3 })
		var d *api.Deployment
		orchestratortest.Eventually(t, "it is healthy", func() bool {
			d, _, _ = a.Client.Jobs().LatestDeployment("web", nil)
			return d != nil && d.JobVersion == 2 && d.TaskGroups["g"].HealthyAllocs == 1
		})
		if _, _, err := a.Client.Deployments().PromoteAll(d.ID, nil); err != nil {
			t.Fatal(err)
		}
		deployment(t, a, "web", 2, "successful")
		c.awaitPassing(t, "web", 2)
		if tagged() != 0 {
			t.Error("the canary's tag is left")
		}
	})

	t.Run("failure", func(t *testing.T) {
		gone := running(t, a, "web")[0]
		task := gone.ID
		if err := a.Client.Allocations().Signal(&api.Allocation{ID: task, NodeID: gone.NodeID}, nil, "t", "SIGKILL"); err != nil {
			t.Fatal(err)
		}
		orchestratortest.Eventually(t, "it is gone from Consul", func() bool {
			return !slices.ContainsFunc(c.service(t, "web"), func(e consulEntry) bool { return strings.Contains(e.Service.ID, task) })
		})
		c.awaitPassing(t, "web", 1)
	})

	t.Run("two agents", func(t *testing.T) {
		b := orchestratortest.Start(t, orchestrator.Config{Consul: c.url})
		other := consulJob("good", "0")
		other.ID, other.Name = new("other"), new("other")
		register(t, b, other)
		deployment(t, b, "other", 0, "successful")
		c.awaitPassing(t, "web", 3)
		if _, _, err := a.Client.Jobs().Deregister("web", false, nil); err != nil {
			t.Fatal(err)
		}
		c.awaitPassing(t, "web", 2)
		a.Restart(t)
		if err := b.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		c.awaitPassing(t, "web", 0)
		b.Restart(t)
	})
	if len(c.service(t, "foreign")) != 1 {
		t.Error("a service of others is gone")
	}
}

// A deployment goes by what Consul says of its checks, which those go by who ask Consul.
func TestRealConsulHealth(t *testing.T) {
	onlyInFull(t)
	c := startConsul(t, "", "")
	a := orchestratortest.Start(t, orchestrator.Config{Consul: c.url, Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	scripted := func(script string) *api.Job {
		job := consulJob("good", script)
		job.TaskGroups[0].Services[0].Checks = append(job.TaskGroups[0].Services[0].Checks,
			api.ServiceCheck{Name: "tcp", Type: "tcp", Interval: time.Second, Timeout: 5 * time.Second},
			api.ServiceCheck{Name: "script", Type: "script", TaskName: "t", Command: "/bin/sh", Args: []string{"-c", script}, Interval: time.Second, Timeout: 5 * time.Second},
			api.ServiceCheck{Name: "ignored", Type: "http", Path: "/", PortLabel: "1", Interval: time.Second, Timeout: 5 * time.Second, OnUpdate: "ignore"})
		return job
	}
	register(t, a, scripted("echo fine"))
	deployment(t, a, "web", 0, "successful")
	for _, e := range c.service(t, "web") {
		statuses := map[string]string{}
		for _, check := range e.Checks {
			statuses[check.Name+" "+check.Type] = check.Status
			if check.Name == "script" && check.Output != "fine\n" {
				t.Errorf("the script's output is %q", check.Output)
			}
		}
		want := map[string]string{`service: "web" check http`: "passing", "tcp tcp": "passing", "script ttl": "passing", "ignored http": "critical"}
		if fmt.Sprint(statuses) != fmt.Sprint(want) {
			t.Errorf("%v", statuses)
		}
	}
	bad := scripted("exit 2")
	bad.Update.HealthyDeadline, bad.Update.ProgressDeadline = new(5*time.Second), new(10*time.Second)
	register(t, a, bad)
	deployment(t, a, "web", 1, "failed")
	deployment(t, a, "web", 2, "successful")
	orchestratortest.Eventually(t, "the failed one is gone", func() bool { return len(c.service(t, "web")) == 2 })

	// A check that restarts its task does so, and what is given up is gone from Consul.
	restarted := consulJob("bad", "0")
	restarted.ID, restarted.Name, restarted.TaskGroups[0].Services[0].Name = new("restarted"), new("restarted"), "restarted"
	restarted.TaskGroups[0].Services[0].Checks[0].CheckRestart = &api.CheckRestart{Limit: 2, Grace: new(time.Second)}
	register(t, a, restarted)
	orchestratortest.Eventually(t, "Consul has both", func() bool { return len(c.service(t, "restarted")) == 2 })
	deployment(t, a, "restarted", 0, "failed")
	orchestratortest.Eventually(t, "Consul has none", func() bool { return len(c.service(t, "restarted")) == 0 })
	if !anyEvent(t, a, "restarted", `check "service: \"restarted\" check" unhealthy`) {
		t.Error("no task was restarted by its check")
	}

	// While Consul is away nobody could find a new instance, so a deployment does not succeed, and says why.
	odd := consulJob("good", "3")
	odd.Update.HealthyDeadline, odd.Update.ProgressDeadline = new(5*time.Second), new(10*time.Second)
	c.kill()
	register(t, a, odd)
	deployment(t, a, "web", 3, "failed")
	c.start(t)
	orchestratortest.Eventually(t, "all are there again", func() bool { return len(c.service(t, "web")) == 2 })
	if !anyEvent(t, a, "web", "Consul does not have all of them with passing checks: ask Consul") {
		t.Error("nobody says that Consul was not there")
	}
}

// anyEvent reports whether an event of some task of a job holds a text.
func anyEvent(t *testing.T, a *orchestratortest.Agent, jobID, text string) bool {
	t.Helper()
	stubs, _, err := a.Client.Jobs().Allocations(jobID, true, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, stub := range stubs {
		for _, e := range stub.TaskStates["t"].Events {
			if strings.Contains(e.DisplayMessage, text) {
				return true
			}
		}
	}
	return false
}

// A Consul that loses all gets it again; tags that may be changed there stay as they are, others do not.
func TestRealConsulForgets(t *testing.T) {
	onlyInFull(t)
	c := startConsul(t, "", "")
	a := orchestratortest.Start(t, orchestrator.Config{Consul: c.url, Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	job := consulJob("good", "0")
	mine := *job.TaskGroups[0].Services[0]
	mine.Name, mine.EnableTagOverride = "mine", true
	rare := &api.Service{Name: "rare", PortLabel: "http", Checks: []api.ServiceCheck{
		{Type: "http", Path: "/", Interval: time.Hour, Timeout: 30 * time.Second, OnUpdate: "ignore"},
	}}
	job.TaskGroups[0].Services = append(job.TaskGroups[0].Services, &mine, rare)
	register(t, a, job)
	deployment(t, a, "web", 0, "successful")
	before, pids := idsOf(c.service(t, "web")), running(t, a, "web")

	retag := func(name string) string {
		e := c.service(t, name)[0]
		c.put(t, "/v1/agent/service/register", map[string]any{
			"ID": e.Service.ID, "Name": name, "Tags": []string{"changed"}, "Meta": e.Service.Meta, "Port": e.Service.Port,
			"Address": e.Service.Address, "EnableTagOverride": e.Service.EnableTagOverride,
		})
		return e.Service.ID
	}
	tags := func(name, id string) (all []string) {
		for _, e := range c.service(t, name) {
			if e.Service.ID == id {
				all = e.Service.Tags
			}
		}
		return all
	}
	free, fixed := retag("mine"), retag("web")
	orchestratortest.Eventually(t, "the tags are as the job has them", func() bool { return slices.Contains(tags("web", fixed), "urlprefix-/foo") })
	if got := tags("mine", free); !slices.Equal(got, []string{"changed"}) {
		t.Errorf("the tags that anybody may change are %v", got)
	}

	c.kill()
	c.start(t)
	orchestratortest.Eventually(t, "the services are there again", func() bool { return len(c.service(t, "web")) == 2 && len(c.service(t, "mine")) == 2 })
	c.awaitPassing(t, "rare", 2) // though Consul does its check once an hour
	c.awaitPassing(t, "web", 2)
	c.awaitPassing(t, "mine", 2)
	if after := idsOf(c.service(t, "web")); !slices.Equal(before, after) {
		t.Errorf("there were %v, now %v", before, after)
	}
	for i, alloc := range running(t, a, "web") {
		if alloc.ID != pids[i].ID || alloc.TaskStates["t"].Restarts != 0 {
			t.Errorf("the allocation %s restarted or is new", alloc.ID)
		}
	}

	// What was stopped while Consul was away is not there later.
	if err := c.ask(http.MethodPut, "/v1/agent/service/deregister/"+before[0], nil, nil); err != nil {
		t.Fatal(err)
	}
	c.awaitPassing(t, "web", 2)
	if _, _, err := a.Client.Jobs().Deregister("web", false, nil); err != nil {
		t.Fatal(err)
	}
	c.awaitPassing(t, "web", 0)
	c.awaitPassing(t, "mine", 0)
}

const consulACL = `
acl {
  enabled        = true
  default_policy = "deny"
  tokens {
    initial_management = "11111111-1111-1111-1111-111111111111"
    agent              = "11111111-1111-1111-1111-111111111111"
  }
}`

// A Consul that wants a token gets the configured one. With a wrong one services live in the own catalogue, as without
// a Consul.
func TestRealConsulToken(t *testing.T) {
	onlyInFull(t)
	const management, token = "11111111-1111-1111-1111-111111111111", "22222222-2222-2222-2222-222222222222"
	c := startConsul(t, management, consulACL)
	c.put(t, "/v1/acl/policy", map[string]any{"Name": "ostro", "Rules": `
		agent_prefix "" { policy = "read" }
		node_prefix "" { policy = "read" }
		service_prefix "" { policy = "write" }
		key_prefix "app/" { policy = "read" }`})
	c.put(t, "/v1/acl/token", map[string]any{"SecretID": token, "Policies": []map[string]string{{"Name": "ostro"}}})
	c.put(t, "/v1/kv/app/color", "blue")

	var log bytes.Buffer
	wrong := orchestratortest.Start(t, orchestrator.Config{
		Consul: c.url, ConsulToken: "33333333-3333-3333-3333-333333333333", Log: slog.New(slog.NewTextHandler(&log, nil)),
	})
	register(t, wrong, consulJob("good", "0"))
	deployment(t, wrong, "web", 0, "successful")
	if listed, _, err := wrong.Client.Services().Get("web", nil); err != nil || len(listed) != 2 || len(c.service(t, "web")) != 0 {
		t.Errorf("the own catalogue has %v, %v", listed, err)
	}
	if err := wrong.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if said := log.String(); !strings.Contains(said, "ACL not found") || strings.Count(said, "services are not registered in Consul") != 1 {
		t.Errorf("the agent says %s", said)
	}
	wrong.Restart(t)

	a := orchestratortest.Start(t, orchestrator.Config{Consul: c.url, ConsulToken: token})
	job := consulJob("good", "0")
	job.TaskGroups[0].Tasks[0].Templates = []*api.Template{{
		DestPath: new("local/out"), ChangeMode: new("noop"), EmbeddedTmpl: new(strings.Join([]string{
			`{{ key "app/color" }}`, `{{ keyExists "app/none" }}`, `{{ keyOrDefault "app/none" "x" }}`,
			`{{ range ls "app" }}{{ .Key }}={{ .Value }}{{ end }}`, `{{ range service "web" }}{{ .Port }} {{ end }}`,
		}, "\n")),
	}}
	register(t, a, job)
	deployment(t, a, "web", 0, "successful")
	c.awaitPassing(t, "web", 2)
	var ports []string
	for _, e := range c.service(t, "web") {
		ports = append(ports, fmt.Sprint(e.Service.Port))
	}
	rendered := func() string {
		alloc := running(t, a, "web")[0]
		out, err := a.Client.AllocFS().Cat(&api.Allocation{ID: alloc.ID, NodeID: alloc.NodeID}, "t/local/out", nil)
		if err != nil {
			return ""
		}
		defer out.Close()
		data, err := io.ReadAll(out)
		if err != nil {
			return ""
		}
		return string(data)
	}
	text := ""
	orchestratortest.Eventually(t, "the template has both instances", func() bool {
		text = rendered()
		return strings.Contains(text, ports[0]) && strings.Contains(text, ports[1])
	})
	if !strings.HasPrefix(text, "blue\nfalse\nx\ncolor=blue\n") {
		t.Errorf("%q", text)
	}
	c.put(t, "/v1/kv/app/color", "green")
	orchestratortest.Eventually(t, "the template has the new value", func() bool {
		return strings.HasPrefix(rendered(), "green\n")
	})
}
