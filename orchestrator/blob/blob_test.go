package blob

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

const (
	access = "AKIDEXAMPLE"
	secret = "wJalrXUtnFEMI/K7MDENG"
)

var bucketName = aws.String("artifacts")

func openStore(t *testing.T, dir string) *Store {
	t.Helper()
	s, err := Open(Config{Dir: dir, AccessKey: access, SecretKey: secret})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// serve starts a store with one bucket, and gives the SDK's client for it.
func serve(t *testing.T, tls bool) (*Store, *s3.Client) {
	t.Helper()
	s := openStore(t, filepath.Join(t.TempDir(), "blob"))
	if err := s.CreateBucket(*bucketName); err != nil {
		t.Fatal(err)
	}
	return s, dial(t, s, tls, access, secret)
}

func dial(t *testing.T, s *Store, tls bool, access, secret string) *s3.Client {
	t.Helper()
	srv := httptest.NewUnstartedServer(s.Handler())
	if tls {
		srv.StartTLS()
	} else {
		srv.Start()
	}
	t.Cleanup(srv.Close)
	return s3.New(s3.Options{
		BaseEndpoint: &srv.URL, UsePathStyle: true, Region: "eu-west-1", HTTPClient: srv.Client(), RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(access, secret, ""),
		// As config.LoadDefaultConfig sets it: over TLS, the body then comes in chunks with a trailer.
		RequestChecksumCalculation:                aws.RequestChecksumCalculationWhenSupported,
		DisableLogOutputChecksumValidationSkipped: true,
	})
}

func status(err error) int {
	if r, ok := errors.AsType[*smithyhttp.ResponseError](err); ok {
		return r.HTTPStatusCode()
	}
	return 0
}

func putObject(t *testing.T, c *s3.Client, key, data string) {
	t.Helper()
	if _, err := c.PutObject(t.Context(), &s3.PutObjectInput{Bucket: bucketName, Key: &key, Body: strings.NewReader(data)}); err != nil {
		t.Fatal(err)
	}
}

func getObject(t *testing.T, c *s3.Client, key string) string {
	t.Helper()
	out, err := c.GetObject(t.Context(), &s3.GetObjectInput{Bucket: bucketName, Key: &key})
	if err != nil {
		t.Fatal(err)
	}
	defer out.Body.Close()
	data, err := io.ReadAll(out.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestObjects(t *testing.T) {
	for _, tls := range []bool{false, true} {
		t.Run(fmt.Sprintf("tls=%v", tls), func(t *testing.T) {
			_, c := serve(t, tls)
			for _, key := range []string{"a", "A", "dir/a", "dir/a/b", "é ü+%", strings.Repeat("k", 1000), "-x"} {
				for _, data := range []string{"", "hello", strings.Repeat("0123456789", 30_000)} {
					_, err := c.PutObject(t.Context(), &s3.PutObjectInput{
						Bucket: bucketName, Key: &key, Body: strings.NewReader(data),
						Metadata: map[string]string{"digest": "abc"}, ContentType: aws.String("application/zip"),
					})
					if err != nil {
						t.Fatalf("%q: %v", key, err)
					}
					if got := getObject(t, c, key); got != data {
						t.Errorf("%q holds %d bytes, want %d", key, len(got), len(data))
					}
					head, err := c.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: bucketName, Key: &key})
					if err != nil || *head.ContentLength != int64(len(data)) || head.Metadata["digest"] != "abc" || aws.ToString(head.ContentType) != "application/zip" {
						t.Errorf("%q: %+v, %v", key, head, err)
					}
					if len(head.Metadata) != 1 || aws.ToString(head.ContentEncoding) != "" {
						t.Errorf("%q has more metadata than it was given: %v, %q", key, head.Metadata, aws.ToString(head.ContentEncoding))
					}
				}
			}
			if _, err := c.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: bucketName, Key: aws.String("dir/a")}); err != nil {
				t.Fatal(err)
			}
			if _, err := c.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: bucketName, Key: aws.String("dir/a")}); status(err) != 404 {
				t.Errorf("a deleted object: %v", err)
			}
			if got := getObject(t, c, "dir/a/b"); len(got) != 300_000 {
				t.Error("deleting a key touched the one below it")
			}
		})
	}
}

