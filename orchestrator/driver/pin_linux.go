package driver

import (
	"fmt"
	"os/exec"
	"runtime"
	"slices"

	"golang.org/x/sys/unix"
)

// startOn starts a program that has only these processors, and whatever it starts, too; none is all of them. What a
// thread may run on goes over to its children.
func startOn(cmd *exec.Cmd, cores []int) error {
	if len(cores) == 0 {
		return cmd.Start()
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before, only unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		return fmt.Errorf("ask for the processors: %w", err)
	}
	for cpu, nth := 0, 0; nth < before.Count(); cpu++ {
		if !before.IsSet(cpu) {
			continue
		}
		if slices.Contains(cores, nth) { // they are counted among those that this process may use
			only.Set(cpu)
		}
		nth++
	}
	if err := unix.SchedSetaffinity(0, &only); err != nil {
		return fmt.Errorf("keep to the processors %v: %w", cores, err)
	}
	err := cmd.Start()
	if undo := unix.SchedSetaffinity(0, &before); undo != nil {
		runtime.LockOSThread() // The thread ends with its goroutine.
	}
	return err
}
