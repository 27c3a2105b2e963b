package blob

import (
	"context"
	"crypto/md5"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/rclone/gofakes3"
)

// minPart is S3's smallest part, the last one excepted.
const minPart = 5 << 20

// upload is a multipart upload under way: a folder with a file for each part. It does not outlive the store.
type upload struct {
	dir  string
	meta map[string]string

	mu    sync.Mutex
	parts map[int]part
	done  bool // completed or aborted
}

type part struct {
	path string
	md5  []byte
	size int64
}

func (b backend) CreateMultipartUpload(_ context.Context, _, _ string, meta map[string]string) (gofakes3.UploadID, error) {
	id := gofakes3.UploadID(rand.Text())
	dir := filepath.Join(b.staging(), string(id))
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := os.Mkdir(dir, 0o700); err != nil {
		return "", err
	}
	b.uploads[id] = &upload{dir: dir, meta: kept(meta), parts: map[int]part{}}
	return id, nil
}

func (b backend) upload(id gofakes3.UploadID) (*upload, error) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	if u := b.uploads[id]; u != nil {
		return u, nil
	}
	return nil, gofakes3.ErrNoSuchUpload
}

func (b backend) UploadPart(_ context.Context, _, _ string, id gofakes3.UploadID, number int, size int64, data io.Reader) (string, error) {
	u, err := b.upload(id)
	if err != nil {
		return "", err
	}
	p, err := writePart(u.dir, number, data)
	if err != nil {
		return "", err
	}
	if p.size != size {
		os.Remove(p.path)
		return "", errIncomplete
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.done {
		return "", gofakes3.ErrNoSuchUpload
	}
	if old, ok := u.parts[number]; ok {
		os.Remove(old.path)
	}
	u.parts[number] = p
	return quoted(p.md5), nil
}

// writePart does not sync: a crash ends the upload anyway.
func writePart(dir string, number int, data io.Reader) (part, error) {
	f, err := os.CreateTemp(dir, strconv.Itoa(number)+"-")
	if err != nil {
		return part{}, err
	}
	hash := md5.New()
	n, err := io.Copy(io.MultiWriter(f, hash), data)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		os.Remove(f.Name())
		return part{}, err
	}
	return part{f.Name(), hash.Sum(nil), n}, nil
}

func (b backend) CompleteMultipartUpload(ctx context.Context, bucketName, key string, id gofakes3.UploadID, in *gofakes3.CompleteMultipartUploadRequest) (gofakes3.VersionID, string, error) {
	u, err := b.upload(id)
	if err != nil {
		return "", "", err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.done {
		return "", "", gofakes3.ErrNoSuchUpload
	}
	parts, err := u.choose(requestOf(ctx), in.Parts)
	if err != nil {
		return "", "", err
	}
	data := &joined{parts: parts}
	defer data.Close()
	o := object{Key: key, Meta: u.meta}
	for _, p := range parts {
		o.Size += p.size
	}
	if o, err = b.put(ctx, bucketName, o, data); err != nil {
		return "", "", err
	}
	return "", quoted(o.MD5), b.forget(id, u)
}

// choose gives the parts that the client names, checked as S3 checks them.
func (u *upload) choose(req *request, named []gofakes3.CompletedPart) ([]part, error) {
	if len(named) == 0 {
		return nil, gofakes3.ErrMalformedXML
	}
	parts := make([]part, len(named))
	for i, n := range named {
		p, ok := u.parts[n.PartNumber]
		switch {
		case i > 0 && n.PartNumber <= named[i-1].PartNumber:
			return nil, gofakes3.ErrInvalidPartOrder
		case !ok || strings.Trim(n.ETag, `"`) != strings.Trim(quoted(p.md5), `"`):
			return nil, gofakes3.ErrInvalidPart
		case i < len(named)-1 && p.size < minPart:
			return nil, req.fail(http.StatusBadRequest, "EntityTooSmall", fmt.Sprintf("part %d has %d bytes, and %d is the least", n.PartNumber, p.size, minPart))
		}
		parts[i] = p
	}
	return parts, nil
}

func (b backend) AbortMultipartUpload(_ context.Context, _, _ string, id gofakes3.UploadID) error {
	u, err := b.upload(id)
	if err != nil {
		return nil // aborted before
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	return b.forget(id, u)
}

// forget is called with u.mu locked.
func (b backend) forget(id gofakes3.UploadID, u *upload) error {
	u.done = true
	b.mu.Lock()
	delete(b.uploads, id)
	b.mu.Unlock()
	return os.RemoveAll(u.dir)
}

// joined reads one part's file after the other, with one of them open at a time.
type joined struct {
	parts []part
	f     *os.File
}

func (j *joined) Read(p []byte) (int, error) {
	for {
		if j.f == nil {
			if len(j.parts) == 0 {
				return 0, io.EOF
			}
			f, err := os.Open(j.parts[0].path)
			if err != nil {
				return 0, err
			}
			j.f, j.parts = f, j.parts[1:]
		}
		n, err := j.f.Read(p)
		if err != io.EOF {
			return n, err
		}
		j.Close()
		if n > 0 {
			return n, nil
		}
	}
}

func (j *joined) Close() {
	if j.f != nil {
		j.f.Close()
		j.f = nil
	}
}
