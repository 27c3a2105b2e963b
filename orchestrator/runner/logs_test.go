//go:build unix

package runner

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/nomad/api"
)

func TestReadLogs(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{
		"web.stdout.3": "three\n", "web.stdout.4": "four\n", "web.stdout.5": "five\n", "web.stderr.0": "err\n", "web2.stdout.0": "other\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, tc := range []struct {
		opts LogOptions
		want string
	}{
		{LogOptions{}, "three\nfour\nfive\n"},
		{LogOptions{Offset: 2}, "ree\nfour\nfive\n"},
		{LogOptions{Offset: 8}, "ur\nfive\n"},
		{LogOptions{Offset: 1000}, ""},
		{LogOptions{FromEnd: true}, ""},
		{LogOptions{FromEnd: true, Offset: 3}, "ve\n"},
		{LogOptions{FromEnd: true, Offset: 7}, "r\nfive\n"},
		{LogOptions{FromEnd: true, Offset: 1000}, "three\nfour\nfive\n"},
	} {
		l := &logReader{dir: dir, prefix: "web.stdout.", opts: tc.opts}
		var got strings.Builder
		err := l.read(t.Context(), func(f Frame) bool { got.Write(f.Data); return true })
		if err != nil || got.String() != tc.want {
			t.Errorf("%+v: %q (%v), want %q", tc.opts, got.String(), err, tc.want)
		}
	}
}

func TestFollowAcrossRotation(t *testing.T) {
	dir := nodeDir(t)
	n := newNode(t, dir)
	// Some 2.3 MB in files of 1 MB, of which all are kept.
	task := shellTask("web", `while [ ! -e go ]; do sleep 0.01; done; i=0; while [ $i -lt 23 ]; do head -c 99999 /dev/zero | tr '\0' x; echo; i=$((i+1)); done; echo end`)
	task.LogConfig = &api.LogConfig{MaxFiles: new(5), MaxFileSizeMB: new(1)}
	n.Sync([]*api.Allocation{allocation("a1", task)})
	n.awaitStatus("a1", "running")
	frames, err := n.Logs(t.Context(), "a1", "web", "stdout", LogOptions{Follow: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "alloc/a1/web/go"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	offsets := map[string]int64{}
	for f, err := range frames { // ends because the task does
		if err != nil {
			t.Fatal(err)
		}
		if len(f.Data) > frameSize || f.Offset != offsets[f.File]+int64(len(f.Data)) {
			t.Fatalf("frame of %s: offset %d after %d and %d bytes", f.File, f.Offset, offsets[f.File], len(f.Data))
		}
		offsets[f.File] = f.Offset
		got.Write(f.Data)
	}
	want := strings.Repeat(strings.Repeat("x", 99999)+"\n", 23) + "end\n"
	if got.String() != want {
		t.Errorf("%d bytes were read, want %d", got.Len(), len(want))
	}
	if len(offsets) != 3 {
		t.Errorf("files %v", offsets)
	}
}

func TestFollowEndsWithItsContext(t *testing.T) {
	n := newNode(t, nodeDir(t))
	n.Sync([]*api.Allocation{allocation("a1", shellTask("web", "echo up; exec sleep 1000"))})
	n.awaitStatus("a1", "running")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	frames, err := n.Logs(ctx, "a1", "web", "stdout", LogOptions{Follow: true})
	if err != nil {
		t.Fatal(err)
	}
	var got string
	for f, err := range frames {
		if err != nil {
			t.Fatal(err)
		}
		got += string(f.Data)
		cancel()
	}
	if got != "up\n" {
		t.Errorf("got %q", got)
	}
}

func TestLogRequests(t *testing.T) {
	n := newNode(t, nodeDir(t))
	waiting := shellTask("web", "true")
	first := shellTask("first", "exec sleep 1000")
	first.Lifecycle = &api.TaskLifecycle{Hook: "prestart"}
	silent := shellTask("silent", "echo said; exec sleep 1000")
	silent.LogConfig = &api.LogConfig{Disabled: new(true)}
	n.Sync([]*api.Allocation{allocation("a1", first, waiting), allocation("a2", silent)})
	n.awaitStatus("a1", "running")
	n.awaitStatus("a2", "running")
	for _, tc := range []struct{ alloc, task, kind, want string }{
		{"nope", "web", "stdout", `Unknown allocation "nope"`},
		{"a1", "nope", "stdout", `unknown task name "nope"`},
		{"a1", "first", "both", "must provide log type (stdout/stderr)"},
		{"a1", "web", "stdout", `task "web" not started yet. No logs available`},
		{"a2", "silent", "stderr", `log entry for task "silent" and log type "stderr" not found`},
	} {
		if _, err := n.Logs(t.Context(), tc.alloc, tc.task, tc.kind, LogOptions{}); err == nil || err.Error() != tc.want {
			t.Errorf("error %v, want %s", err, tc.want)
		}
	}
}

func TestFiles(t *testing.T) {
	dir := nodeDir(t)
	n := newNode(t, dir)
	n.Sync([]*api.Allocation{allocation("a1", shellTask("web",
		`echo hi > local/f.txt; echo key > secrets/k; ln -s /etc/passwd local/out; ln -s ../secrets/k local/in; ln -s f.txt local/ok; mkfifo local/pipe; exec sleep 1000`))})
	n.awaitStatus("a1", "running")
	eventually(t, "written", func() bool { _, err := os.Lstat(filepath.Join(dir, "alloc/a1/web/local/pipe")); return err == nil })

	names := func(path string) (all []string) {
		list, err := n.List("a1", path)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range list {
			all = append(all, fmt.Sprint(f.FileMode, " ", f.Name))
		}
		return all
	}
	if diff := cmp.Diff([]string{"drwxrwxrwx alloc", "drwxrwxrwx web"}, names("/")); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"drwxrwxrwx local", "drwx------ private", "drwx------ secrets", "dtrwxrwxrwx tmp"}, names("web")); diff != "" {
		t.Error(diff)
	}
	info, err := n.Stat("a1", "/web/local/f.txt")
	if err != nil || info.Size != 3 || info.IsDir || !strings.HasPrefix(info.ContentType, "text/plain") {
		t.Errorf("stat %+v, %v", info, err)
	}
	for _, path := range []string{"web/local/f.txt", "/web/local/ok", "web/../web/local/f.txt"} {
		f, err := n.Open("a1", path)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		f.Close()
	}
	for path, want := range map[string]string{
		"../../client/a1.json":      "Path escapes the alloc directory",
		"web/../../a1":              "Path escapes the alloc directory",
		"web/local/out":             "Path escapes the alloc directory",
		"web/secrets/k":             "Reading secret file prohibited",
		"web//secrets/../secrets/k": "Reading secret file prohibited",
		"web/local/in":              "Reading secret file prohibited",
		"web/private":               "Reading private file prohibited",
		"web/local/pipe":            "is not a regular file",
		"web/local":                 "is not a regular file",
		"web/none":                  "stat " + filepath.Join(dir, "alloc/a1/web/none") + ": no such file or directory",
	} {
		f, err := n.Open("a1", path)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %s", path, err, want)
		}
		if f != nil {
			f.Close()
		}
	}
	if _, err := n.List("a1", "web/secrets"); err == nil {
		t.Error("the secrets are listed")
	}
}

