//go:build !linux

package driver

import "os/exec"

// startOn starts a program. Other systems have no way to keep it to some processors.
func startOn(cmd *exec.Cmd, _ []int) error { return cmd.Start() }
