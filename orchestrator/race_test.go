//go:build race

package orchestrator

import (
	"runtime"
	"testing"
)

// oneProcessor has a test run on one processor. The race detector keeps one context for
// all timers of a bubble; two processors that run some at the same time end the process
// with SIGSEGV. (Go 1.26: runtime, timer.unlockAndRun.)
func oneProcessor(t *testing.T) {
	before := runtime.GOMAXPROCS(1)
	t.Cleanup(func() { runtime.GOMAXPROCS(before) })
}
