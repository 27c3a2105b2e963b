//go:build unix

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/nomad/api"
	"github.com/rogpeppe/go-internal/testscript"

	"ostro/nomadtest"
)

// bothScripts hold on a real Nomad as they do on the orchestrator. They share
// one, in which each has a namespace of its own.
var bothScripts = []string{
	"deploy_batch", "deploy_canary", "deploy_ci", "deploy_faults", "deploy_firstfails", "deploy_hooks", "deploy_interrupt", "deploy_json", "deploy_outcomes", "deploy_release", "deploy_revert", "deploy_secret",
	"deploy_several", "deploy_success", "deploy_system", "deploy_terminal", "deploy_unplaceable", "deploy_update", "logs_follow", "logs_job", "logs_lines", "watch_job",
	"deploy_periodic", "dispatch_job", "hostile_names", "levant", "nomad/dispatch_payload", "nomad/init_deploy", "artifact_checksum", "history_job", "plan_job", "plan_secret", "plan_simulate", "rollback_job", "scale_job",
}

// TestScriptsOnNomad runs scripts against a real Nomad: everything else is as in
// TestScripts.
func TestScriptsOnNomad(t *testing.T) {
	if os.Getenv("OSTRO_TEST") != "full" {
		t.Skip("OSTRO_TEST is not full: the scripts are not tested on a real Nomad")
	}
	nomad := nomadtest.Start(t, "").Client
	var files []string
	for _, name := range bothScripts {
		files = append(files, "testdata/"+name+".txtar")
	}
	runScripts(t, files, func(env *testscript.Env) error {
		if err := setup(env); err != nil {
			return err
		}
		name := strings.NewReplacer("script-", "", "_", "-").Replace(filepath.Base(env.WorkDir))
		env.Setenv("NOMAD_ADDR", nomad.Address())
		env.Setenv("NOMAD_NAMESPACE", name)
		_, err := nomad.Namespaces().Register(&api.Namespace{Name: name}, nil)
		return err
	})
}
