package state

import (
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/hashicorp/go-memdb"
	"github.com/hashicorp/nomad/api"
)

// SchedulerConfig is how decisions are made; nil where nobody has set it.
func (s *Snapshot) SchedulerConfig(ws memdb.WatchSet) *api.SchedulerConfiguration {
	return first[api.SchedulerConfiguration](s, ws, tableScheduler, byID, "config")
}

// PutSchedulerConfig stores how decisions are made. It takes ownership.
func (tx *Txn) PutSchedulerConfig(config *api.SchedulerConfiguration) {
	config.CreateIndex, config.ModifyIndex = tx.Index, tx.Index
	if old := tx.SchedulerConfig(nil); old != nil {
		config.CreateIndex = old.CreateIndex
	}
	tx.insert(tableScheduler, config)
}

// SigningKey signs the identities of workloads. Its private half is PKCS #8.
type SigningKey struct {
	ID          string
	Private     []byte
	CreateTime  time.Time
	CreateIndex uint64
}

// SigningKeys are all keys.
func (s *Snapshot) SigningKeys(ws memdb.WatchSet) []*SigningKey {
	return all[SigningKey](s, ws, tableKeys, byID)
}

// PutSigningKey stores a key. It takes ownership.
func (tx *Txn) PutSigningKey(key *SigningKey) {
	key.CreateIndex = tx.Index
	tx.insert(tableKeys, key)
}

// DeleteSigningKey removes a key.
func (tx *Txn) DeleteSigningKey(key *SigningKey) { tx.delete(tableKeys, key) }

// ACLToken is the token with an accessor ID, or nil.
func (s *Snapshot) ACLToken(ws memdb.WatchSet, accessorID string) *api.ACLToken {
	return first[api.ACLToken](s, ws, tableTokens, byID, accessorID)
}

// ACLTokenBySecret is the token with a secret ID, or nil.
func (s *Snapshot) ACLTokenBySecret(ws memdb.WatchSet, secretID string) *api.ACLToken {
	return first[api.ACLToken](s, ws, tableTokens, bySecret, secretDigest(secretID))
}

// secretDigest is what a secret is found by: how long the search takes tells
// nothing about the secret.
func secretDigest(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// ACLTokens are all tokens, by accessor ID.
func (s *Snapshot) ACLTokens(ws memdb.WatchSet) []*api.ACLToken {
	return all[api.ACLToken](s, ws, tableTokens, byID)
}

// PutACLToken stores a token and stamps its indexes. It takes ownership.
func (tx *Txn) PutACLToken(token *api.ACLToken) {
	token.CreateIndex, token.ModifyIndex = tx.Index, tx.Index
	if old := tx.ACLToken(nil, token.AccessorID); old != nil {
		token.CreateIndex = old.CreateIndex
	}
	tx.insert(tableTokens, token)
}

// DeleteACLToken removes a token. It tells whether there was one.
func (tx *Txn) DeleteACLToken(accessorID string) bool {
	old := tx.ACLToken(nil, accessorID)
	if old != nil {
		tx.delete(tableTokens, old)
	}
	return old != nil
}

// ACLPolicy is a policy, or nil.
func (s *Snapshot) ACLPolicy(ws memdb.WatchSet, name string) *api.ACLPolicy {
	return first[api.ACLPolicy](s, ws, tablePolicies, byID, name)
}

// ACLPolicies are all policies whose name begins with prefix, by name.
func (s *Snapshot) ACLPolicies(ws memdb.WatchSet, prefix string) []*api.ACLPolicy {
	return all[api.ACLPolicy](s, ws, tablePolicies, byID+"_prefix", prefix)
}

// PutACLPolicy stores a policy and stamps its indexes. It takes ownership.
func (tx *Txn) PutACLPolicy(policy *api.ACLPolicy) {
	policy.CreateIndex, policy.ModifyIndex = tx.Index, tx.Index
	if old := tx.ACLPolicy(nil, policy.Name); old != nil {
		policy.CreateIndex = old.CreateIndex
	}
	tx.insert(tablePolicies, policy)
}

// DeleteACLPolicy removes a policy. It tells whether there was one.
func (tx *Txn) DeleteACLPolicy(name string) bool {
	old := tx.ACLPolicy(nil, name)
	if old != nil {
		tx.delete(tablePolicies, old)
	}
	return old != nil
}

// DeleteEval removes an evaluation, if it is there.
func (tx *Txn) DeleteEval(id string) {
	if old := tx.Eval(nil, id); old != nil {
		tx.delete(tableEvals, old)
	}
}
