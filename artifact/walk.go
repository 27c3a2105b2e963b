package artifact

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"
)

// walk collects the entries of one Source by their names in the zip.
type walk struct {
	ctx    context.Context
	dir    string // Source.Dir
	real   string // dir, absolute and without symlinks: nothing outside of it is taken
	ignore ignores
	found  map[string]Entry
}

func newWalk(ctx context.Context, s Source) (*walk, error) {
	w := &walk{ctx: ctx, dir: filepath.Clean(s.Dir), found: map[string]Entry{}}
	ignore, err := parseIgnores(append([]string{".git"}, s.Ignore...))
	if err != nil {
		return nil, err
	}
	w.ignore = ignore
	abs, err := filepath.Abs(w.dir)
	if err != nil {
		return nil, err
	}
	w.real, err = filepath.EvalSymlinks(abs)
	return w, err
}

// add takes in one of Source.Paths.
func (w *walk) add(p string) error {
	slashed := filepath.ToSlash(p)
	if path.IsAbs(slashed) || filepath.IsAbs(p) || filepath.VolumeName(p) != "" {
		return fmt.Errorf("%s is absolute: name files relative to %s", p, w.dir)
	}
	if slices.Contains(strings.Split(slashed, "/"), "..") {
		return fmt.Errorf("%s leads out of %s: '..' is refused", p, w.dir)
	}
	clean := path.Clean(slashed)
	before := len(w.found)
	if info, err := os.Stat(w.at(clean)); err == nil {
		return w.addNamed(clean, info)
	} else if !strings.ContainsAny(clean, `*?[`) {
		return w.explainMissing(clean, err)
	}
	base, pattern, err := splitPattern(clean)
	if err != nil {
		return err
	}
	if err := w.folder(base, "", pattern, nil); err != nil {
		return err
	}
	if len(w.found) == before {
		return fmt.Errorf("pattern %s matches nothing in %s: was it built?", p, w.dir)
	}
	return nil
}

func (w *walk) explainMissing(rel string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s does not exist: was it built? (%w)", w.at(rel), err)
	}
	return err
}

// addNamed takes in a file or folder that is named as such, not by a pattern.
func (w *walk) addNamed(rel string, info fs.FileInfo) error {
	if !info.IsDir() {
		return w.file(rel, path.Base(rel), info)
	}
	before := len(w.found)
	if err := w.folder(rel, "", glob{"**"}, nil); err != nil {
		return err
	}
	if len(w.found) == before {
		return fmt.Errorf("folder %s holds nothing to zip", w.at(rel))
	}
	return nil
}

// splitPattern cuts the segments without a wildcard off the pattern's front.
func splitPattern(p string) (base string, _ glob, _ error) {
	segments := strings.Split(p, "/")
	i := slices.IndexFunc(segments, func(s string) bool { return strings.ContainsAny(s, `*?[`) })
	g, err := parseGlob(strings.Join(segments[i:], "/"))
	return path.Join(append([]string{"."}, segments[:i]...)...), g, err
}

// folder takes in what pattern matches below the folder rel. name is the folder's path below the pattern's
// base, and above holds the real paths of the folders on the way, which a symlink must not lead back to.
func (w *walk) folder(rel, name string, pattern glob, above []string) error {
	if err := w.ctx.Err(); err != nil {
		return err
	}
	real, err := w.resolve(rel)
	if err != nil {
		return err
	}
	if slices.Contains(above, real) {
		return fmt.Errorf("%s is a symlink to a folder that it stands in", w.at(rel))
	}
	children, err := os.ReadDir(real)
	if err != nil {
		return err
	}
	for _, child := range children {
		if err := w.child(path.Join(rel, child.Name()), path.Join(name, child.Name()), pattern, append(above, real)); err != nil {
			return err
		}
	}
	if len(children) == 0 && name != "" && pattern.matchFolder(strings.Split(name, "/")) {
		return w.put(Entry{Name: name + "/", Mode: fs.ModeDir | 0o755, path: w.at(rel)})
	}
	return nil
}

func (w *walk) child(rel, name string, pattern glob, above []string) error {
	if w.ignore.match(rel) {
		return nil
	}
	segments := strings.Split(name, "/")
	matches := pattern.matchFolder(segments)
	if !matches && !pattern.mayMatchBelow(len(segments)) {
		return nil
	}
	info, err := os.Stat(w.at(rel))
	switch {
	case err == nil && info.IsDir():
		return w.folder(rel, name, pattern, slices.Clip(above))
	case !matches:
		return nil
	case err != nil:
		return w.explainLink(rel, err)
	}
	return w.file(rel, name, info)
}

func (w *walk) explainLink(rel string, err error) error {
	if target, lerr := os.Readlink(w.at(rel)); lerr == nil {
		return fmt.Errorf("%s is a symlink to %s, which cannot be followed: %w", w.at(rel), target, err)
	}
	return err
}

func (w *walk) file(rel, name string, info fs.FileInfo) error {
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is neither a file nor a folder (%s)", w.at(rel), info.Mode().Type())
	}
	real, err := w.resolve(rel)
	if err != nil {
		return err
	}
	e := Entry{Name: name, Mode: 0o644, path: real}
	if info.Mode()&0o100 != 0 {
		e.Mode = 0o755
	}
	return w.put(e)
}

// resolve follows the symlinks of rel and refuses a place outside of the tree.
func (w *walk) resolve(rel string) (string, error) {
	real, err := filepath.EvalSymlinks(filepath.Join(w.real, filepath.FromSlash(rel)))
	if err != nil {
		return "", err
	}
	if below, err := filepath.Rel(w.real, real); err != nil || !filepath.IsLocal(below) {
		return "", fmt.Errorf("%s is a symlink that leaves %s (to %s): copy the file instead", w.at(rel), w.dir, real)
	}
	return real, nil
}

// put adds an entry whose name must be one that every system can unpack.
func (w *walk) put(e Entry) error {
	if !utf8.ValidString(e.Name) || strings.ContainsAny(e.Name, "\\\x00") {
		return fmt.Errorf("the name %q cannot stand in a zip: it must be UTF-8 without a backslash", e.Name)
	}
	if other, ok := w.found[e.Name]; ok && other.path != e.path {
		return fmt.Errorf("%s and %s want the same name %q in the zip", other.path, e.path, e.Name)
	}
	w.found[e.Name] = e
	return nil
}

func (w *walk) at(rel string) string { return filepath.Join(w.dir, filepath.FromSlash(rel)) }
