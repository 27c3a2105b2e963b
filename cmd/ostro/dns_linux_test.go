package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// silentNames makes a world whose only name server takes questions and answers none.
const silentNames = `ip link set lo up
ip link add v0 type veth peer name v1
ip addr add 192.0.2.1/24 dev v0
ip link set v1 up
ip link set v0 up
ip neigh replace 192.0.2.53 lladdr 02:00:00:00:00:01 dev v0
mount --bind resolv.conf /etc/resolv.conf
exec "$@"
`

// TestNameServerThatDoesNotAnswer holds that nothing hangs on a name that nobody resolves, that the
// error says so, and that a signal is heard meanwhile.
func TestNameServerThatDoesNotAnswer(t *testing.T) {
	dir := silentWorld(t)
	for name, c := range map[string]struct {
		args []string
		code int
		want []string
	}{
		"address":  {[]string{"deploy", "-address", "http://nomad.example.test:4646", "job.nomad"}, 1, []string{"nomad.example.test", "name server", "nothing was submitted"}},
		"SSH":      {[]string{"deploy", "-ssh", "deploy@host.example.test", "job.nomad"}, 1, []string{"lookup host.example.test on 192.0.2.53:53", "i/o timeout"}},
		"S3":       {[]string{"artifact", "ls", "-endpoint", "http://s3.example.test", "-bucket", "b"}, 1, []string{"no name server answers where s3.example.test is looked up"}},
		"a signal": {[]string{"deploy", "-address", "http://nomad.example.test:4646", "job.nomad"}, 130, []string{"interrupted"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
			defer cancel()
			command := inSilence(ctx, dir, c.args...)
			out := &heard{begun: make(chan struct{})}
			command.Stdout, command.Stderr = out, out
			if err := command.Start(); err != nil {
				t.Fatal(err)
			}
			if c.code == 130 {
				select {
				case <-out.begun:
				case <-ctx.Done():
				}
				if err := command.Process.Signal(syscall.SIGINT); err != nil {
					t.Fatal(err)
				}
			}
			_ = command.Wait() // its code is looked at
			if code := command.ProcessState.ExitCode(); code != c.code {
				t.Errorf("exit code %d, want %d", code, c.code)
			}
			for _, want := range c.want {
				if !strings.Contains(out.String(), want) {
					t.Errorf("there is no %q in\n%s", want, out.String())
				}
			}
		})
	}
}

// silentWorld is a folder with a job and what the world without names needs.
func silentWorld(t *testing.T) string {
	t.Helper()
	for _, program := range []string{"ip", "unshare", "mount"} {
		if _, err := exec.LookPath(program); err != nil || os.Getuid() != 0 {
			t.Skipf("a world without names needs root and %s", program)
		}
	}
	dir := t.TempDir()
	for name, text := range map[string]string{
		"resolv.conf": "nameserver 192.0.2.53\n",
		"job.nomad":   "job \"web\" {\n  group \"g\" {\n    task \"t\" {\n      driver = \"raw_exec\"\n    }\n  }\n}\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// inSilence is a command of ostro in a network and with files of its own.
func inSilence(ctx context.Context, dir string, args ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, "unshare", append([]string{"--mount", "--net", "sh", "-ec", silentNames, "sh", "ostro"}, args...)...)
	command.Dir = dir
	command.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "AWS_ACCESS_KEY_ID=a", "AWS_SECRET_ACCESS_KEY=b", "AWS_REGION=us-east-1"}
	return command
}

// heard keeps what a command says, and tells when it has said something.
type heard struct {
	text  bytes.Buffer
	begun chan struct{}
}

func (h *heard) String() string { return h.text.String() }

func (h *heard) Write(p []byte) (int, error) {
	if h.text.Len() == 0 {
		close(h.begun)
	}
	return h.text.Write(p)
}
