//go:build unix

// Package nomadtest gives tests of the deploying side a server to deploy to: the
// orchestrator of this module, and a real Nomad where one is on PATH, so that one
// test holds for both.
package nomadtest

import (
	"errors"
	"flag"
	"os"
	"os/exec"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator"
	"ostro/orchestrator/orchestratortest"
)

// shared is the one real Nomad of a test binary, started by the first test that
// needs it.
var shared struct {
	sync.Once
	agent *Nomad
	err   error
}

// Main is what TestMain of a package that uses [Each] returns to os.Exit. Tests
// that deploy wait more than they work: many of them may run at once.
func Main(m *testing.M) int {
	flag.Parse()
	if parallel := flag.Lookup("test.parallel"); parallel != nil {
		parallel.Value.Set("12")
	}
	code := orchestratortest.Main(m)
	if shared.agent != nil {
		shared.agent.Stop()
	}
	return code
}

// Each runs a test against this module's orchestrator, and against a real Nomad
// where there is one and OSTRO_TEST is full.
func Each(t *testing.T, test func(t *testing.T, c *api.Client)) {
	t.Helper()
	each(t, os.Getenv("OSTRO_TEST") == "full", test)
}

// EachAlways is Each for the few cases that are tried on a real Nomad in every
// run.
func EachAlways(t *testing.T, test func(t *testing.T, c *api.Client)) {
	t.Helper()
	each(t, true, test)
}

func each(t *testing.T, real bool, test func(t *testing.T, c *api.Client)) {
	t.Helper()
	t.Parallel()
	t.Run("ostro", func(t *testing.T) {
		t.Parallel()
		test(t, orchestratortest.Start(t, orchestrator.Config{}).Client)
	})
	t.Run("nomad", func(t *testing.T) {
		t.Parallel()
		if !real {
			t.Skip("OSTRO_TEST is not full: this case is not tested on a real Nomad")
		}
		test(t, Real(t))
	})
}

// Real returns a client of the real Nomad that the tests of a package share, or
// skips the test.
func Real(t testing.TB) *api.Client {
	t.Helper()
	path := look(t)
	shared.Do(func() { shared.agent, shared.err = start(path, "-dev", "") })
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.agent.Client
}

// Start runs a real Nomad that belongs to the test alone: a server with a client
// that keeps its state, so that it can be restarted. more is added to its
// configuration file. Without a nomad on PATH the test is skipped.
func Start(t testing.TB, more string) *Nomad {
	t.Helper()
	return startFor(t, "", more)
}

// StartDev runs `nomad agent -dev` for the test alone. Without a nomad on PATH the
// test is skipped.
func StartDev(t testing.TB) *Nomad {
	t.Helper()
	return startFor(t, "-dev", "")
}

func startFor(t testing.TB, mode, more string) *Nomad {
	t.Helper()
	n, err := start(look(t), mode, more)
	if n != nil {
		t.Cleanup(n.Stop)
	}
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func look(t testing.TB) string {
	t.Helper()
	path, err := exec.LookPath("nomad")
	if errors.Is(err, exec.ErrNotFound) {
		t.Skip("no nomad on PATH: a real one is not tested")
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// Purge stops a job, waits until nothing of it runs, so that no process outlives
// the server, and removes it.
func Purge(c *api.Client, namespace, id string) {
	write, query := &api.WriteOptions{Namespace: namespace}, &api.QueryOptions{Namespace: namespace}
	c.Jobs().Deregister(id, false, write)
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); <-time.After(50 * time.Millisecond) {
		allocs, _, err := c.Jobs().Allocations(id, true, query)
		if err != nil || !slices.ContainsFunc(allocs, isLive) {
			break
		}
	}
	c.Jobs().Deregister(id, true, write)
}

func isLive(a *api.AllocationListStub) bool {
	return a.ClientStatus == api.AllocClientStatusRunning || a.ClientStatus == api.AllocClientStatusPending
}
