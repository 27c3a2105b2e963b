// Package tunnel reaches one address on the far side of an SSH server, as
// `ssh -L` does, without a local port: DialContext is meant for the transport
// of an HTTP client.
//
// It reads what ssh reads (~/.ssh/config, keys, certificates, the agent,
// known_hosts), keeps the connection watched, and makes it again when it is
// lost. It may not accept a host key that nobody vouched for, change a file of
// the user, run a command on the far side, print, or know what Nomad is.
package tunnel
