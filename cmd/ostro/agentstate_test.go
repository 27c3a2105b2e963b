//go:build unix

package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// An agent that has just taken the lock over from one that died has not said
// yet where it is: what stands in the file is its predecessor's.
func TestStateOfADeadAgentIsNotBelieved(t *testing.T) {
	dir := t.TempDir()
	holder := holdLock(t, dir)
	// Nor is a file believed that was cut: what to do is told.
	if err := os.WriteFile(agentStatePath(dir), []byte(`{"Address": "127.`), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := runningAgent(dir)
	if hinted, ok := errors.AsType[hintError](err); !ok || !strings.Contains(hinted.hint, fmt.Sprintf("process %d:", holder)) {
		t.Errorf("the file is cut: got %v", err)
	}
	for pid, known := range map[int]bool{holder + 1: false, 0: false, holder: true} {
		if err := writeAgentState(dir, agentState{Address: "127.0.0.1:1", PID: pid}); err != nil {
			t.Fatal(err)
		}
		s, err := runningAgent(dir)
		if err != nil {
			t.Fatal(err)
		}
		if (s != nil) != known {
			t.Errorf("the lock is held by %d, the file is of %d: got %v", holder, pid, s)
		}
	}
}

// holdLock has another process take the agent's lock, until the test ends.
func holdLock(t *testing.T, dir string) (pid int) {
	child := exec.Command(os.Args[0], "-test.run=^TestLockHolder$")
	child.Env = append(os.Environ(), "LOCK_TO_HOLD="+dir)
	stdin, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stdin.Close()
		if err := child.Wait(); err != nil {
			t.Error(err)
		}
	})
	if line, err := bufio.NewReader(stdout).ReadString('\n'); err != nil || line != "held\n" {
		t.Fatalf("the other process says %q: %v", line, err)
	}
	return child.Process.Pid
}

// TestLockHolder is the other process of holdLock; by itself it does nothing.
func TestLockHolder(t *testing.T) {
	dir := os.Getenv("LOCK_TO_HOLD")
	if dir == "" {
		return
	}
	lock, err := takeAgentLock(dir)
	if err != nil || lock == nil {
		t.Fatal(lock, err)
	}
	os.Stdout.WriteString("held\n")
	io.Copy(io.Discard, os.Stdin)
	lock.release()
}
