package driver

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// A position is how far the log of a container has been read, and where the files that it was written to ended then.
// Both are needed: an agent may be killed after it has written and before it has noted it.
type position struct {
	Read           string // the time of the last entry, as Docker gives it; "" before the first
	Stdout, Stderr mark
}

func (d *Docker) positionPath(id string) string { return filepath.Join(d.dir, taskKey("", id)) }

// position is what was noted last. At first it notes where the files end: what is there comes from an earlier run of
// the task.
func (d *Docker) position(id string, out, errs *rotator) position {
	var p position
	text, err := os.ReadFile(d.positionPath(id))
	if err == nil {
		err = json.Unmarshal(text, &p)
	}
	if err != nil {
		p = position{Stdout: out.mark(), Stderr: errs.mark()}
		d.note(id, p) // what cannot be noted now is noted later on
	}
	return p
}

// note keeps a position: the old one or the new one is there, whole, whenever the agent is killed.
func (d *Docker) note(id string, p position) error {
	text, err := json.Marshal(p)
	if err != nil {
		return err
	}
	path := d.positionPath(id)
	if err := os.WriteFile(path+".tmp", text, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".tmp", path)
}

// since is the time behind the last entry, as Docker takes it; "" before the first.
func (p position) since() string {
	at, err := time.Parse(time.RFC3339Nano, p.Read)
	if err != nil {
		return ""
	}
	at = at.Add(1) // what was read is not read again
	return strconv.FormatInt(at.Unix(), 10) + fmt.Sprintf(".%09d", at.Nanosecond())
}

// passOver leaves out the first bytes.
type passOver struct {
	to    io.Writer
	bytes int64
}

func (w *passOver) Write(p []byte) (int, error) {
	left := min(w.bytes, int64(len(p)))
	w.bytes -= left
	if left < int64(len(p)) {
		if _, err := w.to.Write(p[left:]); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}
