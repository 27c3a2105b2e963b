package state

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/nomad/api"
)

func registrations(ids ...string) []*api.ServiceRegistration {
	var regs []*api.ServiceRegistration
	for _, id := range ids {
		regs = append(regs, &api.ServiceRegistration{ID: id, ServiceName: "web", Address: "127.0.0.1", Port: 8080})
	}
	return regs
}

func serviceIDs(regs []*api.ServiceRegistration) []string {
	ids := []string{}
	for _, reg := range regs {
		ids = append(ids, reg.ID)
	}
	return ids
}

// putAlloc stores an allocation of a job, with a client status.
func putAlloc(t *testing.T, s *Store, job *api.Job, id, status string) {
	t.Helper()
	update(t, s, func(tx *Txn) {
		tx.PutAlloc(&api.Allocation{ID: id, Namespace: "default", JobID: "web", Job: job, NodeID: "n", DesiredStatus: "run", ClientStatus: status})
	})
}

func TestServicesFollowTheAllocation(t *testing.T) {
	s := open(t, t.TempDir())
	job := register(t, s, testJob("web", "a"))
	update(t, s, func(tx *Txn) { tx.PutNode(&api.Node{ID: "n", Datacenter: "dc1"}) })
	putAlloc(t, s, job, "one", "running")
	putAlloc(t, s, job, "two", "running")
	update(t, s, func(tx *Txn) {
		tx.PutServices("one", registrations("a", "b"))
		tx.PutServices("two", registrations("c"))
		tx.PutServices("gone", registrations("d"))
	})
	if got := serviceIDs(s.Snapshot().Services(nil, "default", "web")); !cmp.Equal(got, []string{"a", "b", "c"}) {
		t.Errorf("registered are %v", got)
	}
	first := s.Snapshot().Service(nil, "default", "web", "a")
	if first.JobID != "web" || first.AllocID != "one" || first.NodeID != "n" || first.Datacenter != "dc1" {
		t.Errorf("the registration is %+v", first)
	}
	before := s.Snapshot().TableIndex(tableServices)
	update(t, s, func(tx *Txn) { tx.PutServices("one", registrations("a", "b")) })
	if now := s.Snapshot().TableIndex(tableServices); now != before {
		t.Errorf("the same registrations again moved the index from %d to %d", before, now)
	}
	update(t, s, func(tx *Txn) { tx.PutServices("one", registrations("b")) })
	if got := serviceIDs(s.Snapshot().ServicesByJob(nil, "default", "web")); !cmp.Equal(got, []string{"b", "c"}) {
		t.Errorf("after one was withdrawn: %v", got)
	}
	putAlloc(t, s, job, "one", "failed")
	if got := serviceIDs(s.Snapshot().Services(nil, "*", "")); !cmp.Equal(got, []string{"c"}) {
		t.Errorf("after the allocation failed: %v", got)
	}
	update(t, s, func(tx *Txn) { tx.PutServices("one", registrations("b")) })
	if got := s.Snapshot().ServicesByAlloc(nil, "one"); len(got) > 0 {
		t.Errorf("a failed allocation registered %v", serviceIDs(got))
	}
}

func testSeal(t *testing.T, key byte) cipher.AEAD {
	t.Helper()
	block, err := aes.NewCipher(bytes.Repeat([]byte{key}, 32))
	if err != nil {
		t.Fatal(err)
	}
	seal, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		t.Fatal(err)
	}
	return seal
}

func TestVariablesAreEncryptedOnDisk(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(Config{Dir: dir, Seal: testSeal(t, 1)})
	if err != nil {
		t.Fatal(err)
	}
	put := &api.Variable{Namespace: "default", Path: "app/db", CreateTime: 7, Items: api.VariableItems{"password": "opensesame"}}
	update(t, s, func(tx *Txn) { tx.PutVariable(put) })
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "state.db"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), "app/db") || strings.Contains(string(text), "opensesame") {
		t.Error("the file of the state shows the items, or has no variable")
	}
	if s, err := Open(Config{Dir: dir, Seal: testSeal(t, 2)}); err == nil || !strings.Contains(err.Error(), "the key does not fit") {
		t.Errorf("with another key: %v, %v", s, err)
	}
	s, err = Open(Config{Dir: dir, Seal: testSeal(t, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if diff := cmp.Diff(put, s.Snapshot().Variable(nil, "default", "app/db")); diff != "" {
		t.Errorf("the variable after reopening:\n%s", diff)
	}
	if got := s.Snapshot().Variables(nil, "*", "app/"); len(got) != 1 {
		t.Errorf("%d variables begin with app/", len(got))
	}
}
