package artifact_test

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"ostro/artifact"
)

// step names what a request does to an upload.
func step(r *http.Request) string {
	q := r.URL.Query()
	switch {
	case r.Method == http.MethodHead:
		return "head"
	case r.Method == http.MethodPost && q.Has("uploads"):
		return "create"
	case r.Method == http.MethodPut && q.Has("uploadId"):
		return "part " + q.Get("partNumber")
	case r.Method == http.MethodPost && q.Has("uploadId"):
		return "complete"
	case r.Method == http.MethodDelete && q.Has("uploadId"):
		return "abort"
	case r.Method == http.MethodPut:
		return "put"
	}
	return "other"
}

// checkEmpty fails when the key or a part of an upload is in the bucket.
func (s server) checkEmpty(t *testing.T, key string) {
	t.Helper()
	sdk := s.sdk()
	name := bucket
	if _, err := sdk.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: &name, Key: &key}); err == nil {
		t.Errorf("%s is there", key)
	}
	uploads, err := sdk.ListMultipartUploads(t.Context(), &s3.ListMultipartUploadsInput{Bucket: &name})
	if err != nil && !strings.Contains(err.Error(), "NoSuchUpload") { // our own store, when there never was one
		t.Fatal(err)
	}
	if uploads != nil && len(uploads.Uploads) > 0 {
		t.Errorf("%d uploads are left", len(uploads.Uploads))
	}
}

// large is a tree whose zip has three parts.
func large(t *testing.T) *artifact.Tree {
	return gather(t, map[string]string{"app": noise(7, 17<<20)})
}

var steps = []string{"head", "create", "part 1", "part 2", "part 3", "complete"}

// someSteps are those that a short run tries; each costs a push of several megabytes.
func someSteps() []string {
	if os.Getenv("OSTRO_TEST") == "full" {
		return steps
	}
	return []string{"create", "part 2", "complete"}
}

func TestOneCutConnectionIsSurvived(t *testing.T) {
	tree := large(t)
	for _, when := range []string{"before", "after"} {
		var failed sync.Map
		srv := ownStore(t, func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if _, before := failed.LoadOrStore(step(r), true); before {
					next.ServeHTTP(w, r)
					return
				}
				if when == "after" { // the request arrives, its answer does not
					next.ServeHTTP(httptest.NewRecorder(), r)
				}
				panic(http.ErrAbortHandler)
			})
		})
		b := srv.open(t)
		t.Run(when, func(t *testing.T) {
			t.Parallel()
			if _, err := b.Push(t.Context(), tree, "k.zip", artifact.PushOptions{}); err != nil {
				t.Errorf("each request cut once %s it took effect: %v", when, err)
			}
			for _, s := range steps {
				if _, ok := failed.Load(s); !ok {
					t.Errorf("no request was %q", s)
				}
			}
			if got := unzipped(t, srv.get(t, "k.zip")); len(got["app"]) != 17<<20 {
				t.Error("the object is broken")
			}
		})
	}
}

func TestLastingFailureLeavesNothing(t *testing.T) {
	tree := large(t)
	t.Setenv("AWS_MAX_ATTEMPTS", "1")
	for _, broken := range someSteps() {
		var on atomic.Bool
		srv := ownStore(t, func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if on.Load() && step(r) == broken {
					panic(http.ErrAbortHandler)
				}
				next.ServeHTTP(w, r)
			})
		})
		b := srv.open(t)
		t.Run(broken, func(t *testing.T) {
			t.Parallel()
			on.Store(true)
			_, err := b.Push(t.Context(), tree, "k.zip", artifact.PushOptions{})
			on.Store(false)
			if err == nil || !strings.Contains(err.Error(), "broke") || strings.Contains(err.Error(), "RequestID") {
				t.Errorf("the error is no sentence: %v", err)
			}
			srv.checkEmpty(t, "k.zip")
		})
	}
}

