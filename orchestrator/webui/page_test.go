package webui_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator"
	"ostro/orchestrator/orchestratortest"
)

// hostile is what a page that makes elements of texts would run.
const hostile = `<img src=x onerror=document.title='broken'>`

// service is a job that counts aloud. Its canaries wait for a promotion.
func service(id string, version, canaries int) string {
	return fmt.Sprintf(`
job %q {
  meta {
    git_sha = "c0ffee%d"
    note    = "%s"
  }
  update {
    min_healthy_time  = "100ms"
    healthy_deadline  = "5m"
    progress_deadline = "10m"
    canary            = %d
    auto_revert       = true
  }
  group "web" {
    count = 2
    task "server" {
      driver = "raw_exec"
      config {
        command = "/bin/sh"
        args    = ["-c", "i=0; while :; do i=$((i+1)); echo version %d counts $i; sleep 0.2; done"]
      }
      resources {
        cpu    = 20
        memory = 20
      }
    }
  }
}`, id, version, hostile, canaries, version)
}

// start runs an agent, where the long tests are wished for.
func start(t *testing.T, c orchestrator.Config) (agent *orchestratortest.Agent, origin string) {
	t.Helper()
	if os.Getenv("OSTRO_TEST") != "full" {
		t.Skip("the tests in a browser run under OSTRO_TEST=full")
	}
	chromium(t)
	agent = orchestratortest.Start(t, c)
	return agent, "http://" + agent.Addr()
}

