package main

import (
	"errors"
	"os/exec"
)

var errNoAgent = errors.New("the agent does not run on windows; reach Nomad with -address or -ssh")

type agentLock struct{}

func takeAgentLock(string) (*agentLock, error) { return nil, errNoAgent }

func (l *agentLock) release() {}

func agentLockHolder(string) (int, error) { return 0, errNoAgent }

func detach(*exec.Cmd) {}

func terminate(int) error { return errNoAgent }
