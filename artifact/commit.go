package artifact

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// ErrDirty is returned by ResolveCommit when git's working tree differs from its HEAD and nothing allows that.
var ErrDirty = errors.New("the working tree has changes that are not committed")

// shortCommit is how many characters of a commit that git tells us go into its tag.
const shortCommit = 7

// CommitInput is where ResolveCommit looks.
type CommitInput struct {
	Flag   string              // -commit
	Var    string              // -var BB_COMMIT
	Getenv func(string) string // os.Getenv; nil is an empty environment
	Dir    string              // a folder in git's working tree; "" is the working folder

	AllowDirty bool // -allow-dirty: tag a dirty tree as such instead of refusing it
	Standalone bool // as AllowDirty: nothing leaves the machine
}

// Commit is the commit that tags an artifact.
type Commit struct {
	Full   string // as far as known: git's 40 characters, or what was given
	Tag    string // what goes into keys and is BB_COMMIT in templates
	Dirty  bool   // Tag is COMMIT-dirty-HASH, where HASH changes with the content
	Source string // "-commit", "-var BB_COMMIT", the environment variable's name, or "git"
}

// ResolveCommit finds the commit: the flag, else the variable, else BB_COMMIT, BITBUCKET_COMMIT, GITHUB_SHA or
// CI_COMMIT_SHA in the environment, else the HEAD of git in in.Dir. A commit that was given is used as given,
// and git is not asked. HEAD is shortened to seven characters; when the tree is dirty (changed or untracked
// files that git does not ignore) the tag says so where that is allowed, and else the error wraps [ErrDirty].
func ResolveCommit(ctx context.Context, in CommitInput) (Commit, error) {
	if c, ok := in.given(); ok {
		return c, checkTag("commit from "+c.Source, c.Tag)
	}
	git, err := openGit(ctx, in.Dir)
	if err != nil {
		return Commit{}, err
	}
	head, err := git.run(ctx, "rev-parse", "--verify", "--quiet", "HEAD^{commit}")
	if exit, is := errors.AsType[*exec.ExitError](err); err != nil && (!is || exit.ExitCode() != 1) {
		return Commit{}, err
	}
	if err != nil { // which is all that it says with --quiet
		return Commit{}, fmt.Errorf("git in %s has no commit yet: commit first, or name one with -commit", git.root)
	}
	full := strings.TrimSpace(string(head))
	c := Commit{Full: full, Tag: full[:min(shortCommit, len(full))], Source: "git"}
	status, err := git.run(ctx, "status", "--porcelain", "-z", "--untracked-files=all")
	if err != nil {
		return Commit{}, err
	}
	if len(status) == 0 {
		return c, nil
	}
	if !in.AllowDirty && !in.Standalone {
		return Commit{}, fmt.Errorf("%w (%s): commit them, or use -allow-dirty to upload them under a -dirty tag", ErrDirty, firstChange(status))
	}
	hash, err := git.hashChanges(ctx, status)
	if err != nil {
		return Commit{}, err
	}
	c.Dirty = true
	c.Tag += "-dirty-" + hash
	return c, nil
}

// Edited names a file that git keeps and that is not as its HEAD has it, "" where there
// is none. Of a folder that git does not keep it knows nothing, and says "".
func Edited(ctx context.Context, dir string) (string, error) {
	git, err := openGit(ctx, dir)
	if err != nil {
		return "", ctx.Err()
	}
	status, err := git.run(ctx, "status", "--porcelain", "-z", "--untracked-files=no")
	if err != nil || len(status) == 0 {
		return "", err
	}
	return firstChange(status), nil
}

func (in CommitInput) given() (Commit, bool) {
	getenv := in.Getenv
	if getenv == nil {
		getenv = func(string) string { return "" }
	}
	for _, from := range []struct{ source, value string }{
		{"-commit", in.Flag},
		{"-var BB_COMMIT", in.Var},
		{"BB_COMMIT", getenv("BB_COMMIT")},
		{"BITBUCKET_COMMIT", getenv("BITBUCKET_COMMIT")},
		{"GITHUB_SHA", getenv("GITHUB_SHA")},
		{"CI_COMMIT_SHA", getenv("CI_COMMIT_SHA")},
	} {
		if value := strings.TrimSpace(from.value); value != "" {
			return Commit{Full: value, Tag: value, Source: from.source}, true
		}
	}
	return Commit{}, false
}

// git runs git's commands at the root of one working tree.
type git struct{ root string }

func openGit(ctx context.Context, dir string) (git, error) {
	if _, err := exec.LookPath("git"); err != nil {
		return git{}, fmt.Errorf("no commit is given and git is not installed: name the commit with -commit or BB_COMMIT (%w)", err)
	}
	root, err := git{dir}.run(ctx, "rev-parse", "--show-toplevel")
	if err != nil {
		return git{}, fmt.Errorf("no commit is given and git does not tell one: name it with -commit or BB_COMMIT (%w)", err)
	}
	return git{strings.TrimRight(string(root), "\r\n")}, nil
}

func (g git) run(ctx context.Context, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir = g.root
	// Reading must not take the locks that an editor or another build may hold.
	cmd.Env = append(os.Environ(), "GIT_OPTIONAL_LOCKS=0", "LC_ALL=C")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		if text, _, _ := strings.Cut(strings.TrimSpace(stderr.String()), "\n"); text != "" {
			err = fmt.Errorf("%s: %w", text, err)
		}
		return nil, fmt.Errorf("git %s: %w", args[0], err)
	}
	return out, nil
}

// hashChanges is a short digest of what differs from HEAD: the diff, and the untracked files' content.
func (g git) hashChanges(ctx context.Context, status []byte) (string, error) {
	diff, err := g.run(ctx, "diff", "--no-ext-diff", "--no-textconv", "--no-color", "--binary", "HEAD")
	if err != nil {
		return "", err
	}
	h := sha256.New()
	h.Write(diff)
	for record := range strings.SplitSeq(string(status), "\x00") {
		if name, ok := strings.CutPrefix(record, "?? "); ok {
			fmt.Fprintf(h, "%d:%s\n", len(name), name)
			if err := hashFile(h, filepath.Join(g.root, name)); err != nil {
				return "", err
			}
		}
	}
	return hex.EncodeToString(h.Sum(nil))[:8], nil
}

func hashFile(w io.Writer, path string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		target, _ := os.Readlink(path)
		_, err := fmt.Fprintf(w, "%s %s\n", info.Mode(), target)
		return err
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := fmt.Fprintf(w, "%s %d\n", info.Mode(), info.Size()); err != nil {
		return err
	}
	_, err = io.Copy(w, f)
	return err
}

// firstChange names a changed file and how many others there are.
func firstChange(status []byte) string {
	records := strings.Split(strings.TrimRight(string(status), "\x00"), "\x00")
	name := strings.TrimSpace(records[0])
	if len(name) > 3 {
		name = strings.TrimSpace(records[0][3:])
	}
	if len(records) == 1 {
		return name
	}
	return fmt.Sprintf("%s and %d more", name, len(records)-1)
}
