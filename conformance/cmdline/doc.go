// Package cmdline holds the command lines that people know, those of nomad and
// levant, against the orchestrator and against Nomad: what they print and how they
// end has to be the same. There is nothing here but tests.
package cmdline
