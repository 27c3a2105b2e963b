package watch_test

import (
	"os"
	"testing"

	"github.com/hashicorp/nomad/api"

	"ostro/deploy"
	"ostro/nomadtest"
	"ostro/orchestrator"
	"ostro/orchestrator/orchestratortest"
	"ostro/watch"
)

// A token that may submit and read the jobs of one namespace, and nothing else, is
// enough for a deployment and its verdict; with read-logs there is the log, too.
func TestVerdictToken(t *testing.T) {
	t.Parallel()
	t.Run("ostro", func(t *testing.T) {
		t.Parallel()
		c := orchestratortest.Start(t, orchestrator.Config{ACL: true}).Client
		boot, _, err := c.ACLTokens().Bootstrap(nil)
		if err != nil {
			t.Fatal(err)
		}
		c.SetSecretID(boot.SecretID)
		verdictToken(t, c)
	})
	t.Run("nomad", func(t *testing.T) {
		t.Parallel()
		if os.Getenv("OSTRO_TEST") != "full" {
			t.Skip("OSTRO_TEST is not full: tokens are not tested on a real Nomad")
		}
		verdictToken(t, nomadtest.Start(t, "acl {\n  enabled = true\n}").Client)
	})
}

// verdictToken has a client that may do anything.
func verdictToken(t *testing.T, root *api.Client) {
	if _, err := root.Namespaces().Register(&api.Namespace{Name: "team-a"}, nil); err != nil {
		t.Fatal(err)
	}
	for capabilities, wantLog := range map[string]string{
		`"submit-job", "read-job"`:              "",
		`"submit-job", "read-job", "read-logs"`: "no config file",
	} {
		c := withPolicy(t, root, `namespace "team-a" { capabilities = [`+capabilities+`] }`)
		for _, step := range []struct {
			script string
			want   watch.Outcome
		}{{serves, watch.Successful}, {serves, watch.Successful}, {breaks, watch.Reverted}} {
			j := job("app", "service", step.script)
			j.Namespace = new("team-a")
			r, err := deploy.Submit(t.Context(), c, j, deploy.Options{})
			if err != nil {
				t.Fatalf("with %s: %v", capabilities, err)
			}
			target := watch.Target{
				Namespace: r.Namespace, Region: r.Region, JobID: r.JobID, EvalID: r.EvalID,
				JobVersion: r.JobVersion, JobModifyIndex: r.JobModifyIndex, NoChange: r.NoChange,
			}
			v := verdict(t, c, target, watch.Options{})
			wantOutcome(t, v, step.want)
			if step.want == watch.Reverted && (len(v.Reasons) != 1 || v.Reasons[0].LogTail != wantLog) {
				t.Errorf("with %s: %+v", capabilities, v.Reasons)
			}
		}
		nomadtest.Purge(root, "team-a", "app")
	}
	// Somebody who may not read is told so, and at once.
	c := withPolicy(t, root, `namespace "other" { policy = "read" }`)
	j := job("app", "service", serves)
	j.Namespace = new("team-a")
	if _, err := deploy.Submit(t.Context(), c, j, deploy.Options{}); err == nil {
		t.Error("a token without a right can submit")
	} else if _, refused := err.(*deploy.Refused); !refused {
		t.Errorf("the error is %v", err)
	}
}

// withPolicy is a client whose token has that policy.
func withPolicy(t *testing.T, root *api.Client, rules string) *api.Client {
	t.Helper()
	name := "p" + string(rune('a'+len(rules)%26))
	if _, err := root.ACLPolicies().Upsert(&api.ACLPolicy{Name: name, Rules: rules}, nil); err != nil {
		t.Fatal(err)
	}
	token, _, err := root.ACLTokens().Create(&api.ACLToken{Name: name, Type: "client", Policies: []string{name}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	c, err := api.NewClient(&api.Config{Address: root.Address(), SecretID: token.SecretID})
	if err != nil {
		t.Fatal(err)
	}
	return c
}