func TestRanges(t *testing.T) {
	_, c := serve(t, false)
	putObject(t, c, "k", "0123456789")
	for _, r := range []struct{ header, want, content string }{
		{"bytes=0-3", "0123", "bytes 0-3/10"},
		{"bytes=5-", "56789", "bytes 5-9/10"},
		{"bytes=-2", "89", "bytes 8-9/10"},
		{"bytes=8-99", "89", "bytes 8-9/10"},
	} {
		out, err := c.GetObject(t.Context(), &s3.GetObjectInput{Bucket: bucketName, Key: aws.String("k"), Range: &r.header})
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(out.Body)
		if err != nil || string(data) != r.want || aws.ToString(out.ContentRange) != r.content {
			t.Errorf("%s: %q, %q, %v", r.header, data, aws.ToString(out.ContentRange), err)
		}
	}
	if _, err := c.GetObject(t.Context(), &s3.GetObjectInput{Bucket: bucketName, Key: aws.String("k"), Range: aws.String("bytes=10-")}); status(err) != 416 {
		t.Errorf("behind the end: %v", err)
	}
	presigned, err := s3.NewPresignClient(c).PresignGetObject(t.Context(), &s3.GetObjectInput{Bucket: bucketName, Key: aws.String("k")})
	if err != nil {
		t.Fatal(err)
	}
	req, _ := http.NewRequestWithContext(t.Context(), "GET", presigned.URL, nil)
	req.Header.Set("Range", "bytes=2-4")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, _ := io.ReadAll(resp.Body); resp.StatusCode != 206 || string(body) != "234" {
		t.Errorf("a presigned range: %d %q", resp.StatusCode, body)
	}
}

func TestConditionalWrites(t *testing.T) {
	_, c := serve(t, false)
	put := func(data string, set func(*s3.PutObjectInput)) error {
		in := &s3.PutObjectInput{Bucket: bucketName, Key: aws.String("k"), Body: strings.NewReader(data)}
		set(in)
		_, err := c.PutObject(t.Context(), in)
		return err
	}
	ifNone := func(in *s3.PutObjectInput) { in.IfNoneMatch = aws.String("*") }
	if err := put("one", ifNone); err != nil {
		t.Fatal(err)
	}
	if err := put("two", ifNone); status(err) != 412 || !strings.Contains(err.Error(), "PreconditionFailed") {
		t.Errorf("the second: %v", err)
	}
	if err := put("two", func(in *s3.PutObjectInput) { in.IfMatch = aws.String(`"0"`) }); status(err) != 412 {
		t.Errorf("another ETag: %v", err)
	}
	if got := getObject(t, c, "k"); got != "one" {
		t.Errorf("the key holds %q", got)
	}
	if err := put("two", func(*s3.PutObjectInput) {}); err != nil || getObject(t, c, "k") != "two" {
		t.Errorf("without a condition: %v", err)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	won := 0
	for i := range 20 {
		wg.Go(func() {
			_, err := c.PutObject(context.Background(), &s3.PutObjectInput{
				Bucket: bucketName, Key: aws.String("race"), IfNoneMatch: aws.String("*"), Body: strings.NewReader(fmt.Sprint(i)),
			})
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				won++
			} else if status(err) != 412 {
				t.Errorf("%v", err)
			}
		})
	}
	wg.Wait()
	if won != 1 {
		t.Errorf("%d of 20 writers that wanted to be the first were", won)
	}
}

