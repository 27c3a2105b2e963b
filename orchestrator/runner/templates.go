package runner

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator/template"
)

// A View is the state as templates see it in one rendering.
type View struct {
	Nomad template.Nomad
	// Changed returns when an answer that was given may be another one now, or with an error when ctx has ended.
	Changed func(ctx context.Context) error
}

// noView is for a runner without a state.
func noView() View {
	return View{
		Nomad: template.Nomad{
			Variable:  func(string, string) *api.Variable { return nil },
			Variables: func(string, string) []*api.Variable { return nil },
			Services:  func(string, string) []*api.ServiceRegistration { return nil },
		},
		Changed: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
	}
}

// templates keeps the template blocks of one task rendered.
type templates struct {
	task   *task
	env    taskEnv // without what the templates add to it
	dir    string  // of the task
	blocks []*templateBlock

	mu  sync.Mutex
	add map[string]string // what the env templates add to the environment
}

// A templateBlock is one template block of a task.
type templateBlock struct {
	spec  *api.Template
	text  template.Template
	dest  string // absolute path
	perms os.FileMode
	last  []byte // what was rendered last; nil when an agent before this one did it
}

// Errors of template blocks, in Nomad's words.
var (
	errTemplateSource = errors.New("template source path escapes alloc directory")
	errTemplateDest   = errors.New("template destination path escapes alloc directory")
	errTemplateBoth   = errors.New("template: cannot specify both 'source' and 'contents'")
)

// newTemplates reads the template blocks of a task. With env, the destination of one may be named.
func newTemplates(t *task, spec *api.Task, env taskEnv, dir string) (*templates, error) {
	m := &templates{task: t, env: env, dir: dir}
	for _, s := range spec.Templates {
		b, err := m.newBlock(s)
		if err != nil {
			return nil, err
		}
		m.blocks = append(m.blocks, b)
	}
	return m, nil
}

func (m *templates) newBlock(s *api.Template) (*templateBlock, error) {
	b := &templateBlock{spec: s, perms: 0o644}
	b.text = template.Template{
		Text: deref(s.EmbeddedTmpl), Left: deref(s.LeftDelim), Right: deref(s.RightDelim), ErrorOnMissing: deref(s.ErrMissingKey),
	}
	var err error
	if b.dest, err = m.env.taskPath(m.dir, m.env.replace(deref(s.DestPath))); err != nil {
		return nil, errTemplateDest
	}
	if p := deref(s.Perms); p != "" {
		bits, err := strconv.ParseUint(p, 8, 12)
		if err != nil {
			//lint:ignore ST1005 Nomad's words
			return nil, fmt.Errorf("Failed to parse %q as octal: %w", p, err)
		}
		b.perms = os.FileMode(bits)
	}
	if deref(s.SourcePath) == "" {
		return b, nil
	}
	source, err := m.source(m.env.replace(*s.SourcePath))
	if err != nil {
		return nil, err
	}
	if b.text.Text != "" {
		return nil, errTemplateBoth
	}
	text, err := m.readFile(source)
	if err != nil {
		name := "/" + m.relative(source)
		if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
			err = pathErr.Err
		}
		return nil, fmt.Errorf("failed to read template: exit status 1: failed to open source file %q: open %s: %w", name, name, err)
	}
	b.text.Text = text
	return b, nil
}

// source is where the file is that a template comes from. (Nomad: unlike a destination, an absolute path is one of the
// machine.)
func (m *templates) source(path string) (string, error) {
	inside, err := m.env.taskPath(m.dir, path)
	if err != nil || filepath.IsAbs(path) && inside != filepath.Clean(path) {
		return "", errTemplateSource
	}
	return inside, nil
}

// relative is a path as seen from the allocation's folder.
func (m *templates) relative(path string) string {
	rel, err := filepath.Rel(m.task.alloc.dir, path)
	if err != nil {
		return path
	}
	return filepath.ToSlash(rel)
}

// name is how errors name the template.
func (b *templateBlock) name() string {
	if deref(b.spec.SourcePath) == "" {
		return "(dynamic)"
	}
	return *b.spec.SourcePath
}

// readFile reads a file below the allocation's folder. No link leads out of it.
func (m *templates) readFile(path string) (string, error) {
	root, err := os.OpenRoot(m.task.alloc.dir)
	if err != nil {
		return "", err
	}
	defer root.Close()
	rel, err := filepath.Rel(m.task.alloc.dir, path)
	if err != nil {
		return "", err
	}
	info, err := root.Stat(rel)
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a regular file", path)
	}
	if err != nil {
		return "", err
	}
	text, err := root.ReadFile(rel)
	return string(text), err
}

