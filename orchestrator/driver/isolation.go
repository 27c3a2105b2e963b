package driver

// An Isolation gives a task a root of its own: its folder, beside which it sees the machine's programs and settings, and
// can change none of them. It takes the place of the task's Config.
type Isolation struct {
	Command string
	Args    []string
	WorkDir string // absolute, as the task sees it; "" is its root

	HostPIDs bool // it sees the machine's processes
	HostIPC  bool // it sees the machine's System V and POSIX queues

	// Capabilities are all that the task can have: "CAP_CHOWN".
	Capabilities []string

	Limited   bool  // it is held to its Resources
	Processes int64 // the most that it may have, threads too, where it is limited and the kernel counts them
}

// shownDirs is what an isolated task sees of the machine, where it is there (Nomad: the default chroot_env).
var shownDirs = []string{
	"/bin", "/etc", "/lib", "/lib32", "/lib64", "/run/resolvconf", "/run/systemd/resolve", "/sbin", "/usr",
}

// lookupDirs is where a command without a slash is looked for inside (Nomad).
var lookupDirs = []string{"/usr/local/bin", "/usr/bin", "/bin"}
