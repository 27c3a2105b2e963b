package artifact_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"ostro/artifact"
)

func env(values map[string]string) func(string) string {
	return func(name string) string { return values[name] }
}

func TestGivenCommitIsUsedAsGiven(t *testing.T) {
	outside := t.TempDir() // not in git
	all := map[string]string{"BB_COMMIT": "bb", "BITBUCKET_COMMIT": "bitbucket", "GITHUB_SHA": "github", "CI_COMMIT_SHA": "ci"}
	without := func(names ...string) map[string]string {
		m := map[string]string{}
		for k, v := range all {
			m[k] = v
		}
		for _, n := range names {
			delete(m, n)
		}
		return m
	}
	full := strings.Repeat("0123456789", 4)
	for _, c := range []struct {
		in          artifact.CommitInput
		tag, source string
	}{
		{artifact.CommitInput{Flag: full, Var: "var", Getenv: env(all)}, full, "-commit"},
		{artifact.CommitInput{Var: "1a2b3c4", Getenv: env(all)}, "1a2b3c4", "-var BB_COMMIT"},
		{artifact.CommitInput{Getenv: env(all)}, "bb", "BB_COMMIT"},
		{artifact.CommitInput{Getenv: env(without("BB_COMMIT"))}, "bitbucket", "BITBUCKET_COMMIT"},
		{artifact.CommitInput{Getenv: env(without("BB_COMMIT", "BITBUCKET_COMMIT"))}, "github", "GITHUB_SHA"},
		{artifact.CommitInput{Getenv: env(map[string]string{"CI_COMMIT_SHA": "ci\n"})}, "ci", "CI_COMMIT_SHA"},
	} {
		c.in.Dir = outside
		got, err := artifact.ResolveCommit(t.Context(), c.in)
		if want := (artifact.Commit{Full: c.tag, Tag: c.tag, Source: c.source}); err != nil || got != want {
			t.Errorf("%+v, %v, want %+v", got, err, want)
		}
	}
	if _, err := artifact.ResolveCommit(t.Context(), artifact.CommitInput{Flag: "feature/x"}); err == nil {
		t.Error("a commit with a slash was taken")
	}
}

// repo makes a repository with one commit, and gives its folder and a function that runs git in it.
func repo(t *testing.T) (string, func(args ...string) string) {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not on PATH")
	}
	for _, name := range []string{"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"} {
		t.Setenv(name, "")
		os.Unsetenv(name)
	}
	t.Setenv("GIT_CONFIG_GLOBAL", os.DevNull)
	t.Setenv("GIT_CONFIG_SYSTEM", os.DevNull)
	dir := t.TempDir()
	git := func(args ...string) string {
		t.Helper()
		cmd := exec.Command("git", append([]string{"-c", "user.name=t", "-c", "user.email=t@example.com"}, args...)...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	git("init", "-q")
	write(t, dir, map[string]string{"main.go": "one", "sub/x": "x", ".gitignore": "*.o\n"})
	git("add", ".")
	git("commit", "-qm", "first")
	return dir, git
}

func TestCommitFromGit(t *testing.T) {
	dir, git := repo(t)
	head := git("rev-parse", "HEAD")
	write(t, dir, map[string]string{"ignored.o": "x"})
	got, err := artifact.ResolveCommit(t.Context(), artifact.CommitInput{Dir: filepath.Join(dir, "sub")})
	if want := (artifact.Commit{Full: head, Tag: head[:7], Source: "git"}); err != nil || got != want {
		t.Errorf("a clean tree: %+v, %v, want %+v", got, err, want)
	}
	dirty := func(in artifact.CommitInput) artifact.Commit {
		t.Helper()
		in.Dir = dir
		c, err := artifact.ResolveCommit(t.Context(), in)
		if err != nil || !c.Dirty || c.Full != head || !regexp.MustCompile(`^`+head[:7]+`-dirty-[0-9a-f]{8}$`).MatchString(c.Tag) {
			t.Errorf("%+v, %v", c, err)
		}
		return c
	}
	seen := map[string]string{}
	for _, change := range []struct {
		what string
		do   func()
	}{
		{"changed", func() { write(t, dir, map[string]string{"main.go": "two"}) }},
		{"changed once more", func() { write(t, dir, map[string]string{"main.go": "three"}) }},
		{"untracked", func() { write(t, dir, map[string]string{"é new/file": "1"}) }},
		{"untracked, other content", func() { write(t, dir, map[string]string{"é new/file": "2"}) }},
	} {
		change.do()
		if _, err := artifact.ResolveCommit(t.Context(), artifact.CommitInput{Dir: dir}); !errors.Is(err, artifact.ErrDirty) || !strings.Contains(err.Error(), "-allow-dirty") {
			t.Errorf("%s: %v, want ErrDirty and a hint", change.what, err)
		}
		tag := dirty(artifact.CommitInput{Standalone: true}).Tag
		if again := dirty(artifact.CommitInput{AllowDirty: true}).Tag; again != tag {
			t.Errorf("%s: the same tree gave %s and %s", change.what, tag, again)
		}
		if other, ok := seen[tag]; ok {
			t.Errorf("%s and %s have the same tag", change.what, other)
		}
		seen[tag] = change.what
	}
	before := dirty(artifact.CommitInput{Standalone: true}).Tag
	git("add", "main.go")
	if staged := dirty(artifact.CommitInput{Standalone: true}).Tag; staged != before {
		t.Errorf("staging changed the tag from %s to %s", before, staged)
	}
}

func TestNoCommitToBeHad(t *testing.T) {
	dir, _ := repo(t)
	empty := filepath.Join(dir, "empty")
	if out, err := exec.Command("git", "init", "-q", empty).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	outside := t.TempDir()
	t.Setenv("GIT_CEILING_DIRECTORIES", filepath.Dir(outside))
	check := func(what, dir string) {
		t.Helper()
		if c, err := artifact.ResolveCommit(t.Context(), artifact.CommitInput{Dir: dir}); err == nil || !strings.Contains(err.Error(), "-commit") {
			t.Errorf("%s: %+v, %v", what, c, err)
		}
	}
	check("no commit yet", empty)
	check("outside of git", outside)
	t.Setenv("PATH", t.TempDir())
	check("git not installed", dir)
}
