package httpapi

import (
	"net/http"
	"time"

	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator/state"
)

// The operations on a lock, as the query names them. (Nomad.)
const (
	lockAcquire = "lock-acquire"
	lockRenew   = "lock-renew"
	lockRelease = "lock-release"
)

// What a lock has that does not say, and how long it may last unrenewed.
// (Nomad.)
const (
	defaultLockTime = 15 * time.Second
	minLockTTL      = 10 * time.Second
	maxLockTTL      = 24 * time.Hour
)

// graceFactor is how many times its TTL a lock can be late with being renewed.
// (Nomad: a lock never lapses before its TTL, and no later is promised.)
const graceFactor = 2

// lockOperation is what the query asks to do to the lock, empty for nothing.
func (r *request) lockOperation() (string, error) {
	var asked []string
	for _, operation := range []string{lockAcquire, lockRenew, lockRelease} {
		if r.query.Has(operation) {
			asked = append(asked, operation)
		}
	}
	switch {
	case len(asked) > 1:
		return "", badRequest("multiple lock operations")
	case len(asked) == 0:
		return "", nil
	case r.query.Get("cas") != "":
		return "", badRequest("CAS can't be used with lock operations")
	}
	return asked[0], nil
}

// acquireLock stores the variable, which may be new and without items, as
// locked.
func (s *server) acquireLock(path string, body *variableBody) (any, error) {
	if body.Lock == nil {
		body.Lock = &variableLock{}
	}
	body.Lock.fill()
	if err := checkVariable(path, body); err != nil {
		return nil, coded(err)
	}
	if err := body.Lock.check(); err != nil {
		return nil, coded(err)
	}
	return s.putVariable(path, body, nil)
}

func (l *variableLock) fill() {
	if l.TTL == 0 {
		l.TTL = lockDuration(defaultLockTime)
	}
	if l.LockDelay == 0 {
		l.LockDelay = lockDuration(defaultLockTime)
	}
}

// check refuses durations out of range. (Nomad: the texts.)
func (l *variableLock) check() error {
	p := problems{}
	p.refuse(l.TTL < 0 || l.LockDelay < 0, "Lock delay and TTL must be positive")
	ttl := time.Duration(l.TTL)
	p.refuse(ttl < minLockTTL || ttl > maxLockTTL, "TTL must be between 10 seconds and 24 hours")
	return p.err()
}

// putVariable stores a variable, and its lock where it has one, unless
// something is in the way. Who holds the lock keeps it as it is.
func (s *server) putVariable(path string, body *variableBody, check *uint64) (any, error) {
	now := s.Clock.Now()
	variable := &api.Variable{
		Namespace: body.Namespace, Path: path, Items: body.Items,
		CreateTime: now.UnixNano(), ModifyTime: now.UnixNano(),
	}
	var inTheWay *api.Variable
	index, err := s.Store.Update(func(tx *state.Txn) error {
		old := tx.Variable(nil, body.Namespace, path)
		lockID := ""
		if body.Lock != nil {
			lockID = body.Lock.ID
		}
		if inTheWay = blocked(old, body.Namespace, path, lockID, check); inTheWay != nil {
			return nil
		}
		s.lock(tx, variable, old, body.Lock)
		tx.PutVariable(variable)
		return nil
	})
	switch {
	case err != nil:
		return nil, err
	case inTheWay != nil:
		return conflict(inTheWay), nil
	}
	return answer{value: variableReply{metadata(variable), variable.Items}, index: index}, nil
}

// lock puts the lock on a variable that is about to be stored.
func (s *server) lock(tx *state.Txn, variable, old *api.Variable, lock *variableLock) {
	switch {
	case lock == nil:
		return
	case old != nil && old.Lock != nil && lock.TTL == 0:
		variable.Lock = old.Lock
		return
	}
	lock.fill()
	if lock.ID == "" {
		lock.ID = s.Clock.NewID()
	}
	variable.Lock = &api.VariableLock{
		ID: lock.ID, TTL: time.Duration(lock.TTL).String(), LockDelay: time.Duration(lock.LockDelay).String(),
	}
	tx.PutLock(s.newLock(variable))
}

// newLock is a lock that begins, or begins anew, now.
func (s *server) newLock(variable *api.Variable) *state.Lock {
	// The texts are our own.
	ttl, _ := time.ParseDuration(variable.Lock.TTL)
	delay, _ := time.ParseDuration(variable.Lock.LockDelay)
	expires := s.Clock.Now().Add(graceFactor * ttl)
	return &state.Lock{
		Namespace: variable.Namespace, Path: variable.Path, ID: variable.Lock.ID,
		Expires: expires, Free: expires.Add(delay),
	}
}

// errLocked answers to somebody who does not hold the lock, or no longer.
// (Nomad: the text.)
var errLocked = fail(http.StatusConflict, "attempting to modify locked variable")

// renewLock lets a lock hold for another TTL. (Nomad: the texts.)
func (s *server) renewLock(namespace, path string, body *variableBody) (any, error) {
	if body.Lock == nil || body.Lock.ID == "" {
		return nil, multiError{textError("missing lock ID")}
	}
	var variable *api.Variable
	_, err := s.Store.Update(func(tx *state.Txn) error {
		variable = tx.Variable(nil, namespace, path)
		switch {
		case variable == nil:
			return fail(http.StatusNotFound, "variable doesn't exist")
		case variable.Lock == nil:
			return fail(http.StatusConflict, "variable doesn't hold a lock")
		case variable.Lock.ID != body.Lock.ID:
			return errLocked
		}
		lock := tx.Lock(nil, namespace, path)
		if lock == nil || !lock.Expires.After(s.Clock.Now()) {
			return errLocked
		}
		tx.PutLock(s.newLock(variable))
		return nil
	})
	if err != nil {
		return nil, err
	}
	return answer{value: metadata(variable), index: variable.ModifyIndex}, nil
}

// releaseLock frees a variable for others, and leaves its items. (Nomad: the
// texts.)
func (s *server) releaseLock(path string, body *variableBody) (any, error) {
	if body.Lock == nil || body.Lock.ID == "" {
		return nil, coded(textError("missing lock information"))
	}
	if len(body.Items) > 0 {
		return nil, coded(textError("lock release operation doesn't take variable items"))
	}
	var held, freed *api.Variable
	index, err := s.Store.Update(func(tx *state.Txn) error {
		held = tx.Variable(nil, body.Namespace, path)
		switch {
		case held == nil:
			return textError("variable doesn't exist")
		case held.Lock == nil:
			return textError("variable doesn't hold a lock")
		case held.Lock.ID == body.Lock.ID:
			freed = tx.ReleaseLock(body.Namespace, path)
		}
		return nil
	})
	switch {
	case err != nil:
		return nil, err
	case freed == nil:
		return conflict(placeOnly(body.Namespace, path)), nil
	}
	return answer{value: variableReply{VariableMetadata: metadata(freed)}, index: index}, nil
}
