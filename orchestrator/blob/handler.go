package blob

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"

	"github.com/rclone/gofakes3"
)

// maxMetadata bounds the headers of a write. The library counts all of x-amz-*, session tokens among them, where
// S3 counts the 2 KB of x-amz-meta-* only.
const maxMetadata = 16 << 10

// newHandler puts what the library lacks in front of it: refusals of what it would take for something else,
// conditions on writes, the check of a body against its signed hash, status 206.
func (s *Store) newHandler() http.Handler {
	protocol := gofakes3.New(backend{s},
		gofakes3.WithLogger(logger{s.cfg.Log}),
		gofakes3.WithMetadataSizeLimit(maxMetadata),
		gofakes3.WithTimeSkewLimit(0), // verify does it
	).Server()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		req := &request{ifMatch: r.Header.Get("If-Match"), ifNoneMatch: r.Header.Get("If-None-Match")}
		for _, check := range []func(*http.Request) *refusal{s.checkOpen, s.verify, checkSupported} {
			if no := check(r); no != nil {
				s.cfg.Log.Debug("S3 request refused", "method", r.Method, "path", r.URL.Path, "code", no.code)
				no.write(w, r)
				return
			}
		}
		s.pathStyle(r)
		checkBody(r, req)
		protocol.ServeHTTP(&response{ResponseWriter: w, req: req}, r.WithContext(context.WithValue(r.Context(), requestKey{}, req)))
	})
}

// request is what the backend needs to know of a request beyond gofakes3's arguments.
type request struct {
	ifMatch, ifNoneMatch string
	status               int // of an error that gofakes3 has no status for
}

type requestKey struct{}

func requestOf(ctx context.Context) *request {
	if r, ok := ctx.Value(requestKey{}).(*request); ok {
		return r
	}
	return &request{}
}

func (r *request) fail(status int, code gofakes3.ErrorCode, message string) error {
	r.status = status
	return gofakes3.ErrorMessage(code, message)
}

// checkWrite says whether the request's conditions let it replace old.
func (r *request) checkWrite(old object, exists bool) error {
	switch {
	case r.ifNoneMatch != "" && exists && (r.ifNoneMatch == "*" || r.ifNoneMatch == quoted(old.MD5)):
		return r.fail(http.StatusPreconditionFailed, "PreconditionFailed", "there is such an object, against If-None-Match")
	case r.ifMatch != "" && !exists:
		return gofakes3.KeyNotFound(old.Key)
	case r.ifMatch != "" && r.ifMatch != "*" && r.ifMatch != quoted(old.MD5):
		return r.fail(http.StatusPreconditionFailed, "PreconditionFailed", "the object is another one, against If-Match")
	}
	return nil
}

func (s *Store) checkOpen(*http.Request) *refusal {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return &refusal{http.StatusServiceUnavailable, "ServiceUnavailable", "the store is closed"}
	}
	return nil
}

// subresources are those of S3 that gofakes3 does not know: it would take a PUT of an object's tags for a PUT of
// the object.
var subresources = []string{
	"accelerate", "acl", "analytics", "attributes", "cors", "encryption", "intelligent-tiering", "inventory",
	"legal-hold", "lifecycle", "logging", "metrics", "notification", "object-lock", "ownershipControls", "policy",
	"policyStatus", "publicAccessBlock", "replication", "requestPayment", "restore", "retention", "select", "tagging",
	"torrent", "website",
}

func checkSupported(r *http.Request) *refusal {
	query := r.URL.Query()
	for _, name := range subresources {
		if query.Has(name) {
			return notImplemented("?" + name)
		}
	}
	source := r.Header.Get("X-Amz-Copy-Source")
	switch {
	case source != "" && query.Has("uploadId"):
		return notImplemented("copying into a part")
	case source != "" && !strings.Contains(strings.TrimPrefix(source, "/"), "/"):
		return &refusal{http.StatusBadRequest, "InvalidArgument", "the copy source is not BUCKET/KEY"}
	case r.Method == http.MethodPut && isFolderKey(r.URL.Path):
		return notImplemented("a key that ends in a slash")
	}
	return nil
}

