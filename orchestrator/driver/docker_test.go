//go:build linux

package driver_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ostro/nomadtest/freeport"
	"ostro/orchestrator/driver"
)

// A machine is its drivers, until they are closed.
type machine struct {
	*driver.Set
	closed bool
}

// openSet gives the drivers of this machine, and skips the test when one is missing. On cleanup all tasks end.
func openSet(t *testing.T, name, dir string) (*machine, driver.Driver) {
	t.Helper()
	opened, err := driver.Open(t.Context(), dir, []string{os.Args[0], "supervise"})
	if err != nil {
		t.Fatal(err)
	}
	set := &machine{Set: opened}
	t.Cleanup(func() {
		if set.closed {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		for found, err := range set.Tasks(ctx, dir) {
			if err != nil {
				t.Error(err)
				break
			}
			d, _ := set.Get(found.Driver)
			if err := d.Stop(ctx, found.ID, "SIGKILL", 0); err != nil {
				t.Error(err)
			}
			if err := d.Forget(ctx, found.ID); err != nil {
				t.Error(err)
			}
		}
		if err := set.End(ctx); err != nil {
			t.Error(err)
		}
	})
	d, ok := set.Get(name)
	if !ok {
		t.Skipf("there is no %s here", name)
	}
	return set, d
}

// image builds an image of nothing but testdata/program, and removes it when the test ends.
func image(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("docker"); err != nil {
		t.Skip("there is no docker command to build the image with")
	}
	dir := t.TempDir()
	build := exec.Command("go", "build", "-o", filepath.Join(dir, "program"), "./testdata/program")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	run(t, build)
	dockerfile := "FROM scratch\nCOPY program /program\nENTRYPOINT [\"/program\"]\n"
	if err := os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte(dockerfile), 0o600); err != nil {
		t.Fatal(err)
	}
	tag := fmt.Sprintf("ostro-test-%d:1", os.Getpid())
	command := exec.Command("docker", "build", "-q", "-t", tag, dir)
	command.Env = append(os.Environ(), "DOCKER_BUILDKIT=0")
	run(t, command)
	t.Cleanup(func() { run(t, exec.Command("docker", "rmi", "-f", tag)) })
	return tag
}

func run(t *testing.T, command *exec.Cmd) {
	t.Helper()
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", command, err, out)
	}
}

// containerTask is a task whose folders are below dir.
func containerTask(t *testing.T, dir, id string, config map[string]any) driver.Task {
	t.Helper()
	task := driver.Task{
		ID: id, Dir: filepath.Join(dir, "web"), Config: config, Env: []string{"GREETING=hello"},
		Logs: driver.Logs{Dir: filepath.Join(dir, "alloc", "logs"), Name: "web", MaxFiles: 2, MaxFileSize: 1 << 20},
		Name: "web-" + filepath.Base(dir), AllocDir: filepath.Join(dir, "alloc"),
		Resources: driver.Resources{CPU: 100, MemoryMB: 64},
	}
	for _, d := range []string{task.Logs.Dir, filepath.Join(task.Dir, "local"), filepath.Join(task.Dir, "secrets")} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return task
}

// get asks until something answers.
func get(t *testing.T, url string) string {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); <-tick.C {
		response, err := http.Get(url)
		if err != nil {
			continue
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err == nil {
			return string(body)
		}
	}
	t.Fatalf("nothing answers at %s", url)
	return ""
}

