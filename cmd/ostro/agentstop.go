package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"ostro/orchestrator"
)

// stopAgent ends this user's agent with its tasks. Where the agent died and
// left tasks behind, they are ended, too.
func stopAgent(ctx context.Context, t *terminal) error {
	dir, err := stateDir()
	if err != nil {
		return err
	}
	// The lock alone tells which process it is: what the agent says of itself may be lost.
	holder, err := agentLockHolder(dir)
	switch {
	case err != nil:
		return err
	case holder < 0:
		return withHint(errors.New("the agent runs in another PID namespace, such as a container's, out of reach from here"), "run ostro agent stop there")
	case holder > 0:
		if err := endAgent(ctx, dir, holder); err != nil {
			return err
		}
	}
	return stopLeftTasks(ctx, t, dir)
}

// endAgent tells the agent to end, and waits until it has.
func endAgent(ctx context.Context, dir string, pid int) error {
	if err := terminate(pid); err != nil {
		return fmt.Errorf("end the agent (pid %d): %w", pid, err)
	}
	ctx, cancel := context.WithTimeout(ctx, stopTimeout+10*time.Second)
	defer cancel()
	tick := time.NewTicker(agentPoll)
	defer tick.Stop()
	for {
		holder, err := agentLockHolder(dir)
		if err != nil {
			return err
		}
		if holder == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return withHint(fmt.Errorf("the agent (pid %d) does not end: %w", pid, ctx.Err()), "its log is %s", filepath.Join(dir, "agent.log"))
		case <-tick.C:
		}
	}
}

// stopLeftTasks ends the tasks that no agent looks after any more: it takes them
// up, to end them in the usual way.
func stopLeftTasks(ctx context.Context, t *terminal, dir string) error {
	data := filepath.Join(dir, "agent")
	if s, err := readAgentState(dir); err == nil && s.DataDir != "" {
		data = s.DataDir
	}
	if _, err := os.Stat(data); errors.Is(err, fs.ErrNotExist) {
		t.info("no agent runs, and no task is left")
		return nil
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	o, err := orchestrator.Start(ctx, orchestrator.Config{
		Listen: "127.0.0.1:0", DataDir: data, Supervisor: []string{self, "supervise"}, Version: Version(),
	})
	if err != nil {
		return fmt.Errorf("take up what the last agent left: %w", err)
	}
	stopping, cancel := context.WithTimeout(ctx, stopTimeout)
	defer cancel()
	if err := o.Stop(stopping); err != nil {
		return err
	}
	t.info("no agent runs, and no task is left")
	return nil
}
