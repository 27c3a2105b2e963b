package httpapi

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-memdb"
	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator/state"
)

// The types of tokens. (Nomad.)
const (
	clientToken     = "client"
	managementToken = "management"
)

// errACLOff answers where access control is off. (Nomad: the text.)
var errACLOff = badRequest("ACL support disabled")

var validPolicy = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile("^[a-zA-Z0-9-]{1,128}$") })

// withACL answers only where access control is on.
func (s *server) withACL(h handler) handler {
	return func(r *request) (any, error) {
		if !s.ACL {
			return nil, errACLOff
		}
		return h(r)
	}
}

// tokenReply is a token as it is answered: its time is null where it has none.
// (Nomad.)
type tokenReply struct {
	AccessorID, SecretID, Name, Type string
	Policies                         []string
	Roles                            []*api.ACLTokenRoleLink
	Global                           bool
	Hash                             []byte
	CreateTime                       time.Time
	ExpirationTime                   *time.Time
	ExpirationTTL                    string
	CreateIndex, ModifyIndex         uint64
}

func tokenAnswer(t *api.ACLToken) *tokenReply {
	return &tokenReply{
		AccessorID: t.AccessorID, SecretID: t.SecretID, Name: t.Name, Type: t.Type, Policies: t.Policies, Roles: t.Roles, Global: t.Global,
		CreateTime: t.CreateTime, ExpirationTime: t.ExpirationTime, CreateIndex: t.CreateIndex, ModifyIndex: t.ModifyIndex,
	}
}

// bootstrapACL makes the first token; once. (Nomad: the text.)
func (s *server) bootstrapACL(r *request) (any, error) {
	req := api.BootstrapRequest{}
	if r.ContentLength != 0 {
		if err := decode(r, &req); err != nil {
			return nil, err
		}
	}
	token := &api.ACLToken{
		AccessorID: s.Clock.NewID(), SecretID: s.Clock.NewID(), Name: "Bootstrap Token", Type: managementToken, Global: true, CreateTime: s.Clock.Now().UTC(),
	}
	if req.BootstrapSecret != "" {
		if checkID("", req.BootstrapSecret) != nil {
			return nil, badRequest("invalid acl token")
		}
		token.SecretID = req.BootstrapSecret
	}
	index, err := s.Store.Update(func(tx *state.Txn) error {
		for _, old := range tx.ACLTokens(nil) {
			if old.Type == managementToken {
				return badRequest("ACL bootstrap already done (reset index: %d)", old.CreateIndex)
			}
		}
		tx.PutACLToken(token)
		return nil
	})
	return answer{value: tokenAnswer(token), index: index}, err
}

func (s *server) listTokens(r *request) (any, error) {
	tokens, index := wait(s, r, func(snap *state.Snapshot, watch memdb.WatchSet) ([]*api.ACLToken, uint64) {
		return snap.ACLTokens(watch), snap.TableIndex("acl_token")
	})
	list := []*tokenReply{}
	for _, token := range tokens {
		if !strings.HasPrefix(token.AccessorID, r.prefix) || r.query.Get("global") == "true" && !token.Global {
			continue
		}
		stub := tokenAnswer(token)
		stub.SecretID = ""
		list = append(list, stub)
	}
	list, next, err := page(r, list, func(t *tokenReply) key { return ageKey(r, t.CreateIndex, t.AccessorID) })
	return answer{value: list, index: index, next: next}, err
}

// selfToken is the token of the request. (Nomad: what it is where there is no
// access control, and the text.)
func (s *server) selfToken(r *request) (any, error) {
	if !s.ACL {
		return &tokenReply{AccessorID: "acls-disabled", Name: "ACLs disabled token", Type: clientToken}, nil
	}
	token := s.tokenOf(r.Request)
	if token == nil {
		return nil, fail(http.StatusForbidden, "ACL token not found")
	}
	return answer{value: tokenAnswer(token), index: token.ModifyIndex}, nil
}

func (s *server) readToken(r *request) (any, error) {
	token, index, err := one(s, r, "acl_token", "ACL token not found", func(snap *state.Snapshot, watch memdb.WatchSet) (*api.ACLToken, uint64) {
		token := snap.ACLToken(watch, r.id())
		if token == nil {
			return nil, 0
		}
		return token, token.ModifyIndex
	})
	if err != nil {
		return nil, err
	}
	return answer{value: tokenAnswer(token), index: index}, nil
}

