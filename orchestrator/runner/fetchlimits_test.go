//go:build unix

package runner

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"
)

// Each limit refuses what is beyond it and lets pass what is not, and nothing that is refused is seen by a task.
func TestFetchLimits(t *testing.T) {
	archive := zipOf(t, map[string]string{"a": strings.Repeat("a", 1000), "b": "b"})
	hang := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch path, _, _ := strings.Cut(r.URL.Path, "/info/"); path {
		case "/zip":
			w.Write(archive)
		case "/told":
			io.WriteString(w, strings.Repeat("x", 2000))
		case "/untold":
			for range 20 {
				io.WriteString(w, strings.Repeat("x", 100))
				http.NewResponseController(w).Flush()
			}
		case "/hangs":
			io.WriteString(w, "x")
			http.NewResponseController(w).Flush()
			<-hang
		}
	}))
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(hang) })
	s3 := fakeS3(t, "id", map[string]string{"b/big": strings.Repeat("x", 2000), "b/d/1": "1", "b/d/2": "2"})
	s3Options := map[string]string{"aws_access_key_id": "id", "aws_access_key_secret": "s"}
	for name, tc := range map[string]struct {
		source  string
		options map[string]string
		limits  FetchLimits
		err     string // "" when it is fetched
	}{
		"within":                  {server.URL + "/told", nil, FetchLimits{HTTPBytes: 2000}, ""},
		"no bound":                {server.URL + "/told", nil, FetchLimits{HTTPBytes: -1, HTTPTime: -1}, ""},
		"too long, and told":      {server.URL + "/told", nil, FetchLimits{HTTPBytes: 1999}, "larger than 1999 bytes"},
		"too long, and not told":  {server.URL + "/untold", nil, FetchLimits{HTTPBytes: 1999}, "larger than 1999 bytes"},
		"too slow":                {server.URL + "/hangs", nil, FetchLimits{HTTPTime: 100 * time.Millisecond}, "it took longer than 100ms"},
		"archive within":          {server.URL + "/zip", map[string]string{"archive": "zip"}, FetchLimits{UnpackFiles: 2, UnpackBytes: 2000}, ""},
		"too many files":          {server.URL + "/zip", map[string]string{"archive": "zip"}, FetchLimits{UnpackFiles: 1}, "too many files: 2 > 1"},
		"a file that is too long": {server.URL + "/zip", map[string]string{"archive": "zip"}, FetchLimits{UnpackBytes: 999}, "larger than limit"},
		"object within":           {"s3::" + s3.URL + "/b/big", s3Options, FetchLimits{HTTPBytes: 2000}, ""},
		"object too long":         {"s3::" + s3.URL + "/b/big", s3Options, FetchLimits{HTTPBytes: 1999}, "larger than 1999 bytes"},
		"too many objects":        {"s3::" + s3.URL + "/b/d/", s3Options, FetchLimits{UnpackFiles: 1}, "more than 1 objects"},
		"git that is too slow":    {"git::" + server.URL + "/hangs", nil, FetchLimits{GitTime: 100 * time.Millisecond}, "it took longer than 100ms"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := fetchWithin(t, tc.limits, &api.TaskArtifact{GetterSource: &tc.source, GetterOptions: tc.options}, nil, nil)
			switch {
			case tc.err == "" && (err != nil || len(got) == 0):
				t.Errorf("%v, %v", got, err)
			case tc.err != "" && (err == nil || !strings.Contains(err.Error(), tc.err)):
				t.Errorf("%v; want %q", err, tc.err)
			case tc.err != "" && len(got) > 0:
				t.Errorf("the task sees %v", got)
			}
		})
	}
}
