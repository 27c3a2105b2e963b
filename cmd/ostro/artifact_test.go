package main

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"ostro/orchestrator/blob"
)

// TestInterruptedPush sends the signal of Ctrl-C while parts are on their way:
// nothing of them stays.
func TestInterruptedPush(t *testing.T) {
	store, err := blob.Open(blob.Config{Dir: t.TempDir(), AccessKey: "key", SecretKey: "secret"})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	if err := store.CreateBucket("artifacts"); err != nil {
		t.Fatal(err)
	}
	arrived := make(chan struct{})
	var begun, aborted atomic.Bool
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		query := r.URL.Query()
		switch {
		case query.Get("partNumber") == "2":
			close(arrived)
			io.Copy(io.Discard, r.Body) // only behind it the end of a connection is seen
			<-r.Context().Done()        // the client gives it up
			return
		case r.Method == http.MethodPost && query.Has("uploads"):
			begun.Store(true)
		case r.Method == http.MethodDelete && query.Has("uploadId"):
			aborted.Store(true)
		}
		store.Handler().ServeHTTP(w, r)
	}))
	defer server.Close()

	dir := t.TempDir()
	noise := make([]byte, 20<<20)
	rand.NewChaCha8([32]byte{1}).Read(noise)
	if err := os.WriteFile(filepath.Join(dir, "big"), noise, 0o600); err != nil {
		t.Fatal(err)
	}
	push := exec.Command("ostro", "artifact", "push", "-bucket", "artifacts", "-endpoint", server.URL, "-commit", "aaa1111", "-artifact", "big=big")
	var said bytes.Buffer
	push.Dir, push.Stderr = dir, &said
	push.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "AWS_ACCESS_KEY_ID=key", "AWS_SECRET_ACCESS_KEY=secret"}
	if err := push.Start(); err != nil {
		t.Fatal(err)
	}
	<-arrived
	if err := push.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	err = push.Wait()
	if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != 130 || !strings.Contains(said.String(), "interrupted") {
		t.Errorf("%v, not exit code 130:\n%s", err, &said)
	}
	if !begun.Load() || !aborted.Load() {
		t.Errorf("the upload was begun: %t, and taken back: %t", begun.Load(), aborted.Load())
	}
}

func TestPipelineURL(t *testing.T) {
	for want, environment := range map[string]map[string]string{
		"": {},
		"https://bitbucket.org/team/shop/pipelines/results/7": {"BITBUCKET_BUILD_NUMBER": "7", "BITBUCKET_REPO_FULL_NAME": "team/shop"},
		"https://github.com/team/shop/actions/runs/8":         {"GITHUB_RUN_ID": "8", "GITHUB_SERVER_URL": "https://github.com", "GITHUB_REPOSITORY": "team/shop"},
		"https://gitlab.com/team/shop/-/pipelines/9":          {"CI_PIPELINE_URL": "https://gitlab.com/team/shop/-/pipelines/9"},
	} {
		if got := pipelineURL(func(name string) string { return environment[name] }); got != want {
			t.Errorf("%v: %s, not %s", environment, got, want)
		}
	}
}
