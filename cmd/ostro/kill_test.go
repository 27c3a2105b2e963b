//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"

	"ostro/artifact"
	"ostro/orchestrator"
)

// moment is when a deploy is killed: at one of its requests.
type moment string

const (
	beforeRequest moment = "before request"
	amidRequest   moment = "amid request" // only the first half of the body gets through
	afterRequest  moment = "after request"
)

// killer stands between a deploy and its servers and kills it at a request.
type killer struct {
	mu      sync.Mutex
	seen    int
	at      int // the request that is its last, from 1; 0 for none
	when    moment
	victim  *os.Process
	request string // that it was killed at
	kinds   []string
	bodies  []int64
}

// before has one server's requests pass the killer.
func (k *killer) before(t *testing.T, server string) string {
	address, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	forward := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(address)
		r.Out.Host = r.In.Host // which is signed
	}, ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) }}
	proxy := httptest.NewServer(http.HandlerFunc(func(reply http.ResponseWriter, r *http.Request) {
		when, now := k.count(r)
		if now && when == beforeRequest {
			k.kill()
			panic(http.ErrAbortHandler)
		}
		if now && when == amidRequest {
			r.Body = &cut{ReadCloser: r.Body, left: r.ContentLength / 2, end: k.kill}
		}
		if now && when == afterRequest {
			forward.ServeHTTP(httptest.NewRecorder(), r)
			k.kill()
			panic(http.ErrAbortHandler)
		}
		forward.ServeHTTP(reply, r)
	}))
	t.Cleanup(proxy.Close)
	return proxy.URL
}

func (k *killer) count(r *http.Request) (moment, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.seen++
	k.kinds = append(k.kinds, r.Method+" "+r.URL.Path+" "+r.URL.Query().Get("partNumber"))
	k.bodies = append(k.bodies, r.ContentLength)
	if k.seen == k.at {
		k.request = r.Method + " " + r.URL.Path
	}
	return k.when, k.seen == k.at
}

// kill ends the deploy.
func (k *killer) kill() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.victim.Kill()
}

// cut is a body that ends before its time.
type cut struct {
	io.ReadCloser
	left int64
	end  func()
}

func (c *cut) Read(p []byte) (int, error) {
	if c.left <= 0 {
		c.end()
		return 0, io.ErrUnexpectedEOF
	}
	n, err := c.ReadCloser.Read(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)
	return n, err
}

// A deploy may be killed at each kind of request, before it, amid it and after it: no half
// artifact is to be seen, no job is there without its artifact, what was
// submitted is joined by watch, and the next deploy comes to its end.
func TestDeployKilled(t *testing.T) {
	o, env := startForKill(t)
	dir := t.TempDir()
	writeKillJob(t, dir)
	run := func(k *killer, name string) (int, string) {
		environment := env
		if k != nil {
			environment = append(environment, "NOMAD_ADDR="+k.before(t, "http://"+o.Addr()), "AWS_ENDPOINT_URL_S3="+k.before(t, o.S3().Endpoint))
		}
		return ostroIn(t, dir, environment, k, "deploy", "-var", "name="+name, "-commit", name)
	}
	whole := &killer{}
	if code, said := run(whole, "undisturbed"); code != 0 {
		t.Fatalf("exit code %d: %s", code, said)
	}
	size := artifactSize(t, o, "undisturbed")
	tried := 0
	for at := 1; at <= whole.seen; at++ {
		if slices.Contains(whole.kinds[:at-1], whole.kinds[at-1]) {
			continue // the watch asks the same again and again
		}
		for _, when := range []moment{beforeRequest, amidRequest, afterRequest} {
			if when == amidRequest && whole.bodies[at-1] < 1<<20 || os.Getenv("OSTRO_TEST") != "full" && (at+len(when))%7 > 0 {
				continue
			}
			k := &killer{at: at, when: when}
			name := fmt.Sprintf("k%d%s", at, when[:2])
			code, said := run(k, name)
			if k.request == "" || code == 0 {
				continue // it needed fewer requests this time, or was over with the last one
			}
			tried++
			t.Run(fmt.Sprintf("%s %d %s", when, at, k.request), func(t *testing.T) {
				if code != -1 {
					t.Fatalf("it ended by itself with %d: %s", code, said)
				}
				if have := artifactSize(t, o, name); have != 0 && have != size {
					t.Errorf("the artifact has %d bytes, not %d", have, size)
				}
				if registered(t, o, name) {
					if artifactSize(t, o, name) != size {
						t.Error("the job is there without its artifact")
					}
					if code, said := ostroIn(t, dir, env, nil, "watch", name); code != 0 {
						t.Errorf("watch ends with %d: %s", code, said)
					}
				}
				if code, said := run(nil, name); code != 0 || !strings.Contains(said, "of version 0 is successful") {
					t.Errorf("the next deploy ends with %d: %s", code, said)
				}
				if code, said := ostroIn(t, dir, env, nil, "stop", "-purge", name); code != 0 {
					t.Errorf("stop ends with %d: %s", code, said)
				}
			})
		}
	}
	t.Logf("killed at %d moments of %d requests", tried, whole.seen)
	if tried == 0 {
		t.Error("it was never killed")
	}
}

