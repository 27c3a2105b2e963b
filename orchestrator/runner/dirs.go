package runner

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// makeAllocDir makes the folders that the tasks of an allocation share (Nomad: alloc/{data,logs,tmp}, open to all).
func makeAllocDir(dir string) error {
	if err := makeDir(dir, 0o755); err != nil {
		return err
	}
	shared := filepath.Join(dir, "alloc")
	for _, d := range []string{shared, filepath.Join(shared, "data"), filepath.Join(shared, "logs"), filepath.Join(shared, "tmp")} {
		if err := makeDir(d, 0o777); err != nil {
			return err
		}
	}
	return nil
}

// makeTaskDir makes a task's own folders (Nomad: local, tmp, private, secrets). secrets is a plain folder here, not a
// tmpfs: only its mode and the file API keep others out.
func makeTaskDir(dir string, owner func(path string) error) error {
	if err := makeTaskDirs(dir, 0o777, 0o700); err != nil {
		return err
	}
	return owner(filepath.Join(dir, "secrets"))
}

// makeContainerDir makes the folders of a task in a container, whose users this machine does not know: it is the way to
// them that is closed on the machine, and not the secrets themselves.
func makeContainerDir(dir string) error { return makeTaskDirs(dir, 0o700, 0o777) }

func makeTaskDirs(dir string, outer, secrets os.FileMode) error {
	for _, d := range []struct {
		name string
		mode os.FileMode
	}{{"", outer}, {"local", 0o777}, {"tmp", 0o777 | os.ModeSticky}, {"private", 0o700}, {"secrets", secrets}} {
		if err := makeDir(filepath.Join(dir, d.name), d.mode); err != nil {
			return err
		}
	}
	return nil
}

// makeDir makes a folder with exactly this mode, whatever the umask. One that is there stays as it is.
func makeDir(path string, mode os.FileMode) error {
	err := os.Mkdir(path, 0o700)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err == nil {
		err = os.Chmod(path, mode)
	}
	if err != nil {
		return fmt.Errorf("make the folders of the allocation: %w", err)
	}
	return nil
}

// errUnknownUser names a user that this machine does not have, in Nomad's words.
type errUnknownUser string

func (e errUnknownUser) Error() string {
	return fmt.Sprintf("failed driver config validation: failed to identify user %q: user: unknown user %s", string(e), string(e))
}
