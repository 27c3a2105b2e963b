//go:build linux

package runner

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/hashicorp/nomad/api"
)

// needDriver skips the test where a driver is missing.
func needDriver(t *testing.T, name string) {
	t.Helper()
	n := newNode(t, nodeDir(t))
	if _, ok := n.drivers.Get(name); !ok {
		t.Skipf("there is no %s here", name)
	}
	n.stop()
}

// run runs a command of the test, and skips the test where the program is missing.
func run(t *testing.T, env []string, argv ...string) {
	t.Helper()
	if _, err := exec.LookPath(argv[0]); err != nil {
		t.Skip(err)
	}
	command := exec.Command(argv[0], argv[1:]...)
	command.Env = append(os.Environ(), env...)
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", command, err, out)
	}
}

const tickScript = `echo start >> $NOMAD_ALLOC_DIR/data/starts; i=0; while [ ! -e $NOMAD_ALLOC_DIR/data/go ]; do i=$((i+1)); echo $i; sleep 0.02; done; exit 7`

// javaTicker compiles one.
func javaTicker(t *testing.T) *api.Task {
	classes := t.TempDir()
	run(t, nil, "javac", "-d", classes, "testdata/Ticker.java")
	return &api.Task{Name: "web", Driver: "java", Config: map[string]any{"class": "Ticker", "class_path": classes}}
}

// dockerTicker builds an image with nothing else in it, and removes it when the test ends.
func dockerTicker(t *testing.T) *api.Task {
	dir, image := t.TempDir(), fmt.Sprintf("ostro-test-ticker-%d:1", os.Getpid())
	run(t, []string{"CGO_ENABLED=0"}, "go", "build", "-o", filepath.Join(dir, "ticker"), "./testdata/ticker")
	if err := os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte("FROM scratch\nCOPY ticker /ticker\nENTRYPOINT [\"/ticker\"]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, []string{"DOCKER_BUILDKIT=0"}, "docker", "build", "-q", "-t", image, dir)
	t.Cleanup(func() { run(t, nil, "docker", "rmi", "-f", image) })
	return &api.Task{Name: "web", Driver: "docker", Config: map[string]any{"image": image}}
}

// A kill -9 of the agent's whole process group leaves the tasks of every driver alone. The next agent finds them, starts
// no second copy, misses nothing of what they have written, and counts the exit code of one that ended meanwhile.
func TestAgentKilledWithEachDriver(t *testing.T) {
	for name, newTask := range map[string]func(*testing.T) *api.Task{
		"exec": func(*testing.T) *api.Task {
			task := shellTask("web", tickScript)
			task.Driver = "exec"
			return task
		},
		"java":   javaTicker,
		"docker": dockerTicker,
	} {
		t.Run(name, func(t *testing.T) {
			needDriver(t, name)
			id := fmt.Sprintf("%s-%d", name, os.Getpid())
			a := allocation(id, newTask(t))
			dir := newAgentDir(t, a)
			data := filepath.Join(dir, "alloc", id, "alloc", "data")
			log := filepath.Join(dir, "alloc", id, "alloc", "logs", "web.stdout.0")
			isRunning := func(u Update) bool { return u.ClientStatus == "running" }

			agent := startAgent(t, dir)
			defer func() { agent.kill9(); cleanAgent(t, dir) }()
			agent.await("running", id, isRunning)
			eventually(t, "logging", func() bool { return countLines(t, log) > 3 })
			agent.kill9()
			lines := countLines(t, log)
			if err := os.Remove(filepath.Join(dir, "reports", id+".json")); err != nil {
				t.Fatal(err)
			}
			agent = startAgent(t, dir)
			agent.await("running again", id, isRunning)
			eventually(t, "logging again", func() bool { return countLines(t, log) > lines+3 })
			agent.kill9()
			if err := os.WriteFile(filepath.Join(data, "go"), nil, 0o644); err != nil {
				t.Fatal(err)
			}
			agent = startAgent(t, dir)
			u := agent.await("failed", id, func(u Update) bool { return u.ClientStatus == "failed" })
			if !slices.ContainsFunc(eventTexts(u), func(text string) bool { return strings.HasPrefix(text, "web: Terminated: Exit Code: 7") }) {
				t.Errorf("events %q", eventTexts(u))
			}
			if starts := countLines(t, filepath.Join(data, "starts")); starts != 1 {
				t.Errorf("%d starts", starts)
			}
			for i, line := range strings.Fields(readFile(t, log)) {
				if line != strconv.Itoa(i+1) {
					t.Fatalf("line %d of the log is %q", i+1, line)
				}
			}
		})
	}
}

// What the runner prepares for a task of exec is the task's user's, and is where its environment says.
func TestExecTask(t *testing.T) {
	needDriver(t, "exec")
	dir := nodeDir(t)
	n := newNode(t, dir)
	task := shellTask("web", `echo $NOMAD_ALLOC_DIR $NOMAD_TASK_DIR $NOMAD_SECRETS_DIR; cat $NOMAD_SECRETS_DIR/word; ls -ld secrets | cut -c 1-10; exec sleep 1000`)
	task.Driver = "exec"
	task.Templates = []*api.Template{{EmbeddedTmpl: new("rendered\n"), DestPath: new("secrets/word"), ChangeMode: new("noop")}}
	n.Sync([]*api.Allocation{allocation("a1", task)})
	n.awaitStatus("a1", "running")
	log := filepath.Join(dir, "alloc/a1/alloc/logs/web.stdout.0")
	eventually(t, "logging", func() bool { return countLines(t, log) == 3 })
	if out, want := readFile(t, log), "/alloc /local /secrets\nrendered\ndrwx------\n"; out != want {
		t.Errorf("the task sees %q, not %q", out, want)
	}
	var out strings.Builder
	code, err := n.Talk(t.Context(), "a1", "web", Session{Args: []string{"sh", "-c", "cat /secrets/word; id -un"}, Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out})
	if err != nil || code != 0 || out.String() != "rendered\nnobody\n" {
		t.Errorf("alloc exec: %d, %q, %v", code, out.String(), err)
	}
	if usage, err := n.Usage(t.Context(), "a1"); err != nil || usage.Tasks["web"].ResourceUsage.MemoryStats.RSS == 0 {
		t.Errorf("usage %+v, %v", usage, err)
	}
}

// The users of a container are those of its image: this machine need not know them. They read what is prepared for them,
// and nobody else on the machine does.
func TestContainerOfAnUnknownUser(t *testing.T) {
	needDriver(t, "docker")
	dir := nodeDir(t)
	n := newNode(t, dir)
	task := dockerTicker(t)
	task.User = "54321"
	task.Templates = []*api.Template{{EmbeddedTmpl: new("a word\n"), DestPath: new("secrets/word"), ChangeMode: new("noop")}}
	id := fmt.Sprintf("user-%d", os.Getpid())
	n.Sync([]*api.Allocation{allocation(id, task)})
	n.awaitStatus(id, "running")
	log := filepath.Join(dir, "alloc", id, "alloc/logs/web.stdout.0")
	eventually(t, "logging", func() bool { return countLines(t, log) > 0 })
	if first, _, _ := strings.Cut(readFile(t, log), "\n"); first != "54321 reads a word" {
		t.Errorf("%q", first)
	}
	if info, err := os.Stat(filepath.Join(dir, "alloc", id, "web")); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info, err)
	}
}
