package artifact_test

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"ostro/artifact"
	"ostro/nomadtest/freeport"
)

// A store that is killed in the middle of a part has nothing under the key, and
// takes the whole when it is back.
func TestStoreIsKilledMidPart(t *testing.T) {
	program, err := exec.LookPath("versitygw")
	if err != nil {
		t.Skip("versitygw is not on PATH: there is no store to kill")
	}
	isolate(t)
	t.Setenv("AWS_MAX_ATTEMPTS", "2")
	address, data, sidecar := freeport.Address(), t.TempDir(), t.TempDir()
	process := startVersitygw(t, program, address, data, sidecar)
	s, name := server{endpoint: "http://" + killingWay(t, address, process.Process)}, bucket
	if _, err := s.sdk().CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &name}); err != nil {
		t.Fatal(err)
	}
	b, tree := s.open(t), large(t)
	_, err = b.Push(t.Context(), tree, "k.zip", artifact.PushOptions{})
	for _, want := range []string{"the connection to ", "broke, more than once", "parts of the upload stay in the bucket"} {
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "RequestID") {
			t.Fatalf("the store is killed: %v, want sentences with %q", err, want)
		}
	}

	startVersitygw(t, program, address, data, sidecar)
	if _, err := b.Stat(t.Context(), "k.zip"); !errors.Is(err, artifact.ErrNotFound) {
		t.Errorf("under the key there is something: %v", err)
	}
	if _, err := b.Push(t.Context(), tree, "k.zip", artifact.PushOptions{}); err != nil {
		t.Fatal(err)
	}
	if got := s.get(t, "k.zip"); string(got) != string(zipped(t, tree)) {
		t.Error("it arrived broken")
	}
}

// killingWay leads to a server, which it kills in the second part of an upload.
func killingWay(t *testing.T, to string, server *os.Process) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var sent atomic.Int64
	var open sync.WaitGroup
	t.Cleanup(func() { l.Close(); open.Wait() })
	open.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			open.Go(func() {
				defer client.Close()
				far, err := net.Dial("tcp", to)
				if err != nil {
					return
				}
				defer far.Close()
				open.Go(func() {
					defer client.Close()
					io.Copy(client, far)
				})
				defer far.Close()
				io.Copy(far, io.TeeReader(client, counter(func(n int64) {
					if all := sent.Add(n); all > 9<<20 && all-n <= 9<<20 {
						server.Kill()
					}
				})))
			})
		}
	})
	return l.Addr().String()
}

// counter is told how many bytes go by.
type counter func(int64)

func (c counter) Write(p []byte) (int, error) {
	c(int64(len(p)))
	return len(p), nil
}

// A store on a host that has nothing but IPv6.
func TestPushOverIPv6(t *testing.T) {
	plain := ownStore(t, nil)
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { plain.handler.ServeHTTP(w, r) }))
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skipf("there is no IPv6 here: %v", err)
	}
	srv.Listener.Close()
	srv.Listener = l
	srv.Start()
	defer srv.Close()
	s := server{endpoint: srv.URL, handler: plain.handler}
	if !strings.HasPrefix(s.endpoint, "http://[::1]:") {
		t.Fatalf("the endpoint is %s", s.endpoint)
	}
	tree := gather(t, map[string]string{"app": "x"})
	if _, err := s.open(t).Push(t.Context(), tree, "k.zip", artifact.PushOptions{}); err != nil {
		t.Fatal(err)
	}
	if got := s.get(t, "k.zip"); string(got) != string(zipped(t, tree)) {
		t.Error("it arrived broken")
	}
}
