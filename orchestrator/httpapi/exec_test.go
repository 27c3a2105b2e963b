//go:build unix

package httpapi

import (
	"bytes"
	"context"
	"io"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"
)

func TestExec(t *testing.T) {
	client, alloc := running(t)
	exec := func(tty bool, stdin string, sizes chan api.TerminalSize, command ...string) (int, string, string, error) {
		var out, errs bytes.Buffer
		code, err := client.Allocations().Exec(t.Context(), alloc, "t", tty, command, strings.NewReader(stdin), &out, &errs, sizes, nil)
		return code, out.String(), errs.String(), err
	}
	code, out, errs, err := exec(false, "typed\n", nil, "/bin/sh", "-c", "cat; echo $NOMAD_TASK_NAME; echo no >&2; exit 3")
	if err != nil || code != 3 || out != "typed\nt\n" || errs != "no\n" {
		t.Errorf("code %d, out %q, err %q: %v", code, out, errs, err)
	}
	sizes := make(chan api.TerminalSize, 1)
	sizes <- api.TerminalSize{Height: 33, Width: 77}
	code, out, _, err = exec(true, "", sizes, "/bin/sh", "-c", "until stty size | grep '33 77'; do sleep 0.05; done; test -t 0")
	if err != nil || code != 0 || !strings.Contains(out, "33 77") {
		t.Errorf("on a terminal: code %d, out %q: %v", code, out, err)
	}
	for program, why := range map[string]string{
		"/not/there": "failed to start command: fork/exec /not/there: no such file or directory",
		"nope":       `failed to start command: exec: "nope": executable file not found in $PATH`,
	} {
		if _, _, _, err := exec(false, "", nil, program); err == nil || !strings.HasSuffix(err.Error(), why) {
			t.Errorf("a program that is not there: %v, want %q", err, why)
		}
	}
	if _, err := client.Allocations().Exec(t.Context(), alloc, "nope", false, []string{"true"}, strings.NewReader(""), io.Discard, io.Discard, nil, nil); err == nil || err.Error() != `unknown task name "nope"` {
		t.Errorf("a task that is not there: %v", err)
	}
}

func TestAction(t *testing.T) {
	client, alloc := running(t)
	act := func(job, task, action string) (int, string, error) {
		var out bytes.Buffer
		code, err := client.Jobs().ActionExec(t.Context(), alloc, job, task, false, nil, action, strings.NewReader(""), &out, io.Discard, nil, nil)
		return code, out.String(), err
	}
	if code, out, err := act("web", "t", "greet"); err != nil || code != 4 || out != "hello\n" {
		t.Errorf("code %d, out %q: %v", code, out, err)
	}
	for why, args := range map[string][3]string{
		"action nope not found in task t":                {"web", "t", "nope"},
		"task nope not found in allocation " + alloc.ID:  {"web", "nope", "greet"},
		"job other does not have allocation " + alloc.ID: {"other", "t", "greet"},
		"must provide task name":                         {"web", "", "greet"},
	} {
		if _, _, err := act(args[0], args[1], args[2]); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%v: got %v, want %q", args, err, why)
		}
	}
}

// A program ends with whoever talks to it.
func TestExecHangUp(t *testing.T) {
	client, alloc := running(t)
	ctx, cancel := context.WithCancel(t.Context())
	stdin, typed := io.Pipe()
	defer typed.Close()
	started, out := io.Pipe()
	done := make(chan error, 1)
	go func() {
		_, err := client.Allocations().Exec(ctx, alloc, "t", false, []string{"/bin/sh", "-c", "echo $$; exec sleep 1000"}, stdin, out, io.Discard, nil, nil)
		done <- err
	}()
	line := make([]byte, 16)
	n, err := started.Read(line)
	if err != nil {
		t.Fatal(err)
	}
	pid := strings.TrimSpace(string(line[:n]))
	cancel()
	if err := <-done; err == nil {
		t.Error("the call ended without an error")
	}
	eventuallyGone(t, pid)
}

// eventuallyGone waits until there is no process with this ID.
func eventuallyGone(t *testing.T, pid string) {
	t.Helper()
	id, err := strconv.Atoi(pid)
	if err != nil {
		t.Fatal(err)
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(time.Minute); syscall.Kill(id, 0) == nil; <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("process %d goes on", id)
		}
	}
}