// read is the file function of templates: of the task's folder only.
func (m *templates) read(path string) (string, error) {
	full := path
	if !filepath.IsAbs(full) {
		full = filepath.Join(m.dir, path)
	}
	if rel, err := filepath.Rel(m.dir, full); err != nil || rel == ".." || strings.HasPrefix(rel, "../") {
		return "", fmt.Errorf("'%s' is outside of sandbox", path)
	}
	text, err := m.readFile(full)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("'%s' is outside of sandbox, or is no file: %w", path, err)
	}
	return text, err
}

// A rendering is what came of rendering all blocks once.
type rendering struct {
	results []template.Result
	missing []string
	polled  bool // files or Consul were asked, of which nobody tells the changes
	view    View
}

// render renders blocks in one view of the state.
func (m *templates) render(blocks []*templateBlock) (rendering, error) {
	r := rendering{view: m.task.alloc.runner.conf.View()}
	alloc, _, _ := m.task.alloc.spec(m.task.name)
	env := m.env.attrs()
	maps.Copy(env, m.env.env)
	nomad, services := r.view.Nomad, r.view.Nomad.Services
	nomad.Services = func(namespace, name string) []*api.ServiceRegistration {
		return m.task.alloc.andOwn(services(namespace, name), namespace, name)
	}
	world := template.World{
		Env: env, Namespace: derefOr(alloc.Job.Namespace, alloc.Namespace), Region: deref(alloc.Job.Region),
		Now: time.Now(), Read: m.read, Nomad: nomad, Consul: m.task.alloc.runner.templateConsul(),
	}
	for _, b := range blocks {
		result, err := b.text.Execute(world)
		if err != nil {
			return r, fmt.Errorf("%s: %w", b.name(), err)
		}
		r.results = append(r.results, result)
		r.missing = append(r.missing, result.Missing...)
		r.polled = r.polled || result.Polled || len(result.Files) > 0
	}
	slices.Sort(r.missing)
	r.missing = slices.Compact(r.missing)
	return r, nil
}

// pollTime is how often files and Consul are asked again.
const pollTime = 2 * time.Second

// changed waits until another rendering may come out differently.
func (r rendering) changed(ctx context.Context) error {
	if !r.polled {
		return r.view.Changed(ctx)
	}
	poll, cancel := context.WithTimeout(ctx, pollTime)
	defer cancel()
	if r.view.Changed(poll) != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	return nil
}

// write puts a rendering in place, if that changes anything. The file is whole at all times.
func (m *templates) write(b *templateBlock, text []byte) (changed bool, err error) {
	root, err := os.OpenRoot(m.task.alloc.dir)
	if err != nil {
		return false, err
	}
	defer root.Close()
	dest, err := filepath.Rel(m.task.alloc.dir, b.dest)
	if err != nil {
		return false, err
	}
	if old, err := root.ReadFile(dest); err == nil && string(old) == string(text) {
		return false, nil
	}
	if err := root.MkdirAll(filepath.Dir(dest), 0o755); err != nil {
		return false, err
	}
	tmp := filepath.Join(filepath.Dir(dest), "."+filepath.Base(dest)+".tmp")
	if err := root.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	if err := m.writeNew(root, tmp, b, text); err != nil {
		return false, errors.Join(err, root.Remove(tmp))
	}
	return true, root.Rename(tmp, dest)
}

func (m *templates) writeNew(root *os.Root, path string, b *templateBlock, text []byte) error {
	f, err := root.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err == nil && (derefOr(b.spec.Uid, -1) >= 0 || derefOr(b.spec.Gid, -1) >= 0) {
		err = f.Chown(derefOr(b.spec.Uid, -1), derefOr(b.spec.Gid, -1))
	}
	if err == nil {
		err = f.Chmod(b.perms)
	}
	return errors.Join(err, f.Close())
}

// loadEnv reads what the env templates add to the environment.
func (m *templates) loadEnv() error {
	add := map[string]string{}
	for _, b := range m.blocks {
		if !deref(b.spec.Envvars) {
			continue
		}
		text, err := m.readFile(b.dest)
		if err != nil {
			return fmt.Errorf("error opening env template: %w", err)
		}
		vars, err := parseEnv(text)
		if err != nil {
			return fmt.Errorf("error parsing env template %q: %w", b.dest, err)
		}
		maps.Copy(add, vars)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.add = add
	return nil
}

// addTo adds to env what the env templates say.
func (m *templates) addTo(env taskEnv) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for key, value := range m.add {
		env.env[key] = value
	}
}
