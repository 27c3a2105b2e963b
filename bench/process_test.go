//go:build !windows

package bench

import (
	"os"
	"runtime"
	"syscall"
)

// peakMemory is the most that a process that has ended held in memory, in bytes.
func peakMemory(state *os.ProcessState) int64 {
	usage, ok := state.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0
	}
	if runtime.GOOS == "linux" {
		return usage.Maxrss << 10
	}
	return usage.Maxrss
}

// settleDisk writes out what was left to be written: what is measured next does not
// wait for what came before.
func settleDisk() { syscall.Sync() }
