package httpapi

import (
	"encoding/base64"
	"encoding/json"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator/state"
)

// as is a client that bears a token.
func as(t *testing.T, client *api.Client, secret string) *api.Client {
	t.Helper()
	other, err := api.NewClient(&api.Config{Address: client.Address(), SecretID: secret})
	if err != nil {
		t.Fatal(err)
	}
	return other
}

func TestACLIsOff(t *testing.T) {
	client, _ := newAgent(t)
	for method, paths := range map[string][]string{
		"GET": {"/v1/acl/tokens", "/v1/acl/token/x", "/v1/acl/policies", "/v1/acl/policy/x", "/v1/acl/roles", "/v1/acl/auth-methods"},
		"PUT": {"/v1/acl/bootstrap", "/v1/acl/token", "/v1/acl/login"},
	} {
		for _, path := range paths {
			if status, text, _ := do(t, client.Address(), method, path, "{}", nil); status != 400 || text != "ACL support disabled" {
				t.Errorf("%s %s: got %d %q", method, path, status, text)
			}
		}
	}
	self, _, err := as(t, client, "anything").ACLTokens().Self(nil)
	if err != nil || self.AccessorID != "acls-disabled" {
		t.Errorf("the own token is %+v, %v", self, err)
	}
}

func TestACL(t *testing.T) {
	anonymous, c := newAgent(t, func(c *Config) { c.ACL = true })
	_, _, err := anonymous.Jobs().List(nil)
	refused(t, err, 403, "Permission denied")
	if _, err := anonymous.Status().Leader(); err != nil {
		t.Errorf("who leads is no secret: %v", err)
	}
	boot, _, err := anonymous.ACLTokens().Bootstrap(nil)
	if err != nil || boot.Type != "management" || boot.SecretID == "" {
		t.Fatalf("the first token is %+v, %v", boot, err)
	}
	_, _, err = anonymous.ACLTokens().Bootstrap(nil)
	if err == nil || err.Error() != "Unexpected response code: 400 (ACL bootstrap already done (reset index: 3))" {
		t.Errorf("the second bootstrap: %v", err)
	}
	_, _, err = as(t, anonymous, "00000000-0000-0000-0000-00000000dead").Jobs().List(nil)
	refused(t, err, 403, "ACL token not found")

	root := as(t, anonymous, boot.SecretID)
	register(t, root, testJob("web"))
	if _, err := root.ACLPolicies().Upsert(&api.ACLPolicy{Name: "reader", Rules: `namespace "*" { policy = "read" }` + "\n" + `node { policy = "read" }`}, nil); err != nil {
		t.Fatal(err)
	}
	made, _, err := root.ACLTokens().Create(&api.ACLToken{Name: "ci", Type: "client", Policies: []string{"reader"}, ExpirationTTL: time.Hour}, nil)
	if err != nil || made.ExpirationTime == nil {
		t.Fatalf("made %+v, %v", made, err)
	}
	reader := as(t, anonymous, made.SecretID)
	if jobs, _, err := reader.Jobs().List(nil); err != nil || len(jobs) != 1 {
		t.Errorf("the reader sees %v, %v", jobs, err)
	}
	if self, _, err := reader.ACLTokens().Self(nil); err != nil || self.AccessorID != made.AccessorID {
		t.Errorf("the reader is %+v, %v", self, err)
	}
	for what, try := range map[string]func() error{
		"register": func() error { _, _, err := reader.Jobs().Register(testJob("x"), nil); return err },
		"read a variable": func() error {
			_, _, err := reader.Variables().List(nil)
			return err
		},
		"list tokens":     func() error { _, _, err := reader.ACLTokens().List(nil); return err },
		"list namespaces": func() error { _, _, err := reader.Namespaces().List(nil); return err },
	} {
		if err := try(); err == nil {
			t.Errorf("the reader may %s", what)
		} else {
			refused(t, err, 403, "Permission denied")
		}
	}
	list, _, err := root.ACLTokens().List(nil)
	if err != nil || len(list) != 2 {
		t.Errorf("the tokens are %v, %v", list, err)
	}
	update(t, c, func(tx *state.Txn) {
		late := *tx.ACLToken(nil, made.AccessorID)
		late.ExpirationTime = new(c.Clock.Now())
		tx.PutACLToken(&late)
	})
	_, _, err = reader.Jobs().List(nil)
	refused(t, err, 403, "ACL token not found")
	if _, err := root.ACLTokens().Delete(made.AccessorID, nil); err != nil {
		t.Error(err)
	}
	_, err = root.ACLTokens().Delete(made.AccessorID, nil)
	refused(t, err, 400, "Cannot delete nonexistent tokens: "+made.AccessorID)
}

