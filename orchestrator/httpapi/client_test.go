//go:build unix

package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator/driver"
	"ostro/orchestrator/runner"
	"ostro/orchestrator/state"
)

// running serves an agent with a real runner, on which a task runs that wrote a
// line to each of its streams and waits.
func running(t *testing.T) (*api.Client, *api.Allocation) {
	t.Helper()
	started := make(chan struct{}, 100)
	dir := t.TempDir()
	drivers, err := driver.Open(t.Context(), dir, []string{os.Args[0], "supervise"})
	if err != nil {
		t.Fatal(err)
	}
	node, err := runner.New(t.Context(), runner.Config{
		Dir: dir, Node: &api.Node{ID: node1, Name: "n"}, Drivers: drivers,
		Report: func(updates []runner.Update) {
			for _, u := range updates {
				if u.ClientStatus == api.AllocClientStatusRunning {
					started <- struct{}{}
				}
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := errors.Join(node.Stop(ctx), drivers.End(ctx)); err != nil {
			t.Error(err)
		}
	})
	client, c := newAgent(t, func(c *Config) {
		c.Runner = func(id string) *runner.Runner {
			if id == node1 {
				return node
			}
			return nil
		}
	})
	job := testJob("web")
	job.TaskGroups[0].Tasks[0].Config = map[string]any{
		"command": "/bin/sh", "args": []any{"-c", "trap 'echo hup' HUP; echo out; echo err >&2; while :; do sleep 0.05; done"},
	}
	job.TaskGroups[0].Tasks[0].Actions = []*api.Action{{Name: "greet", Command: "/bin/sh", Args: []string{"-c", "echo hello; exit 4"}}}
	register(t, client, job)
	alloc := &api.Allocation{
		ID: alloc1, Namespace: "default", JobID: "web", TaskGroup: "g", Name: "web.g[0]", NodeID: node1,
		DesiredStatus: "run", ClientStatus: "running",
	}
	update(t, c, func(tx *state.Txn) {
		alloc.Job = tx.Job(nil, "default", "web")
		tx.PutAlloc(alloc)
	})
	node.Sync([]*api.Allocation{alloc})
	select {
	case <-started:
	case <-time.After(2 * time.Minute):
		t.Fatal("the task does not start")
	}
	return client, alloc
}

// readUntil reads frames until they hold a text.
func readUntil(t *testing.T, frames <-chan *api.StreamFrame, errs <-chan error, want string) {
	t.Helper()
	deadline := time.After(2 * time.Minute)
	got := ""
	for !strings.Contains(got, want) {
		select {
		case frame, more := <-frames:
			if !more {
				t.Fatalf("the stream ended after %q, without %q", got, want)
			}
			got += string(frame.Data)
		case err := <-errs:
			t.Fatalf("after %q: %v", got, err)
		case <-deadline:
			t.Fatalf("got %q, want %q", got, want)
		}
	}
}

func TestLogsFollowAndSignals(t *testing.T) {
	client, alloc := running(t)
	for kind, want := range map[string]string{"stdout": "out\n", "stderr": "err\n"} {
		cancel := make(chan struct{})
		frames, errs := client.AllocFS().Logs(alloc, true, "t", kind, "start", 0, cancel, nil)
		readUntil(t, frames, errs, want)
		if kind == "stdout" {
			if err := client.Allocations().Signal(alloc, nil, "t", "SIGHUP"); err != nil {
				t.Error(err)
			}
			readUntil(t, frames, errs, "hup\n")
		}
		close(cancel)
	}
	cancel := make(chan struct{})
	defer close(cancel)
	_, errs := client.AllocFS().Logs(alloc, false, "nope", "stdout", "start", 0, cancel, nil)
	if err := <-errs; err == nil || !strings.Contains(err.Error(), `unknown task name "nope"`) {
		t.Errorf("got %v", err)
	}
}

// The library drops heartbeats, so the stream is read as it is.
func TestLogsThatIdleShowLife(t *testing.T) {
	client, alloc := running(t)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	address := client.Address() + "/v1/client/fs/logs/" + alloc.ID + "?task=t&type=stderr&follow=true"
	r, err := http.NewRequestWithContext(ctx, "GET", address, nil)
	if err != nil {
		t.Fatal(err)
	}
	reply, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close()
	for frames := json.NewDecoder(reply.Body); ; {
		frame := &api.StreamFrame{}
		if err := frames.Decode(frame); err != nil {
			t.Fatalf("no heartbeat: %v", err)
		}
		if frame.IsHeartbeat() {
			return
		}
	}
}

func TestFiles(t *testing.T) {
	client, alloc := running(t)
	list, _, err := client.AllocFS().List(alloc, "/", nil)
	if err != nil || len(list) != 2 || list[0].Name != "alloc" || list[1].Name != "t" {
		t.Errorf("got %v, %v", list, err)
	}
	const log = "alloc/logs/t.stdout.0"
	cancel := make(chan struct{})
	frames, errs := client.AllocFS().Stream(alloc, log, "start", 0, cancel, nil)
	readUntil(t, frames, errs, "out\n")
	close(cancel)
	info, _, err := client.AllocFS().Stat(alloc, log, nil)
	if err != nil || info.Size < 4 || info.IsDir {
		t.Errorf("got %+v, %v", info, err)
	}
	for name, read := range map[string]func() (io.ReadCloser, error){
		"out\n": func() (io.ReadCloser, error) { return client.AllocFS().Cat(alloc, log, nil) },
		"ut":    func() (io.ReadCloser, error) { return client.AllocFS().ReadAt(alloc, log, 1, 2, nil) },
	} {
		body, err := read()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(body)
		if err != nil || string(text) != name {
			t.Errorf("got %q, %v, want %q", text, err, name)
		}
		body.Close()
	}
	_, _, err = client.AllocFS().Stat(alloc, "../../x", nil)
	refused(t, err, 500, "Path escapes the alloc directory")
	_, _, err = client.AllocFS().Stat(alloc, "alloc/nope", nil)
	if err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("got %v", err)
	}
}

func TestRestartAndChecks(t *testing.T) {
	client, alloc := running(t)
	if err := client.Allocations().Restart(alloc, "t", nil); err != nil {
		t.Error(err)
	}
	refused(t, client.Allocations().Restart(alloc, "nope", nil), 500, "Could not find task runner for task: nope")
	if checks, err := client.Allocations().Checks(alloc.ID, nil); err != nil || checks != nil {
		t.Errorf("got %v, %v", checks, err)
	}
	if stats, err := client.Allocations().Stats(alloc, nil); err != nil || stats.ResourceUsage == nil {
		t.Errorf("got %v, %v", stats, err)
	}
}

// The folder of an allocation goes when it is asked for, but not while it is used.
func TestCollectedOnRequest(t *testing.T) {
	client, alloc := running(t)
	err := client.Nodes().GcAlloc(alloc.ID, nil)
	refused(t, err, 500, "No such allocation on client, or allocation not eligible for GC")
	if err := client.Nodes().GC(node1, nil); err != nil {
		t.Fatal(err)
	}
	if _, _, err := client.AllocFS().List(alloc, "/", nil); err != nil {
		t.Errorf("what a running task uses is gone: %v", err)
	}
	if err := client.Nodes().GC("nope", nil); err == nil {
		t.Error("the folders of a node that is not there are removed")
	}
}
