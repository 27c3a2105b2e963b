package httpapi

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"math/big"
	"net/http"
	"slices"

	"ostro/orchestrator/state"
)

// signingBits is the size of the keys that sign identities. (Nomad.)
const signingBits = 2048

// publicKey is one key of the set that others verify identities with. (RFC 7517.)
type publicKey struct {
	Use string `json:"use"`
	Kty string `json:"kty"`
	Kid string `json:"kid"`
	Alg string `json:"alg"`
	N   string `json:"n"`
	E   string `json:"e"`
}

// jwks publishes the keys. The first question makes the first key.
func (s *server) jwks(*request) (any, error) {
	stored, err := s.signingKeys()
	if err != nil {
		return nil, err
	}
	keys := []publicKey{}
	for _, key := range stored {
		public, err := publicHalf(key)
		if err != nil {
			return nil, err
		}
		keys = append(keys, public)
	}
	return map[string]any{"keys": keys}, nil
}

func publicHalf(key *state.SigningKey) (publicKey, error) {
	parsed, err := x509.ParsePKCS8PrivateKey(key.Private)
	if err != nil {
		return publicKey{}, fmt.Errorf("read the signing key %s: %w", key.ID, err)
	}
	private, ok := parsed.(*rsa.PrivateKey)
	if !ok {
		return publicKey{}, fmt.Errorf("the signing key %s is of another kind", key.ID)
	}
	encode := base64.RawURLEncoding.EncodeToString
	return publicKey{
		Use: "sig", Kty: "RSA", Kid: key.ID, Alg: "RS256",
		N: encode(private.N.Bytes()), E: encode(big.NewInt(int64(private.E)).Bytes()),
	}, nil
}

// signingKeys are the keys, oldest first; the last one signs.
func (s *server) signingKeys() ([]*state.SigningKey, error) {
	if len(s.Store.Snapshot().SigningKeys(nil)) == 0 {
		if _, _, err := s.addSigningKey(true); err != nil {
			return nil, err
		}
	}
	keys := s.Store.Snapshot().SigningKeys(nil)
	slices.SortFunc(keys, func(a, b *state.SigningKey) int { return int(a.CreateIndex) - int(b.CreateIndex) })
	return keys, nil
}

// addSigningKey makes a key; with onlyFirst it leaves alone what somebody else
// made meanwhile.
func (s *server) addSigningKey(onlyFirst bool) (*state.SigningKey, uint64, error) {
	private, err := rsa.GenerateKey(rand.Reader, signingBits)
	if err != nil {
		return nil, 0, fmt.Errorf("make a signing key: %w", err)
	}
	text, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, 0, fmt.Errorf("encode the signing key: %w", err)
	}
	key := &state.SigningKey{ID: s.Clock.NewID(), Private: text, CreateTime: s.Clock.Now()}
	index, err := s.Store.Update(func(tx *state.Txn) error {
		if !onlyFirst || len(tx.SigningKeys(nil)) == 0 {
			tx.PutSigningKey(key)
		}
		return nil
	})
	return key, index, err
}

// rootKey is a key as the operator sees it. (Nomad.)
type rootKey struct {
	KeyID, Algorithm, State  string
	CreateTime, PublishTime  int64
	CreateIndex, ModifyIndex uint64
}

func rootKeyOf(key *state.SigningKey, active bool) rootKey {
	shown := rootKey{
		KeyID: key.ID, Algorithm: "aes256-gcm", State: "inactive",
		CreateTime: key.CreateTime.UnixNano(), CreateIndex: key.CreateIndex, ModifyIndex: key.CreateIndex,
	}
	if active {
		shown.State = "active"
	}
	return shown
}

func (s *server) listRootKeys(*request) (any, error) {
	keys, err := s.signingKeys()
	if err != nil {
		return nil, err
	}
	list := []rootKey{}
	for i, key := range keys {
		list = append(list, rootKeyOf(key, i == len(keys)-1))
	}
	return answer{value: list, index: max(s.Store.Snapshot().TableIndex("root_keys"), 2)}, nil
}

// rotateRootKey makes another key; what the old ones signed stays valid.
func (s *server) rotateRootKey(*request) (any, error) {
	key, index, err := s.addSigningKey(false)
	if err != nil {
		return nil, err
	}
	return answer{value: map[string]any{"Key": rootKeyOf(key, true), "Index": index}, index: index}, nil
}

func (s *server) deleteRootKey(r *request) (any, error) {
	index, err := s.Store.Update(func(tx *state.Txn) error {
		keys := tx.SigningKeys(nil)
		i := slices.IndexFunc(keys, func(key *state.SigningKey) bool { return key.ID == r.id() })
		switch {
		case i < 0:
			return textError("root key not found")
		case slices.ContainsFunc(keys, func(key *state.SigningKey) bool { return key.CreateIndex > keys[i].CreateIndex }):
			tx.DeleteSigningKey(keys[i])
			return nil
		}
		return textError("active root key cannot be deleted - call rotate first")
	})
	return noContent(http.StatusOK, index), err
}
