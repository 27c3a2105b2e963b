//go:build !linux

package main

import "runtime/debug"

// leanMemory gives back what only the start of the program needed.
func leanMemory() error {
	debug.FreeOSMemory()
	return nil
}
