package httpapi

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// A handler answers one request with a value that becomes JSON, an [answer], a
// [stream], or an error.
type handler func(r *request) (any, error)

// route is what a path answers, by method. Write takes PUT and POST alike.
// (Nomad.)
type route struct{ get, put, delete handler }

func (h route) method(name string) handler {
	switch name {
	case http.MethodGet:
		return h.get
	case http.MethodPut, http.MethodPost:
		return h.put
	case http.MethodDelete:
		return h.delete
	}
	return nil
}

// answer is a value with the index as of which it holds.
type answer struct {
	value any
	index uint64
	// next is the token of the next page, empty on the last one.
	next string
	// status is 200 when it is not set.
	status int
}

// stream writes the answer by itself. An error that it returns before it wrote
// anything is answered like any other.
type stream func(w http.ResponseWriter) error

// failure is an error with the status that it is answered with.
type failure struct {
	status int
	text   string
	// index stands in the header of what is missing.
	index uint64
}

func (f *failure) Error() string { return f.text }

// fail makes an error that is answered with a status.
func fail(status int, format string, args ...any) error {
	return &failure{status: status, text: fmt.Sprintf(format, args...)}
}

func badRequest(format string, args ...any) error {
	return fail(http.StatusBadRequest, format, args...)
}

// missing is the answer about something that does not exist as of index.
func missing(text string, index uint64) error {
	return &failure{http.StatusNotFound, text, index}
}

// adapt makes an http.Handler of a route.
func (s *server) adapt(route route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := route.method(r.Method)
		if h == nil {
			s.writeError(w, r, fail(http.StatusMethodNotAllowed, "Invalid method"))
			return
		}
		start := time.Now()
		defer func() {
			s.Log.Debug("http: request complete", "method", r.Method, "path", r.URL.RequestURI(), "duration", time.Since(start))
		}()
		value, err := s.serve(h, w, r)
		if err != nil {
			s.writeError(w, r, err)
			return
		}
		if value == nil {
			return
		}
		s.writeJSON(w, r, *value)
	})
}

// serve runs a handler and puts the index of what it returns into the header.
// It returns nil when the answer is already written.
func (s *server) serve(h handler, w http.ResponseWriter, r *http.Request) (*answer, error) {
	req, err := s.parse(r)
	if err != nil {
		return nil, err
	}
	value, err := h(req)
	if err != nil {
		return nil, err
	}
	switch v := value.(type) {
	case stream:
		return nil, v(w)
	case answer:
		setIndex(w, v.index)
		if v.next != "" {
			w.Header().Set("X-Nomad-NextToken", v.next)
		}
		return &v, nil
	}
	return &answer{value: value}, nil
}

func setIndex(w http.ResponseWriter, index uint64) {
	w.Header().Set("X-Nomad-Index", strconv.FormatUint(index, 10))
	w.Header().Set("X-Nomad-KnownLeader", "true")
	w.Header().Set("X-Nomad-LastContact", "0")
}

// nullTimes tells by null of a time that has not come. (Nomad.)
func nullTimes(text []byte) []byte {
	never := []byte(`"0001-01-01T00:00:00Z"`)
	if !bytes.Contains(text, never) {
		return text
	}
	nulled := make([]byte, 0, len(text))
	for before, after, found := bytes.Cut(text, never); ; before, after, found = bytes.Cut(after, never) {
		nulled = append(nulled, before...)
		switch {
		case !found:
			return nulled
		case nullable(before):
			nulled = append(nulled, "null"...)
		default:
			nulled = append(nulled, never...)
		}
	}
}

// nullable tells whether text ends with the name of a time that may be null.
func nullable(text []byte) bool {
	text = bytes.TrimSuffix(bytes.TrimSuffix(text, []byte(" ")), []byte(`":`))
	for _, name := range []string{"StartedAt", "FinishedAt", "LastRestart", "RequireProgressBy", "NextPeriodicLaunch"} {
		if bytes.HasSuffix(text, []byte(`"`+name)) {
			return true
		}
	}
	return false
}

// gzipFrom is the size in bytes from which an answer is worth compressing.
const gzipFrom = 1400

func (s *server) writeJSON(w http.ResponseWriter, r *http.Request, reply answer) {
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	if r.URL.Query().Has("pretty") {
		encoder.SetIndent("", "    ")
	}
	if err := encoder.Encode(reply.value); err != nil {
		writeText(w, http.StatusInternalServerError, err.Error())
		return
	}
	text := nullTimes(bytes.TrimSuffix(body.Bytes(), []byte("\n")))
	w.Header().Set("Content-Type", "application/json")
	w.Header().Add("Vary", "Accept-Encoding")
	compress := len(text) >= gzipFrom && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip")
	if compress {
		w.Header().Set("Content-Encoding", "gzip")
	}
	w.WriteHeader(cmp.Or(reply.status, http.StatusOK))
	if !compress {
		w.Write(text)
		return
	}
	compressed, ok := s.compressors.Get().(*gzip.Writer)
	if !ok {
		compressed = gzip.NewWriter(w)
	}
	defer s.compressors.Put(compressed)
	compressed.Reset(w)
	compressed.Write(text)
	compressed.Close()
}

// writeError answers as Nomad does: a plain text, and the status that goes with
// it.
func (s *server) writeError(w http.ResponseWriter, r *http.Request, err error) {
	text, status := err.Error(), http.StatusInternalServerError
	var tooLarge *http.MaxBytesError
	if f, ok := errors.AsType[*failure](err); ok {
		status = f.status
		if f.index > 0 {
			setIndex(w, f.index)
		}
	} else if errors.As(err, &tooLarge) {
		status = http.StatusRequestEntityTooLarge
	}
	s.Log.Debug("request refused", "method", r.Method, "path", r.URL.Path, "status", status, "error", text)
	writeText(w, status, text)
}

func writeText(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	io.WriteString(w, text)
}

// decode reads the JSON body of a write. (Nomad: the texts.)
func decode(r *request, into any) error {
	if r.Body == nil || r.ContentLength == 0 {
		return badRequest("Request body is empty")
	}
	err := json.NewDecoder(r.Body).Decode(into)
	if errors.Is(err, io.EOF) {
		return badRequest("Request body is empty")
	}
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return err
	}
	if err != nil {
		return badRequest("%v", err)
	}
	return nil
}

// meta is what some answers repeat of their headers. (Nomad.)
type meta struct {
	Index, LastContact uint64
	KnownLeader        bool
	NextToken          string
}

func knownAt(index uint64) meta { return meta{Index: index, KnownLeader: true} }

// noContent is an answer without a body, as of an index.
func noContent(status int, index uint64) stream {
	return func(w http.ResponseWriter) error {
		setIndex(w, index)
		w.WriteHeader(status)
		return nil
	}
}
