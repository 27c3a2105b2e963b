package tunnel_test

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"ostro/nomadtest/freeport"
)

// until waits for a real condition, at most a minute.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.NewTimer(time.Minute)
	defer deadline.Stop()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline.C:
			t.Fatalf("waited a minute for %s", what)
		case <-tick.C:
		}
	}
}

// sshd is OpenSSH's server with a configuration of its own on a loopback port.
type sshd struct {
	dir, addr string
	cmd       *exec.Cmd
	log       lockedBuffer
}

// lockedBuffer takes a process's output while the test reads it.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// startSSHD runs a real sshd, or skips the test where there is none.
// options are further lines of sshd_config.
func startSSHD(t *testing.T, options ...string) *sshd {
	t.Helper()
	if _, err := os.Stat("/usr/sbin/sshd"); err != nil {
		t.Skip("no /usr/sbin/sshd: install openssh-server to run this test")
	}
	if os.Getuid() == 0 {
		if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
			t.Skipf("sshd needs /run/sshd: %v", err)
		}
	}
	s := &sshd{dir: t.TempDir(), addr: freeport.Address()}
	writeKey(t, s.path("host_ed25519"))
	for kind, bits := range map[string]string{"ecdsa": "256", "rsa": "2048"} {
		if slices.Contains(options, "HostKey DIR/host_"+kind) {
			run(t, "ssh-keygen", "-q", "-t", kind, "-b", bits, "-N", "", "-f", s.path("host_"+kind))
		}
	}
	s.write(t, "authorized_keys", "")
	host, port, _ := net.SplitHostPort(s.addr)
	config := append([]string{
		"ListenAddress " + host, "Port " + port, "HostKey " + s.path("host_ed25519"), "PidFile none",
		"AuthorizedKeysFile " + s.path("authorized_keys"), "StrictModes no", "UsePAM no", "PermitRootLogin yes",
		"PasswordAuthentication no", "KbdInteractiveAuthentication no", "LogLevel VERBOSE",
	}, options...)
	s.write(t, "sshd_config", strings.ReplaceAll(strings.Join(config, "\n"), "DIR", s.dir)+"\n")
	s.start(t)
	t.Cleanup(s.kill)
	return s
}

func (s *sshd) path(name string) string { return filepath.Join(s.dir, name) }

func (s *sshd) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(s.path(name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (s *sshd) start(t *testing.T) {
	t.Helper()
	s.cmd = exec.Command("/usr/sbin/sshd", "-D", "-e", "-f", s.path("sshd_config"))
	s.cmd.Stderr = &s.log
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	until(t, "sshd to listen: "+s.log.String(), func() bool {
		c, err := net.Dial("tcp", s.addr)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
}

// kill ends sshd and the processes of its connections, which are in sessions
// of their own.
func (s *sshd) kill() {
	if s.cmd == nil {
		return
	}
	for _, pid := range append(descendants(s.cmd.Process.Pid), s.cmd.Process.Pid) {
		if p, err := os.FindProcess(pid); err == nil {
			p.Kill()
		}
	}
	s.cmd.Wait()
	s.cmd = nil
}

// descendants reads the process table for the children of pid and theirs.
func descendants(pid int) []int {
	var out []int
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range stats {
		text, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		_, after, _ := strings.Cut(string(text), ") ")
		fields := strings.Fields(after)
		if len(fields) < 2 || fields[1] != strconv.Itoa(pid) {
			continue
		}
		child, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		out = append(append(out, descendants(child)...), child)
	}
	return out
}

// allow lets the owner of each public key log in.
func (s *sshd) allow(t *testing.T, keys ...ssh.PublicKey) {
	t.Helper()
	var text strings.Builder
	for _, k := range keys {
		text.Write(ssh.MarshalAuthorizedKey(k))
	}
	s.write(t, "authorized_keys", text.String())
}

// hostKey is the public host key.
func (s *sshd) hostKey(t *testing.T) ssh.PublicKey {
	t.Helper()
	return readPublic(t, s.path("host_ed25519.pub"))
}

// login is USER@HOST:PORT of the server for whoever runs the test.
func (s *sshd) login(t *testing.T) string {
	t.Helper()
	u, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	return u.Username + "@" + s.addr
}

// run runs one of OpenSSH's tools and returns what it printed.
func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("no %s: install openssh-client to run this test", name)
	}
	out, err := exec.Command(path, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
	return string(out)
}

// startAgent runs a real ssh-agent with the given key files in it.
func startAgent(t *testing.T, files ...string) (socket string) {
	t.Helper()
	path, err := exec.LookPath("ssh-agent")
	if err != nil {
		t.Skip("no ssh-agent: install openssh-client to run this test")
	}
	dir, err := os.MkdirTemp("", "agent") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	socket = filepath.Join(dir, "s")
	cmd := exec.Command(path, "-D", "-a", socket)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait(); os.RemoveAll(dir) })
	until(t, "ssh-agent to listen", func() bool { _, err := os.Stat(socket); return err == nil })
	for _, f := range files {
		add := exec.Command("ssh-add", "-q", f)
		add.Env = append(os.Environ(), "SSH_AUTH_SOCK="+socket)
		if out, err := add.CombinedOutput(); err != nil {
			t.Fatalf("ssh-add %s: %v\n%s", f, err, out)
		}
	}
	return socket
}
