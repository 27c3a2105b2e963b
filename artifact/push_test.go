package artifact_test

import (
	"errors"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
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
