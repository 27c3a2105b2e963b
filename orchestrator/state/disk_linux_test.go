package state

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// smallDisk is a folder on a file system of its own, of a megabyte.
func smallDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("file systems cannot be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func registerError(s *Store, id, command string) error {
	_, err := s.Update(func(tx *Txn) error {
		_, err := tx.RegisterJob(Registration{Job: testJob(id, command)})
		return err
	})
	return err
}

// TestFullDisk writes until the disk is full: what was acknowledged is there, what
// was refused is not, and it goes on when there is room again.
func TestFullDisk(t *testing.T) {
	dir := smallDisk(t)
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 300<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	s := open(t, filepath.Join(dir, "server"))
	n := 0
	for ; registerError(s, fmt.Sprint("job-", n), strings.Repeat("x", 5000)) == nil; n++ {
		if n > 1000 {
			t.Fatal("the disk does not get full")
		}
	}
	if got := len(s.Snapshot().Jobs(nil, "default", "")); got != n {
		t.Errorf("%d jobs were acknowledged, and %d are there", n, got)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	if err := registerError(s, "after", "true"); err != nil {
		t.Fatalf("with room again: %v", err)
	}
	want := contents(t, s)
	s.Close()
	if s = open(t, s.disk.dir); contents(t, s) != want {
		t.Errorf("%d jobs are there after the next start (aside: %q)", len(s.Snapshot().Jobs(nil, "default", "")), s.Aside())
	}
}

// TestReadOnlyDisk holds that a disk that becomes read-only refuses writes, and
// keeps what there was.
func TestReadOnlyDisk(t *testing.T) {
	dir := smallDisk(t)
	s := open(t, filepath.Join(dir, "server"))
	register(t, s, testJob("web", "true"))
	s.Close()
	remount := func(flags uintptr) {
		if err := unix.Mount("tmpfs", dir, "tmpfs", unix.MS_REMOUNT|flags, "size=1m"); err != nil {
			t.Fatal(err)
		}
	}
	remount(unix.MS_RDONLY)
	if s, err := Open(Config{Dir: s.disk.dir}); err == nil || !strings.Contains(err.Error(), "read-only file system") {
		t.Errorf("got %v, %v", s, err)
	}
	remount(0)
	s = open(t, s.disk.dir)
	if got := len(s.Snapshot().Jobs(nil, "default", "")); got != 1 || s.Aside() != "" {
		t.Errorf("%d jobs are left (aside: %q)", got, s.Aside())
	}
}

// writerDir names, to the test binary, where it writes until it cannot.
const writerDir = "OSTRO_TEST_STATE_WRITER"

// TestWriter is what [TestFailingSync] runs: it says which writes are acknowledged.
func TestWriter(t *testing.T) {
	dir := os.Getenv(writerDir)
	if dir == "" {
		return
	}
	runtime.LockOSThread() // strace counts the calls of each thread.
	s := open(t, dir)
	for n := range 1000 {
		err := registerError(s, fmt.Sprint("job-", n), "true")
		if err == nil {
			fmt.Printf("\nacknowledged %d\n", n)
			continue
		}
		fmt.Printf("\nrefused %v\n", err)
		if err := registerError(s, "again", "true"); err == nil {
			fmt.Printf("\nwritten again\n")
		}
		return
	}
}

// TestFailingSync lets fdatasync(2) fail once, in a process of its own: the write is
// refused, nothing is built on it, and all that was acknowledged is there at the
// next start.
func TestFailingSync(t *testing.T) {
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("strace is not on PATH: no call of the system can be made to fail")
	}
	all := ""
	for _, at := range []int{20, 21} { // The pages of a write, and its head.
		t.Run(fmt.Sprint(at), func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "server")
			command := exec.Command(strace, "-f", "-qq", "-o", os.DevNull, "-e", "trace=fdatasync", "-e", fmt.Sprintf("inject=fdatasync:error=EIO:when=%d", at),
				os.Args[0], "-test.run", "^TestWriter$", "-test.v")
			command.Env = append(os.Environ(), writerDir+"="+dir)
			command.WaitDelay = time.Minute
			said, err := command.Output()
			if err != nil {
				t.Fatalf("%v\n%s", err, said)
			}
			all += string(said)
			last := acknowledged(t, string(said))
			s := open(t, dir)
			jobs := len(s.Snapshot().Jobs(nil, "default", ""))
			if jobs < last+1 || jobs > last+2 || s.Aside() != "" {
				t.Errorf("%d writes were acknowledged, and %d jobs are there (aside: %q)\n%s", last+1, jobs, s.Aside(), said)
			}
		})
	}
	for _, want := range []string{"written again", "nothing more is written: mend the disk and start the agent again"} {
		if !strings.Contains(all, want) {
			t.Errorf("no case has %q:\n%s", want, all)
		}
	}
}

// acknowledged is the last write that a writer was told of; the one after it was
// refused because of the disk.
func acknowledged(t *testing.T, said string) int {
	t.Helper()
	last, refused := -1, false
	lines := bufio.NewReader(strings.NewReader(said))
	for {
		line, err := lines.ReadString('\n')
		if err == io.EOF {
			break
		}
		if number, ok := strings.CutPrefix(strings.TrimSpace(line), "acknowledged "); ok {
			if last, err = strconv.Atoi(number); err != nil {
				t.Fatal(err)
			}
		}
		refused = refused || strings.HasPrefix(line, "refused write the state: input/output error")
		if strings.HasPrefix(line, "written again") && strings.Contains(said, "nothing more is written") {
			t.Error("it writes on after it has said that it does not")
		}
	}
	if last < 0 || !refused {
		t.Fatalf("the call did not fail:\n%s", said)
	}
	return last
}
