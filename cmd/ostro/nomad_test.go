//go:build unix

package main

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"ostro/nomadtest"
)

// bothScripts hold on a real Nomad as they do on the orchestrator. They share
// one, so that each has job names of its own.
var bothScripts = []string{"deploy_periodic", "dispatch_job", "nomad/dispatch_payload", "history_job", "plan_job", "plan_secret", "rollback_job", "scale_job"}

// TestScriptsOnNomad runs scripts against a real Nomad: everything else is as in
// TestScripts.
func TestScriptsOnNomad(t *testing.T) {
	if os.Getenv("OSTRO_TEST") != "full" {
		t.Skip("OSTRO_TEST is not full: the scripts are not tested on a real Nomad")
	}
	address := nomadtest.Start(t, "").Client.Address()
	var files []string
	for _, name := range bothScripts {
		files = append(files, "testdata/"+name+".txtar")
	}
	runScripts(t, files, func(env *testscript.Env) error {
		err := setup(env)
		env.Setenv("NOMAD_ADDR", address)
		return err
	})
}
