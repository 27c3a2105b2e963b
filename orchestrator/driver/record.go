package driver

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// A record is what the supervisor keeps of a task on disk: enough to find its processes again, to carry on with its
// logs, and to tell how it ended. It holds no environment, so no secrets.
type record struct {
	ID      string
	Logs    Logs
	Process identity  // zero between the decision to start and the start
	Started time.Time // of the decision to start
	Exit    *Exit     // nil while the task runs
	Failed  string    // the start error of a task that never ran

	Isolated bool // it has a root of its own
}

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
func saveRecord(dir string, r *record) error {
	data, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("save the record of task %s: %w", r.ID, err)
	}
	if err := writeFileDurably(filepath.Join(dir, "record.json"), data); err != nil {
		return fmt.Errorf("save the record of task %s: %w", r.ID, err)
	}
	return nil
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

// loadRecords reads the records of all tasks by task folder. A folder without a whole record is reported in the error,
// beside the others.
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
		data, err := os.ReadFile(filepath.Join(dir, "record.json"))
		var r record
		if err == nil {
			err = json.Unmarshal(data, &r)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("read the task record in %s: %w", dir, err))
			continue
		}
		records[dir] = &r
	}
	return records, errors.Join(errs...)
}
