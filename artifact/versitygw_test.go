package artifact_test

import (
	"bytes"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os/exec"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"ostro/nomadtest/freeport"
)

// onEachServer runs a test on our own store and, where it is on PATH, on versitygw, an S3 gateway of other
// authors. wrap stands between client and server; it may be nil.
func onEachServer(t *testing.T, wrap func(http.Handler) http.Handler, test func(*testing.T, server)) {
	t.Run("own", func(t *testing.T) { test(t, ownStore(t, wrap)) })
	t.Run("versitygw", func(t *testing.T) { test(t, versitygw(t, wrap)) })
}

func versitygw(t *testing.T, wrap func(http.Handler) http.Handler) server {
	t.Helper()
	program, err := exec.LookPath("versitygw")
	if err != nil {
		t.Skip("versitygw is not on PATH: only our own store is tried")
	}
	isolate(t)
	address := freeport.Address()
	startVersitygw(t, program, address, t.TempDir(), t.TempDir())
	target := &url.URL{Scheme: "http", Host: address}
	var proxy http.Handler = &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host, r.Out.Host = target.Scheme, target.Host, r.In.Host // the host is signed
		},
		ErrorLog: log.New(io.Discard, "", 0), // of connections that a test cuts
	}
	if wrap != nil {
		proxy = wrap(proxy)
	}
	srv := httptest.NewServer(proxy)
	t.Cleanup(srv.Close)
	s := server{endpoint: srv.URL, handler: proxy}
	name := bucket
	if _, err := s.sdk().CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &name}); err != nil {
		t.Fatal(err)
	}
	return s
}

// startVersitygw gives the process once it listens.
func startVersitygw(t *testing.T, program, address, data, sidecar string) *exec.Cmd {
	t.Helper()
	var said bytes.Buffer
	cmd := exec.Command(program, "--access", accessKey, "--secret", secretKey, "--port", address, "posix", "--sidecar", sidecar, data)
	cmd.Stdout, cmd.Stderr = &said, &said
	cmd.Dir = t.TempDir()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	for deadline := time.Now().Add(time.Minute); ; {
		conn, err := net.DialTimeout("tcp", address, time.Second)
		if err == nil {
			conn.Close()
			return cmd
		}
		if time.Now().After(deadline) {
			t.Fatalf("versitygw does not listen: %v", err)
		}
	}
}
