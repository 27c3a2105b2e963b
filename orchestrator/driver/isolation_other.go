//go:build !linux

package driver

// cannotIsolate tells why tasks cannot be isolated here, in Nomad's words.
func cannotIsolate() string { return "exec driver unsupported on client OS" }

func cannotLimit() string { return "" }

func cgroupVersion() int { return 0 }

func mostProcesses() int64 { return 0 }
