package driver

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// A record is what the supervisor keeps of a task on disk: enough to find its processes again, to carry on with its
// logs, and to tell how it ended. It holds no environment, so no secrets.
//
// It lies there twice: as it was when the start was decided, which never changes, and as it is since the process is
// there. The first stands in for the second when that is damaged.
type record struct {
	ID      string
	Logs    Logs
	Process identity  // zero between the decision to start and the start
	Started time.Time // of the decision to start
	Exit    *Exit     // nil while the task runs
	Failed  string    // the start error of a task that never ran

	Isolated bool // it has a root of its own

	damaged bool // this is the decision, and what came after it cannot be read
}

// The files of a record.
const (
	recordFile   = "record.json"
	decisionFile = "task.json"
)

// An identity names one process for ever: a pid alone is given out again, after a reboot at the latest.
type identity struct {
	PID       int
	StartTime uint64 // as the system counts it: clock ticks since boot on Linux, milliseconds since 1970 elsewhere
	BootID    string
}

// taskKey names a task of the supervisor of dir on the whole machine: its folder, and its marker in the environment. IDs
// hold names that users choose, and two nodes may give out the same.
func taskKey(dir, id string) string {
	sum := sha256.Sum256([]byte(dir + "\x00" + id))
	return hex.EncodeToString(sum[:12])
}

// saveRecord writes r durably: after a crash of the machine either the old or the new record is there, whole.
func saveRecord(dir string, r *record) error { return r.save(filepath.Join(dir, recordFile)) }

// saveDecision writes down that a task is about to start.
func saveDecision(dir string, r *record) error { return r.save(filepath.Join(dir, decisionFile)) }

// save writes one line of JSON, and its checksum in another.
func (r *record) save(path string) error {
	data, err := json.Marshal(r)
	if err == nil {
		err = writeFileDurably(path, fmt.Appendf(data, "\n%08x\n", crc32.ChecksumIEEE(data)))
	}
	if err != nil {
		return fmt.Errorf("save the record of task %s: %w", r.ID, err)
	}
	return nil
}

// readRecord reads one file of a record. One without a checksum is from before there was one.
func readRecord(path string) (*record, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	line, sum, _ := bytes.Cut(data, []byte("\n"))
	if len(sum) > 0 && string(sum) != fmt.Sprintf("%08x\n", crc32.ChecksumIEEE(line)) {
		return nil, fmt.Errorf("%s is damaged: its checksum is another", path)
	}
	var r record
	if err := json.Unmarshal(line, &r); err != nil {
		return nil, fmt.Errorf("%s is damaged: %w", path, err)
	}
	return &r, nil
}

func writeFileDurably(path string, data []byte) error {
	tmp := path + ".tmp"
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(tmp))
	}
	return os.Rename(tmp, path)
}

// loadRecords reads the records of all tasks by task folder. What is damaged is reported in the error; a folder of which
// nothing can be read has a nil record.
func loadRecords(tasksDir string) (map[string]*record, error) {
	entries, err := os.ReadDir(tasksDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the task records: %w", err)
	}
	records := make(map[string]*record, len(entries))
	var errs []error
	for _, entry := range entries {
		dir := filepath.Join(tasksDir, entry.Name())
		r, err := loadRecord(dir)
		if err != nil {
			errs = append(errs, err)
		}
		records[dir] = r
	}
	return records, errors.Join(errs...)
}

// loadRecord reads the record of one task. Of a damaged one it gives, with the error, the decision, or nil.
func loadRecord(dir string) (*record, error) {
	r, err := readRecord(filepath.Join(dir, recordFile))
	if err == nil {
		return r, nil
	}
	begun := !errors.Is(err, fs.ErrNotExist)
	r, decisionErr := readRecord(filepath.Join(dir, decisionFile))
	if decisionErr != nil {
		return nil, errors.Join(err, decisionErr)
	}
	if r.damaged = begun; begun {
		return r, err
	}
	return r, nil
}