func TestPoliciesNeverGrantMore(t *testing.T) {
	s := &server{Config: testConfig(t)}
	s.ACL = true
	update(t, s.Config, func(tx *state.Txn) {
		tx.PutNamespace(&api.Namespace{Name: "team"})
		job := testJob("x")
		job.Namespace, job.Version, job.CreateIndex = new("team"), new(uint64(0)), new(uint64(1))
		tx.PutAlloc(&api.Allocation{ID: "a-team", Namespace: "team", JobID: "x", Job: job, NodeID: "n"})
		tx.PutDeployment(&api.Deployment{ID: "d-team", Namespace: "team", JobID: "x"})
		for name, rules := range map[string]string{
			"all":   `namespace "*" { policy = "write" }`,
			"one":   `namespace "default" { policy = "write" }`,
			"not":   "namespace \"*\" { policy = \"write\" }\nnamespace \"team\" { policy = \"deny\" }",
			"bit":   `namespace "*" { capabilities = ["submit-job"] }`,
			"ci":    `namespace "team" { capabilities = ["submit-job", "read-job"] }`,
			"no":    "namespace \"team\" { policy = \"write\" }\nnamespace \"team\" { capabilities = [\"deny\"] }",
			"agent": `agent { policy = "read" }`,
		} {
			tx.PutACLPolicy(&api.ACLPolicy{Name: name, Rules: rules})
		}
	})
	for _, c := range []struct {
		policy, method, path string
		want                 bool
	}{
		{"all", "GET", "/v1/allocation/x", true},
		{"all", "GET", "/v1/vars", false},
		{"all", "GET", "/v1/client/allocation/x/exec", false},
		{"all", "GET", "/v1/job/x/action", false},
		{"all", "GET", "/v1/client/fs/logs/a-team", true},
		{"all", "GET", "/v1/client/stats", false},
		{"all", "GET", "/v1/nodes", false},
		{"all", "DELETE", "/v1/evaluations", false},
		{"one", "GET", "/v1/jobs", true},
		{"one", "GET", "/v1/jobs?namespace=team", false},
		{"one", "GET", "/v1/jobs?namespace=*", false},
		{"one", "GET", "/v1/allocation/a-team", false},
		{"one", "PUT", "/v1/allocation/a-team/stop", false},
		{"one", "GET", "/v1/client/fs/cat/a-team", false},
		{"one", "PUT", "/v1/deployment/fail/d-team", false},
		{"one", "DELETE", "/v1/job/x?namespace=team", false},
		{"not", "GET", "/v1/jobs?namespace=team", false},
		{"not", "GET", "/v1/jobs", true},
		{"bit", "DELETE", "/v1/job/x", true},
		{"bit", "GET", "/v1/job/x", false},
		{"ci", "GET", "/v1/job/x?namespace=team", true},
		{"ci", "GET", "/v1/job/x%2Fdispatch-1/allocations?namespace=team", true},
		{"ci", "GET", "/v1/jobs?namespace=team", false},
		{"ci", "GET", "/v1/job/x", false},
		{"ci", "GET", "/v1/allocation/a-team", true},
		{"ci", "PUT", "/v1/deployment/promote/d-team", true},
		{"ci", "PUT", "/v1/job/x/revert?namespace=team", true},
		{"ci", "PUT", "/v1/job/x/periodic/force?namespace=team", true},
		{"ci", "PUT", "/v1/job/x/dispatch?namespace=team", false},
		{"ci", "GET", "/v1/client/fs/logs/a-team", false},
		{"no", "GET", "/v1/job/x?namespace=team", false},
		{"agent", "GET", "/v1/agent/self", true},
		{"agent", "PUT", "/v1/agent/join", false},
		{"gone", "GET", "/v1/jobs", false},
	} {
		r, err := newRequest(c.method, c.path)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.allows(&api.ACLToken{Policies: []string{c.policy}}, r); got != c.want {
			t.Errorf("policy %s, %s %s: allowed is %v", c.policy, c.method, c.path, got)
		}
	}
}