func TestMultipart(t *testing.T) {
	for _, tls := range []bool{false, true} {
		s, c := serve(t, tls)
		first, second := strings.Repeat("a", minPart), "the rest"
		begin := func() *string {
			t.Helper()
			out, err := c.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: bucketName, Key: aws.String("k"), Metadata: map[string]string{"digest": "d"}})
			if err != nil {
				t.Fatal(err)
			}
			return out.UploadId
		}
		part := func(id *string, n int32, data string) types.CompletedPart {
			t.Helper()
			out, err := c.UploadPart(t.Context(), &s3.UploadPartInput{Bucket: bucketName, Key: aws.String("k"), UploadId: id, PartNumber: &n, Body: strings.NewReader(data)})
			if err != nil {
				t.Fatal(err)
			}
			return types.CompletedPart{PartNumber: &n, ETag: out.ETag}
		}
		complete := func(id *string, ifNone *string, parts ...types.CompletedPart) error {
			_, err := c.CompleteMultipartUpload(t.Context(), &s3.CompleteMultipartUploadInput{
				Bucket: bucketName, Key: aws.String("k"), UploadId: id, IfNoneMatch: ifNone, MultipartUpload: &types.CompletedMultipartUpload{Parts: parts},
			})
			return err
		}
		id := begin()
		p2 := part(id, 2, second)
		part(id, 1, "replaced")
		p1 := part(id, 1, first)
		wrong := types.CompletedPart{PartNumber: p1.PartNumber, ETag: p2.ETag}
		for what, err := range map[string]error{"wrong order": complete(id, nil, p2, p1), "wrong ETag": complete(id, nil, wrong, p2)} {
			if status(err) != 400 {
				t.Errorf("%s: %v", what, err)
			}
		}
		if err := complete(id, aws.String("*"), p1, p2); err != nil {
			t.Fatal(err)
		}
		if got := getObject(t, c, "k"); got != first+second {
			t.Errorf("the parts were joined wrongly: %d bytes", len(got))
		}
		if err := complete(id, nil, p1, p2); status(err) != 404 {
			t.Errorf("completed twice: %v", err)
		}
		id = begin()
		small, last := part(id, 1, "small"), part(id, 2, "x")
		if err := complete(id, nil, small, last); status(err) != 400 || !strings.Contains(err.Error(), "EntityTooSmall") {
			t.Errorf("a first part that is too small: %v", err)
		}
		if err := complete(id, aws.String("*"), small); status(err) != 412 {
			t.Errorf("the key is taken: %v", err)
		}
		if _, err := c.AbortMultipartUpload(t.Context(), &s3.AbortMultipartUploadInput{Bucket: bucketName, Key: aws.String("k"), UploadId: id}); err != nil {
			t.Fatal(err)
		}
		if left, err := os.ReadDir(s.staging()); err != nil || len(left) > 0 {
			t.Errorf("the staging folder holds %v, %v", left, err)
		}
	}
}

func TestListAndBuckets(t *testing.T) {
	s, c := serve(t, false)
	keys := []string{"a", "b/1", "b/2", "b/c/3", "d", "é"}
	for _, k := range keys {
		putObject(t, c, k, k)
	}
	list := func(prefix, delimiter string, page int32) (all []string) {
		t.Helper()
		pages := s3.NewListObjectsV2Paginator(c, &s3.ListObjectsV2Input{Bucket: bucketName, Prefix: &prefix, Delimiter: &delimiter, MaxKeys: &page})
		for pages.HasMorePages() {
			out, err := pages.NextPage(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range out.Contents {
				all = append(all, *o.Key)
			}
			for _, p := range out.CommonPrefixes {
				all = append(all, *p.Prefix)
			}
		}
		slices.Sort(all)
		return all
	}
	for _, l := range []struct {
		prefix, delimiter string
		want              []string
	}{
		{"", "", keys}, {"b/", "", []string{"b/1", "b/2", "b/c/3"}}, {"b/", "/", []string{"b/1", "b/2", "b/c/"}},
		{"", "/", []string{"a", "b/", "d", "é"}}, {"nothing", "", nil},
	} {
		for _, page := range []int32{1, 2, 1000} {
			if got := list(l.prefix, l.delimiter, page); !slices.Equal(got, l.want) {
				t.Errorf("prefix %q, delimiter %q, pages of %d: %q, want %q", l.prefix, l.delimiter, page, got, l.want)
			}
		}
	}
	if _, err := c.DeleteBucket(t.Context(), &s3.DeleteBucketInput{Bucket: bucketName}); status(err) != 409 {
		t.Errorf("deleting a bucket that is not empty: %v", err)
	}
	if _, err := c.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("another")}); err != nil || !s.HasBucket("another") {
		t.Errorf("creating a bucket: %v", err)
	}
	if _, err := c.DeleteBucket(t.Context(), &s3.DeleteBucketInput{Bucket: aws.String("another")}); err != nil || s.HasBucket("another") {
		t.Errorf("deleting a bucket: %v", err)
	}
	if _, err := c.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("missing"), Key: aws.String("k"), Body: strings.NewReader("x")}); status(err) != 404 || s.HasBucket("missing") {
		t.Errorf("a bucket that does not exist: %v", err)
	}
	for _, name := range []string{"", "UPPER", "a", "../x", "with space"} {
		if err := s.CreateBucket(name); err == nil {
			t.Errorf("bucket %q was created", name)
		}
	}
	if err := s.CreateBucket(*bucketName); err != nil {
		t.Errorf("creating a bucket again: %v", err)
	}
}