// isFolderKey says whether path is /BUCKET/KEY with a key that ends in a slash, which gofakes3 would cut off.
func isFolderKey(path string) bool {
	_, key, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	return strings.HasSuffix(key, "/")
}

func notImplemented(what string) *refusal {
	return &refusal{http.StatusNotImplemented, "NotImplemented", "this store does not have " + what}
}

// pathStyle moves a bucket that is part of the host name into the path.
func (s *Store) pathStyle(r *http.Request) {
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	for i, c := range host {
		if c != '.' || !isServiceHost(host[i+1:]) || !s.HasBucket(host[:i]) {
			continue
		}
		r.URL.Path = "/" + host[:i] + r.URL.Path
		return
	}
}

func isServiceHost(host string) bool {
	return host == "localhost" || strings.HasPrefix(host, "s3.") || strings.HasPrefix(host, "s3-")
}

// checkBody makes reading the body fail when it is not what was signed. The signature covers the hash only.
func checkBody(r *http.Request, req *request) {
	switch sum := r.Header.Get("X-Amz-Content-Sha256"); {
	case sum == "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER":
		// The same framing as without a trailer, as which gofakes3 knows it; it never reads the trailer.
		r.Header.Set("X-Amz-Content-Sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD")
	case len(sum) == 2*sha256.Size && r.ContentLength > 0:
		r.Body = &checkedBody{ReadCloser: r.Body, req: req, hash: sha256.New(), want: sum, left: r.ContentLength}
	}
}

type checkedBody struct {
	io.ReadCloser
	req  *request
	hash hash.Hash
	want string
	left int64
}

func (b *checkedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.hash.Write(p[:n])
	b.left -= int64(n)
	if b.left == 0 && hex.EncodeToString(b.hash.Sum(nil)) != b.want {
		return 0, b.req.fail(http.StatusBadRequest, "XAmzContentSHA256Mismatch", "the body is not the one that was signed")
	}
	return n, err
}

// response corrects the status that gofakes3 sends.
type response struct {
	http.ResponseWriter
	req   *request
	wrote bool
}

func (w *response) WriteHeader(status int) {
	if w.wrote {
		return
	}
	w.wrote = true
	switch {
	case w.req.status != 0:
		status = w.req.status
	case status == http.StatusOK && w.Header().Get("Content-Range") != "":
		status = http.StatusPartialContent
	}
	if status >= 400 {
		w.Header().Set("Content-Type", "application/xml")
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *response) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.ResponseWriter.Write(p)
}

// logger is a slog.Logger as gofakes3 calls it.
type logger struct{ *slog.Logger }

func (l logger) Print(level gofakes3.LogLevel, v ...any) {
	at := slog.LevelDebug
	switch level {
	case gofakes3.LogErr:
		at = slog.LevelError
	case gofakes3.LogWarn:
		at = slog.LevelWarn
	}
	if l.Enabled(context.Background(), at) {
		l.Log(context.Background(), at, "S3: "+strings.TrimSpace(fmt.Sprintln(v...)))
	}
}

// keptHeaders are the request headers of a write that a read answers with, beside x-amz-meta-*. The others
// are about the request: its signature, its token, its hash.
var keptHeaders = []string{"Cache-Control", "Content-Disposition", "Content-Encoding", "Content-Language", "Content-Type"}

func kept(meta map[string]string) map[string]string {
	keep := map[string]string{}
	for name, value := range meta {
		if name == "Content-Encoding" { // the upload's own framing is not the object's
			value = strings.Trim(strings.ReplaceAll(value, "aws-chunked", ""), ", ")
		}
		if value != "" && (strings.HasPrefix(name, "X-Amz-Meta-") || slices.Contains(keptHeaders, name)) {
			keep[name] = value
		}
	}
	return keep
}

func (o object) headers() map[string]string {
	h := maps.Clone(o.Meta)
	if h == nil {
		h = map[string]string{}
	}
	h["Last-Modified"] = o.Modified.Format(http.TimeFormat)
	return h
}

func quoted(md5 []byte) string { return `"` + hex.EncodeToString(md5) + `"` }
