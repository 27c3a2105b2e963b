package driver

import (
	"encoding/json"
	"os"
	"path/filepath"
)

var _ Owner = (*RawExec)(nil)

// Owns implements [Owner].
func (r *RawExec) Owns(id string, pid int) bool {
	key := taskKey(r.dir, id)
	var rec record
	data, err := os.ReadFile(filepath.Join(r.dir, "supervisor", "tasks", key, "record.json"))
	if err != nil || json.Unmarshal(data, &rec) != nil || rec.Process.PID == 0 {
		return true // not known, which is no reason to doubt
	}
	p, err := readProcess(pid)
	return err == nil && p.session == rec.Process.PID || hasMarker(pid, key)
}
