//go:build unix

package runner

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-memdb"
	"github.com/hashicorp/nomad/api"
	"github.com/klauspost/compress/snappy"

	"ostro/nomadtest/freeport"
	"ostro/orchestrator/state"
	"ostro/orchestrator/template"
)

// openState opens a state whose variables templates see.
func openState(t *testing.T) *state.Store {
	t.Helper()
	store, err := state.Open(state.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store
}

func viewOf(store *state.Store) View {
	snapshot, watch := store.Snapshot(), memdb.NewWatchSet()
	return View{
		Nomad: template.Nomad{
			Variable:  func(ns, path string) *api.Variable { return snapshot.Variable(watch, ns, path) },
			Variables: func(ns, prefix string) []*api.Variable { return snapshot.Variables(watch, ns, prefix) },
			Services:  func(ns, name string) []*api.ServiceRegistration { return snapshot.Services(watch, ns, name) },
		},
		Changed: watch.WatchCtx,
	}
}

func putVariable(t *testing.T, store *state.Store, path, key, value string) {
	t.Helper()
	_, err := store.Update(func(tx *state.Txn) error {
		tx.PutVariable(&api.Variable{Namespace: "default", Path: path, Items: map[string]string{key: value}})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// withTemplate gives a task a template block that nothing delays.
func withTemplate(task *api.Task, text, mode string, change func(*api.Template)) *api.Task {
	tmpl := &api.Template{EmbeddedTmpl: &text, DestPath: new("local/out"), ChangeMode: &mode, Splay: new(time.Duration(0))}
	if change != nil {
		change(tmpl)
	}
	task.Templates = append(task.Templates, tmpl)
	return task
}

const oneVariable = `{{ with nomadVar "nomad/jobs/web" }}{{ .x }}{{ end }}`

func newViewNode(t *testing.T, store *state.Store) *node {
	return newNodeWith(t, nodeDir(t), func(c *Config) { c.View = func() View { return viewOf(store) } })
}

func hasEvent(u Update, text string) bool { return slices.Contains(eventTexts(u), text) }

func TestTemplateWaitsForItsData(t *testing.T) {
	store := openState(t)
	n := newViewNode(t, store)
	n.Sync([]*api.Allocation{allocation("a1", withTemplate(shellTask("web", "cat local/out; exec sleep 1000"), oneVariable, "restart", nil))})
	u := n.await("waiting", "a1", func(u Update) bool {
		return hasEvent(u, "web: Template: Missing: nomad.var.block(nomad/jobs/web@default.global)")
	})
	if u.ClientStatus != "pending" {
		t.Errorf("status %s", u.ClientStatus)
	}
	putVariable(t, store, "nomad/jobs/web", "x", "one")
	n.awaitStatus("a1", "running")
	dir, _ := n.AllocDir("a1")
	log := filepath.Join(dir, "alloc/logs/web.stdout.0")
	eventually(t, "rendered", func() bool { data, _ := os.ReadFile(log); return string(data) == "one" })

	putVariable(t, store, "nomad/jobs/web", "x", "two")
	u = n.await("restarted", "a1", func(u Update) bool { return u.TaskStates["web"].Restarts == 1 && u.ClientStatus == "running" })
	if !hasEvent(u, "web: Restart Signaled: Template with change_mode restart re-rendered") {
		t.Error(eventTexts(u))
	}
	eventually(t, "rendered again", func() bool { data, _ := os.ReadFile(log); return string(data) == "onetwo" })
}

func TestTemplateChangeModes(t *testing.T) {
	store := openState(t)
	putVariable(t, store, "nomad/jobs/web", "x", "one")
	n := newViewNode(t, store)
	signalled := withTemplate(shellTask("web", `trap 'cat local/out' HUP; echo up; while :; do sleep 0.02; done`), oneVariable, "signal",
		func(s *api.Template) { s.ChangeSignal = new("SIGHUP") })
	script := func(text string) func(*api.Template) {
		return func(s *api.Template) {
			s.ChangeScript = &api.ChangeScript{Command: new("/bin/sh"), Args: []string{"-c", text}, FailOnError: new(true)}
		}
	}
	scripted := withTemplate(shellTask("web", "exec sleep 1000"), oneVariable, "script", script("cp local/out local/copy"))
	failing := withTemplate(shellTask("web", "exec sleep 1000"), oneVariable, "script", script("exit 3"))
	quiet := withTemplate(shellTask("web", "exec sleep 1000"), oneVariable, "noop", nil)
	n.Sync([]*api.Allocation{allocation("signal", signalled), allocation("script", scripted), allocation("failing", failing), allocation("noop", quiet)})
	for _, id := range []string{"signal", "script", "failing", "noop"} {
		n.awaitStatus(id, "running")
	}
	dir, _ := n.AllocDir("signal")
	log := filepath.Join(dir, "alloc/logs/web.stdout.0")
	eventually(t, "up", func() bool { data, _ := os.ReadFile(log); return string(data) == "up\n" })
	putVariable(t, store, "nomad/jobs/web", "x", "two")

	n.await("signalled", "signal", func(u Update) bool { return hasEvent(u, "web: Signaling: Template re-rendered") })
	eventually(t, "told", func() bool { data, _ := os.ReadFile(log); return string(data) == "up\ntwo" })
	n.await("run", "script", func(u Update) bool {
		return hasEvent(u, "web: Task hook message: Template successfully ran script /bin/sh with arguments: [-c cp local/out local/copy]. Exit code: 0")
	})
	u := n.awaitStatus("failing", "failed")
	for _, want := range []string{
		"web: Task hook failed: Template ran script /bin/sh with arguments [-c exit 3] on change but it exited with code: 3",
		"web: Killing: Template script failed, task is being killed",
	} {
		if !hasEvent(u, want) {
			t.Errorf("%q is not in %q", want, eventTexts(u))
		}
	}
	dir, _ = n.AllocDir("noop")
	eventually(t, "rendered", func() bool { data, _ := os.ReadFile(filepath.Join(dir, "web/local/out")); return string(data) == "two" })
	n.mu.Lock()
	defer n.mu.Unlock()
	if s := n.latest["noop"].TaskStates["web"]; s.Restarts > 0 || len(s.Events) != 3 {
		t.Errorf("noop: %+v", s)
	}
}

// To the templates of an allocation its own services are there from the beginning to the end, lest their coming restarts
// the task that they come with.
func TestTemplateOfItsOwnService(t *testing.T) {
	n := newViewNode(t, openState(t))
	task := serveTask("web", "http")
	withTemplate(task, `{{ range nomadServices }}{{ .Name }}{{ end }}{{ range nomadService "web-svc" }} {{ .Port }}{{ end }}`, "restart", nil)
	port := freeport.Take()
	n.Sync([]*api.Allocation{withService(allocation("a1", task), port, quickCheck("/"))})
	n.await("listed", "a1", func(u Update) bool { return len(u.Services) == 1 })
	dir, _ := n.AllocDir("a1")
	if text, want := readFile(t, filepath.Join(dir, "web/local/out")), "web-svc "+strconv.Itoa(port); text != want {
		t.Errorf("%q; want %q", text, want)
	}
}

func TestTemplateEnvironmentAndFile(t *testing.T) {
	n := newNode(t, nodeDir(t))
	task := shellTask("web", "echo $A $B ${C}; exit 0")
	task.Env = map[string]string{"A": "old"}
	withTemplate(task, "# words\nexport A=new\nB=\"two words\" # why\nC='it''s'\n", "restart", func(s *api.Template) {
		s.Envvars, s.Perms, s.DestPath = new(true), new("0600"), new("secrets/env")
	})
	task.Config["args"] = append(task.Config["args"].([]any), "${A}")
	n.Sync([]*api.Allocation{allocation("a1", task)})
	n.await("ended", "a1", func(u Update) bool { return u.ClientStatus == "failed" || u.ClientStatus == "complete" })
	dir, _ := n.AllocDir("a1")
	if out := readFile(t, filepath.Join(dir, "alloc/logs/web.stdout.0")); out != "new two words its\n" {
		t.Errorf("stdout %q", out)
	}
	info, err := os.Stat(filepath.Join(dir, "web/secrets/env"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info, err)
	}
}

func TestTemplateRefusals(t *testing.T) {
	n := newNode(t, nodeDir(t))
	with := func(text string, change func(*api.Template)) *api.Task {
		return withTemplate(shellTask("web", "exec sleep 1000"), text, "restart", change)
	}
	cases := map[string]struct {
		task *api.Task
		want string
	}{
		"sandbox": {with(`{{ file "/etc/passwd" }}`, nil), `web: Killing: Template failed: (dynamic): execute: template: :1:3: executing "" at <file "/etc/passwd">: error calling file: '/etc/passwd' is outside of sandbox`},
		"parse":   {with(`{{ nope }}`, nil), `web: Killing: Template failed: (dynamic): parse: template: :1: function "nope" not defined`},
		"env":     {with("no env", func(s *api.Template) { s.Envvars = new(true) }), "error on line 1: missing ="},
		"source": {with("", func(s *api.Template) { s.SourcePath = new("../../../etc/passwd") }),
			"web: Task hook failed: template: template source path escapes alloc directory"},
		"destination": {with("", func(s *api.Template) { s.DestPath = new("../../../escaped") }),
			"web: Task hook failed: template: template destination path escapes alloc directory"},
		"source of the machine": {with("", func(s *api.Template) { s.SourcePath = new("/etc/passwd") }),
			"web: Task hook failed: template: template source path escapes alloc directory"},
		"source and text": {with("x", func(s *api.Template) { s.SourcePath = new("local/none") }),
			"web: Task hook failed: template: template: cannot specify both 'source' and 'contents'"},
		"nothing": {with("", func(s *api.Template) { s.SourcePath = new("local/none") }), "open /web/local/none: no such file or directory"},
	}
	var all []*api.Allocation
	for id, tc := range cases {
		all = append(all, allocation(id, tc.task))
	}
	n.Sync(all)
	for id, tc := range cases {
		u := n.awaitStatus(id, "failed")
		if got := strings.Join(eventTexts(u), "\n"); !strings.Contains(got, tc.want) {
			t.Errorf("%s: %q is not in %s", id, tc.want, got)
		}
	}
}

// A task cannot make the agent write elsewhere by a link in its folder.
func TestTemplateStaysInside(t *testing.T) {
	store := openState(t)
	putVariable(t, store, "nomad/jobs/web", "x", "one")
	outside := t.TempDir()
	n := newViewNode(t, store)
	task := shellTask("web", "mv local/d local/old; ln -s "+outside+" local/d; echo up; exec sleep 1000")
	withTemplate(task, oneVariable, "noop", func(s *api.Template) { s.DestPath = new("local/d/out") })
	n.Sync([]*api.Allocation{allocation("a1", task)})
	dir, _ := n.AllocDir("a1")
	eventually(t, "up", func() bool { return countLines(t, filepath.Join(dir, "alloc/logs/web.stdout.0")) == 1 })
	putVariable(t, store, "nomad/jobs/web", "x", "two")
	n.awaitStatus("a1", "failed")
	entries, err := os.ReadDir(outside)
	if err != nil || len(entries) > 0 {
		t.Errorf("%v %v", entries, err)
	}
}

func TestDispatchPayload(t *testing.T) {
	n := newNode(t, nodeDir(t))
	task := shellTask("web", "cat local/in/put; exit 1")
	task.DispatchPayload = &api.DispatchPayloadConfig{File: "in/put"}
	a := allocation("a1", task)
	a.Job.Payload = snappy.Encode(nil, []byte("hello"))
	bad := allocation("a2", task)
	bad.Job.Payload = []byte("no snappy")
	n.Sync([]*api.Allocation{a, bad})
	n.awaitStatus("a1", "failed")
	dir, _ := n.AllocDir("a1")
	if diff := cmp.Diff("hello", readFile(t, filepath.Join(dir, "alloc/logs/web.stdout.0"))); diff != "" {
		t.Error(diff)
	}
	u := n.awaitStatus("a2", "failed")
	if got := strings.Join(eventTexts(u), "\n"); !strings.Contains(got, "web: Task hook failed: dispatch_payload: read the payload") {
		t.Error(got)
	}
}