// register registers the job of a text, as a terminal would.
func register(t *testing.T, agent *orchestratortest.Agent, text string) {
	t.Helper()
	job, err := agent.Client.Jobs().ParseHCL(text, true)
	if err == nil {
		_, _, err = agent.Client.Jobs().Register(job, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// fill puts a text into a field, as pasting does.
func (b *tab) fill(id, text string) {
	b.Helper()
	b.do(chromedp.WaitVisible("#" + id))
	eval[bool](b, fmt.Sprintf(`(() => {
		const field = document.getElementById(%q);
		field.value = %q;
		return field.dispatchEvent(new Event("input", {bubbles: true}));
	})()`, id, text))
}

// TestRunAJob goes from an empty agent to the log of a healthy job, by clicks.
func TestRunAJob(t *testing.T) {
	_, origin := start(t, orchestrator.Config{})
	b := open(t, origin, "/")
	b.sees("main", "No job runs here yet")
	b.shot("empty")
	b.click("Run a job")
	b.fill("job", `job "web" {`)
	b.click("Plan")
	b.sees("[role=alert]", "input.hcl:1")
	b.expect("status of 400")
	b.fill("job", service("web", 0, 1))
	b.click("Plan")
	b.sees("#plan", "Plan: a new job")
	b.shot("plan")
	b.fill("job", service("web", 0, 0))
	b.until("!document.getElementById('plan')") // What was planned is not what stands there now.
	b.click("Plan")
	b.click("Run")
	b.until("location.pathname === '/ui/jobs/web'")
	b.sees(".deployment .badge", "successful")
	b.sees(".heading .badge", "running")
	b.sees(".facts", "c0ffee0")
	b.sees(".facts", hostile)
	b.shot("job")

	b.do(chromedp.Click("td a[href^='/ui/allocations/']"))
	b.sees(".heading .badge", "running")
	b.sees("table", "Task started by client")
	b.sees("pre.log", "version 0 counts 1")
	length := eval[int](b, "document.querySelector('pre.log').innerText.length")
	b.until(fmt.Sprintf("document.querySelector('pre.log').innerText.length > %d", length+100))
	b.shot("alloc")
	b.click("stderr")
	b.until("document.querySelector('pre.log').innerText === ''")
	b.click("web")
	b.click("Definition")
	b.sees("pre.code", `job "web"`)
	b.click("Evaluations")
	b.sees("table", "job-register")
	b.click("Nodes")
	b.do(chromedp.Click("td a[href^='/ui/clients/']"))
	b.sees("main", "raw_exec")
	b.shot("node")
	b.click("Jobs")
	b.sees("td", "web")
	b.shot("jobs")
	if title := eval[string](b, "document.title"); title != "Jobs – Ostro" {
		t.Errorf("the title is %q", title)
	}
}

// TestDeploy promotes a canary, fails a deployment, and goes back to a version,
// all seen without loading the page again.
func TestDeploy(t *testing.T) {
	agent, origin := start(t, orchestrator.Config{})
	register(t, agent, service("web", 0, 1))
	b := open(t, origin, "/ui/jobs/web")
	b.sees(".deployment .badge", "successful")
	eval[int](b, "window.loaded = 1")

	register(t, agent, service("web", 1, 1))
	b.sees(".deployment .badge", "awaits promotion")
	b.shot("canary")
	b.click("Promote")
	b.shot("promote")
	b.click("Promote")
	b.sees("#said", "is promoted")
	b.sees(".deployment .badge", "successful")

	register(t, agent, service("web", 2, 1))
	b.sees(".deployment", "version 2")
	b.click("Deployments")
	b.sees(".deployment .badge", "awaits promotion")
	b.shot("deployments")
	b.click("Fail")
	b.click("Fail the deployment")
	b.sees("#said", "reverted to version 1")
	b.sees("td .badge", "failed")

	b.do(chromedp.Click("td a[href='/ui/jobs/web']"))
	b.click("Versions")
	b.sees(".version", "What differs from version 2")
	b.sees(".diff", "c0ffee2")
	b.shot("versions")
	b.do(chromedp.Click("section[aria-label='Version 0'] button"))
	b.sees("dialog", "Version 3 runs now")
	b.shot("revert")
	b.click("Revert")
	b.sees("#said", "goes back to version 0")
	b.sees(".version", "Version 4")
	b.click("Overview")
	b.sees(".deployment", "version 4")
	b.sees(".facts", "c0ffee0")
	if eval[int](b, "window.loaded") != 1 {
		t.Error("the page was loaded again")
	}
}

// TestByKeyboard does all with keys: each stop shows where it is.
func TestByKeyboard(t *testing.T) {
	agent, origin := start(t, orchestrator.Config{})
	register(t, agent, service("web", 0, 0))
	b := open(t, origin, "/ui/jobs")
	b.expect("status of 404") // The job came without its text.
	b.sees("td", "web")
	b.press(kb.Tab)
	b.focused("Skip to the content")
	b.press(kb.Enter)
	b.until("document.activeElement.id === 'main'")
	b.press("/")
	b.until("document.activeElement.id === 'find'")
	b.press("web")
	b.until("document.getElementById('find').value === 'web'")
	b.press(kb.Tab, kb.Tab)
	b.focused("web")
	b.press(kb.Enter)
	b.until("document.activeElement.tagName === 'H1' && document.activeElement.innerText === 'web'")
	b.press(kb.Tab)
	b.focused("Edit")
	b.press(kb.Enter)
	b.until("document.getElementById('job')?.value.includes('counts')")
	b.press(kb.Tab)
	b.until("document.activeElement.id === 'job'")
	b.do(chromedp.KeyEvent("a", chromedp.KeyModifiers(kb.ModifierCtrl)))
	b.press("job \"typed\" {\ntype = \"batch\"\ngroup \"g\" {\ntask \"t\" {\ndriver = \"raw_exec\"\nconfig {\ncommand = \"/bin/true\"\n}\n}\n}\n}\n")
	b.do(chromedp.KeyEvent(kb.Enter, chromedp.KeyModifiers(kb.ModifierCtrl)))
	b.until("document.activeElement.id === 'plan'")
	b.press(kb.Tab)
	b.focused("All that is new")
	b.press(kb.Tab)
	b.focused("Run")
	b.press(kb.Enter)
	b.sees(".heading .badge", "complete")
	b.sees("h1", "typed")
}

// raw makes of a key what a keyboard makes of it: a page that takes the key for
// itself keeps the character out of the field that it goes to.
func raw(k *input.DispatchKeyEventParams) {
	if k.Type == kb.KeyDown {
		k.Type = kb.KeyRawDown
	}
}

// press gives keys to whatever has the focus.
func (b *tab) press(keys ...string) {
	b.Helper()
	for _, key := range keys {
		b.do(chromedp.KeyEvent(key, raw))
	}
}

// focused holds that something with a text has the focus, and shows it.
func (b *tab) focused(text string) {
	b.Helper()
	b.until(fmt.Sprintf("document.activeElement.innerText === %q", text))
	if style := eval[string](b, "getComputedStyle(document.activeElement).outlineStyle"); style == "none" {
		b.Errorf("the focus on %q cannot be seen", text)
	}
}

// TestLinks holds that addresses of `nomad ui` lead to the right view.
func TestLinks(t *testing.T) {
	agent, origin := start(t, orchestrator.Config{})
	if _, err := agent.Client.Namespaces().Register(&api.Namespace{Name: "team"}, nil); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"web", "a/b", "at@home"} {
		job := api.NewServiceJob(id, id, "global", 50).AddTaskGroup(api.NewTaskGroup("g", 1).AddTask(api.NewTask("t", "raw_exec").SetConfig("command", "/bin/cat")))
		job.Namespace = new("team")
		if _, _, err := agent.Client.Jobs().Register(job, nil); err != nil {
			t.Fatal(err)
		}
	}
	nodes, _, err := agent.Client.Nodes().List(nil)
	if err != nil {
		t.Fatal(err)
	}
	b := open(t, origin, "/ui/")
	b.expect("status of 404")
	for path, title := range map[string]string{
		"/ui/jobs/web@team":              "web",
		"/ui/jobs/a%2Fb@team":            "a/b",
		"/ui/jobs/a/b@team":              "a/b",
		"/ui/jobs/at@home@team/versions": "at@home",
		"/ui/jobs/web":                   "There is nothing here",
		"/ui/clients/" + nodes[0].ID:     nodes[0].Name,
		"/ui/deployments":                "Deployments",
		"/ui/servers":                    "Nodes",
		"/ui/settings/tokens":            "Token",
		"/ui/elsewhere":                  "There is no such page",
	} {
		b.do(chromedp.Navigate(origin + path))
		b.sees("h1", title)
	}
	b.do(chromedp.Navigate(origin + "/ui/jobs"))
	for _, id := range []string{"a/b", "at@home"} {
		b.click(id)
		b.sees("h1", id)
		b.do(chromedp.NavigateBack())
		b.sees("h1", "Jobs")
	}
}
