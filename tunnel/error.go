package tunnel

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/ssh"
)

// Error is a refusal with its next step.
type Error struct {
	// Err says what was refused and why, on one line.
	Err error
	// Hint is the next step: a sentence, or a command line.
	Hint string
	// Final errors are not cured by another attempt: a key was refused, on
	// either side, or there is a mistake in what was asked for.
	Final bool
}

// Error returns the reason alone; the hint is a line of its own in Hint.
func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// isFinal reports whether trying again cannot help: a refused key, on either
// side, stays refused until somebody acts.
func isFinal(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Final
}

// farSideError explains why the SSH server did not open the stream.
func (t *Tunnel) farSideError(err error) error {
	open, ok := errors.AsType[*ssh.OpenChannelError](err)
	if !ok {
		return fmt.Errorf("reach %s through %s: %w", t.config.Remote, t.target(), err)
	}
	reason := fmt.Errorf("%s cannot reach %s: %s: %w", t.target(), t.config.Remote, strings.TrimSpace(open.Message), err)
	switch open.Reason {
	case ssh.Prohibited:
		return &Error{Err: reason, Hint: "the SSH server forbids forwarding to that address: see AllowTcpForwarding and PermitOpen of its sshd_config"}
	case ssh.ConnectionFailed:
		return &Error{Err: reason, Hint: "nothing answers there as seen from the SSH server: is the service running, and is -ssh-remote right?"}
	}
	return &Error{Err: reason, Hint: "see the log of the SSH server"}
}
