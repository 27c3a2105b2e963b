//go:build unix

package runner

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/nomad/api"
)

// zipOf makes a zip of files; a name that ends in "*" is executable.
func zipOf(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := zip.NewWriter(&buf)
	for name, content := range files {
		mode := fs.FileMode(0o644)
		if n, ok := strings.CutSuffix(name, "*"); ok {
			name, mode = n, 0o755
		}
		header := &zip.FileHeader{Name: name, Method: zip.Deflate}
		header.SetMode(mode)
		f, err := w.CreateHeader(header)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func tarGz(t *testing.T, headers ...*tar.Header) []byte {
	t.Helper()
	var buf bytes.Buffer
	zw := gzip.NewWriter(&buf)
	w := tar.NewWriter(zw)
	for _, h := range headers {
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(bytes.Repeat([]byte("x"), int(h.Size))); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := zw.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// fetchOne downloads an artifact for a task named web and returns what is in the task's folder then, by path.
func fetchOne(t *testing.T, artifact *api.TaskArtifact, bucket func(string) (S3Endpoint, bool), there map[string]string) (map[string]string, error) {
	t.Helper()
	return fetchWithin(t, FetchLimits{}, artifact, bucket, there)
}

func fetchWithin(t *testing.T, limits FetchLimits, artifact *api.TaskArtifact, bucket func(string) (S3Endpoint, bool), there map[string]string) (map[string]string, error) {
	t.Helper()
	allocDir := t.TempDir()
	taskDir := filepath.Join(allocDir, "web")
	for _, d := range []string{"web/local", "alloc/data", ".fetch-web"} {
		if err := os.MkdirAll(filepath.Join(allocDir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, content := range there {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(taskDir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(taskDir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	root, err := os.OpenRoot(allocDir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	spec := &api.Task{Name: "web"}
	a := allocation("a1", spec)
	d := download{artifact: artifact, env: newTaskEnv(a, a.Job.TaskGroups[0], spec, &api.Node{}, hostFolders(allocDir, spec.Name), nil), limits: limits.withDefaults(), bucket: bucket}
	err = d.run(t.Context(), root, filepath.Join(allocDir, ".fetch-web", "0"), taskDir)
	if err != nil {
		err = fmt.Errorf("%s", d.redact(err))
	}
	found := map[string]string{}
	filepath.WalkDir(taskDir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			rel, _ := filepath.Rel(taskDir, path)
			info, _ := e.Info()
			if info.Mode()&0o111 != 0 {
				rel += "*"
			}
			data, _ := os.ReadFile(path)
			found[rel] = string(data)
		}
		return nil
	})
	return found, err
}

func TestFetchHTTP(t *testing.T) {
	good := zipOf(t, map[string]string{"http-echo*": "binary", "doc/readme": "text"})
	many := map[string]string{}
	for i := range unpackMaxFiles + 1 {
		many[fmt.Sprint(i)] = ""
	}
	bodies := map[string][]byte{
		"/good.zip":   good,
		"/trunc.zip":  good[:len(good)/2],
		"/notzip.zip": []byte("hello"),
		"/slip.zip":   zipOf(t, map[string]string{"../../evil": "x"}),
		"/many.zip":   zipOf(t, many),
		"/plain.txt":  []byte("plain"),
		"/dev.tar.gz": tarGz(t, &tar.Header{Name: "a/f", Typeflag: tar.TypeReg, Size: 3, Mode: 0o6755}),
		"/link.tgz": tarGz(t, &tar.Header{Name: "l", Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"},
			&tar.Header{Name: "f", Typeflag: tar.TypeReg, Size: 1, Mode: 0o644}),
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch body, ok := bodies[r.URL.Path]; {
		case r.URL.Path == "/500":
			w.WriteHeader(500)
		case r.URL.Path == "/header":
			fmt.Fprint(w, r.Header.Get("X-Secret"))
		case r.URL.Path == "/cut":
			w.Header().Set("Content-Length", "1000")
			fmt.Fprint(w, "only a little")
		case r.URL.Path == "/terraform":
			w.Header().Set("X-Terraform-Get", "file:///etc/passwd")
		case ok:
			w.Write(body)
		default:
			w.WriteHeader(404)
		}
	}))
	defer server.Close()
	sum := fmt.Sprintf("%x", sha256.Sum256(good))

	for _, tc := range []struct {
		name     string
		artifact api.TaskArtifact
		there    map[string]string
		want     map[string]string
		err      string
	}{
		{name: "zip, default destination", artifact: api.TaskArtifact{GetterSource: new("/good.zip")},
			want: map[string]string{"local/http-echo*": "binary", "local/doc/readme": "text"}},
		{name: "zip into a folder with files", artifact: api.TaskArtifact{GetterSource: new("/good.zip"), RelativeDest: new("local/bin")},
			there: map[string]string{"local/bin/other": "mine", "local/bin/doc/more": "mine", "local/bin/http-echo": "old"},
			want: map[string]string{"local/bin/http-echo*": "binary", "local/bin/doc/readme": "text",
				"local/bin/other": "mine", "local/bin/doc/more": "mine"}},
		{name: "interpolated", artifact: api.TaskArtifact{GetterSource: new("/${NOMAD_META_none}plain.txt"), RelativeDest: new("${NOMAD_TASK_DIR}/x")}, err: "bad response code: 404"},
		{name: "destination by variable", artifact: api.TaskArtifact{GetterSource: new("/plain.txt"), RelativeDest: new("${NOMAD_TASK_DIR}/x")},
			want: map[string]string{"local/x/plain.txt": "plain"}},
		{name: "absolute destination is the task's", artifact: api.TaskArtifact{GetterSource: new("/plain.txt"), RelativeDest: new("/local/y")},
			want: map[string]string{"local/y/plain.txt": "plain"}},
		{name: "destination escapes", artifact: api.TaskArtifact{GetterSource: new("/plain.txt"), RelativeDest: new("../../x")},
			err: "artifact destination path escapes alloc directory"},
		{name: "mode file", artifact: api.TaskArtifact{GetterSource: new("/plain.txt"), GetterMode: new("file")},
			want: map[string]string{"local/plain.txt": "plain"}},
		{name: "mode file, named", artifact: api.TaskArtifact{GetterSource: new("/plain.txt"), GetterMode: new("file"), RelativeDest: new("local/name")},
			want: map[string]string{"local/name": "plain"}},
		{name: "mode dir of an archive", artifact: api.TaskArtifact{GetterSource: new("/good.zip"), GetterMode: new("dir"), RelativeDest: new("local/d")},
			want: map[string]string{"local/d/http-echo*": "binary", "local/d/doc/readme": "text"}},
		{name: "mode dir of a page", artifact: api.TaskArtifact{GetterSource: new("/plain.txt"), GetterMode: new("dir")}, want: map[string]string{}},
		{name: "not unpacked", artifact: api.TaskArtifact{GetterSource: new("/good.zip"), GetterOptions: map[string]string{"archive": "false"}},
			want: map[string]string{"local/good.zip": string(good)}},
		{name: "checksum", artifact: api.TaskArtifact{GetterSource: new("/good.zip"), GetterOptions: map[string]string{"checksum": "sha256:" + sum}},
			want: map[string]string{"local/http-echo*": "binary", "local/doc/readme": "text"}},
		{name: "wrong checksum", artifact: api.TaskArtifact{GetterSource: new("/good.zip"),
			GetterOptions: map[string]string{"checksum": "sha256:" + strings.Repeat("0", 64)}}, err: "Checksums did not match"},
		{name: "header", artifact: api.TaskArtifact{GetterSource: new("/header"), GetterHeaders: map[string]string{"X-Secret": "s3cr3t"}},
			want: map[string]string{"local/header": "s3cr3t"}},
		{name: "setuid is dropped", artifact: api.TaskArtifact{GetterSource: new("/dev.tar.gz")}, want: map[string]string{"local/a/f*": "xxx"}},
		{name: "links are files", artifact: api.TaskArtifact{GetterSource: new("/link.tgz")}, want: map[string]string{"local/l": "", "local/f": "x"}},
		{name: "404", artifact: api.TaskArtifact{GetterSource: new("/nope.zip")}, err: "bad response code: 404"},
		{name: "500", artifact: api.TaskArtifact{GetterSource: new("/500")}, err: "bad response code: 500"},
		{name: "truncated", artifact: api.TaskArtifact{GetterSource: new("/trunc.zip")}, err: "zip: not a valid zip file"},
		{name: "no zip", artifact: api.TaskArtifact{GetterSource: new("/notzip.zip")}, err: "zip: not a valid zip file"},
		{name: "cut", artifact: api.TaskArtifact{GetterSource: new("/cut")}, err: "unexpected EOF"},
		{name: "zip slip", artifact: api.TaskArtifact{GetterSource: new("/slip.zip")}, err: "entry contains '..': ../../evil"},
		{name: "too many files", artifact: api.TaskArtifact{GetterSource: new("/many.zip")}, err: "zip archive contains too many files: 4097 > 4096"},
		{name: "no detours", artifact: api.TaskArtifact{GetterSource: new("/terraform")}, want: map[string]string{"local/terraform": ""}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.artifact.GetterSource = new(server.URL + *tc.artifact.GetterSource)
			got, err := fetchOne(t, &tc.artifact, nil, tc.there)
			if tc.err != "" {
				if err == nil || !strings.Contains(err.Error(), tc.err) {
					t.Fatalf("error %v, want %q", err, tc.err)
				}
				if len(got) > 0 {
					t.Errorf("a failed download left %v", got)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestFetchRefuses(t *testing.T) {
	for source, want := range map[string]string{
		"/etc/passwd":              "download not supported for scheme 'file'",
		"file:///etc/passwd":       "download not supported for scheme 'file'",
		"gcs::https://x/y":         "download not supported for scheme 'gcs'",
		"http://127.0.0.1:1/x.zip": "connection refused",
		"http://user:pw123@127.0.0.1:1/x?token=topsecret1": "connection refused",
	} {
		_, err := fetchOne(t, &api.TaskArtifact{GetterSource: &source, GetterOptions: map[string]string{"aws_access_key_secret": "sec/ret+key"}}, nil, nil)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", source, err, want)
			continue
		}
		for _, secret := range []string{"sec/ret", "sec%2Fret", "topsecret1", "pw123"} {
			if strings.Contains(err.Error(), secret) {
				t.Errorf("the error shows %q: %v", secret, err)
			}
		}
	}
}

// fakeS3 answers GET and HEAD of objects and the listing of a bucket, path style, to whoever signs with key.
func fakeS3(t *testing.T, key string, objects map[string]string) *httptest.Server {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.Contains(r.Header.Get("Authorization"), "Credential="+key+"/") {
			w.WriteHeader(403)
			fmt.Fprint(w, "<Error><Code>InvalidAccessKeyId</Code><Message>who are you</Message></Error>")
			return
		}
		bucket, object, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		if r.URL.Query().Has("list-type") {
			fmt.Fprint(w, "<ListBucketResult>")
			for name := range objects {
				if rest, ok := strings.CutPrefix(name, bucket+"/"); ok && strings.HasPrefix(rest, r.URL.Query().Get("prefix")) {
					fmt.Fprintf(w, "<Contents><Key>%s</Key></Contents>", rest)
				}
			}
			fmt.Fprint(w, "</ListBucketResult>")
			return
		}
		body, ok := objects[bucket+"/"+object]
		if !ok {
			w.WriteHeader(404)
			fmt.Fprint(w, "<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message></Error>")
			return
		}
		http.ServeContent(w, r, "", noon, strings.NewReader(body))
	}))
	t.Cleanup(server.Close)
	return server
}

func TestFetchS3(t *testing.T) {
	t.Setenv("AWS_CONFIG_FILE", "/nonexistent")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
	app := string(zipOf(t, map[string]string{"http-echo*": "binary"}))
	own := fakeS3(t, "OWNKEY", map[string]string{"mine/http-echo_1a2b3c4.zip": app, "mine/dir/a": "A", "mine/dir/b/c": "C"})
	other := fakeS3(t, "THEIRKEY", map[string]string{"theirs/app.zip": app})
	aws := fakeS3(t, "THEIRKEY", map[string]string{"theirs/app.zip": app})
	t.Setenv("AWS_ENDPOINT_URL_S3", aws.URL) // stands for AWS
	bucket := func(name string) (S3Endpoint, bool) {
		return S3Endpoint{URL: own.URL, AccessKey: "OWNKEY", SecretKey: "x"}, name == "mine"
	}
	theirs := map[string]string{"aws_access_key_id": "THEIRKEY", "aws_access_key_secret": "sec/ret+key", "region": "eu-west-1"}
	unpacked := map[string]string{"local/http-echo*": "binary"}
	for _, tc := range []struct {
		source  string
		options map[string]string
		want    map[string]string
		err     string
	}{
		{source: "https://mine.s3.amazonaws.com/http-echo_1a2b3c4.zip", options: theirs, want: unpacked},
		{source: "https://mine.s3.eu-central-1.amazonaws.com/http-echo_1a2b3c4.zip", want: unpacked},
		{source: "https://s3.eu-central-1.amazonaws.com/mine/http-echo_1a2b3c4.zip", want: unpacked},
		{source: "https://s3-eu-west-1.amazonaws.com/mine/http-echo_1a2b3c4.zip", want: unpacked},
		{source: "s3::https://s3.amazonaws.com/mine/http-echo_1a2b3c4.zip", want: unpacked},
		{source: "mine.s3.amazonaws.com/http-echo_1a2b3c4.zip", want: unpacked},
		{source: "s3::https://mine.s3.amazonaws.com/dir", want: map[string]string{"local/a": "A", "local/b/c": "C"}},
		{source: "https://mine.s3.amazonaws.com/nope.zip", options: theirs, err: "bad response code: 404 (NoSuchKey: The specified key does not exist.)"},
		{source: "s3::" + other.URL + "/theirs/app.zip", options: theirs, want: unpacked},
		{source: "s3::" + other.URL + "/theirs/app.zip", options: map[string]string{"aws_access_key_id": "WRONG", "aws_access_key_secret": "sec/ret+key"},
			err: "bad response code: 403 (InvalidAccessKeyId: who are you)"},
		{source: "s3::https://theirs.s3.eu-west-1.amazonaws.com/app.zip", options: theirs, want: unpacked},
		{source: "s3::https://s3-eu-west-1.amazonaws.com/theirs/app.zip", options: theirs, want: unpacked},
	} {
		t.Run(tc.source, func(t *testing.T) {
			got, err := fetchOne(t, &api.TaskArtifact{GetterSource: &tc.source, GetterOptions: tc.options}, bucket, nil)
			if tc.err != "" {
				if err == nil || !strings.Contains(err.Error(), tc.err) || strings.Contains(err.Error(), "sec/ret") {
					t.Fatalf("error %v, want %q", err, tc.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestPlainAmazonAddressIsPlainDownload(t *testing.T) {
	d := download{artifact: &api.TaskArtifact{}, bucket: func(string) (S3Endpoint, bool) { return S3Endpoint{}, false }}
	g, src, err := d.getter("https://theirs.s3.amazonaws.com/app.zip?aws_access_key_id=A")
	if err != nil {
		t.Fatal(err)
	}
	if _, isS3 := g.(*s3Getter); isS3 || src != "https://theirs.s3.amazonaws.com/app.zip?aws_access_key_id=A" {
		t.Errorf("it is fetched by %T from %s", g, src)
	}
}

func TestMoveTreeStaysInside(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	for _, d := range []string{"tmp/sub", "web"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "tmp/sub/evil"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(dir, "web/sub")); err != nil {
		t.Fatal(err)
	}
	if err := moveTree(root, filepath.Join(dir, "tmp"), filepath.Join(dir, "web")); err == nil {
		t.Error("a link of the task's was followed")
	}
	if err := moveTree(root, filepath.Join(dir, "tmp/sub"), filepath.Join(dir, "web/sub/deeper")); err == nil {
		t.Error("a link of the task's was followed to the destination")
	}
	if left, _ := os.ReadDir(outside); len(left) > 0 {
		t.Errorf("%v is outside", left)
	}
}