func TestCancelLeavesNothing(t *testing.T) {
	tree := large(t)
	for _, at := range someSteps() {
		var cancel context.CancelFunc
		wrap := func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if step(r) == at {
					cancel()
				}
				next.ServeHTTP(w, r)
			})
		}
		onEachServer(t, wrap, func(t *testing.T, srv server) {
			var ctx context.Context
			ctx, cancel = context.WithCancel(t.Context())
			defer cancel()
			_, err := srv.open(t).Push(ctx, tree, "k.zip", artifact.PushOptions{})
			if at == "complete" {
				return // it may be too late; what the server completes at that moment is whole
			}
			if !errors.Is(err, context.Canceled) {
				t.Errorf("cancelled at %s: %v", at, err)
			}
			srv.checkEmpty(t, "k.zip")
		})
	}
}

func TestChangedFileLeavesNothing(t *testing.T) {
	srv := ownStore(t, nil)
	dir := t.TempDir()
	write(t, dir, map[string]string{"a": noise(3, 17<<20), "b": "x"})
	tree, err := artifact.Gather(t.Context(), artifact.Source{Name: "x", Dir: dir, Paths: []string{"."}})
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, map[string]string{"b": "y"})
	if _, err := srv.open(t).Push(t.Context(), tree, "k.zip", artifact.PushOptions{}); err == nil || !strings.Contains(err.Error(), "changed while") {
		t.Errorf("%v", err)
	}
	srv.checkEmpty(t, "k.zip")
}

func TestPushesOfOneKeyAtOnce(t *testing.T) {
	for name, second := range map[string]string{"same content": "one", "other content": "two"} {
		for size, pad := range map[string]string{"one part": "", "three parts": noise(5, 17<<20)} {
			t.Run(name+", "+size, func(t *testing.T) {
				// Nobody may look until both have looked and found nothing.
				var looked sync.WaitGroup
				looked.Add(2)
				var heads atomic.Int32
				srv := ownStore(t, func(next http.Handler) http.Handler {
					return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						next.ServeHTTP(w, r)
						if step(r) == "head" && heads.Add(1) <= 2 {
							looked.Done()
							looked.Wait()
						}
					})
				})
				b := srv.open(t)
				trees := []*artifact.Tree{gather(t, map[string]string{"app": "one" + pad}), gather(t, map[string]string{"app": second + pad})}
				results, errs := make([]artifact.PushResult, 2), make([]error, 2)
				var wg sync.WaitGroup
				for i := range trees {
					wg.Go(func() {
						results[i], errs[i] = b.Push(t.Context(), trees[i], "k.zip", artifact.PushOptions{})
					})
				}
				wg.Wait()
				first, other := 0, 1
				if errs[0] != nil || results[0].Skipped {
					first, other = 1, 0
				}
				if errs[first] != nil || results[first].Skipped {
					t.Fatalf("none was first: %+v, %v", results, errs)
				}
				if second == "one" && (errs[other] != nil || !results[other].Skipped) {
					t.Errorf("the second of the same content: %+v, %v", results[other], errs[other])
				}
				if second == "two" && !errors.Is(errs[other], artifact.ErrExists) {
					t.Errorf("the second with other content: %+v, %v", results[other], errs[other])
				}
				info, err := b.Stat(t.Context(), "k.zip")
				if err != nil || info.Digest != trees[first].Digest() {
					t.Errorf("the key holds %+v, %v, not what the first put there", info, err)
				}
			})
		}
	}
}

func TestPushOverTLS(t *testing.T) {
	plain := ownStore(t, nil)
	tree := large(t)
	var proxied atomic.Int32
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		proxied.Add(1)
		plain.handler.ServeHTTP(w, r)
	}))
	srv.Config.ErrorLog = log.New(io.Discard, "", 0) // of the handshake that must fail
	srv.StartTLS()
	defer srv.Close()
	t.Setenv("AWS_MAX_ATTEMPTS", "1")
	tls := server{endpoint: srv.URL}
	if _, err := tls.open(t).Push(t.Context(), tree, "k.zip", artifact.PushOptions{}); err == nil || !strings.Contains(err.Error(), "AWS_CA_BUNDLE") {
		t.Errorf("an unknown certificate: %v", err)
	}
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AWS_CA_BUNDLE", ca)
	b := tls.open(t)
	for key, tree := range map[string]*artifact.Tree{"large.zip": tree, "small.zip": gather(t, map[string]string{"app": "small"})} {
		if _, err := b.Push(t.Context(), tree, key, artifact.PushOptions{}); err != nil {
			t.Fatal(err)
		}
		if want := zipped(t, tree); string(plain.get(t, key)) != string(want) {
			t.Errorf("%s arrived broken", key)
		}
	}
	if proxied.Load() == 0 {
		t.Error("nothing went over TLS")
	}
}

