package artifact_test

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"ostro/artifact"
)

// names gathers and gives the names in the zip, joined by spaces.
func names(s artifact.Source, t *testing.T) (string, error) {
	tree, err := artifact.Gather(t.Context(), s)
	if err != nil {
		return "", err
	}
	var all []string
	for _, e := range tree.Entries() {
		all = append(all, e.Name)
	}
	return strings.Join(all, " "), nil
}

func TestGatherNames(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"bin/app": "x", "bin/app.debug": "x", "web/index.html": "x", "web/css/a.css": "x", "web/css/deep/b.css": "x",
		".git/config": "x", "web/.git/HEAD": "x", "odd[1].txt": "x", "one/same": "x", "two/same": "x",
	})
	if err := os.MkdirAll(filepath.Join(dir, "web", "logs"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		paths, ignore string
		want          string // names in the zip, or a part of the error after "error: "
	}{
		{"bin/app", "", "app"},
		{"bin/app web", "", "app css/a.css css/deep/b.css index.html logs/"},
		{"bin", "", "app app.debug"},
		{"bin", "*.debug", "app"},
		{"bin", "bin/*.debug", "app"},
		{"bin", "other/*.debug", "app app.debug"},
		{"web/**/*.css", "", "css/a.css css/deep/b.css"},
		{"web/*.html", "", "index.html"},
		{"web/css/*", "", "a.css deep/b.css"},
		{"web/*", "css", "index.html logs/"},
		{"we[b]", "logs", "web/css/a.css web/css/deep/b.css web/index.html"},
		{"*", "web one two odd*", "bin/app bin/app.debug"},
		{"odd[1].txt", "", "odd[1].txt"},
		{"bin/app bin/*", "", "app app.debug"},
		{"./bin/./app", "", "app"},
		{"one two", "", `error: want the same name "same"`},
		{"", "", "error: no files are named"},
		{"missing", "", "error: does not exist: was it built?"},
		{"missing/*.txt", "", "error: no such file"},
		{"bin/*.txt", "", "error: matches nothing"},
		{"web/logs", "", "error: holds nothing to zip"},
		{"/etc/passwd", "", "error: is absolute"},
		{"../x", "", "error: '..' is refused"},
		{"bin/../../x", "", "error: '..' is refused"},
		{"bin/[", "", "error: syntax error in pattern"},
		{"bin", "[", "error: syntax error in pattern"},
	} {
		got, err := names(artifact.Source{Name: "x", Dir: dir, Paths: strings.Fields(c.paths), Ignore: strings.Fields(c.ignore)}, t)
		if err != nil {
			got = "error: " + err.Error()
			if !strings.HasPrefix(c.want, "error: ") || !strings.Contains(got, strings.TrimPrefix(c.want, "error: ")) {
				t.Errorf("%q: %s, want %s", c.paths, got, c.want)
			}
		} else if got != c.want {
			t.Errorf("%q without %q: %s, want %s", c.paths, c.ignore, got, c.want)
		}
	}
}

func TestGatherSymlinks(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("making symlinks needs a privilege on Windows")
	}
	outside := t.TempDir()
	write(t, outside, map[string]string{"secret": "x", "sub/secret": "x"})
	for _, c := range []struct {
		name, target string
		want         string
	}{
		{"file", "real/app", "link real/app"},
		{"absolute, within", "DIR/real/app", "link real/app"},
		{"folder", "real", "link/app real/app"},
		{"file outside", filepath.Join(outside, "secret"), "error: leaves"},
		{"folder outside", filepath.Join(outside, "sub"), "error: leaves"},
		{"upwards", "../../../../../../../../etc/passwd", "error: leaves"},
		{"to nothing", "nowhere", "error: cannot be followed"},
		{"to itself", "link", "error: cannot be followed"},
		{"to its own folder", ".", "error: a folder that it stands in"},
		{"device", "/dev/null", "error: "},
	} {
		dir := t.TempDir()
		write(t, dir, map[string]string{"real/app": "x"})
		if err := os.Symlink(strings.Replace(c.target, "DIR", dir, 1), filepath.Join(dir, "link")); err != nil {
			t.Fatal(err)
		}
		got, err := names(artifact.Source{Name: "x", Dir: dir, Paths: []string{"."}}, t)
		if err != nil {
			got = "error: " + err.Error()
		}
		if part, fails := strings.CutPrefix(c.want, "error: "); got != c.want && !(fails && err != nil && strings.Contains(got, part)) {
			t.Errorf("symlink %s: %s, want %s", c.name, got, c.want)
		}
	}
}

func TestGatherModesAreTheExecutableBit(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no executable bit")
	}
	dir := t.TempDir()
	for mode, want := range map[os.FileMode]os.FileMode{
		0o600: 0o644, 0o644: 0o644, 0o664: 0o644, 0o700: 0o755, 0o755: 0o755, 0o775: 0o755, 0o755 | os.ModeSetuid: 0o755,
	} {
		path := filepath.Join(dir, "app")
		write(t, dir, map[string]string{"app": "x"})
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		tree, err := artifact.Gather(t.Context(), artifact.SourceOf("x", path))
		if err != nil {
			t.Fatal(err)
		}
		if e := tree.Entries()[0]; e.Mode != want || e.Name != "app" {
			t.Errorf("%s became %s %s, want %s", mode, e.Name, e.Mode, want)
		}
	}
}

func TestGatherRefusesNamesThatDoNotUnpack(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux lets a file have such a name")
	}
	for _, name := range []string{`back\slash`, "not\xffutf8"} {
		dir := t.TempDir()
		write(t, dir, map[string]string{name: "x"})
		if got, err := names(artifact.Source{Name: "x", Dir: dir, Paths: []string{"."}}, t); err == nil {
			t.Errorf("%q was taken: %s", name, got)
		}
	}
}