func contents(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestDockerServes(t *testing.T) {
	dir := t.TempDir()
	set, docker := openSet(t, "docker", dir)
	port := freeport.Take()
	task := containerTask(t, dir, "a/web/1", map[string]any{
		"image": image(t), "args": []any{"serve", ":8080"}, "ports": []any{"http"},
		"labels": []map[string]any{{"team": "blue"}},
	})
	task.Ports = []driver.Port{{Label: "http", HostIP: "127.0.0.1", Host: port, To: 8080}}
	for range 2 { // the second time changes nothing
		if err := docker.Start(t.Context(), task); err != nil {
			t.Fatal(err)
		}
	}
	url := fmt.Sprintf("http://127.0.0.1:%d", port)
	if got := get(t, url+"/env"); !strings.Contains(got, "GREETING=hello") || strings.Contains(got, os.Getenv("HOME")+"\n") {
		t.Errorf("the task's environment: %s", got)
	}
	get(t, url+"/write?path=/alloc/note")
	if got := contents(t, filepath.Join(task.AllocDir, "note")); got != "written" {
		t.Errorf("the shared folder has %q", got)
	}

	var out, errs bytes.Buffer
	code, err := docker.(driver.Talker).Talk(t.Context(), task, driver.Session{
		Args: []string{"/program", "exit", "5"}, Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs,
	})
	if err != nil || code != 5 || out.String() != "" || errs.String() != "exit 5\n" {
		t.Errorf("a program beside the task: %d, %q, %q, %v", code, &out, &errs, err)
	}

	// The agent dies; the next one finds the task, and the logs go on without a gap.
	get(t, url+"/say?text=before")
	if err := set.Close(); err != nil {
		t.Fatal(err)
	}
	set.closed = true
	get(t, url+"/say?text=between")
	_, docker = openSet(t, "docker", dir)
	ids, err := docker.List(t.Context(), dir)
	if err != nil || len(ids) != 1 || ids[0] != task.ID {
		t.Fatalf("found %v, %v", ids, err)
	}
	if other, err := docker.List(t.Context(), filepath.Join(dir, "other")); err != nil || len(other) != 0 {
		t.Errorf("below another folder there are %v, %v", other, err)
	}
	exits := make(chan driver.Exit, 1)
	go func() {
		exit, err := docker.Wait(t.Context(), task.ID)
		if err != nil {
			t.Error(err)
		}
		exits <- exit
	}()
	get(t, url+"/say?text=after")
	if err := docker.Stop(t.Context(), task.ID, "", 30*time.Second); err != nil {
		t.Fatal(err)
	}
	if exit := <-exits; exit.Code != 3 {
		t.Errorf("the program ends with 3 at SIGTERM, not with %+v", exit)
	}
	if got := contents(t, filepath.Join(task.Logs.Dir, "web.stdout.0")); got != "before\nbetween\nafter\nterminated\n" {
		t.Errorf("the log is %q", got)
	}
	if err := docker.Forget(t.Context(), task.ID); err != nil {
		t.Fatal(err)
	}
	if ids, err := docker.List(t.Context(), dir); err != nil || len(ids) != 0 {
		t.Errorf("left are %v, %v", ids, err)
	}
}

func TestDockerEnds(t *testing.T) {
	dir := t.TempDir()
	_, docker := openSet(t, "docker", dir)
	tag := image(t)
	task := containerTask(t, dir, "a/web/1", map[string]any{"image": tag, "command": "exit", "args": []any{"7"}})
	if err := docker.Start(t.Context(), task); err != nil {
		t.Fatal(err)
	}
	exit, err := docker.Wait(t.Context(), task.ID)
	if err != nil || exit.Code != 7 || exit.OOMKilled {
		t.Errorf("ended with %+v, %v", exit, err)
	}
	if got := contents(t, filepath.Join(task.Logs.Dir, "web.stderr.0")); got != "exit 7\n" {
		t.Errorf("it wrote %q", got)
	}

	hog := containerTask(t, dir, "a/web/2", map[string]any{"image": tag, "args": []any{"eat"}})
	if err := docker.Start(t.Context(), hog); err != nil {
		t.Fatal(err)
	}
	if exit, err := docker.Wait(t.Context(), hog.ID); err != nil || exit.Code != 137 {
		t.Errorf("a task that eats more than its memory ended with %+v, %v", exit, err)
	}
}

func TestDockerRefuses(t *testing.T) {
	dir := t.TempDir()
	_, docker := openSet(t, "docker", dir)
	for name, c := range map[string]struct {
		config      map[string]any
		want        string
		recoverable bool
	}{
		"no image":      {map[string]any{}, `The argument "image" is required`, false},
		"unknown key":   {map[string]any{"image": "x", "imgae": "y"}, `No argument or block type is named "imgae"`, false},
		"missing image": {map[string]any{"image": "127.0.0.1:1/nothing:1"}, "Failed to pull `127.0.0.1:1/nothing:1`", true},
	} {
		err := docker.Start(t.Context(), containerTask(t, dir, "a/"+name+"/1", c.config))
		if err == nil || !strings.Contains(err.Error(), c.want) || driver.IsRecoverable(err) != c.recoverable {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := docker.Wait(t.Context(), "nobody"); err != driver.ErrUnknownTask {
		t.Errorf("waiting for nobody: %v", err)
	}
}
