package httpapi

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"strconv"
	"time"

	"ostro/orchestrator/runner"
)

// fileError gives an error about a file the status that goes with it. (Nomad.)
func fileError(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fail(http.StatusNotFound, "%v", err)
	}
	return clientError(err)
}

func (s *server) listFiles(r *request) (any, error) {
	node, err := s.allocRunner(r.id())
	if err != nil {
		return nil, err
	}
	path := r.query.Get("path")
	if path == "" {
		path = "/"
	}
	files, err := node.List(r.id(), path)
	if err != nil {
		return nil, fileError(err)
	}
	return orEmpty(files), nil
}

func (s *server) statFile(r *request) (any, error) {
	path, err := r.filePath()
	if err != nil {
		return nil, err
	}
	node, err := s.allocRunner(r.id())
	if err != nil {
		return nil, err
	}
	info, err := node.Stat(r.id(), path)
	if err != nil {
		return nil, fileError(err)
	}
	return info, nil
}

func (r *request) filePath() (string, error) {
	path := r.query.Get("path")
	if path == "" {
		return "", badRequest("must provide a file name")
	}
	return path, nil
}

// openFile opens the file that a request names.
func (s *server) openFile(r *request) (*os.File, string, error) {
	path, err := r.filePath()
	if err != nil {
		return nil, "", err
	}
	node, err := s.allocRunner(r.id())
	if err != nil {
		return nil, "", err
	}
	file, err := node.Open(r.id(), path)
	if err != nil {
		return nil, "", fileError(err)
	}
	return file, path, nil
}

func (s *server) catFile(r *request) (any, error) {
	file, _, err := s.openFile(r)
	if err != nil {
		return s.catError(r, err)
	}
	return bytesOf(file, 0, -1), nil
}

// catError answers about an unknown allocation with status 200, as the command
// line expects it. (Nomad.)
func (s *server) catError(r *request, err error) (any, error) {
	if s.Store.Snapshot().Alloc(nil, r.id()) != nil || r.query.Get("path") == "" {
		return nil, err
	}
	return stream(func(w http.ResponseWriter) error {
		writeText(w, http.StatusOK, err.Error())
		return nil
	}), nil
}

// readFile reads a part of a file; a limit of 0 or less reads to the end.
func (s *server) readFile(r *request) (any, error) {
	if _, err := r.filePath(); err != nil {
		return nil, err
	}
	offset, err := strconv.ParseInt(r.query.Get("offset"), 10, 64)
	if err != nil {
		return nil, textError("error parsing offset: " + err.Error())
	}
	limit := int64(-1)
	if text := r.query.Get("limit"); text != "" {
		if limit, err = strconv.ParseInt(text, 10, 64); err != nil {
			return nil, textError("error parsing limit: " + err.Error())
		}
	}
	file, _, err := s.openFile(r)
	if err != nil {
		return nil, err
	}
	return bytesOf(file, offset, limit), nil
}

// bytesOf answers with a part of a file as it is, and closes it. The browser is
// told that it is text: what a task wrote must not run as a page.
func bytesOf(file *os.File, offset, limit int64) stream {
	return func(w http.ResponseWriter) error {
		defer file.Close()
		if _, err := file.Seek(offset, io.SeekStart); err != nil {
			return err
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		var from io.Reader = file
		if limit > 0 {
			from = io.LimitReader(file, limit)
		}
		io.Copy(w, from) // What goes wrong now, the client sees as a short answer.
		return nil
	}
}

// followDelay is how often the end of a followed file is looked at again.
const followDelay = 200 * time.Millisecond

// frameSize is the most that one frame carries, in bytes. (Nomad.)
const frameSize = 64 << 10

// streamFile sends a file in frames and follows it, unless ?follow=false.
func (s *server) streamFile(r *request) (any, error) {
	offset, fromEnd, err := r.position()
	if err != nil {
		return nil, err
	}
	follow := true
	if r.query.Get("follow") != "" {
		if follow, err = r.flag("follow"); err != nil {
			return nil, err
		}
	}
	file, path, err := s.openFile(r)
	if err != nil {
		return nil, err
	}
	if fromEnd {
		info, err := file.Stat()
		if err != nil {
			return nil, errors.Join(err, file.Close())
		}
		offset = max(info.Size()-offset, 0)
	}
	return stream(func(w http.ResponseWriter) error {
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		f := follower{file: file, path: path, offset: offset, follow: follow}
		return writeFrames(ctx, w, false, func(yield func(runner.Frame, error) bool) { f.read(ctx, yield) })
	}), nil
}

// follower reads one file as it grows.
type follower struct {
	file   *os.File
	path   string
	offset int64
	follow bool
}

func (f follower) read(ctx context.Context, yield func(runner.Frame, error) bool) {
	defer f.file.Close()
	buffer := make([]byte, frameSize)
	for {
		n, err := f.file.ReadAt(buffer, f.offset)
		if n > 0 {
			f.offset += int64(n)
			if !yield(runner.Frame{File: f.path, Offset: f.offset, Data: buffer[:n]}, nil) {
				return
			}
			continue
		}
		if err != nil && !errors.Is(err, io.EOF) || !f.follow {
			return
		}
		if info, err := f.file.Stat(); err == nil && info.Size() < f.offset {
			f.offset = 0
			if !yield(runner.Frame{File: f.path, Event: "file truncated"}, nil) {
				return
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(followDelay):
		}
	}
}