// A server that closes the connection of an upload which it refuses is asked for its
// reason.
func TestReasonIsAskedFor(t *testing.T) {
	srv := ownStore(t, func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPut {
				panic(http.ErrAbortHandler)
			}
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, "<Error><Code>ExpiredToken</Code><Message>It is over</Message></Error>") // of which a HEAD gets nothing
		})
	})
	t.Setenv("AWS_MAX_ATTEMPTS", "1")
	_, err := srv.open(t).Push(t.Context(), gather(t, map[string]string{"app": "x"}), "k.zip", artifact.PushOptions{})
	if err == nil || !strings.Contains(err.Error(), "the session token has expired") {
		t.Errorf("%v, want the reason", err)
	}
}

func TestErrorsAreSentences(t *testing.T) {
	isolate(t)
	t.Setenv("AWS_MAX_ATTEMPTS", "1")
	tree := gather(t, map[string]string{"app": "x"})
	for _, c := range []struct {
		status     int
		code, body string
		region     string
		want       string
	}{
		{403, "AccessDenied", "", "", "s3:PutObject"},
		{403, "InvalidAccessKeyId", "", "", "check AWS_ACCESS_KEY_ID"},
		{403, "SignatureDoesNotMatch", "", "", "check AWS_SECRET_ACCESS_KEY"},
		{403, "RequestTimeTooSkewed", "", "", "set the clock"},
		{400, "ExpiredToken", "", "", "get new credentials"},
		{404, "NoSuchBucket", "", "", "bucket artifacts does not exist"},
		{301, "PermanentRedirect", "", "eu-west-1", "is in eu-west-1, not in us-east-1: set AWS_REGION"},
		{400, "AuthorizationHeaderMalformed", "the region 'us-east-1' is wrong; expecting 'eu-north-1'", "", "is in eu-north-1"},
		{503, "SlowDown", "", "", "overloaded or failing (503 SlowDown)"},
		{400, "EntityTooLarge", "too much", "", "refused it: too much (EntityTooLarge)"},
	} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if c.region != "" {
				w.Header().Set("X-Amz-Bucket-Region", c.region)
			}
			if r.Method == http.MethodHead && c.status == 404 || c.status == 503 && r.Method == http.MethodHead {
				w.WriteHeader(404)
				return
			}
			w.Header().Set("Content-Type", "application/xml")
			w.WriteHeader(c.status)
			fmt.Fprintf(w, "<Error><Code>%s</Code><Message>%s</Message></Error>", c.code, c.body)
		}))
		b := server{endpoint: srv.URL}.open(t)
		t.Run(c.code, func(t *testing.T) {
			t.Parallel()
			t.Cleanup(srv.Close)
			_, err := b.Push(t.Context(), tree, "k.zip", artifact.PushOptions{})
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "RequestID") || strings.Contains(err.Error(), "\n") {
				t.Errorf("%v, want a sentence with %q", err, c.want)
			}
		})
	}
	t.Run("refused", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		l.Close()
		_, err = server{endpoint: "http://" + l.Addr().String()}.open(t).Push(t.Context(), tree, "k.zip", artifact.PushOptions{})
		if err == nil || !strings.Contains(err.Error(), "nothing listens at "+l.Addr().String()) {
			t.Errorf("%v", err)
		}
	})
	t.Run("no credentials", func(t *testing.T) {
		_, err := artifact.OpenBucket(t.Context(), artifact.BucketConfig{Name: bucket})
		if err == nil || !strings.Contains(err.Error(), "set AWS_ACCESS_KEY_ID") {
			t.Errorf("%v", err)
		}
	})
}
