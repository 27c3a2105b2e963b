package jobdiff_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/nomad/api"

	"ostro/nomadtest/freeport"
	"ostro/orchestrator/jobdiff"
)

// TestPlansOfTheNomadHere plans every pair again on the Nomad that is on PATH.
func TestPlansOfTheNomadHere(t *testing.T) {
	client := startNomad(t)
	for _, plan := range plans(t) {
		t.Run(plan.Name, func(t *testing.T) {
			if _, _, err := client.Jobs().Deregister(*plan.New.ID, true, nil); err != nil {
				t.Fatal(err)
			}
			if plan.Old != nil {
				if _, _, err := client.Jobs().Register(plan.Old, nil); err != nil {
					t.Fatal(err)
				}
			}
			reply, _, err := client.Jobs().Plan(plan.New, true, nil)
			if err != nil {
				t.Fatal(err)
			}
			got, err := jobdiff.Jobs(plan.Old, plan.New, true)
			if err != nil {
				t.Fatal(err)
			}
			jobdiff.Annotate(got, reply.Annotations.DesiredTGUpdates)
			if d := cmp.Diff(reply.Diff, got, anyOrder); d != "" {
				t.Errorf("(-nomad +ours)\n%s", d)
			}
		})
	}
}

// startNomad runs a development agent for the time of a test.
func startNomad(t *testing.T) *api.Client {
	t.Helper()
	program, err := exec.LookPath("nomad")
	if err != nil {
		t.Skip("no nomad on PATH to compare with")
	}
	ports := freeport.TakeN(3)
	dir := t.TempDir()
	config := filepath.Join(dir, "agent.hcl")
	text := fmt.Sprintf("data_dir = %q\ndisable_update_check = true\nports {\n  http = %d\n  rpc = %d\n  serf = %d\n}\n",
		dir, ports[0], ports[1], ports[2])
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	agent := exec.Command(program, "agent", "-dev", "-config", config)
	for _, variable := range os.Environ() {
		// The agent refuses to start with a bundle that it cannot use.
		if !strings.HasPrefix(variable, "AWS_CA_BUNDLE=") {
			agent.Env = append(agent.Env, variable)
		}
	}
	if err := agent.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		agent.Process.Signal(os.Interrupt)
		agent.Wait()
	})
	client, err := api.NewClient(&api.Config{Address: fmt.Sprintf("http://127.0.0.1:%d", ports[0])})
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); ; {
		if leader, err := client.Status().Leader(); err == nil && leader != "" {
			return client
		}
		if time.Now().After(deadline) {
			t.Fatal("nomad does not come up")
		}
		<-time.After(100 * time.Millisecond) // Its answer is the only sign of life.
	}
}
