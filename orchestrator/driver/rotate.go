package driver

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// A rotator writes one output stream of a task into numbered files (Nomad: NAME.stdout.0, .1, ...; the number only
// grows). It never fails its writer: what cannot be written is dropped, and a line tells of the gap later on.
type rotator struct {
	dir, prefix string // prefix is "web.stdout."
	maxFiles    int
	maxSize     int64

	file    *os.File
	index   int
	size    int64
	dropped int64
}

func newRotator(l Logs, stream string) *rotator {
	r := &rotator{dir: l.Dir, prefix: l.Name + "." + stream + ".", maxFiles: max(l.MaxFiles, 1), maxSize: l.MaxFileSize}
	if r.maxSize <= 0 {
		r.maxSize = 10 << 20
	}
	if all := LogIndexes(r.dir, r.prefix); len(all) > 0 {
		r.index = all[len(all)-1]
	}
	return r
}

// LogIndexes returns the numbers of the log files in dir whose names begin with prefix ("web.stdout."), ascending.
func LogIndexes(dir, prefix string) []int {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil // no folder, no files
	}
	var all []int
	for _, e := range entries {
		rest, ok := strings.CutPrefix(e.Name(), prefix)
		if !ok {
			continue
		}
		if n, err := strconv.Atoi(rest); err == nil && n >= 0 {
			all = append(all, n)
		}
	}
	slices.Sort(all)
	return all
}

// Write takes all of p, and never returns an error.
func (r *rotator) Write(p []byte) (int, error) {
	total := len(p)
	for len(p) > 0 {
		if err := r.open(); err != nil {
			r.dropped += int64(len(p))
			break
		}
		n := len(p)
		if room := r.maxSize - r.size; int64(n) > room {
			n = cutAtLine(p, int(max(room, 0)), r.size == 0)
		}
		if n == 0 {
			r.next()
			continue
		}
		wrote, err := r.file.Write(p[:n])
		r.size += int64(wrote)
		if err != nil {
			r.dropped += int64(len(p) - wrote)
			break
		}
		p = p[n:]
	}
	return total, nil
}

// cutAtLine returns how many of the first room bytes of p to put into the current file: whole lines if there is one,
// none if the file has something already, else all that fit.
func cutAtLine(p []byte, room int, empty bool) int {
	for i := room; i > 0; i-- {
		if p[i-1] == '\n' {
			return i
		}
	}
	if empty {
		return max(room, 1)
	}
	return 0
}

func (r *rotator) name() string { return r.prefix + strconv.Itoa(r.index) }

func (r *rotator) open() error {
	if r.file == nil {
		f, err := appendLog(r.dir, r.name())
		if err != nil {
			return err
		}
		info, err := f.Stat()
		if err != nil {
			return errors.Join(err, f.Close())
		}
		r.file, r.size = f, info.Size()
	}
	if r.dropped > 0 {
		n, err := fmt.Fprintf(r.file, "\n[%d bytes of output could not be stored and are lost]\n", r.dropped)
		r.size += int64(n)
		if err != nil {
			return err
		}
		r.dropped = 0
	}
	return nil
}

// next goes on to a new file, and removes the oldest ones beyond the limit.
func (r *rotator) next() {
	r.Close()
	r.index++
	all := append(LogIndexes(r.dir, r.prefix), r.index)
	for len(all) > r.maxFiles {
		os.Remove(filepath.Join(r.dir, r.prefix+strconv.Itoa(all[0]))) // tried again at the next rotation
		all = all[1:]
	}
}

// Close closes the current file. The rotator can be used again.
func (r *rotator) Close() error {
	if r.file == nil {
		return nil
	}
	err := r.file.Close()
	r.file = nil
	return err
}

// A mark is a place in a stream: a file, and how many bytes of it there are.
type mark struct {
	Index int
	Size  int64
}

// mark is where the stream ends now.
func (r *rotator) mark() mark {
	m := mark{Index: r.index, Size: r.size}
	if r.file == nil {
		m.Size = 0
		if info, err := os.Lstat(filepath.Join(r.dir, r.name())); err == nil {
			m.Size = info.Size()
		}
	}
	return m
}

// behind is how many bytes the stream has behind a mark, without those in files that have been removed.
func (r *rotator) behind(m mark) int64 {
	n := -m.Size
	for _, index := range LogIndexes(r.dir, r.prefix) {
		if info, err := os.Lstat(filepath.Join(r.dir, r.prefix+strconv.Itoa(index))); err == nil && index >= m.Index {
			n += info.Size()
		}
	}
	return max(n, 0)
}
