package runner

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/nomad/api"
)

// savedAlloc is what a restarted agent needs to know of an allocation.
type savedAlloc struct {
	Tasks  map[string]*savedTask
	Health savedHealth
	Passed []string // the checks that have passed since their task started
}

// savedTask is what a restarted agent needs to know of a task.
type savedTask struct {
	State   *api.TaskState
	Starts  int    // how often a start was decided
	Run     string // the driver's ID of the start that is under way or running; "" when there is none
	Driver  string // of that start
	Restart restartCount
	Cores   []int `json:",omitempty"` // the processors that it has for itself
	SetUp   bool  // the task's folder has been made
	Fetched bool  // the artifacts are there
}

// savedHealth is the verdict on an allocation in a deployment. There is one per deployment.
type savedHealth struct {
	DeploymentID string
	Healthy      *bool
	Timestamp    time.Time
}

// runID names one start of a task for the driver.
func runID(allocID, task string, start int) string {
	return allocID + "/" + task + "/" + strconv.Itoa(start)
}

// splitRunID takes a runID apart again.
func splitRunID(id string) (allocID, task string, start int) {
	allocID, rest, _ := strings.Cut(id, "/")
	i := strings.LastIndexByte(rest, '/')
	if i < 0 {
		return allocID, rest, 0
	}
	start, err := strconv.Atoi(rest[i+1:])
	if err != nil {
		return allocID, rest, 0
	}
	return allocID, rest[:i], start
}

func statePath(dir, allocID string) string { return filepath.Join(statesDir(dir), allocID+".json") }

// saveState replaces the state of an allocation on disk. It is not synced: it has to survive the agent, and the tasks do
// not survive the machine.
func saveState(dir, allocID string, s savedAlloc) error {
	data, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("save the state of allocation %s: %w", allocID, err)
	}
	if err := replaceFile(statePath(dir, allocID), data); err != nil {
		return fmt.Errorf("save the state of allocation %s: %w", allocID, err)
	}
	return nil
}

// replaceFile writes a file that is there as a whole at all times.
func replaceFile(path string, data []byte) error {
	if err := os.WriteFile(path+".tmp", data, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".tmp", path)
}

// loadState reads the state of an allocation. One that is not there is empty.
func loadState(dir, allocID string) (savedAlloc, error) {
	var s savedAlloc
	data, err := os.ReadFile(statePath(dir, allocID))
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &s)
	}
	if err != nil {
		return savedAlloc{}, fmt.Errorf("read the state of allocation %s: %w", allocID, err)
	}
	return s, nil
}

// removeAlloc removes all that is on disk of an allocation.
func removeAlloc(dir, allocID string) error {
	if err := os.RemoveAll(filepath.Join(allocsDir(dir), allocID)); err != nil {
		return fmt.Errorf("remove allocation %s: %w", allocID, err)
	}
	if err := os.Remove(statePath(dir, allocID)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove allocation %s: %w", allocID, err)
	}
	return nil
}
