package driver

var _ Owner = (*RawExec)(nil)

// Owns implements [Owner].
func (r *RawExec) Owns(id string, pid int) bool {
	rec, err := r.record(id)
	if err != nil {
		return true // which is no reason to doubt
	}
	p, err := readProcess(pid)
	return err == nil && p.session == rec.Process.PID || hasMarker(pid, taskKey(r.dir, id))
}
