package bench

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"testing"
	"time"

	"ostro/nomadtest/freeport"
)

const sshdPath = "/usr/sbin/sshd"

// BenchmarkTunnel takes the time of a stream of 1 GB through a local port and a
// real sshd, and the time from the start of the program until the first byte comes
// through, for `ostro tunnel` and for `ssh -L`.
func BenchmarkTunnel(b *testing.B) {
	ostro := buildOstro(b)
	ssh, err := exec.LookPath("ssh")
	if _, noServer := os.Stat(sshdPath); err != nil || noServer != nil {
		b.Skip("there is no ssh or no sshd")
	}
	home, sshd, login := startSSHD(b)
	_, port, _ := net.SplitHostPort(sshd)
	far := startSource(b)
	ours, theirs := &holder{}, &holder{}
	for b.Loop() {
		local := freeport.Address()
		ours.take(b, local, exec.Command(ostro, "tunnel", "-ssh", login+"@"+sshd, "-ssh-remote", far, "-ssh-key", filepath.Join(home, ".ssh", "id_ed25519"), "-local", local), home)
		local = freeport.Address()
		theirs.take(b, local, exec.Command(ssh, "-F", "none", "-N", "-L", local+":"+far, "-i", filepath.Join(home, ".ssh", "id_ed25519"),
			"-o", "UserKnownHostsFile="+filepath.Join(home, ".ssh", "known_hosts"), "-p", port, login+"@127.0.0.1"), home)
	}
	b.ReportMetric(streamSize/1e6/ours.stream.Seconds()*float64(b.N), "MB/s")
	b.ReportMetric(ours.stream.Seconds()/theirs.stream.Seconds(), "stream-ratio-to-ssh")
	b.ReportMetric(float64(ours.first.Milliseconds())/float64(b.N), "first-byte-ms")
	b.ReportMetric(ours.first.Seconds()/theirs.first.Seconds(), "first-byte-ratio-to-ssh")
}

const streamSize = 1_000_000_000

// A holder is a program that holds a port open, and how long it took in all.
type holder struct{ first, stream time.Duration }

func (h *holder) take(b *testing.B, local string, command *exec.Cmd, home string) {
	command.Env = []string{"HOME=" + home, "PATH=" + os.Getenv("PATH")}
	start := time.Now()
	if err := command.Start(); err != nil {
		b.Fatal(err)
	}
	defer func() { command.Process.Kill(); command.Wait() }()
	conn := firstByte(b, local)
	defer conn.Close()
	h.first += time.Since(start)
	start = time.Now()
	if n, err := io.Copy(io.Discard, conn); err != nil || n != streamSize-1 {
		b.Fatalf("%s: %d bytes, %v", command, n, err)
	}
	h.stream += time.Since(start)
}

// firstByte connects again and again until a byte comes through.
func firstByte(b *testing.B, local string) net.Conn {
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		conn, err := net.Dial("tcp", local)
		if err != nil {
			continue
		}
		if _, err := io.ReadFull(conn, make([]byte, 1)); err == nil {
			return conn
		}
		conn.Close()
	}
	b.Fatalf("nothing comes through %s", local)
	return nil
}

// startSource is the far side: it sends streamSize bytes to whoever connects.
func startSource(b *testing.B) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				block := make([]byte, 1_000_000)
				for range streamSize / len(block) {
					if _, err := conn.Write(block); err != nil {
						return
					}
				}
			}()
		}
	}()
	return l.Addr().String()
}

// startSSHD runs a real sshd that the key in home opens.
func startSSHD(b *testing.B) (home, address, login string) {
	home, address = b.TempDir(), freeport.Address()
	dir := filepath.Join(home, ".ssh")
	me, err := user.Current()
	if err != nil {
		b.Fatal(err)
	}
	must := func(err error) {
		if err != nil {
			b.Fatal(err)
		}
	}
	must(os.Mkdir(dir, 0o700))
	if os.Getuid() == 0 {
		must(os.MkdirAll("/run/sshd", 0o755))
	}
	for _, name := range []string{"id_ed25519", "host"} {
		must(exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", filepath.Join(dir, name)).Run())
	}
	host, port, _ := net.SplitHostPort(address)
	public, err := os.ReadFile(filepath.Join(dir, "host.pub"))
	must(err)
	must(os.WriteFile(filepath.Join(dir, "known_hosts"), fmt.Appendf(nil, "[%s]:%s %s", host, port, public), 0o600))
	conf := fmt.Sprintf("ListenAddress %s\nPort %s\nHostKey %s\nPidFile none\nAuthorizedKeysFile %s\nStrictModes no\nUsePAM no\nPermitRootLogin yes\n",
		host, port, filepath.Join(dir, "host"), filepath.Join(dir, "id_ed25519.pub"))
	must(os.WriteFile(filepath.Join(dir, "sshd_config"), []byte(conf), 0o600))
	server := exec.Command(sshdPath, "-D", "-f", filepath.Join(dir, "sshd_config"))
	must(server.Start())
	b.Cleanup(func() { server.Process.Kill(); server.Wait() })
	awaitListener(b, address)
	return home, address, me.Username
}