func TestCopy(t *testing.T) {
	_, c := serve(t, false)
	if _, err := c.PutObject(t.Context(), &s3.PutObjectInput{Bucket: bucketName, Key: aws.String("from"), Body: strings.NewReader("data"), Metadata: map[string]string{"m": "1"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.CopyObject(t.Context(), &s3.CopyObjectInput{Bucket: bucketName, Key: aws.String("to"), CopySource: aws.String("artifacts/from")}); err != nil {
		t.Fatal(err)
	}
	head, err := c.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: bucketName, Key: aws.String("to")})
	if err != nil || head.Metadata["m"] != "1" || getObject(t, c, "to") != "data" {
		t.Errorf("the copy: %+v, %v", head, err)
	}
	if _, err := c.CopyObject(t.Context(), &s3.CopyObjectInput{Bucket: bucketName, Key: aws.String("to"), CopySource: aws.String("nonsense")}); status(err) != 400 {
		t.Errorf("a copy source without a key: %v", err)
	}
}

func TestOnlyTheKeyPairIsAccepted(t *testing.T) {
	s, good := serve(t, false)
	putObject(t, good, "k", "x")
	for what, c := range map[string]*s3.Client{
		"wrong secret": dial(t, s, false, access, "wrong"),
		"wrong key":    dial(t, s, false, "SOMEBODY", secret),
		"over TLS":     dial(t, s, true, access, "wrong"),
	} {
		_, get := c.GetObject(t.Context(), &s3.GetObjectInput{Bucket: bucketName, Key: aws.String("k")})
		_, put := c.PutObject(t.Context(), &s3.PutObjectInput{Bucket: bucketName, Key: aws.String("k"), Body: strings.NewReader("y")})
		_, list := c.ListBuckets(t.Context(), &s3.ListBucketsInput{})
		for _, err := range []error{get, put, list} {
			if status(err) != 403 {
				t.Errorf("%s: %v", what, err)
			}
		}
	}
	s.now = func() time.Time { return time.Now().Add(20 * time.Minute) }
	if _, err := good.GetObject(t.Context(), &s3.GetObjectInput{Bucket: bucketName, Key: aws.String("k")}); status(err) != 403 || !strings.Contains(err.Error(), "RequestTimeTooSkewed") {
		t.Errorf("a clock that is 20 minutes off: %v", err)
	}
	s.now = time.Now
	if got := getObject(t, good, "k"); got != "x" {
		t.Errorf("the object was changed to %q", got)
	}
}

// request sends one that the SDK's client signed for something else, or not at all.
func TestForgedRequests(t *testing.T) {
	s, c := serve(t, false)
	srv := httptest.NewServer(s.Handler())
	defer srv.Close()
	send := func(method, url string, body string, change func(*http.Request)) (int, string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		change(req)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, string(text)
	}
	none := func(*http.Request) {}
	if code, _ := send("GET", srv.URL+"/artifacts", "", none); code != 403 {
		t.Errorf("unsigned: %d", code)
	}
	if code, text := send("POST", srv.URL+"/artifacts", "key=x", func(r *http.Request) { r.Header.Set("Content-Type", "application/x-www-form-urlencoded") }); code != 403 || !strings.Contains(text, "AccessDenied") {
		t.Errorf("a form: %d %s", code, text)
	}
	presigned, err := s3.NewPresignClient(c).PresignPutObject(t.Context(), &s3.PutObjectInput{Bucket: bucketName, Key: aws.String("mine")})
	if err != nil {
		t.Fatal(err)
	}
	if code, _ := send("PUT", strings.Replace(presigned.URL, "/mine?", "/other?", 1), "x", none); code != 403 {
		t.Errorf("a presigned address for another key: %d", code)
	}
	if code, _ := send("PUT", presigned.URL+"&tagging", "<Tagging/>", none); code != 403 {
		t.Errorf("a presigned address with more in the query: %d", code)
	}
	// The signature covers the body's hash, and the body must have it.
	var auth http.Header
	capture := dialCapture(t, c, &auth)
	if _, err := capture.PutObject(t.Context(), &s3.PutObjectInput{Bucket: bucketName, Key: aws.String("k"), Body: strings.NewReader("good")}); err != nil {
		t.Fatal(err)
	}
	host := strings.TrimPrefix(*c.Options().BaseEndpoint, "http://")
	code, text := send("PUT", *c.Options().BaseEndpoint+"/artifacts/k?x-id=PutObject", "evil", func(r *http.Request) {
		r.Header = auth.Clone()
		r.Host = host
	})
	if code != 400 || !strings.Contains(text, "XAmzContentSHA256Mismatch") {
		t.Errorf("another body: %d %s", code, text)
	}
	if got := getObject(t, c, "k"); got != "good" {
		t.Errorf("the object became %q", got)
	}
}

// dialCapture is c, which notes the headers that it sends.
func dialCapture(t *testing.T, c *s3.Client, header *http.Header) *s3.Client {
	t.Helper()
	return s3.New(c.Options(), func(o *s3.Options) {
		o.HTTPClient = &http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
			*header = r.Header.Clone()
			return http.DefaultTransport.RoundTrip(r)
		})}
	})
}

