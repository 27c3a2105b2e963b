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
