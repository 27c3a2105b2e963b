package driver

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
)

// Exec is the driver of commands with a root, processes and capabilities of their own (Nomad: exec). The supervisor runs
// them like those of [RawExec].
type Exec struct {
	*RawExec
	unlimited string // why tasks are not held to their resources; "" when they are
	most      int64  // the most processes that a task may have
}

var _ Driver = (*Exec)(nil)

// findExec gives nil and why not, where tasks cannot be isolated.
func findExec(raw *RawExec) (*Exec, string) {
	if absent := cannotIsolate(); absent != "" {
		return nil, absent
	}
	return &Exec{RawExec: raw, unlimited: cannotLimit(), most: mostProcesses()}, ""
}

// Start implements [Driver].
func (e *Exec) Start(ctx context.Context, t Task) error {
	isolation, err := decodeExec(t.Config, t.User)
	if err != nil {
		return err
	}
	isolation.Limited, isolation.Processes = e.unlimited == "", e.most
	if !isolation.Limited && t.Tell != nil {
		t.Tell("The task is not held to its cpu and memory: " + e.unlimited)
	}
	t.Config, t.Isolation = nil, &isolation
	return e.RawExec.Start(ctx, t)
}

// UserOf is the user that a task runs as when its job names user; "" is the agent's own. (Nomad: nobody for exec.)
func UserOf(driver, user string) string {
	if driver == "exec" && user == "" {
		return "nobody"
	}
	return user
}

// RefuseUser refuses a task of a driver that keeps its tasks from the machine the user who may do everything. (Nomad: the
// default user.denylist and user.checked_drivers.)
func RefuseUser(driver, user string) error {
	if (driver == "exec" || driver == "java") && (user == "root" || user == "0" || user == "Administrator") {
		return fmt.Errorf("running as user %q is disallowed", user)
	}
	return nil
}

// decodeExec reads the config block of an exec task. The errors are in Nomad's words.
func decodeExec(config map[string]any, user string) (Isolation, error) {
	var i Isolation
	var pids, ipc string
	var add, drop []string
	for _, key := range slices.Sorted(maps.Keys(config)) {
		value := config[key]
		var err error
		switch key {
		case "command":
			i.Command, err = text(value)
		case "args":
			i.Args, err = texts(value)
		case "work_dir":
			i.WorkDir, err = text(value)
		case "pid_mode":
			pids, err = text(value)
		case "ipc_mode":
			ipc, err = text(value)
		case "cap_add":
			add, err = texts(value)
		case "cap_drop":
			drop, err = texts(value)
		default:
			return i, unknownKey(key)
		}
		if err != nil {
			return i, invalidValue("exec", key, err)
		}
	}
	if i.Command == "" {
		return i, missingKey("command")
	}
	var err error
	if i.HostPIDs, err = isolationMode("pid_mode", pids); err != nil {
		return i, err
	}
	if i.HostIPC, err = isolationMode("ipc_mode", ipc); err != nil {
		return i, err
	}
	if i.WorkDir != "" && !filepath.IsAbs(i.WorkDir) {
		return i, fmt.Errorf("failed driver config validation: work_dir must be absolute but got relative path %q", i.WorkDir)
	}
	i.Capabilities, err = capabilitiesOf(user, add, drop)
	return i, err
}

func isolationMode(key, mode string) (host bool, err error) {
	switch mode {
	case "", "private":
		return false, nil
	case "host":
		return true, nil
	}
	return false, fmt.Errorf("failed driver config validation: %s must be %q or %q, got %q", key, "private", "host", mode)
}
