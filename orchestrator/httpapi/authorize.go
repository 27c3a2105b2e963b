package httpapi

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2/hclparse"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/nomad/api"
	"github.com/zclconf/go-cty/cty"

	"ostro/orchestrator/events"
)

// tokenOf is the token that a request bears: the agent's own one, or a stored
// one that has not expired. It is nil for any other.
func (s *server) tokenOf(r *http.Request) *api.ACLToken {
	given := bearer(r)
	if given == "" {
		return nil
	}
	if s.Token != "" && sameSecret(given, s.Token) {
		return &api.ACLToken{AccessorID: s.id, Name: "the agent's own token", Type: managementToken, Global: true}
	}
	token := s.Store.Snapshot().ACLTokenBySecret(nil, given)
	if token == nil || token.ExpirationTime != nil && !token.ExpirationTime.After(s.Clock.Now()) {
		return nil
	}
	return token
}

// sameSecret takes the same time whatever differs.
func sameSecret(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

// public are the paths that need no token. (Nomad: the bootstrap, too; where the
// agent has a token of its own, that one has to come with it.)
func public(path string) bool {
	switch path {
	case "/v1/acl/token/self", "/v1/agent/health", "/v1/regions", "/v1/status/leader", "/v1/status/peers", "/.well-known/jwks.json":
		return true
	}
	return !strings.HasPrefix(path, "/v1/")
}

// denied tells why access control refuses a request, or is empty. (Nomad: the
// texts.)
func (s *server) denied(r *http.Request) string {
	first := r.URL.Path == "/v1/acl/bootstrap" && s.Token == ""
	if !s.ACL || first || public(r.URL.Path) {
		return ""
	}
	token := s.tokenOf(r)
	switch {
	case token == nil && bearer(r) != "":
		return "ACL token not found"
	case token == nil:
		return "Permission denied"
	case token.Type == managementToken || s.allows(token, r):
		return ""
	}
	return "Permission denied"
}

// rule is what a policy grants about one kind of thing.
type rule struct {
	// kind is namespace, node_pool, node, agent or operator; name is a pattern
	// of the first two.
	kind, name string
	// level is deny, read or write, or a word that grants less here.
	level string
	// capabilities are what is granted one by one, in a namespace.
	capabilities []string
}

// allows tells whether the policies of a token grant a request. They never grant
// more than they say; what a variables block grants needs a management token.
func (s *server) allows(token *api.ACLToken, r *http.Request) bool {
	kind, ok := subject(r)
	if !ok {
		return false
	}
	rules, ok := s.rulesOf(token)
	if !ok {
		return false
	}
	if kind != "namespace" {
		level := grant(rules, kind, "")
		return level == "write" || level == "read" && !writes(r.Method)
	}
	path := pathOf(r)
	if bringsJob(r.Method, path) {
		return true // refusedIn decides, when the job has been read
	}
	wanted := capabilities(r.Method, path)
	return !slices.ContainsFunc(namespacesOf(s.Store.Snapshot(), r, path), func(name string) bool { return !grantedIn(rules, name, wanted) })
}

// rulesOf are the rules of a token's policies; none of them counts where one is
// not understood.
func (s *server) rulesOf(token *api.ACLToken) (rules []rule, ok bool) {
	if token == nil {
		return nil, false
	}
	snap := s.Store.Snapshot()
	for _, policy := range token.Policies {
		if stored := snap.ACLPolicy(nil, policy); stored != nil {
			given, err := parseRules(stored.Rules)
			if err != nil {
				return nil, false
			}
			rules = append(rules, given...)
		}
	}
	return rules, true
}

// grant is the level of the rule that counts for a thing, or empty.
func grant(rules []rule, kind, name string) string {
	best := rule{}
	for _, given := range rules {
		if given.kind == kind && matches(given.name, name) && given.before(best) {
			best = given
		}
	}
	return best.level
}

func matches(pattern, name string) bool {
	ok, err := path.Match(pattern, name)
	return err == nil && ok || pattern == name
}

// before tells whether a rule counts and not the other: the longer name, and of
// the same the one that denies. (Nomad.)
func (r rule) before(other rule) bool {
	if other.level == "" || len(r.name) != len(other.name) {
		return other.level == "" || len(r.name) > len(other.name)
	}
	return r.level == "deny" || other.level != "deny" && r.level == "write"
}

// subject is the kind of thing that a request is about, where policies can
// grant it.
func subject(r *http.Request) (kind string, ok bool) {
	parts := pathOf(r)
	switch parts[0] {
	case "jobs", "job", "allocation", "allocations", "evaluation", "evaluations", "deployment", "deployments", "services", "service", "validate", "scaling":
		return "namespace", true
	case "client":
		return "namespace", len(clientCapabilities(parts)) > 0
	case "nodes", "node":
		return "node", len(parts) < 2 || parts[1] != "pool" && parts[1] != "pools"
	case "agent":
		return "agent", true
	case "operator", "system":
		return "operator", true
	case "event":
		return "namespace", aboutJobs(r.URL.Query()["topic"])
	}
	return "", false
}

// aboutJobs tells whether topics of events are only those of jobs. Where none is
// named all are meant.
func aboutJobs(given []string) bool {
	topics, err := events.ParseTopics(given)
	if err != nil {
		return false
	}
	for topic := range topics {
		if !slices.Contains([]string{"Job", "Allocation", "Evaluation", "Deployment", "Service"}, topic) {
			return false
		}
	}
	return true
}

// parseRules reads the rules of a policy, in HCL or JSON.
func parseRules(text string) ([]rule, error) {
	if strings.HasPrefix(strings.TrimSpace(text), "{") {
		return nil, errors.New("rules in JSON are not understood: write them in HCL")
	}
	file, problems := hclparse.NewParser().ParseHCL([]byte(text), "rules")
	if problems.HasErrors() {
		return nil, problems
	}
	var rules []rule
	for _, block := range file.Body.(*hclsyntax.Body).Blocks {
		given, err := parseRule(block)
		if err != nil {
			return nil, err
		}
		rules = append(rules, given)
	}
	return rules, nil
}

func parseRule(block *hclsyntax.Block) (rule, error) {
	named := []string{"namespace", "node_pool", "host_volume"}
	whole := []string{"node", "agent", "operator", "quota", "plugin", "sentinel"}
	given := rule{kind: block.Type}
	switch {
	case slices.Contains(named, block.Type) && len(block.Labels) == 1:
		given.name = block.Labels[0]
	case !slices.Contains(whole, block.Type) || len(block.Labels) != 0:
		return rule{}, fmt.Errorf("%s: a policy has no such block", block.TypeRange)
	}
	if attribute := block.Body.Attributes["policy"]; attribute != nil {
		value, problems := attribute.Expr.Value(nil)
		if problems.HasErrors() || value.IsNull() || value.Type() != cty.String {
			return rule{}, fmt.Errorf("%s: a policy is \"read\", \"write\" or \"deny\"", attribute.SrcRange)
		}
		given.level = value.AsString()
		if !slices.Contains([]string{"deny", "read", "write", "list", "scale"}, given.level) {
			return rule{}, fmt.Errorf("%s: the policy %q is not known", attribute.SrcRange, given.level)
		}
	}
	capabilities, err := parseCapabilities(block)
	given.capabilities = capabilities
	return given, err
}

func parseCapabilities(block *hclsyntax.Block) (list []string, err error) {
	attribute := block.Body.Attributes["capabilities"]
	if attribute == nil {
		return nil, nil
	}
	value, problems := attribute.Expr.Value(nil)
	if problems.HasErrors() || value.IsNull() || !value.Type().IsTupleType() {
		return nil, fmt.Errorf("%s: capabilities is a list of words", attribute.SrcRange)
	}
	for _, word := range value.AsValueSlice() {
		if word.IsNull() || word.Type() != cty.String {
			return nil, fmt.Errorf("%s: capabilities is a list of words", attribute.SrcRange)
		}
		list = append(list, word.AsString())
	}
	return list, nil
}