type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestUnknownSubresourcesAreRefused(t *testing.T) {
	_, c := serve(t, false)
	putObject(t, c, "k", "x")
	_, tag := c.PutObjectTagging(t.Context(), &s3.PutObjectTaggingInput{Bucket: bucketName, Key: aws.String("k"), Tagging: &types.Tagging{TagSet: []types.Tag{{Key: aws.String("a"), Value: aws.String("b")}}}})
	_, acl := c.GetObjectAcl(t.Context(), &s3.GetObjectAclInput{Bucket: bucketName, Key: aws.String("k")})
	_, part := c.UploadPartCopy(t.Context(), &s3.UploadPartCopyInput{Bucket: bucketName, Key: aws.String("k"), UploadId: aws.String("1"), PartNumber: aws.Int32(1), CopySource: aws.String("artifacts/k")})
	_, folder := c.PutObject(t.Context(), &s3.PutObjectInput{Bucket: bucketName, Key: aws.String("k/"), Body: strings.NewReader("")})
	for what, err := range map[string]error{"tags": tag, "ACL": acl, "copy of a part": part, "folder key": folder} {
		if status(err) != 501 {
			t.Errorf("%s: %v", what, err)
		}
	}
	if got := getObject(t, c, "k"); got != "x" {
		t.Errorf("the object was changed to %q", got)
	}
}

func TestBucketInHostName(t *testing.T) {
	s, c := serve(t, false)
	putObject(t, c, "k", "x")
	port := (*c.Options().BaseEndpoint)[strings.LastIndex(*c.Options().BaseEndpoint, ":"):]
	for _, suffix := range []string{"localhost" + port, "s3.amazonaws.com", "s3.eu-west-1.amazonaws.com"} {
		virtual := s3.New(c.Options(), func(o *s3.Options) {
			o.UsePathStyle, o.BaseEndpoint = false, aws.String("http://"+suffix)
			o.HTTPClient = &http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
				w := httptest.NewRecorder()
				r.Host = r.URL.Host
				s.Handler().ServeHTTP(w, r)
				return w.Result(), nil
			})}
		})
		if got := getObject(t, virtual, "k"); got != "x" {
			t.Errorf("under %s: %q", suffix, got)
		}
	}
}

