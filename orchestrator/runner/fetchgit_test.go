//go:build unix

package runner

import (
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/nomad/api"
)

// gitServer serves a repository over HTTP: version 1 has the tag v1, and version 2 follows.
func gitServer(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("there is no git")
	}
	dir := t.TempDir()
	git := func(args ...string) {
		t.Helper()
		command := exec.Command("git", args...)
		command.Dir = filepath.Join(dir, "work")
		command.Env = append(os.Environ(), "HOME="+dir, "GIT_CONFIG_NOSYSTEM=1",
			"GIT_AUTHOR_NAME=t", "GIT_AUTHOR_EMAIL=t@example.com", "GIT_COMMITTER_NAME=t", "GIT_COMMITTER_EMAIL=t@example.com")
		if out, err := command.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", command, err, out)
		}
	}
	file := filepath.Join(dir, "work", "conf", "version")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	git("init", "-q")
	write("1")
	git("add", "conf")
	git("commit", "-qm", "one")
	git("tag", "v1")
	write("2")
	git("commit", "-qam", "two")
	git("clone", "-q", "--bare", ".", filepath.Join(dir, "served", "app.git"))
	git("--git-dir", filepath.Join(dir, "served", "app.git"), "update-server-info")
	server := httptest.NewServer(http.FileServer(http.Dir(filepath.Join(dir, "served"))))
	t.Cleanup(server.Close)
	return "git::" + server.URL + "/app.git"
}

func TestFetchGit(t *testing.T) {
	source := gitServer(t)
	for _, tc := range []struct {
		name, source string
		options      map[string]string
		want         string
	}{
		{"newest", source, nil, "2"},
		{"by tag", source, map[string]string{"ref": "v1"}, "1"},
		{"by tag in the address", source + "?ref=v1", nil, "1"},
		{"folder of it", source + "//conf", nil, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := fetchOne(t, &api.TaskArtifact{GetterSource: &tc.source, GetterOptions: tc.options}, nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			name := "local/conf/version"
			if tc.want == "" {
				name, tc.want = "local/version", "2"
			}
			if diff := cmp.Diff(tc.want, got[name]); diff != "" {
				t.Errorf("%s: %s\nof %v", name, diff, got)
			}
		})
	}
	missing := source + "?ref=nosuch"
	if got, err := fetchOne(t, &api.TaskArtifact{GetterSource: &missing}, nil, nil); err == nil || len(got) > 0 {
		t.Errorf("a branch that is not there: %v, %v", got, err)
	}
}
