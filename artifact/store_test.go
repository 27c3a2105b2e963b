package artifact_test

import (
	"archive/zip"
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"ostro/artifact"
	"ostro/orchestrator/blob"
)

const (
	accessKey = "test-access-key"
	secretKey = "test-secret-key"
	bucket    = "artifacts"
)

// server is an S3 server that a test may use.
type server struct {
	endpoint string
	handler  http.Handler // of our own store
}

// ownStore starts our own store, behind wrap when that is not nil.
func ownStore(t *testing.T, wrap func(http.Handler) http.Handler) server {
	t.Helper()
	isolate(t)
	store, err := blob.Open(blob.Config{Dir: t.TempDir(), AccessKey: accessKey, SecretKey: secretKey})
	if err != nil {
		t.Fatal(err)
	}
	if err := store.CreateBucket(bucket); err != nil {
		t.Fatal(err)
	}
	h := store.Handler()
	if wrap != nil {
		h = wrap(h)
	}
	srv := httptest.NewServer(h)
	t.Cleanup(func() { srv.Close(); store.Close() })
	return server{endpoint: srv.URL, handler: h}
}

// isolate keeps the configuration of whoever runs the tests out of them.
func isolate(t *testing.T) {
	t.Helper()
	for _, name := range []string{
		"AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_CA_BUNDLE",
		"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE",
		"AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
	} {
		t.Setenv(name, "")
		os.Unsetenv(name)
	}
	none := filepath.Join(t.TempDir(), "none")
	t.Setenv("AWS_CONFIG_FILE", none)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", none)
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
}

func (s server) open(t *testing.T) *artifact.Bucket { return s.openBucket(t, bucket) }

func (s server) openBucket(t *testing.T, name string) *artifact.Bucket {
	t.Helper()
	b, err := artifact.OpenBucket(t.Context(), artifact.BucketConfig{
		Name: name, Endpoint: s.endpoint, AccessKey: accessKey, SecretKey: secretKey,
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// sdk is the plain SDK, with which tests look at what ours did.
func (s server) sdk() *s3.Client {
	return s3.New(s3.Options{
		BaseEndpoint: &s.endpoint, UsePathStyle: true, Region: "us-east-1",
		Credentials: credentials.NewStaticCredentialsProvider(accessKey, secretKey, ""),
		HTTPClient:  http.DefaultClient,
	})
}

func (s server) get(t *testing.T, key string) []byte {
	t.Helper()
	out, err := s.sdk().GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(bucket), Key: &key})
	if err != nil {
		t.Fatal(err)
	}
	defer out.Body.Close()
	data, err := io.ReadAll(out.Body)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// gather makes a tree of files, whose names are keys and whose content values.
func gather(t *testing.T, files map[string]string) *artifact.Tree {
	t.Helper()
	dir := t.TempDir()
	write(t, dir, files)
	tree, err := artifact.Gather(t.Context(), artifact.Source{Name: "test", Dir: dir, Paths: []string{"."}})
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func zipped(t *testing.T, tree *artifact.Tree) []byte {
	t.Helper()
	var buf bytes.Buffer
	if err := tree.Zip(context.Background(), &buf); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func unzipped(t *testing.T, data []byte) map[string]string {
	t.Helper()
	r, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, f := range r.File {
		rc, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(rc)
		if err != nil {
			t.Fatal(err)
		}
		rc.Close()
		files[f.Name] = string(content)
	}
	return files
}
