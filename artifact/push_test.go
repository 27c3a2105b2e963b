package artifact_test

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ostro/artifact"
)

// noise is n bytes that do not compress; the same for the same seed.
func noise(seed uint64, n int) string {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{byte(seed)})
	r.Read(b)
	return string(b)
}

func TestPushSmallAndLarge(t *testing.T) { onEachServer(t, nil, testPushSmallAndLarge) }

func testPushSmallAndLarge(t *testing.T, srv server) {
	b := srv.open(t)
	for name, files := range map[string]map[string]string{
		"small": {"app": "hello", "etc/conf": "a = 1\n"},
		"large": {"app": noise(1, 20<<20), "z": "last"},
	} {
		t.Run(name, func(t *testing.T) {
			tree := gather(t, files)
			var sent, total int64
			r, err := b.Push(t.Context(), tree, name+".zip", artifact.PushOptions{
				Commit: "1a2b3c4", PipelineURL: "https://ci/1", Progress: func(s, n int64) { sent, total = s, n },
			})
			if err != nil {
				t.Fatal(err)
			}
			data := srv.get(t, name+".zip")
			if r.Skipped || r.Size != int64(len(data)) || r.Digest != tree.Digest() {
				t.Errorf("result %+v for %d bytes", r, len(data))
			}
			if got := unzipped(t, data); !maps.Equal(got, files) {
				t.Errorf("the object holds other files")
			}
			if sent != tree.Size() || total != tree.Size() {
				t.Errorf("progress ended at %d of %d, want %d", sent, total, tree.Size())
			}
			info, err := b.Stat(t.Context(), name+".zip")
			if err != nil || info.Commit != "1a2b3c4" || info.PipelineURL != "https://ci/1" || info.Digest != tree.Digest() {
				t.Errorf("metadata %+v, %v", info, err)
			}
		})
	}
}

func TestPushSkipsRefusesForces(t *testing.T) { onEachServer(t, nil, testPushSkipsRefusesForces) }

func testPushSkipsRefusesForces(t *testing.T, srv server) {
	b := srv.open(t)
	one, two := gather(t, map[string]string{"app": "one"}), gather(t, map[string]string{"app": "two"})
	steps := []struct {
		name    string
		tree    *artifact.Tree
		force   bool
		skipped bool
		err     error
		holds   string
	}{
		{"first", one, false, false, nil, "one"},
		{"same again", one, false, true, nil, "one"},
		{"other content", two, false, false, artifact.ErrExists, "one"},
		{"other content by force", two, true, false, nil, "two"},
		{"same by force", two, true, true, nil, "two"},
	}
	for _, s := range steps {
		r, err := b.Push(t.Context(), s.tree, "k.zip", artifact.PushOptions{Force: s.force})
		if !errors.Is(err, s.err) || r.Skipped != s.skipped {
			t.Errorf("%s: %+v, %v", s.name, r, err)
		}
		if got := unzipped(t, srv.get(t, "k.zip"))["app"]; got != s.holds {
			t.Errorf("%s: the key holds %q, want %q", s.name, got, s.holds)
		}
	}
}

// What is sent is counted: a second push of the same content is one question.
func TestSecondPushSendsNothing(t *testing.T) {
	asked := make(chan string, 100)
	srv := ownStore(t, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked <- step(r)
			next.ServeHTTP(w, r)
		})
	})
	b, tree := srv.open(t), large(t)
	if _, err := b.Push(t.Context(), tree, "k.zip", artifact.PushOptions{}); err != nil {
		t.Fatal(err)
	}
	for len(asked) > 0 {
		<-asked
	}
	if _, err := b.Push(t.Context(), tree, "k.zip", artifact.PushOptions{}); err != nil {
		t.Fatal(err)
	}
	if first := <-asked; first != "head" || len(asked) > 0 {
		t.Errorf("a second push asks for %s and %d more", first, len(asked))
	}
}

// Parts are under way at once, and nothing is written to a disk before: the first
// part arrives after the second, and there is no folder for temporary files.
func TestPartsGoAtOnce(t *testing.T) {
	second := make(chan struct{})
	srv := ownStore(t, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch step(r) {
			case "part 1":
				select {
				case <-second:
				case <-r.Context().Done():
				}
			case "part 2":
				defer sync.OnceFunc(func() { close(second) })()
			}
			next.ServeHTTP(w, r)
		})
	})
	b, tree := srv.open(t), large(t)
	for _, name := range []string{"TMPDIR", "TMP", "TEMP"} {
		t.Setenv(name, filepath.Join(t.TempDir(), "none"))
	}
	if _, err := b.Push(t.Context(), tree, "k.zip", artifact.PushOptions{}); err != nil {
		t.Fatal(err)
	}
	if got := srv.get(t, "k.zip"); string(got) != string(zipped(t, tree)) {
		t.Error("it arrived broken")
	}
}

