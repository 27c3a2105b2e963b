package driver

import (
	"fmt"
	"slices"
	"strings"
)

// allCapabilities are those of Linux, each at the place of its number.
var allCapabilities = strings.Fields(`
	CAP_CHOWN CAP_DAC_OVERRIDE CAP_DAC_READ_SEARCH CAP_FOWNER CAP_FSETID CAP_KILL CAP_SETGID CAP_SETUID
	CAP_SETPCAP CAP_LINUX_IMMUTABLE CAP_NET_BIND_SERVICE CAP_NET_BROADCAST CAP_NET_ADMIN CAP_NET_RAW CAP_IPC_LOCK CAP_IPC_OWNER
	CAP_SYS_MODULE CAP_SYS_RAWIO CAP_SYS_CHROOT CAP_SYS_PTRACE CAP_SYS_PACCT CAP_SYS_ADMIN CAP_SYS_BOOT CAP_SYS_NICE
	CAP_SYS_RESOURCE CAP_SYS_TIME CAP_SYS_TTY_CONFIG CAP_MKNOD CAP_LEASE CAP_AUDIT_WRITE CAP_AUDIT_CONTROL CAP_SETFCAP
	CAP_MAC_OVERRIDE CAP_MAC_ADMIN CAP_SYSLOG CAP_WAKE_ALARM CAP_BLOCK_SUSPEND CAP_AUDIT_READ CAP_PERFMON CAP_BPF
	CAP_CHECKPOINT_RESTORE`)

// rootCapabilities is how many of them a task of root has: those that there were when the driver was new (Nomad).
const rootCapabilities = 38

// usualCapabilities are those of every other task, and all that a job may ask for (Nomad: allow_caps).
var usualCapabilities = strings.Fields(`
	CAP_AUDIT_WRITE CAP_CHOWN CAP_DAC_OVERRIDE CAP_FOWNER CAP_FSETID CAP_KILL CAP_MKNOD CAP_NET_BIND_SERVICE CAP_SETFCAP
	CAP_SETGID CAP_SETPCAP CAP_SETUID CAP_SYS_CHROOT`)

// capabilitiesOf are those of a task. The errors are in Nomad's words.
func capabilitiesOf(user string, add, drop []string) ([]string, error) {
	if user == "root" || user == "0" {
		return allCapabilities[:rootCapabilities], nil
	}
	add, err := capabilityNames("cap_add", add)
	if err != nil {
		return nil, err
	}
	if drop, err = capabilityNames("cap_drop", drop); err != nil {
		return nil, err
	}
	var refused []string
	for _, name := range add {
		if !slices.Contains(usualCapabilities, name) {
			refused = append(refused, strings.ToLower(strings.TrimPrefix(name, "CAP_")))
		}
	}
	if len(refused) > 0 {
		return nil, fmt.Errorf("driver does not allow the following capabilities: %s", strings.Join(refused, ", "))
	}
	var granted []string
	for _, name := range usualCapabilities {
		if !slices.Contains(drop, name) || slices.Contains(add, name) {
			granted = append(granted, name)
		}
	}
	return granted, nil
}

// capabilityNames writes capabilities ("net_raw", "NET_RAW", "cap_net_raw") as Linux does. "all" is every one.
func capabilityNames(key string, given []string) ([]string, error) {
	var names, unknown []string
	for _, name := range given {
		full := "CAP_" + strings.TrimPrefix(strings.ToUpper(name), "CAP_")
		switch {
		case full == "CAP_ALL" && key == "cap_drop":
			names = append(names, allCapabilities...)
		case full == "CAP_ALL":
			names = append(names, usualCapabilities...)
		case slices.Contains(allCapabilities, full):
			names = append(names, full)
		default:
			unknown = append(unknown, strings.ToLower(strings.TrimPrefix(full, "CAP_")))
		}
	}
	if len(unknown) > 0 {
		return nil, fmt.Errorf("failed driver config validation: %s configured with capabilities not supported by system: %s", key, strings.Join(unknown, ", "))
	}
	return names, nil
}
