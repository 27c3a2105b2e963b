package runner

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-getter/v2"
	"github.com/hashicorp/nomad/api"
	"golang.org/x/sync/errgroup"
)

// How many artifacts of a task are fetched at once (Nomad), and how long a server may be silent.
const (
	fetchParallel = 3
	fetchIdleTime = 2 * time.Minute
)

// fetch downloads the task's artifacts, unless they are there already. The error holds no credentials.
func (t *task) fetch(ctx context.Context, spec *api.Task, env taskEnv, taskDir string) error {
	if len(spec.Artifacts) == 0 || t.alloc.state(t).Fetched {
		return nil
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(t.kill, cancel)()
	t.alloc.change(t, func(s *savedTask) { addEvent(s.State, eventDownloading()) })
	tmp := filepath.Join(t.alloc.dir, ".fetch-"+spec.Name) // what an agent that died has left there goes too
	if err := errors.Join(os.RemoveAll(tmp), os.Mkdir(tmp, 0o700)); err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	root, err := os.OpenRoot(t.alloc.dir)
	if err != nil {
		return err
	}
	defer root.Close()

	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(fetchParallel)
	for i, artifact := range spec.Artifacts {
		group.Go(func() error {
			d := download{artifact: artifact, env: env, limits: t.alloc.runner.conf.Fetch.withDefaults(), bucket: t.alloc.runner.conf.Bucket}
			if err := d.run(ctx, root, filepath.Join(tmp, fmt.Sprint(i)), taskDir); err != nil {
				return fmt.Errorf("failed to download artifact %q: getter subprocess failed: exit status 1: failed to download artifact: %s", redactURL(env.replace(deref(artifact.GetterSource))), d.redact(err))
			}
			return chownTree(d.dest, userOf(spec, env), artifact.Chown)
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	t.alloc.change(t, func(s *savedTask) { s.Fetched = true })
	return nil
}

// A download is one artifact on its way.
type download struct {
	artifact *api.TaskArtifact
	env      taskEnv
	limits   FetchLimits
	bucket   func(string) (S3Endpoint, bool)
	dest     string   // absolute path
	secrets  []string // values that no message may hold
}

// run fetches the artifact into tmp and moves it to its destination, so that a task never sees a part of it.
func (d *download) run(ctx context.Context, root *os.Root, tmp, taskDir string) error {
	source, err := d.source()
	if err != nil {
		return err
	}
	if err := d.destination(source, taskDir); err != nil {
		return err
	}
	g, src, err := d.getter(source)
	if err != nil {
		return err
	}
	if most := d.limits.timeOf(g); most > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, most, fmt.Errorf("it took longer than %v", most))
		defer cancel()
	}
	client := &getter.Client{
		// Only the one that fits: go-getter tries all that accept a source, one after the other.
		Getters:         []getter.Getter{g},
		Decompressors:   d.limits.decompressors(),
		DisableSymlinks: true,
	}
	err = abandoned(ctx, func() error {
		_, err := client.Get(ctx, &getter.Request{
			Src:     src,
			Dst:     tmp,
			GetMode: d.mode(),
			Umask:   fs.ModeSetuid | fs.ModeSetgid,
			Copy:    true,
		})
		return err
	})
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		return err
	}
	if _, err := os.Lstat(tmp); d.mode() == getter.ModeDir && errors.Is(err, fs.ErrNotExist) {
		return nil // a page where a folder was asked for is none (Nomad)
	}
	return moveTree(root, tmp, d.dest)
}

// source is the artifact's source with its options in the query, as Nomad builds it.
func (d *download) source() (string, error) {
	source := d.env.replace(deref(d.artifact.GetterSource))
	const sshPrefix = "git@github.com:"
	rest, ssh := strings.CutPrefix(source, sshPrefix)
	u, err := url.Parse(rest)
	if err != nil {
		return "", errors.New("the source is not a URL")
	}
	query := u.Query()
	for key, value := range d.artifact.GetterOptions {
		query.Set(key, d.env.replace(value))
	}
	u.RawQuery = query.Encode()
	d.learnSecrets(u)
	if ssh {
		return sshPrefix + u.String(), nil
	}
	return u.String(), nil
}

func (d *download) mode() getter.Mode {
	switch deref(d.artifact.GetterMode) {
	case "file":
		return getter.ModeFile
	case "dir":
		return getter.ModeDir
	}
	return getter.ModeAny
}

// destination finds where the artifact goes: by default into local/, a single file under its own name.
func (d *download) destination(source, taskDir string) error {
	dest := "local/"
	if d.artifact.RelativeDest != nil {
		dest = d.env.replace(*d.artifact.RelativeDest)
	} else if d.mode() == getter.ModeFile {
		if u, err := url.Parse(source); err == nil {
			dest = path.Join("local", path.Base(u.Path))
		}
	}
	full, err := d.env.taskPath(taskDir, dest)
	if err != nil {
		return errors.New("artifact destination path escapes alloc directory")
	}
	d.dest = full
	return nil
}

var forcedGetter = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^([A-Za-z0-9]+)::(.+)$`)
})

// getter chooses what fetches source, and returns the source as that understands it.
func (d *download) getter(source string) (getter.Getter, string, error) {
	forced, rest := "", source
	if m := forcedGetter().FindStringSubmatch(source); m != nil {
		forced, rest = m[1], m[2]
	}
	u, err := url.Parse(rest)
	if err != nil {
		return nil, "", errors.New("the source is not a URL")
	}
	scheme := u.Scheme
	if forced != "" {
		scheme = forced
	}
	if forced == "s3" || forced == "" {
		if s3, src, ok := d.s3Getter(u, forced == "s3"); ok {
			return s3, src, nil
		}
	}
	switch scheme {
	case "http", "https":
		return d.httpGetter(), rest, nil
	case "git", "hg":
		return d.gitOrHg(scheme), source, nil
	case "ssh":
		return d.gitOrHg("git"), source, nil
	case "":
		git := d.gitOrHg("git")
		if ok, err := getter.Detect(&getter.Request{Src: source}, git); err == nil && ok {
			return git, source, nil
		}
		scheme = "file"
	}
	return nil, "", fmt.Errorf("download not supported for scheme '%s'", scheme)
}

func (d *download) gitOrHg(scheme string) getter.Getter {
	if scheme == "hg" {
		return &getter.HgGetter{Timeout: max(0, d.limits.HgTime)}
	}
	return &getter.GitGetter{
		Timeout:   max(0, d.limits.GitTime),
		Detectors: []getter.Detector{new(getter.GitHubDetector), new(getter.GitLabDetector), new(getter.GitDetector), new(getter.BitBucketDetector)},
	}
}

// httpGetter fetches without a HEAD request first, which could corrupt a file that changes, and without following
// X-Terraform-Get. A server that falls silent is given up.
func (d *download) httpGetter() getter.Getter {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	dialer := &net.Dialer{Timeout: 30 * time.Second}
	transport.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dialer.DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return idleConn{conn}, nil
	}
	transport.DisableKeepAlives = true
	if deref(d.artifact.GetterInsecure) {
		transport.TLSClientConfig.InsecureSkipVerify = true
	}
	header := http.Header{}
	for key, value := range d.artifact.GetterHeaders {
		header.Set(key, d.env.replace(value))
	}
	return &getter.HttpGetter{
		Netrc:                 true,
		Header:                header,
		Client:                &http.Client{Transport: sizeLimit{transport, d.limits.HTTPBytes}},
		XTerraformGetDisabled: true,
		DoNotCheckHeadFirst:   true,
	}
}

// An idleConn gives up when nothing comes for a while.
type idleConn struct{ net.Conn }

func (c idleConn) Read(p []byte) (int, error) {
	if err := c.SetReadDeadline(time.Now().Add(fetchIdleTime)); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}

// moveTree moves what is at the path from, which is below root, to the path dest. What is at dest stays, except for files
// of the same name. No link leads out of root.
func moveTree(root *os.Root, from, dest string) error {
	from, err := filepath.Rel(root.Name(), from)
	if err != nil {
		return err
	}
	dest, err = filepath.Rel(root.Name(), dest)
	if err != nil {
		return err
	}
	if err := root.MkdirAll(filepath.Dir(dest), 0o755); err != nil {
		return err
	}
	return moveInto(root, from, dest)
}

func moveInto(root *os.Root, from, dest string) error {
	info, err := root.Lstat(from)
	if err != nil {
		return err
	}
	there, err := root.Lstat(dest)
	if !info.IsDir() || errors.Is(err, fs.ErrNotExist) {
		return root.Rename(from, dest)
	}
	if err != nil {
		return err
	}
	if !there.IsDir() {
		return fmt.Errorf("%s is in the way of a folder", dest)
	}
	dir, err := root.Open(from)
	if err != nil {
		return err
	}
	names, err := dir.Readdirnames(-1)
	if err := errors.Join(err, dir.Close()); err != nil {
		return err
	}
	for _, name := range names {
		if err := moveInto(root, filepath.Join(from, name), filepath.Join(dest, name)); err != nil {
			return err
		}
	}
	return nil
}

// chownTree gives what was fetched to the task's user, if the artifact wants that.
func chownTree(dest, user string, wanted bool) error {
	if !wanted || user == "" {
		return nil
	}
	owner := ownerOf(user)
	return filepath.WalkDir(dest, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return owner(path)
	})
}