func TestFingerprint(t *testing.T) {
	n := newNode(t, nodeDir(t))
	node, err := Fingerprint(t.Context(), filepath.Join(t.TempDir(), "not/there/yet"), n.drivers)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"kernel.name", "cpu.arch", "cpu.numcores", "cpu.totalcompute", "memory.totalbytes", "nomad.version",
		"unique.hostname", "unique.storage.bytestotal", "driver.raw_exec", "driver.mock_driver"} {
		if node.Attributes[key] == "" {
			t.Errorf("there is no %s", key)
		}
	}
	r := node.NodeResources
	if r.Cpu.CpuShares <= 0 || r.Memory.MemoryMB <= 0 || r.Disk.DiskMB <= 0 || len(r.Networks) != 1 || r.Networks[0].IP != "127.0.0.1" {
		t.Errorf("resources %+v", r)
	}
	stats, err := n.HostUsage(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if size := stats.DiskStats[0].Size >> 20; size != uint64(node.NodeResources.Disk.DiskMB) {
		t.Errorf("the disk has %d MiB in the statistics, the node %d to give away", size, node.NodeResources.Disk.DiskMB)
	}
	if device := stats.DiskStats[0].Device; device != node.Attributes["unique.storage.volume"] {
		t.Errorf("the disk is %q in the statistics, %q in the attributes", device, node.Attributes["unique.storage.volume"])
	}
	if d := node.Drivers["raw_exec"]; d == nil || !d.Healthy || !d.Detected {
		t.Errorf("driver %+v", d)
	}
}
