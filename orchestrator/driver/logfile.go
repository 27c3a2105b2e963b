package driver

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// OpenLog opens the log file name in dir, ALLOC/alloc/logs, for reading. A task may write to that folder: what it puts
// in the place of a log, or of the folder, leads nowhere out of the allocation, and blocks nobody.
func OpenLog(dir, name string) (*os.File, error) {
	root, path, err := logRoot(dir, name)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	return openRegular(root, path, os.O_RDONLY)
}

// appendLog opens the log file name in dir for writing. What is no file is removed.
func appendLog(dir, name string) (*os.File, error) {
	root, path, err := logRoot(dir, name)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	if info, err := root.Lstat(path); err == nil && !info.Mode().IsRegular() {
		if err := root.Remove(path); err != nil {
			return nil, err
		}
	}
	return openRegular(root, path, os.O_WRONLY|os.O_CREATE|os.O_APPEND)
}

// logRoot opens the folder of an allocation, which is not a task's to change, and gives the path of a log from there.
func logRoot(dir, name string) (*os.Root, string, error) {
	alloc := filepath.Dir(filepath.Dir(dir))
	path, err := filepath.Rel(alloc, filepath.Join(dir, name))
	if err != nil {
		return nil, "", err
	}
	root, err := os.OpenRoot(alloc)
	return root, path, err
}

func openRegular(root *os.Root, path string, flag int) (*os.File, error) {
	if info, err := root.Lstat(path); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a file", path)
	}
	f, err := root.OpenFile(path, flag|syscall.O_NONBLOCK, 0o644)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a file", path)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