func startForKill(t *testing.T) (*orchestrator.Orchestrator, []string) {
	ostro, err := exec.LookPath("ostro")
	if err != nil {
		t.Fatal(err)
	}
	o, err := orchestrator.Start(t.Context(), orchestrator.Config{Listen: "127.0.0.1:0", DataDir: t.TempDir(), Supervisor: []string{ostro, "supervise"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := o.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	if err := o.CreateBucket("artifacts"); err != nil {
		t.Fatal(err)
	}
	s3 := o.S3()
	return o, []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "TMPDIR=" + t.TempDir(), "NOMAD_ADDR=http://" + o.Addr(),
		"AWS_ENDPOINT_URL_S3=" + s3.Endpoint, "AWS_ACCESS_KEY_ID=" + s3.AccessKey, "AWS_SECRET_ACCESS_KEY=" + s3.SecretKey, "AWS_REGION=us-east-1",
	}
}

// writeKillJob writes a job with an artifact of two parts.
func writeKillJob(t *testing.T, dir string) {
	noise := make([]byte, 8<<20)
	rand.NewChaCha8([32]byte{1}).Read(noise)
	for name, text := range map[string]string{"app/noise": string(noise), "ostro.hcl": `
bucket = "artifacts"
artifact "app" {
  dir   = "app"
  files = ["noise"]
}
`, "web.nomad": `
job "[[ .name ]]" {
  meta {
    git_sha = "[[ .BB_COMMIT ]]"
  }
  group "g" {
    update {
      min_healthy_time  = "100ms"
      healthy_deadline  = "20m"
      progress_deadline = "30m"
      health_check      = "task_states"
    }
    task "t" {
      driver = "raw_exec"
      config {
        command = "/bin/sh"
        args    = ["-c", "test -s local/noise && exec sleep 1000"]
      }
      artifact {
        source = "s3::https://[[ .s3_binary_path ]].s3.amazonaws.com/app_[[ .BB_COMMIT ]].zip"
      }
      resources {
        cpu    = 20
        memory = 20
      }
    }
  }
}
`} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// ostroIn runs a command and returns its exit code, -1 when it was killed, and
// what it said.
func ostroIn(t *testing.T, dir string, env []string, k *killer, args ...string) (int, string) {
	t.Helper()
	var said strings.Builder
	cmd := exec.CommandContext(t.Context(), "ostro", args...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = dir, env, &said, &said
	if k != nil {
		k.mu.Lock()
	}
	err := cmd.Start()
	if k != nil {
		k.victim = cmd.Process
		k.mu.Unlock()
	}
	if err == nil {
		err = cmd.Wait()
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok || err == nil {
		if err == nil {
			return 0, said.String()
		}
		return exit.ExitCode(), said.String()
	}
	t.Fatal(err)
	return 0, ""
}

// artifactSize is the size of the artifact of that commit, 0 where there is none.
func artifactSize(t *testing.T, o *orchestrator.Orchestrator, commit string) int64 {
	t.Helper()
	s3 := o.S3()
	bucket, err := artifact.OpenBucket(t.Context(), artifact.BucketConfig{Name: "artifacts", Endpoint: s3.Endpoint, AccessKey: s3.AccessKey, SecretKey: s3.SecretKey})
	if err != nil {
		t.Fatal(err)
	}
	info, err := bucket.Stat(t.Context(), "app_"+commit+".zip")
	if err != nil && !errors.Is(err, artifact.ErrNotFound) {
		t.Fatal(err)
	}
	return info.Size
}

func registered(t *testing.T, o *orchestrator.Orchestrator, name string) bool {
	t.Helper()
	client, err := api.NewClient(&api.Config{Address: "http://" + o.Addr()})
	if err != nil {
		t.Fatal(err)
	}
	jobs, _, err := client.Jobs().List(&api.QueryOptions{Prefix: name})
	if err != nil {
		t.Fatal(err)
	}
	return len(jobs) > 0
}