func TestRestartKeepsWhatWasAnswered(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "blob")
	s := openStore(t, dir)
	if err := s.CreateBucket(*bucketName); err != nil {
		t.Fatal(err)
	}
	c := dial(t, s, false, access, secret)
	putObject(t, c, "kept/é", "data")
	putObject(t, c, "replaced", "old")
	putObject(t, c, "replaced", "new")
	putObject(t, c, "deleted", "x")
	if _, err := c.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: bucketName, Key: aws.String("deleted")}); err != nil {
		t.Fatal(err)
	}
	before, err := c.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: bucketName, Key: aws.String("kept/é")})
	if err != nil {
		t.Fatal(err)
	}
	// What a crash leaves: a file that was being written.
	if err := os.WriteFile(filepath.Join(s.staging(), "object-1"), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		info, _ := d.Info()
		if want := map[bool]fs.FileMode{true: 0o700, false: 0o600}[d.IsDir()]; err == nil && info.Mode().Perm() != want {
			t.Errorf("%s has mode %s", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	again := openStore(t, dir) // without closing the first: it was killed
	c = dial(t, again, false, access, secret)
	if !again.HasBucket(*bucketName) || getObject(t, c, "kept/é") != "data" || getObject(t, c, "replaced") != "new" {
		t.Error("objects were lost")
	}
	after, err := c.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: bucketName, Key: aws.String("kept/é")})
	if err != nil || *after.ETag != *before.ETag || !after.LastModified.Equal(*before.LastModified) {
		t.Errorf("metadata changed from %+v to %+v, %v", before, after, err)
	}
	if _, err := c.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: bucketName, Key: aws.String("deleted")}); status(err) != 404 {
		t.Errorf("a deleted object came back: %v", err)
	}
	if left, err := os.ReadDir(again.staging()); err != nil || len(left) > 0 {
		t.Errorf("the staging folder holds %v, %v", left, err)
	}
}

func TestCutUploadLeavesNothing(t *testing.T) {
	s, _ := serve(t, false)
	data := bytes.Repeat([]byte("x"), 1000)
	for what, body := range map[string]io.Reader{
		"shorter than announced": bytes.NewReader(data[:999]),
		"broken":                 io.MultiReader(bytes.NewReader(data[:999]), brokenReader{}),
	} {
		if _, err := (backend{s}).PutObject(t.Context(), *bucketName, "k", nil, body, 1000); err == nil {
			t.Errorf("%s: no error", what)
		}
		if left, err := os.ReadDir(s.staging()); err != nil || len(left) > 0 {
			t.Errorf("%s: the staging folder holds %v, %v", what, left, err)
		}
		if _, err := (backend{s}).HeadObject(t.Context(), *bucketName, "k"); err == nil {
			t.Errorf("%s: the object is there", what)
		}
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestOpenRefuses(t *testing.T) {
	for _, cfg := range []Config{{}, {Dir: t.TempDir()}, {Dir: t.TempDir(), AccessKey: "a"}} {
		if _, err := Open(cfg); err == nil {
			t.Errorf("%+v was accepted", cfg)
		}
	}
	dir := t.TempDir()
	s := openStore(t, dir)
	if err := s.CreateBucket(*bucketName); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(s.bucketDir(*bucketName), "foreign"), []byte("not an object"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Config{Dir: dir, AccessKey: access, SecretKey: secret}); err == nil || !strings.Contains(err.Error(), "foreign") {
		t.Errorf("a foreign file: %v", err)
	}
}

func TestClosedStoreRefuses(t *testing.T) {
	s, c := serve(t, false)
	s.Close()
	if _, err := c.ListBuckets(t.Context(), &s3.ListBucketsInput{}); status(err) != 503 {
		t.Errorf("%v", err)
	}
}
