//go:build unix

package driver

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestLogsStayInside holds that what a task puts in the place of its log, or of the folder of its logs, has nobody read
// or write what is not its own, and holds nobody up.
func TestLogsStayInside(t *testing.T) {
	for name, replace := range map[string]func(log, foreign string) error{
		"link":        func(log, foreign string) error { return os.Symlink(foreign, log) },
		"pipe":        func(log, _ string) error { return syscall.Mkfifo(log, 0o666) },
		"folder":      func(log, _ string) error { return os.Mkdir(log, 0o755) },
		"link of all": func(log, foreign string) error { return replaceFolder(filepath.Dir(log), filepath.Dir(foreign)) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "alloc", "logs")
			if err := os.MkdirAll(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			foreign := filepath.Join(t.TempDir(), "t.stdout.0")
			if err := os.WriteFile(foreign, []byte("secret"), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := replace(filepath.Join(dir, "t.stdout.0"), foreign); err != nil {
				t.Fatal(err)
			}
			if f, err := OpenLog(dir, "t.stdout.0"); err == nil {
				f.Close()
				t.Error("it was opened as a log")
			}
			r := newRotator(Logs{Dir: dir, Name: "t"}, "stdout")
			r.Write([]byte("output\n"))
			r.Close()
			if text, err := os.ReadFile(foreign); err != nil || string(text) != "secret" {
				t.Errorf("the other file is %q, %v", text, err)
			}
			if strings.HasPrefix(name, "link of") {
				return // where there is no folder, output is dropped
			}
			if text, err := os.ReadFile(filepath.Join(dir, "t.stdout.0")); err != nil || string(text) != "output\n" {
				t.Errorf("the log is %q, %v", text, err)
			}
		})
	}
}

func replaceFolder(dir, by string) error {
	if err := os.Remove(dir); err != nil {
		return err
	}
	return os.Symlink(by, dir)
}
