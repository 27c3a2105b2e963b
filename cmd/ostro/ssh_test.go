package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"ostro/nomadtest/freeport"
)

const sshdPath = "/usr/sbin/sshd"

// sshdCommand starts a real sshd that takes the key $HOME/.ssh/id_ed25519, and
// sets SSH_TARGET. Its host key is in the file host.pub; $HOME knows nothing of
// it: sshd. `sshd kill` ends it with all its connections, and `sshd again` brings
// it back.
func sshdCommand(ts *testscript.TestScript, _ bool, args []string) {
	dir := filepath.Join(ts.Getenv("WORK"), ".sshd")
	switch strings.Join(args, " ") {
	case "kill":
		killSSHD(ts)
		return
	case "again":
		startSSHD(ts, dir)
		return
	}
	keys := filepath.Join(ts.Getenv("HOME"), ".ssh")
	ts.Check(os.MkdirAll(dir, 0o700))
	ts.Check(os.MkdirAll(keys, 0o700))
	if os.Getuid() == 0 {
		ts.Check(os.MkdirAll("/run/sshd", 0o755))
	}
	hostKey, userKey := filepath.Join(dir, "host"), filepath.Join(keys, "id_ed25519")
	for _, key := range []string{hostKey, userKey} {
		ts.Check(exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key).Run())
	}
	public, err := os.ReadFile(hostKey + ".pub")
	ts.Check(err)
	port := strconv.Itoa(freeport.Take())
	me, err := user.Current()
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs("host.pub"), fmt.Appendf(nil, "[127.0.0.1]:%s %s", port, public), 0o600))
	conf := fmt.Sprintf("ListenAddress 127.0.0.1\nPort %s\nHostKey %s\nPidFile none\nAuthorizedKeysFile %s.pub\n"+
		"StrictModes no\nUsePAM no\nPermitRootLogin yes\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n", port, hostKey, userKey)
	ts.Check(os.WriteFile(filepath.Join(dir, "sshd_config"), []byte(conf), 0o600))
	ts.Setenv("SSH_TARGET", me.Username+"@"+net.JoinHostPort("127.0.0.1", port))
	startSSHD(ts, dir)
}

func startSSHD(ts *testscript.TestScript, dir string) {
	server := exec.Command(sshdPath, "-D", "-e", "-f", filepath.Join(dir, "sshd_config"))
	ts.Check(server.Start())
	ts.Setenv("SSHD_PID", strconv.Itoa(server.Process.Pid))
	ts.Defer(func() {
		server.Process.Kill()
		server.Wait()
	})
	_, address, _ := strings.Cut(ts.Getenv("SSH_TARGET"), "@")
	awaitTrue(ts, "sshd listens", func() bool { return portTaken(address) })
}

// killSSHD ends the server and the processes of its connections, which are in
// sessions of their own.
func killSSHD(ts *testscript.TestScript) {
	server, err := strconv.Atoi(ts.Getenv("SSHD_PID"))
	ts.Check(err)
	for _, pid := range append(descendants(server), server) {
		process, err := os.FindProcess(pid)
		ts.Check(err)
		process.Kill() // it may have ended with its parent
	}
	_, address, _ := strings.Cut(ts.Getenv("SSH_TARGET"), "@")
	awaitTrue(ts, "sshd ends", func() bool { return !portTaken(address) })
}

// descendants reads the process table for the children of pid and theirs.
func descendants(pid int) []int {
	var found []int
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		_, after, _ := strings.Cut(string(text), ") ")
		fields := strings.Fields(after)
		if len(fields) < 2 || fields[1] != strconv.Itoa(pid) {
			continue
		}
		if child, err := strconv.Atoi(filepath.Base(filepath.Dir(file))); err == nil {
			found = append(append(found, descendants(child)...), child)
		}
	}
	return found
}

// sshAgent runs a real ssh-agent with the key of $HOME in it, and takes the
// file away: ssh-agent.
func sshAgent(ts *testscript.TestScript, _ bool, _ []string) {
	dir, err := os.MkdirTemp("", "agent") // the path of a socket is short
	ts.Check(err)
	socket := filepath.Join(dir, "s")
	agent := exec.Command("ssh-agent", "-D", "-a", socket)
	ts.Check(agent.Start())
	ts.Defer(func() {
		agent.Process.Kill()
		agent.Wait()
		os.RemoveAll(dir)
	})
	awaitTrue(ts, "ssh-agent listens", func() bool {
		_, err := os.Stat(socket)
		return err == nil
	})
	key := filepath.Join(ts.Getenv("HOME"), ".ssh", "id_ed25519")
	add := exec.Command("ssh-add", "-q", key)
	add.Env = append(os.Environ(), "SSH_AUTH_SOCK="+socket)
	ts.Check(add.Run())
	ts.Check(os.Remove(key))
	ts.Setenv("SSH_AUTH_SOCK", socket)
}