// writeToken makes a token, or changes one. (Nomad: the texts.)
func (s *server) writeToken(r *request) (any, error) {
	token := &api.ACLToken{}
	if err := decode(r, token); err != nil {
		return nil, err
	}
	if r.id() != "" && token.AccessorID != r.id() {
		return nil, badRequest("ACL token accessor does not match request path")
	}
	index, err := s.Store.Update(func(tx *state.Txn) error {
		if err := s.prepareToken(tx, token); err != nil {
			return err
		}
		tx.PutACLToken(token)
		return nil
	})
	return answer{value: tokenAnswer(token), index: index}, err
}

// prepareToken fills what the author does not decide.
func (s *server) prepareToken(tx *state.Txn, token *api.ACLToken) error {
	now := s.Clock.Now().UTC()
	if token.AccessorID == "" {
		token.AccessorID, token.SecretID, token.CreateTime = s.Clock.NewID(), s.Clock.NewID(), now
		if ttl := token.ExpirationTTL; ttl > 0 {
			token.ExpirationTime = new(now.Add(ttl))
		}
	} else {
		old := tx.ACLToken(nil, token.AccessorID)
		if old == nil {
			return badRequest("cannot find token %s", token.AccessorID)
		}
		token.SecretID, token.CreateTime, token.ExpirationTime = old.SecretID, old.CreateTime, old.ExpirationTime
	}
	token.ExpirationTTL = 0
	p := problems{}
	p.refuse(len(token.Name) > maxDescription, "token name too long")
	switch token.Type {
	case clientToken:
		p.refuse(len(token.Policies)+len(token.Roles) == 0, "client token missing policies or roles")
	case managementToken:
		p.refuse(len(token.Policies)+len(token.Roles) > 0, "management token cannot be associated with policies or roles")
	default:
		p.refuse(true, "token type must be client or management")
	}
	if err := p.err(); err != nil {
		return badRequest("token 0 invalid: %v", err)
	}
	return nil
}

func (s *server) deleteToken(r *request) (any, error) {
	index, err := s.Store.Update(func(tx *state.Txn) error {
		if !tx.DeleteACLToken(r.id()) {
			return badRequest("Cannot delete nonexistent tokens: %s", r.id())
		}
		return nil
	})
	return noContent(http.StatusOK, index), err
}

// aclPolicyStub is a policy in a list: without its rules. (Nomad.)
type aclPolicyStub struct {
	Name, Description        string
	Hash                     []byte
	CreateIndex, ModifyIndex uint64
}

func (s *server) listACLPolicies(r *request) (any, error) {
	policies, index := wait(s, r, func(snap *state.Snapshot, watch memdb.WatchSet) ([]*api.ACLPolicy, uint64) {
		return snap.ACLPolicies(watch, r.prefix), snap.TableIndex("acl_policy")
	})
	own := s.tokenOf(r.Request)
	list := []aclPolicyStub{}
	for _, p := range policies {
		if own != nil && (own.Type == managementToken || slices.Contains(own.Policies, p.Name)) {
			list = append(list, aclPolicyStub{p.Name, p.Description, nil, p.CreateIndex, p.ModifyIndex})
		}
	}
	return answer{value: list, index: index}, nil
}

func (s *server) readACLPolicy(r *request) (any, error) {
	policy, index, err := one(s, r, "acl_policy", "ACL policy not found", func(snap *state.Snapshot, watch memdb.WatchSet) (*api.ACLPolicy, uint64) {
		policy := snap.ACLPolicy(watch, r.id())
		if policy == nil {
			return nil, 0
		}
		return policy, policy.ModifyIndex
	})
	return answer{value: policy, index: index}, err
}

// writeACLPolicy makes a policy, or changes one. (Nomad: the texts.)
func (s *server) writeACLPolicy(r *request) (any, error) {
	policy := &api.ACLPolicy{}
	if err := decode(r, policy); err != nil {
		return nil, err
	}
	if policy.Name != r.id() {
		return nil, badRequest("ACL policy name does not match request path")
	}
	p := problems{}
	p.refuse(!validPolicy().MatchString(policy.Name), "invalid name '%s'", policy.Name)
	if _, err := parseRules(policy.Rules); err != nil {
		p.all(fmt.Errorf("failed to parse rules: %w", err))
	}
	p.refuse(len(policy.Description) > maxDescription, "description longer than %d", maxDescription)
	if err := p.err(); err != nil {
		return nil, badRequest("policy 0 invalid: %v", err)
	}
	index, err := s.Store.Update(func(tx *state.Txn) error {
		tx.PutACLPolicy(policy)
		return nil
	})
	return noContent(http.StatusOK, index), err
}

func (s *server) deleteACLPolicy(r *request) (any, error) {
	index, err := s.Store.Update(func(tx *state.Txn) error {
		tx.DeleteACLPolicy(r.id())
		return nil
	})
	return noContent(http.StatusOK, index), err
}
