//go:build linux

package driver_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// A registry serves one image, app:1, of nothing but testdata/program, to whoever has the password.
type registry struct {
	blobs    map[string][]byte // by digest
	manifest []byte
}

func digestOf(data []byte) string { return fmt.Sprintf("sha256:%x", sha256.Sum256(data)) }

func newRegistry(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "program")
	build := exec.Command("go", "build", "-o", file, "./testdata/program")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	run(t, build)
	program := contents(t, file)
	var layer, zipped bytes.Buffer
	archive := tar.NewWriter(&layer)
	if err := archive.WriteHeader(&tar.Header{Name: "program", Mode: 0o755, Size: int64(len(program))}); err != nil {
		t.Fatal(err)
	}
	archive.Write([]byte(program))
	archive.Close()
	zip := gzip.NewWriter(&zipped)
	zip.Write(layer.Bytes())
	zip.Close()
	config := encoded(t, map[string]any{
		"architecture": runtime.GOARCH, "os": "linux", "config": map[string]any{"Entrypoint": []string{"/program"}},
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{digestOf(layer.Bytes())}},
	})
	r := &registry{blobs: map[string][]byte{digestOf(config): config, digestOf(zipped.Bytes()): zipped.Bytes()}}
	part := func(kind string, data []byte) map[string]any {
		return map[string]any{"mediaType": "application/vnd.docker." + kind, "size": len(data), "digest": digestOf(data)}
	}
	r.manifest = encoded(t, map[string]any{
		"schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
		"config": part("container.image.v1+json", config), "layers": []any{part("image.rootfs.diff.tar.gzip", zipped.Bytes())},
	})
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

func encoded(t *testing.T, value any) []byte {
	t.Helper()
	data, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func (r *registry) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	w.Header().Set("Docker-Distribution-Api-Version", "registry/2.0")
	if name, password, _ := req.BasicAuth(); name != "reader" || password != "s3cret" {
		w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	digest, isBlob := strings.CutPrefix(req.URL.Path, "/v2/app/blobs/")
	switch {
	case req.URL.Path == "/v2/":
	case isBlob && r.blobs[digest] != nil:
		w.Write(r.blobs[digest])
	case req.URL.Path == "/v2/app/manifests/1", req.URL.Path == "/v2/app/manifests/"+digestOf(r.manifest):
		w.Header().Set("Content-Type", "application/vnd.docker.distribution.manifest.v2+json")
		w.Header().Set("Docker-Content-Digest", digestOf(r.manifest))
		w.Write(r.manifest)
	default:
		http.NotFound(w, req)
	}
}

// An image that is not here is pulled with the credentials of its task, and with no others.
func TestDockerPulls(t *testing.T) {
	dir := t.TempDir()
	_, d := openSet(t, "docker", dir)
	name := newRegistry(t) + "/app:1"
	t.Cleanup(func() { run(t, exec.Command("docker", "rmi", "-f", name)) })
	auth := func(password string) []map[string]any {
		return []map[string]any{{"username": "reader", "password": password}}
	}
	for id, config := range map[string]map[string]any{
		"nobody": {"image": name}, "wrong": {"image": name, "auth": auth("nothing")},
	} {
		err := d.Start(t.Context(), containerTask(t, filepath.Join(dir, id), id, config))
		if err == nil || !strings.Contains(err.Error(), "Failed to pull `"+name+"`") || strings.Contains(err.Error(), "nothing") {
			t.Errorf("%s: %v", id, err)
		}
	}
	var told []string
	task := containerTask(t, filepath.Join(dir, "reader"), "reader", map[string]any{"image": name, "auth": auth("s3cret"), "args": []any{"exit", "7"}})
	task.Tell = func(message string) { told = append(told, message) }
	if err := d.Start(t.Context(), task); err != nil {
		t.Fatal(err)
	}
	if exit, err := d.Wait(within(t, time.Minute), task.ID); err != nil || exit.Code != 7 {
		t.Errorf("%+v, %v", exit, err)
	}
	if len(told) != 1 || told[0] != "Downloading image" {
		t.Errorf("%q", told)
	}
}

// An image may come with the task, as an archive in its local folder.
func TestDockerLoads(t *testing.T) {
	dir := t.TempDir()
	_, d := openSet(t, "docker", dir)
	name := fmt.Sprintf("ostro-test-loaded-%d:1", os.Getpid())
	built := image(t)
	task := containerTask(t, dir, "a/web/1", map[string]any{"image": name, "load": "image.tar", "args": []any{"exit", "7"}})
	run(t, exec.Command("docker", "tag", built, name))
	run(t, exec.Command("docker", "save", "-o", filepath.Join(task.Dir, "local", "image.tar"), name))
	run(t, exec.Command("docker", "rmi", name))
	t.Cleanup(func() { run(t, exec.Command("docker", "rmi", "-f", name)) })
	if err := d.Start(t.Context(), task); err != nil {
		t.Fatal(err)
	}
	if exit, err := d.Wait(within(t, time.Minute), task.ID); err != nil || exit.Code != 7 {
		t.Errorf("%+v, %v", exit, err)
	}
	other := containerTask(t, filepath.Join(dir, "other"), "a/web/2", map[string]any{"image": "ostro-test-nothing:1", "load": "../../image.tar"})
	if err := d.Start(t.Context(), other); err == nil || !strings.Contains(err.Error(), "load the image") {
		t.Errorf("%v", err)
	}
}
