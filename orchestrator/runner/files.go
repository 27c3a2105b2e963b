package runner

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/nomad/api"
)

// ErrEscapes is what the file calls say of a path that leads out of the allocation's folder.
var ErrEscapes error = refusal("Path escapes the alloc directory")

// List lists a folder of an allocation, sorted by name. Paths begin at the allocation's folder, with or without "/".
func (r *Runner) List(allocID, name string) ([]*api.AllocFileInfo, error) {
	root, name, err := r.openRoot(allocID, name)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	dir, err := root.Open(name)
	if err != nil {
		return nil, fileError(root, err)
	}
	defer dir.Close()
	entries, err := dir.ReadDir(-1)
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", name, err)
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return cmp.Compare(a.Name(), b.Name()) })
	var all []*api.AllocFileInfo
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			continue // removed meanwhile
		}
		all = append(all, fileInfo(info))
	}
	return all, nil
}

// Stat describes a file or folder of an allocation, with its content type.
func (r *Runner) Stat(allocID, name string) (*api.AllocFileInfo, error) {
	root, name, err := r.openRoot(allocID, name)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	info, err := root.Stat(name)
	if err != nil {
		return nil, fileError(root, err)
	}
	out := fileInfo(info)
	out.ContentType = "application/octet-stream"
	if info.Mode().IsRegular() {
		out.ContentType = contentType(root, name)
	}
	return out, nil
}

// Open opens a regular file of an allocation for reading. Pipes and devices are refused: reading them could block for
// ever.
func (r *Runner) Open(allocID, name string) (*os.File, error) {
	root, name, err := r.openRoot(allocID, name)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	info, err := root.Stat(name)
	if err != nil {
		return nil, fileError(root, err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", name)
	}
	f, err := root.OpenFile(name, os.O_RDONLY|nonblock, 0)
	if err != nil {
		return nil, fileError(root, err)
	}
	info, err = f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a regular file", name)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// openRoot opens an allocation's folder and makes name fit for it. No link leads out of a root.
func (r *Runner) openRoot(allocID, name string) (*os.Root, string, error) {
	a, err := r.lookup(allocID)
	if err != nil {
		return nil, "", err
	}
	a.mu.Lock()
	collected := a.collected
	a.mu.Unlock()
	if collected {
		return nil, "", unknownAlloc(allocID)
	}
	name = strings.TrimLeft(filepath.ToSlash(name), "/")
	if name = path.Clean(name); name == ".." || strings.HasPrefix(name, "../") {
		return nil, "", ErrEscapes
	}
	if err := a.refusePrivate(name); err != nil {
		return nil, "", err
	}
	root, err := os.OpenRoot(a.dir)
	if err != nil {
		return nil, "", err
	}
	if resolved, err := filepath.EvalSymlinks(filepath.Join(a.dir, name)); err == nil {
		base, err := filepath.EvalSymlinks(a.dir)
		if rel, relErr := filepath.Rel(base, resolved); err == nil && relErr == nil {
			if err := a.refusePrivate(filepath.ToSlash(rel)); err != nil {
				return nil, "", errors.Join(err, root.Close())
			}
		}
	}
	return root, name, nil
}

// refusePrivate keeps the folders with secrets to the task (Nomad).
func (a *alloc) refusePrivate(name string) error {
	task, rest, _ := strings.Cut(name, "/")
	first, _, _ := strings.Cut(rest, "/")
	if _, ok := a.tasks[task]; ok && (first == "secrets" || first == "private") {
		return refusal(fmt.Sprintf("Reading %s file prohibited: %s", strings.TrimSuffix(first, "s"), name))
	}
	return nil
}

// fileError gives an error about a path the words that Nomad has for it, with the whole path.
func fileError(root *os.Root, err error) error {
	pathErr, ok := errors.AsType[*fs.PathError](err)
	switch {
	case !ok:
		return err
	case strings.Contains(pathErr.Err.Error(), "escapes"):
		return ErrEscapes
	}
	return &fs.PathError{Op: strings.TrimSuffix(pathErr.Op, "at"), Path: filepath.Join(root.Name(), pathErr.Path), Err: pathErr.Err}
}

func fileInfo(info fs.FileInfo) *api.AllocFileInfo {
	return &api.AllocFileInfo{
		Name:     info.Name(),
		IsDir:    info.IsDir(),
		Size:     info.Size(),
		FileMode: info.Mode().String(),
		ModTime:  info.ModTime(),
	}
}

// contentType is found by the name, else by the first bytes.
func contentType(root *os.Root, name string) string {
	if t := mime.TypeByExtension(path.Ext(name)); t != "" {
		return t
	}
	f, err := root.OpenFile(name, os.O_RDONLY|nonblock, 0)
	if err != nil {
		return "application/octet-stream"
	}
	defer f.Close()
	head := make([]byte, 512)
	n, err := io.ReadFull(f, head)
	if err != nil && n == 0 {
		return "application/octet-stream"
	}
	return http.DetectContentType(head[:n])
}