// A job says itself in which namespace it is to run, and it is that one in which
// its token needs the right.
func TestTokenOfAJob(t *testing.T) {
	anonymous, _ := newAgent(t, func(c *Config) { c.ACL = true })
	boot, _, err := anonymous.ACLTokens().Bootstrap(nil)
	if err != nil {
		t.Fatal(err)
	}
	root := as(t, anonymous, boot.SecretID)
	if _, err := root.Namespaces().Register(&api.Namespace{Name: "team"}, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := root.ACLPolicies().Upsert(&api.ACLPolicy{Name: "ci", Rules: `namespace "team" { capabilities = ["submit-job", "read-job"] }`}, nil); err != nil {
		t.Fatal(err)
	}
	made, _, err := root.ACLTokens().Create(&api.ACLToken{Name: "ci", Type: "client", Policies: []string{"ci"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	ci := as(t, anonymous, made.SecretID)
	in := func(namespace string) *api.Job {
		job := testJob("web")
		job.Namespace = &namespace
		return job
	}
	for _, asked := range []string{"", "default", "team"} {
		if _, _, err := ci.Jobs().Plan(in("team"), true, &api.WriteOptions{Namespace: asked}); err != nil {
			t.Errorf("plan, asked in %q: %v", asked, err)
		}
		if _, _, err := ci.Jobs().Register(in("team"), &api.WriteOptions{Namespace: asked}); err != nil {
			t.Errorf("register, asked in %q: %v", asked, err)
		}
		_, _, err := ci.Jobs().Register(in("default"), &api.WriteOptions{Namespace: asked})
		refused(t, err, 403, "Permission denied")
		_, _, err = ci.Jobs().Plan(in("default"), true, &api.WriteOptions{Namespace: asked})
		refused(t, err, 403, "Permission denied")
	}
	job, _, err := ci.Jobs().Info("web", &api.QueryOptions{Namespace: "team"})
	if err != nil || *job.Namespace != "team" {
		t.Errorf("read %+v, %v", job, err)
	}
	_, _, err = ci.Jobs().Info("web", nil)
	refused(t, err, 403, "Permission denied")
}

func TestSigningKeys(t *testing.T) {
	client, _ := newAgent(t)
	published := func() (ids []string) {
		_, text, _ := do(t, client.Address(), "GET", "/.well-known/jwks.json", "", nil)
		var set struct{ Keys []publicKey }
		if err := json.Unmarshal([]byte(text), &set); err != nil {
			t.Fatal(err)
		}
		for _, key := range set.Keys {
			modulus, err := base64.RawURLEncoding.DecodeString(key.N)
			if err != nil || len(modulus) != signingBits/8 || key.Alg != "RS256" || key.E != "AQAB" {
				t.Errorf("the key is %+v, %v", key, err)
			}
			ids = append(ids, key.Kid)
		}
		return ids
	}
	first := published()
	if again := published(); len(first) != 1 || join(again) != join(first) {
		t.Errorf("first %v, then %v", first, again)
	}
	rotated, _, err := client.Keyring().Rotate(nil, nil)
	if err != nil || rotated.State != "active" {
		t.Fatalf("rotated to %+v, %v", rotated, err)
	}
	keys, _, err := client.Keyring().List(nil)
	if err != nil || len(keys) != 2 || len(published()) != 2 {
		t.Errorf("after the rotation: %v, %v", keys, err)
	}
	if _, err := client.Keyring().Delete(&api.KeyringDeleteOptions{KeyID: first[0]}, nil); err != nil || len(published()) != 1 {
		t.Errorf("deleting the old key: %v", err)
	}
}
