//go:build unix

package driver

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// markerName is the environment variable by which the descendants of a task are found, whatever they did to their
// parentage and session.
const markerName = "OSTRO_TASK_KEY"

func marker(key string) string { return markerName + "=" + key }

// A launch is a process that is about to become a task.
type launch struct {
	cmd   *exec.Cmd
	user  *syscall.Credential // whose output it is; nil is the supervisor's own user
	begun func(pid int) error // completes the process that has just started
	begin func() error        // lets the task run, once its process is on record
	close func()
}

// newLaunch prepares the process of a task. key is what finds all that it starts.
func newLaunch(t Task, key string) (*launch, error) {
	if t.Isolation != nil {
		return newEntrance(t, key)
	}
	conf, err := decodeRawExec(t.Config)
	if err != nil {
		return nil, err
	}
	cmd, err := command(t, conf)
	if err != nil {
		return nil, err
	}
	cmd.Env = append(cmd.Env, marker(key))
	return &launch{
		cmd: cmd, user: cmd.SysProcAttr.Credential,
		begun: func(pid int) error { return setOOMScore(pid, conf.OOMScoreAdj) },
		begin: func() error { return nil }, close: func() {},
	}, nil
}

// command builds the process of a raw_exec task, in a session of its own.
func command(t Task, conf rawExecConfig) (*exec.Cmd, error) {
	path, err := findCommand(t.Dir, conf.Command, t.Env)
	if err != nil {
		return nil, err
	}
	cmd := &exec.Cmd{
		Path:        path,
		Args:        append([]string{path}, conf.Args...),
		Env:         conf.allowed(t.Env),
		Dir:         cmp.Or(conf.WorkDir, t.Dir),
		SysProcAttr: &syscall.SysProcAttr{Setsid: true},
	}
	if t.User != "" {
		if cmd.SysProcAttr.Credential, err = credential(t.User); err != nil {
			return nil, err
		}
	}
	return cmd, nil
}

// startError explains why a process did not start: most often its user cannot come to its folder, which the system's own
// words put down to the command.
func startError(cmd *exec.Cmd, err error) error {
	if who := cmd.SysProcAttr.Credential; who != nil && errors.Is(err, fs.ErrPermission) {
		if closed := mayEnter(who, cmd.Dir); closed != nil {
			return closed
		}
	}
	return launchError(fmt.Errorf("failed to start command path=%q --- args=%q: %w", cmd.Path, cmd.Args, err))
}

// mayEnter tells which folder on the way to dir is closed to a user.
func mayEnter(who *syscall.Credential, dir string) error {
	for at := filepath.Clean(dir); ; at = filepath.Dir(at) {
		info, err := os.Stat(at)
		if err != nil {
			return nil // the start itself tells
		}
		stat, ok := info.Sys().(*syscall.Stat_t)
		if !ok {
			return nil
		}
		bit := os.FileMode(0o001)
		switch {
		case stat.Uid == who.Uid:
			bit = 0o100
		case stat.Gid == who.Gid || slices.Contains(who.Groups, stat.Gid):
			bit = 0o010
		}
		if info.Mode().Perm()&bit == 0 {
			return fmt.Errorf("user %d cannot enter the task's folder: %s is closed to it (mode %#o); give the agent another data folder, or the task no user", who.Uid, at, info.Mode().Perm())
		}
		if at == filepath.Dir(at) {
			return nil
		}
	}
}

// findCommand looks for the command as Nomad does: in the task's local folder, in the task's folder, as an absolute
// path, and on the task's PATH. A file that came without its executable bit gets it.
func findCommand(dir, name string, env []string) (string, error) {
	candidates := []string{filepath.Join(dir, "local", name), filepath.Join(dir, name)}
	if filepath.IsAbs(name) {
		candidates = append(candidates, name)
	} else if !strings.Contains(name, "/") {
		for _, p := range filepath.SplitList(lookupEnv(env, "PATH")) {
			if filepath.IsAbs(p) {
				candidates = append(candidates, filepath.Join(p, name))
			}
		}
	}
	for i, path := range candidates {
		info, err := os.Stat(path)
		if err != nil || info.IsDir() {
			continue
		}
		mode := info.Mode().Perm()
		if mode&0o111 == 0 && i < 2 {
			if err := os.Chmod(path, mode|0o555); err != nil {
				return "", fmt.Errorf("make %q executable: %w", path, err)
			}
		}
		return path, nil
	}
	return "", missingCommand(name)
}

// missingCommand is the error about a command that is nowhere. These are Nomad's words, which people and tools look for.
type missingCommand string

func (m missingCommand) Error() string {
	return launchError(fmt.Errorf("binary %q could not be found", string(m))).Error()
}

// launchError begins in Nomad's words, which people and tools look for.
func launchError(err error) error {
	return fmt.Errorf("failed to launch command with executor: rpc error: code = Unknown desc = %w", err)
}

func lookupEnv(env []string, key string) string {
	value := ""
	for _, kv := range env {
		if v, ok := strings.CutPrefix(kv, key+"="); ok {
			value = v
		}
	}
	return value
}

// credential finds the user and group IDs of a user name or numeric user ID.
func credential(name string) (*syscall.Credential, error) {
	u, err := user.Lookup(name)
	if err != nil {
		if u, err = user.LookupId(name); err != nil {
			return nil, fmt.Errorf("user %q is not known on this machine", name)
		}
	}
	cred, err := idsOf(u)
	if err != nil {
		return nil, err
	}
	if int(cred.Uid) == os.Geteuid() {
		return nil, nil // setting one's own groups again is a privilege too
	}
	return &cred, nil
}

// idsOf are the IDs of a user and its groups.
func idsOf(u *user.User) (syscall.Credential, error) {
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return syscall.Credential{}, fmt.Errorf("user %q: %w", u.Username, err)
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return syscall.Credential{}, fmt.Errorf("user %q: %w", u.Username, err)
	}
	cred := syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	ids, err := u.GroupIds()
	if err != nil {
		return cred, fmt.Errorf("groups of user %q: %w", u.Username, err)
	}
	for _, id := range ids {
		if g, err := strconv.ParseUint(id, 10, 32); err == nil {
			cred.Groups = append(cred.Groups, uint32(g))
		}
	}
	return cred, nil
}
