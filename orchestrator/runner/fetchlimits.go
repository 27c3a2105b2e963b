package runner

import (
	"archive/zip"
	"cmp"
	"context"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"time"

	"github.com/hashicorp/go-getter/v2"
)

// FetchLimits bound the download of one artifact. What is zero is as Nomad has it; less is no bound.
type FetchLimits struct {
	HTTPTime, GitTime, HgTime, S3Time time.Duration // 30 minutes

	HTTPBytes   int64 // 100 GiB; also of an object from S3
	UnpackBytes int64 // of each file of an archive, 100 GiB
	UnpackFiles int   // 4,096
}

const (
	fetchTime      = 30 * time.Minute
	fetchMaxBytes  = 100 << 30
	unpackMaxFiles = 4096
	unpackMaxBytes = 100 << 30
)

func (l FetchLimits) withDefaults() FetchLimits {
	for _, t := range []*time.Duration{&l.HTTPTime, &l.GitTime, &l.HgTime, &l.S3Time} {
		*t = cmp.Or(*t, fetchTime)
	}
	l.HTTPBytes = cmp.Or(l.HTTPBytes, fetchMaxBytes)
	l.UnpackBytes = max(0, cmp.Or(l.UnpackBytes, unpackMaxBytes)) // go-getter has 0 for no bound
	l.UnpackFiles = max(0, cmp.Or(l.UnpackFiles, unpackMaxFiles))
	return l
}

// timeOf is how long a download by g may take; 0 is as long as it likes.
func (l FetchLimits) timeOf(g getter.Getter) time.Duration {
	switch g.(type) {
	case *s3Getter:
		return max(0, l.S3Time)
	case *getter.GitGetter:
		return max(0, l.GitTime)
	case *getter.HgGetter:
		return max(0, l.HgTime)
	}
	return max(0, l.HTTPTime)
}

// abandonTime is how long a download may take to end once it has to.
const abandonTime = time.Second

// abandoned does get, and leaves it to itself where it does not end with ctx: git's own children live on when git is
// killed, and hold its output open. What panics over what it got has failed: the agent goes on.
func abandoned(ctx context.Context, get func() error) error {
	done := make(chan error, 1)
	go func() {
		defer func() {
			if p := recover(); p != nil {
				done <- fmt.Errorf("what came cannot be read: %v", p)
			}
		}()
		done <- get()
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	select {
	case err := <-done:
		return err
	case <-time.After(abandonTime):
		return ctx.Err()
	}
}

// A readableZip refuses archives with a file that cannot be read, over which go-getter panics.
type readableZip struct{ getter.Decompressor }

func (z readableZip) Decompress(dst, src string, dir bool, umask fs.FileMode) error {
	if err := openEach(src); err != nil {
		return fmt.Errorf("unpack the archive: %w", err)
	}
	return z.Decompressor.Decompress(dst, src, dir, umask)
}

func openEach(archive string) error {
	r, err := zip.OpenReader(archive)
	if err != nil {
		return err
	}
	defer r.Close()
	for _, f := range r.File {
		content, err := f.Open()
		if err != nil {
			return fmt.Errorf("%q: %w", f.Name, err)
		}
		content.Close()
	}
	return nil
}

// decompressors unpack archives of all kinds within the limits.
func (l FetchLimits) decompressors() map[string]getter.Decompressor {
	all := getter.LimitedDecompressors(l.UnpackFiles, l.UnpackBytes)
	all["zip"] = readableZip{all["zip"]}
	return all
}

// A sizeLimit refuses answers that are too long. (Go-getter cuts them off, which nobody would notice.)
type sizeLimit struct {
	http.RoundTripper
	most int64
}

func (l sizeLimit) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := l.RoundTripper.RoundTrip(r)
	if err != nil || l.most <= 0 {
		return response, err
	}
	if response.ContentLength > l.most {
		response.Body.Close()
		return nil, tooLarge(l.most)
	}
	response.Body = &boundedBody{ReadCloser: response.Body, most: l.most}
	return response, nil
}

func tooLarge(most int64) error { return fmt.Errorf("it is larger than %d bytes", most) }

// A boundedBody fails once too much has come.
type boundedBody struct {
	io.ReadCloser
	read, most int64
}

func (b *boundedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.read += int64(n); b.read > b.most {
		return 0, tooLarge(b.most)
	}
	return n, err
}
