package artifact

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
)

// Source names the files of one artifact.
//
// Each of Paths is a file, a folder, or a pattern (path.Match's, and ** for any number of folders), relative to
// Dir. Something stands in the zip under its path below the part of the pattern that is fixed: the file
// bin/app as "app", the folder web with its content at the zip's root, web/*.css as "a.css", web/**/*.css as
// "sub/a.css". A folder that a pattern matches keeps its name: we[b] puts "web/..." into the zip.
//
// Ignore leaves out what matches: a pattern without a slash any name at any depth, one with a slash the path
// below Dir. The folder .git is always left out.
type Source struct {
	Name   string   // the artifact's name, for messages
	Dir    string   // base of the paths; no symlink may lead out of it; "" is the working folder
	Paths  []string // slash-separated; absolute ones and those with ".." are refused
	Ignore []string
}

// SourceOf is the source for one path that a person names on the command line, which may be absolute or lead
// upwards: a file stands at the zip's root, a folder's content too.
func SourceOf(name, path string) Source {
	path = filepath.Clean(path)
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return Source{Name: name, Dir: path, Paths: []string{"."}}
	}
	return Source{Name: name, Dir: filepath.Dir(path), Paths: []string{filepath.Base(path)}}
}

// Entry is one file in the zip, or a folder that holds nothing.
type Entry struct {
	Name string      // slash-separated path in the zip; a folder's ends in a slash
	Mode fs.FileMode // 0644, or 0755 when the owner may execute it; fs.ModeDir|0755 for a folder
	Size int64       // bytes
	Hash [sha256.Size]byte

	path string // where to read it
}

// Tree is the content of an artifact as Gather found it.
type Tree struct {
	entries []Entry // sorted by name
	size    int64
}

// Entries are the tree's files and empty folders, sorted by name. Do not change them.
func (t *Tree) Entries() []Entry { return t.entries }

// Size is the sum of the files' sizes in bytes, before compression.
func (t *Tree) Size() int64 { return t.size }

// Digest is the content's digest in hex: a SHA-256 over each entry's name, mode and hash. It does not depend on
// how the zip is compressed, on times, owners, or the order in which files were found.
func (t *Tree) Digest() string {
	h := sha256.New()
	for _, e := range t.entries {
		fmt.Fprintf(h, "%d:%s %o %x\n", len(e.Name), e.Name, e.Mode.Perm(), e.Hash)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Gather finds the files of s and hashes them, several at a time. Modes are reduced to the executable bit, so
// that two clones of one commit give one digest whatever their umask. A symlink is followed when its target is
// within s.Dir and refused when it is not. It is an error when a path or pattern finds nothing, when two files
// want the same name, and when a file is neither regular nor a folder.
func Gather(ctx context.Context, s Source) (*Tree, error) {
	t, err := gather(ctx, s)
	if err != nil {
		return nil, fmt.Errorf("artifact %q: %w", s.Name, err)
	}
	return t, nil
}

func gather(ctx context.Context, s Source) (*Tree, error) {
	if len(s.Paths) == 0 {
		return nil, errors.New("no files are named")
	}
	w, err := newWalk(ctx, s)
	if err != nil {
		return nil, err
	}
	for _, p := range s.Paths {
		if err := w.add(p); err != nil {
			return nil, err
		}
	}
	t := &Tree{}
	for _, e := range w.found {
		t.entries = append(t.entries, e)
	}
	slices.SortFunc(t.entries, func(a, b Entry) int { return cmp.Compare(a.Name, b.Name) })
	if err := checkFolders(t.entries); err != nil {
		return nil, err
	}
	if err := hashAll(ctx, t.entries); err != nil {
		return nil, err
	}
	for _, e := range t.entries {
		t.size += e.Size
	}
	return t, nil
}

// checkFolders refuses a tree in which one name is both a file and a folder, which no file system can hold.
func checkFolders(entries []Entry) error {
	files := make(map[string]string, len(entries))
	for _, e := range entries {
		files[strings.TrimSuffix(e.Name, "/")] = e.path
	}
	for _, e := range entries {
		for i, r := range strings.TrimSuffix(e.Name, "/") {
			if r != '/' {
				continue
			}
			if other, ok := files[e.Name[:i]]; ok {
				return fmt.Errorf("%s and %s want the same name %q in the zip", other, e.path, e.Name[:i])
			}
		}
	}
	return nil
}

func hashAll(ctx context.Context, entries []Entry) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i := range entries {
		if e := &entries[i]; !e.Mode.IsDir() {
			g.Go(func() error {
				if err := ctx.Err(); err != nil {
					return err
				}
				return e.hash(ctx)
			})
		}
	}
	return g.Wait()
}

func (e *Entry) hash(ctx context.Context) error {
	f, err := os.Open(e.path)
	if err != nil {
		return err
	}
	defer f.Close()
	h := sha256.New()
	if e.Size, err = io.CopyBuffer(h, ctxReader{ctx, f}, make([]byte, 128<<10)); err != nil {
		return fmt.Errorf("read %s: %w", e.path, err)
	}
	h.Sum(e.Hash[:0])
	return nil
}

// ctxReader ends a long read soon after its context does.
type ctxReader struct {
	ctx context.Context
	r   io.Reader
}

func (r ctxReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}
