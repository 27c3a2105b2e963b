package driver

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// A mounting is one step of the way to a task's root.
type mounting struct {
	source, target, kind string
	flags                uintptr
	data                 string
}

// quiet are the flags of what is no place for programs.
const quiet = unix.MS_NOSUID | unix.MS_NOEXEC | unix.MS_NODEV

// systems are the kernel's own file systems in a task's root, as containers have them.
var systems = []mounting{
	// The devices come in one by one, so that nobody can make others.
	{"tmpfs", "dev", "tmpfs", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_STRICTATIME, "mode=755,size=65536k"},
	{"devpts", "dev/pts", "devpts", unix.MS_NOSUID | unix.MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620,gid=5"},
	{"shm", "dev/shm", "tmpfs", quiet, "mode=1777,size=65536k"},
	{"mqueue", "dev/mqueue", "mqueue", quiet, ""},
	{"proc", "proc", "proc", quiet, ""},
	{"sysfs", "sys", "sysfs", quiet | unix.MS_RDONLY, ""},
}

var (
	deviceFiles = []string{"full", "null", "random", "tty", "urandom", "zero"}
	deviceLinks = map[string]string{
		"ptmx": "pts/ptmx", "fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2",
	}
	// What could change the machine, or tell too much of it.
	fixedPaths  = []string{"proc/sys", "proc/sysrq-trigger", "proc/irq", "proc/bus"}
	maskedFiles = []string{"proc/kcore"}
	maskedDirs  = []string{"sys/firmware"}
)

// enterRoot makes dir the root of this process, which has mounts of its own. The machine sees nothing of it but some empty
// folders in dir, so whoever removes dir removes nothing else.
func enterRoot(dir, allocDir string) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("part from the machine's mounts: %w", err)
	}
	if err := bind(dir, dir, unix.MOUNT_ATTR_NODEV); err != nil {
		return err
	}
	// What an artifact has put there cannot lead a mount out of the root.
	inside, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer inside.Close()
	show := func(source, name string, attributes uint64) error {
		target, err := mountPoint(inside, name)
		if err != nil {
			return err
		}
		return bind(source, target, attributes)
	}
	for _, source := range shownDirs {
		if _, err := os.Stat(source); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err := show(source, source[1:], unix.MOUNT_ATTR_RDONLY); err != nil {
			return err
		}
	}
	if err := show(allocDir, RootAlloc[1:], unix.MOUNT_ATTR_NODEV); err != nil {
		return err
	}
	if err := mountSystems(inside); err != nil {
		return err
	}
	return changeRoot(dir)
}

// mountPoint makes the folder on which something is mounted.
func mountPoint(inside *os.Root, name string) (string, error) {
	if err := inside.MkdirAll(name, 0o755); err != nil {
		return "", err
	}
	info, err := inside.Lstat(name)
	if err != nil {
		return "", err
	}
	if !info.IsDir() {
		return "", fmt.Errorf("%s in the task's folder is not a folder", name)
	}
	return filepath.Join(inside.Name(), name), nil
}

// bind shows source, with all that is mounted below, at target.
func bind(source, target string, attributes uint64) error {
	if err := unix.Mount(source, target, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("show %s at %s: %w", source, target, err)
	}
	err := unix.MountSetattr(unix.AT_FDCWD, target, unix.AT_RECURSIVE, &unix.MountAttr{Attr_set: attributes})
	if err != nil {
		return fmt.Errorf("protect %s at %s: %w", source, target, err)
	}
	return nil
}

// mountSystems adds the kernel's own file systems and the devices.
func mountSystems(inside *os.Root) error {
	for _, m := range systems {
		target, err := mountPoint(inside, m.target)
		if err != nil {
			return err
		}
		if err := unix.Mount(m.source, target, m.kind, m.flags, m.data); err != nil {
			return fmt.Errorf("mount %s: %w", m.target, err)
		}
	}
	dir := inside.Name()
	for _, name := range deviceFiles {
		target := filepath.Join(dir, "dev", name)
		if err := os.WriteFile(target, nil, 0o666); err != nil {
			return err
		}
		if err := bind("/dev/"+name, target, 0); err != nil {
			return err
		}
	}
	for name, to := range deviceLinks {
		if err := os.Symlink(to, filepath.Join(dir, "dev", name)); err != nil {
			return err
		}
	}
	return protect(dir)
}

// protect fixes and masks what is not for tasks, where this kernel has it.
func protect(dir string) error {
	present := func(name string) bool {
		_, err := os.Lstat(filepath.Join(dir, name))
		return err == nil
	}
	for _, name := range fixedPaths {
		if target := filepath.Join(dir, name); present(name) {
			if err := bind(target, target, unix.MOUNT_ATTR_RDONLY); err != nil {
				return err
			}
		}
	}
	for _, name := range maskedFiles {
		if present(name) {
			if err := bind("/dev/null", filepath.Join(dir, name), unix.MOUNT_ATTR_RDONLY); err != nil {
				return err
			}
		}
	}
	for _, name := range maskedDirs {
		if present(name) {
			if err := unix.Mount("tmpfs", filepath.Join(dir, name), "tmpfs", quiet|unix.MS_RDONLY, "size=4k"); err != nil {
				return fmt.Errorf("mask %s: %w", name, err)
			}
		}
	}
	return nil
}

// changeRoot makes dir the root and leaves the old one behind.
func changeRoot(dir string) error {
	if err := os.Chdir(dir); err != nil {
		return err
	}
	if err := unix.PivotRoot(".", "."); err != nil { // the old root comes to lie on the new one (pivot_root(2))
		return fmt.Errorf("make %s the root: %w", dir, err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("leave the machine's root: %w", err)
	}
	return os.Chdir("/")
}
