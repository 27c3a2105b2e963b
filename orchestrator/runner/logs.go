package runner

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"ostro/orchestrator/driver"
)

// frameSize is the largest piece of data in a frame (Nomad: 64 KiB).
const frameSize = 64 << 10

// followDelay is how often a followed file is looked at again.
const followDelay = 100 * time.Millisecond

// ErrNotStarted is what Logs says of a task that has no log files yet.
var ErrNotStarted = errors.New("not started yet. No logs available")

// ErrNoLogs is what Logs says of a task whose output is thrown away.
var ErrNoLogs = errors.New("not found")

// LogOptions says which part of a log to read.
type LogOptions struct {
	Follow  bool  // go on until the task has ended and all is read, or the context ends
	FromEnd bool  // Offset counts back from the end, across rotated files
	Offset  int64 // bytes
}

// A Frame is a piece of a file, in the terms of Nomad's frames.
type Frame struct {
	File   string // path from the allocation's folder: "alloc/logs/web.stdout.0"
	Offset int64  // in File, of the end of Data
	Data   []byte // at most 64 KiB; valid until the next frame
	Event  string // "file truncated", "file deleted"; then there is no Data
}

// Logs reads the log of a task: kind is "stdout" or "stderr". The frames come in order, from one rotated file to the
// next. The error is about the request; one that occurs later ends the sequence.
func (r *Runner) Logs(ctx context.Context, allocID, task, kind string, opts LogOptions) (iter.Seq2[Frame, error], error) {
	a, err := r.lookup(allocID)
	if err != nil {
		return nil, err
	}
	t, ok := a.tasks[task]
	if !ok {
		return nil, fmt.Errorf("unknown task name %q", task)
	}
	if kind != "stdout" && kind != "stderr" {
		return nil, errors.New("must provide log type (stdout/stderr)")
	}
	l := &logReader{dir: filepath.Join(a.dir, "alloc", "logs"), prefix: task + "." + kind + ".", opts: opts}
	if opts.Follow {
		l.ended = func() bool { return isClosed(t.done) }
	}
	if len(driver.LogIndexes(l.dir, l.prefix)) == 0 {
		_, _, spec := a.spec(task)
		switch {
		case a.state(t).State.StartedAt.IsZero():
			return nil, fmt.Errorf("task %q %w", task, ErrNotStarted)
		case spec != nil && spec.LogConfig != nil && deref(spec.LogConfig.Disabled):
			return nil, fmt.Errorf("log entry for task %q and log type %q %w", task, kind, ErrNoLogs)
		}
	}
	return func(yield func(Frame, error) bool) {
		if err := l.read(ctx, func(f Frame) bool { return yield(f, nil) }); err != nil {
			yield(Frame{}, err)
		}
	}, nil
}

// A logReader reads the numbered files of one stream.
type logReader struct {
	dir, prefix string
	opts        LogOptions
	ended       func() bool // nothing more will be written; nil when not following
}

var errStopped = errors.New("the reader has had enough")

func (l *logReader) read(ctx context.Context, yield func(Frame) bool) error {
	index, offset := l.begin()
	for {
		last, err := l.file(ctx, index, offset, yield)
		switch {
		case errors.Is(err, errStopped), ctx.Err() != nil:
			return nil
		case err != nil:
			return err
		case last:
			return nil
		}
		index, offset = l.after(index), 0
	}
}

// begin finds the file and the offset to begin with.
func (l *logReader) begin() (index int, offset int64) {
	all := driver.LogIndexes(l.dir, l.prefix)
	if len(all) == 0 {
		return 0, 0
	}
	if !l.opts.FromEnd {
		index, offset = all[0], l.opts.Offset
		for i := 0; i < len(all)-1 && offset > l.size(all[i]); i++ {
			offset -= l.size(all[i])
			index = all[i+1]
		}
		return index, offset
	}
	back := l.opts.Offset
	for i := len(all) - 1; i >= 0; i-- {
		size := l.size(all[i])
		if back <= size {
			return all[i], size - back
		}
		back -= size
	}
	return all[0], 0
}

// after returns the number of the file that follows index. Files in between may have been rotated out.
func (l *logReader) after(index int) int {
	for _, n := range driver.LogIndexes(l.dir, l.prefix) {
		if n > index {
			return n
		}
	}
	return index + 1
}

func (l *logReader) name(index int) string { return l.prefix + strconv.Itoa(index) }

func (l *logReader) size(index int) int64 {
	info, err := os.Lstat(filepath.Join(l.dir, l.name(index)))
	if err != nil {
		return 0 // rotated out
	}
	return info.Size()
}

// hasNext reports whether there is a file after index, so that index is not written to any more.
func (l *logReader) hasNext(index int) bool {
	all := driver.LogIndexes(l.dir, l.prefix)
	return len(all) > 0 && all[len(all)-1] > index
}

// file reads one file to its end. It reports whether that was the last one.
func (l *logReader) file(ctx context.Context, index int, offset int64, yield func(Frame) bool) (last bool, err error) {
	f, err := l.open(ctx, index)
	if err != nil || f == nil {
		return f == nil && err == nil && !l.hasNext(index), err
	}
	defer f.Close()
	if _, err := f.Seek(offset, io.SeekStart); err != nil {
		return false, fmt.Errorf("read the log: %w", err)
	}
	name := "alloc/logs/" + l.prefix + strconv.Itoa(index)
	buf := make([]byte, frameSize)
	for {
		// Asked before the read: what comes true meanwhile is read in the next round.
		next, ended := l.hasNext(index), l.ended == nil || l.ended()
		n, err := f.Read(buf)
		if n > 0 {
			offset += int64(n)
			if !yield(Frame{File: name, Offset: offset, Data: buf[:n]}) {
				return false, errStopped
			}
			continue
		}
		switch {
		case err != nil && !errors.Is(err, io.EOF):
			return false, fmt.Errorf("read the log: %w", err)
		case next:
			return false, nil
		case ended:
			return true, nil
		}
		if err := sleep(ctx, followDelay); err != nil {
			return false, err
		}
	}
}

// open opens a file, waiting for it when the log is followed. A nil file is one that is not there and will not come.
func (l *logReader) open(ctx context.Context, index int) (*os.File, error) {
	for {
		ended := l.ended == nil || l.ended()
		f, err := driver.OpenLog(l.dir, l.name(index))
		if err == nil || !errors.Is(err, fs.ErrNotExist) {
			return f, err
		}
		if ended || l.hasNext(index) {
			return nil, nil
		}
		if err := sleep(ctx, followDelay); err != nil {
			return nil, err
		}
	}
}

// sleep waits for d unless ctx ends.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