func TestListAndPresign(t *testing.T) { onEachServer(t, nil, testListAndPresign) }

func testListAndPresign(t *testing.T, srv server) {
	b := srv.open(t)
	tree := gather(t, map[string]string{"app": "x"})
	for _, key := range []string{"api_1.zip", "api_2.zip", "web_1.zip"} {
		if _, err := b.Push(t.Context(), tree, key, artifact.PushOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	var keys []string
	for o, err := range b.List(t.Context(), "api_") {
		if err != nil || o.Size == 0 || time.Since(o.Modified) > time.Hour {
			t.Fatalf("%+v, %v", o, err)
		}
		keys = append(keys, o.Key)
	}
	if want := []string{"api_1.zip", "api_2.zip"}; !slices.Equal(keys, want) {
		t.Errorf("%v, want %v", keys, want)
	}
	address, err := b.PresignGet(t.Context(), "api_1.zip", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); err != nil || unzipped(t, body)["app"] != "x" {
		t.Errorf("the presigned address gives %s, %v", resp.Status, err)
	}
	if _, err := b.Stat(t.Context(), "missing.zip"); !errors.Is(err, artifact.ErrNotFound) {
		t.Errorf("a key that is not there: %v", err)
	}
	for _, err := range srv.openBucket(t, "no-such-bucket").List(t.Context(), "") {
		if err == nil || !strings.Contains(err.Error(), "bucket no-such-bucket does not exist") {
			t.Errorf("a bucket that is not there: %v", err)
		}
	}
}

func TestCheckUpload(t *testing.T) { onEachServer(t, nil, testCheckUpload) }

func testCheckUpload(t *testing.T, srv server) {
	if err := srv.open(t).CheckUpload(t.Context(), "k.zip"); err != nil {
		t.Error(err)
	}
	srv.checkEmpty(t, "k.zip")
	if err := srv.openBucket(t, "no-such-bucket").CheckUpload(t.Context(), "k.zip"); err == nil || !strings.Contains(err.Error(), "bucket no-such-bucket does not exist") {
		t.Errorf("a bucket that is not there: %v", err)
	}
}

// Who may read may not be able to write.
func TestCheckUploadOfAReader(t *testing.T) {
	srv := ownStore(t, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet || r.Method == http.MethodHead {
				next.ServeHTTP(w, r)
				return
			}
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>")
		})
	})
	if err := srv.open(t).CheckUpload(t.Context(), "k.zip"); !errors.Is(err, artifact.ErrDenied) || !strings.Contains(err.Error(), "s3:PutObject") {
		t.Errorf("%v", err)
	}
}

// What the store is told about an object goes with small and large ones alike.
func TestPushTellsTheStore(t *testing.T) {
	var mu sync.Mutex
	told := map[string]http.Header{}
	srv := ownStore(t, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			told[step(r)] = r.Header
			mu.Unlock()
			next.ServeHTTP(w, r)
		})
	})
	b, err := artifact.OpenBucket(t.Context(), artifact.BucketConfig{
		Name: bucket, Endpoint: srv.endpoint, AccessKey: accessKey, SecretKey: secretKey,
		ACL: "bucket-owner-full-control", StorageClass: "STANDARD_IA", Encryption: "aws:kms", KMSKey: "k1",
		Tags: map[string]string{"team": "south & west", "stage": "test"},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, tree := range []*artifact.Tree{gather(t, map[string]string{"app": "x"}), large(t)} {
		if _, err := b.Push(t.Context(), tree, fmt.Sprintf("%d.zip", tree.Size()), artifact.PushOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	for _, request := range []string{"put", "create"} {
		for name, want := range map[string]string{
			"X-Amz-Acl": "bucket-owner-full-control", "X-Amz-Storage-Class": "STANDARD_IA", "X-Amz-Server-Side-Encryption": "aws:kms",
			"X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id": "k1", "X-Amz-Tagging": "stage=test&team=south+%26+west",
		} {
			if got := told[request].Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", request, name, got, want)
			}
		}
	}
}

func TestBucketConfigCheck(t *testing.T) {
	for want, c := range map[string]artifact.BucketConfig{
		"no bucket":         {},
		"needs its secret":  {Name: "b", AccessKey: "k"},
		"no canned one":     {Name: "b", ACL: "public"},
		"not known":         {Name: "b", Encryption: "aes"},
		"aws:kms":           {Name: "b", KMSKey: "k"},
		"tags are too many": {Name: "b", Tags: map[string]string{"1": "", "2": "", "3": "", "4": "", "5": "", "6": "", "7": "", "8": "", "9": "", "10": "", "11": ""}},
	} {
		if err := c.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", c, err, want)
		}
	}
	good := artifact.BucketConfig{Name: "b", ACL: "private", Encryption: "aws:kms:dsse", KMSKey: "k", StorageClass: "STORE_OF_MY_OWN"}
	if err := good.Check(); err != nil {
		t.Error(err)
	}
}
