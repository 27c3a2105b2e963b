//go:build unix

package driver

import (
	"fmt"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// SignalText is a signal in the words of the system: "hangup" for SIGHUP.
func SignalText(name string) string {
	signal, err := signalNumber(name)
	if err != nil {
		return name
	}
	return signal.String()
}

// signalNumber returns the signal of a name like "SIGHUP" or "hup". "" is SIGINT (Nomad: raw_exec's kill signal).
func signalNumber(name string) (syscall.Signal, error) {
	if name == "" {
		return syscall.SIGINT, nil
	}
	full := strings.ToUpper(name)
	if !strings.HasPrefix(full, "SIG") {
		full = "SIG" + full
	}
	if sig := unix.SignalNum(full); sig != 0 {
		return sig, nil
	}
	return 0, fmt.Errorf("signal %q is not known", name)
}

// signalNames lists the signals that a task can be sent, as the node attribute os.signals has them: a job's kill_signal is
// a constraint on it.
func signalNames() string {
	var names []string
	for number := syscall.Signal(1); number < 32; number++ {
		if name := unix.SignalName(number); name != "" {
			names = append(names, name)
		}
	}
	return strings.Join(names, ",")
}
