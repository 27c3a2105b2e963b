//go:build unix

package runner

import (
	"fmt"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// ownerOf returns what gives a path to the user of a task; "" is the agent's own.
func ownerOf(name string) func(path string) error {
	return func(path string) error {
		if name == "" {
			return nil
		}
		u, err := user.Lookup(name)
		if err != nil {
			if u, err = user.LookupId(name); err != nil {
				return errUnknownUser(name)
			}
		}
		uid, err := strconv.Atoi(u.Uid)
		if err != nil {
			return fmt.Errorf("user %q: %w", name, err)
		}
		if uid == os.Geteuid() {
			return nil
		}
		return os.Lchown(path, uid, -1) // never what a link leads to
	}
}

// nonblock keeps an open from waiting for the other end of a pipe.
const nonblock = syscall.O_NONBLOCK
