package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"ostro/orchestrator"
)

// agentState is what the running agent of this user says about itself, in a
// file that only this user can read. It holds as long as the agent holds the
// lock beside it, so it never leads to a process that is not ours.
type agentState struct {
	Address string
	PID     int
	DataDir string
	Token   string
	S3      orchestrator.S3
}

// stateDir is the user's folder for what outlives a run. (XDG base directories.)
func stateDir() (string, error) {
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "ostro"), nil
	}
	home := os.Getenv("HOME")
	if home == "" {
		var err error
		if home, err = os.UserHomeDir(); err != nil {
			return "", withHint(fmt.Errorf("there is no place for the agent's state: %w", err), "set HOME or XDG_STATE_HOME")
		}
	}
	return filepath.Join(home, ".local", "state", "ostro"), nil
}

func agentStatePath(dir string) string { return filepath.Join(dir, "agent.json") }

func readAgentState(dir string) (*agentState, error) {
	text, err := os.ReadFile(agentStatePath(dir))
	if err != nil {
		return nil, err
	}
	s := &agentState{}
	if err := json.Unmarshal(text, s); err != nil {
		return nil, fmt.Errorf("read %s: %w", agentStatePath(dir), err)
	}
	return s, nil
}

func writeAgentState(dir string, s agentState) error {
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the agent's state: %w", err)
	}
	if err := replaceFile(agentStatePath(dir), append(text, '\n')); err != nil {
		return fmt.Errorf("write the agent's state: %w", err)
	}
	return nil
}

// replaceFile writes a file that only this user can read. Nobody sees a part of it.
func replaceFile(path string, text []byte) error {
	if err := os.WriteFile(path+".new", text, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// runningAgent is this user's agent, or nil when none runs. One that has just
// taken the lock does not count before it has said for itself where it is:
// until then the file may still hold the words of one that died.
func runningAgent(dir string) (*agentState, error) {
	holder, err := agentLockHolder(dir)
	if err != nil || holder == 0 {
		return nil, err
	}
	s, err := readAgentState(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil && holder > 0 {
		return nil, withHint(err, "kill the agent, which is process %d: the next command starts it again, with its jobs", holder)
	}
	if err != nil || s.PID == 0 || holder > 0 && s.PID != holder {
		return nil, err
	}
	return s, nil
}

// How long the agent may take to come up, and how often it is looked for.
const (
	agentStartTimeout = 30 * time.Second
	agentPoll         = 20 * time.Millisecond
)

// ensureAgent finds this user's agent, or starts it in the background.
func ensureAgent(ctx context.Context, t *terminal) (*agentState, error) {
	dir, err := stateDir()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of the agent's state: %w", err)
	}
	s, err := runningAgent(dir)
	if err != nil || s != nil {
		return s, err
	}
	return startAgent(ctx, t, dir)
}

func startAgent(ctx context.Context, t *terminal, dir string) (*agentState, error) {
	binary, err := keepBinary(dir)
	if err != nil {
		return nil, err
	}
	logPath := filepath.Join(dir, "agent.log")
	log, err := os.OpenFile(logPath, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the agent's log: %w", err)
	}
	defer log.Close()
	command := exec.Command(binary, "agent", "-dev", "-service")
	command.Stdout, command.Stderr, command.Dir = log, log, dir
	detach(command)
	if err := command.Start(); err != nil {
		return nil, fmt.Errorf("start the agent: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	s, err := awaitAgent(ctx, dir, ended)
	if err != nil {
		text, _ := os.ReadFile(logPath)
		t.block(lastLines(string(text), 10))
		return nil, withHint(err, "the agent's log is %s", logPath)
	}
	t.info("started the agent at %s", s.Address)
	return s, nil
}

// awaitAgent waits until an agent of this user answers for itself. The one that
// was started may give way to one that somebody else started meanwhile.
func awaitAgent(ctx context.Context, dir string, ended <-chan error) (*agentState, error) {
	ctx, cancel := context.WithTimeout(ctx, agentStartTimeout)
	defer cancel()
	tick := time.NewTicker(agentPoll)
	defer tick.Stop()
	for {
		if s, err := runningAgent(dir); err != nil || s != nil {
			return s, err
		}
		select {
		case err := <-ended:
			if holder, _ := agentLockHolder(dir); holder == 0 {
				return nil, fmt.Errorf("the agent ended at its start: %w", err)
			}
			// It gave way to another one, which is still coming up.
			ended = nil
		case <-ctx.Done():
			err := fmt.Errorf("the agent did not come up: %w", ctx.Err())
			if holder, _ := agentLockHolder(dir); holder > 0 {
				err = withHint(err, "kill process %d, an agent that does not say where it is: the next command starts it again, with its jobs", holder)
			}
			return nil, err
		case <-tick.C:
		}
	}
}

// keepBinary copies this program to where it stays: `go run` removes its own
// when it ends, and the agent needs it for as long as it runs.
func keepBinary(dir string) (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find this program: %w", err)
	}
	in, err := os.Open(self)
	if err != nil {
		return "", fmt.Errorf("open this program: %w", err)
	}
	defer in.Close()
	digest := sha256.New()
	if _, err := io.Copy(digest, in); err != nil {
		return "", fmt.Errorf("read this program: %w", err)
	}
	kept := filepath.Join(dir, "bin", fmt.Sprintf("%x", digest.Sum(nil)[:6]), "ostro")
	if _, err := os.Stat(kept); err == nil {
		return kept, nil
	}
	if err := os.MkdirAll(filepath.Dir(kept), 0o700); err != nil {
		return "", fmt.Errorf("make a folder for this program: %w", err)
	}
	if _, err := in.Seek(0, io.SeekStart); err != nil {
		return "", fmt.Errorf("read this program: %w", err)
	}
	if err := copyProgram(in, kept); err != nil {
		return "", err
	}
	removeOtherCopies(filepath.Dir(kept))
	return kept, nil
}

// removeOtherCopies removes those of other builds. One that stays does no harm.
func removeOtherCopies(kept string) {
	entries, err := os.ReadDir(filepath.Dir(kept))
	if err != nil {
		return
	}
	for _, entry := range entries {
		if entry.Name() != filepath.Base(kept) {
			os.RemoveAll(filepath.Join(filepath.Dir(kept), entry.Name()))
		}
	}
}

func copyProgram(in io.Reader, path string) error {
	out, err := os.CreateTemp(filepath.Dir(path), ".new-")
	if err != nil {
		return fmt.Errorf("copy this program: %w", err)
	}
	_, err = io.Copy(out, in)
	err = errors.Join(err, out.Chmod(0o700), out.Close())
	if err == nil {
		err = os.Rename(out.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("copy this program: %w", err)
	}
	return nil
}

func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(lines[max(len(lines)-n, 0):], "\n")
}
