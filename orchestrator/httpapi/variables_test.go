package httpapi

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator/state"
)

func testVariable(path, value string) *api.Variable {
	return &api.Variable{Path: path, Items: api.VariableItems{"key": value}}
}

func TestVariables(t *testing.T) {
	client, _ := newAgent(t)
	vars := client.Variables()
	made, meta, err := vars.Create(testVariable("app/one", "1"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if made.Namespace != "default" || made.CreateIndex != made.ModifyIndex || meta.LastIndex != made.ModifyIndex || made.CreateTime == 0 {
		t.Errorf("made %+v at %d", made, meta.LastIndex)
	}
	read, _, err := vars.Read("app/one", nil)
	if diff := cmp.Diff(made, read); diff != "" || err != nil {
		t.Errorf("read back %v:\n%s", err, diff)
	}
	for _, path := range []string{"app/two", "other"} {
		if _, _, err := vars.Create(testVariable(path, "1"), nil); err != nil {
			t.Fatal(err)
		}
	}
	list, _, err := vars.PrefixList("app/", nil)
	if err != nil || len(list) != 2 || list[0].Path != "app/one" || list[1].Path != "app/two" {
		t.Errorf("listed %v, %v", list, err)
	}
	first, pageMeta, err := vars.List(&api.QueryOptions{PerPage: 2})
	if err != nil || len(first) != 2 || pageMeta.NextToken != "default.other" {
		t.Errorf("the first page has %d, then comes %q, %v", len(first), pageMeta.NextToken, err)
	}
	if _, err := vars.Delete("app/one", nil); err != nil {
		t.Fatal(err)
	}
	if gone, _, err := vars.Peek("app/one", nil); gone != nil || err != nil {
		t.Errorf("after the deletion there is %v, %v", gone, err)
	}
}

func TestVariablesCheckAndSet(t *testing.T) {
	client, _ := newAgent(t)
	vars := client.Variables()
	made, _, err := vars.CheckedCreate(testVariable("a", "1"), nil)
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = vars.CheckedCreate(testVariable("a", "2"), nil)
	if conflict, ok := errors.AsType[api.ErrCASConflict](err); !ok || conflict.Conflict.ModifyIndex != made.ModifyIndex || conflict.Conflict.Items["key"] != "1" {
		t.Errorf("making it twice: %v", err)
	}
	made.Items["key"] = "2"
	changed, _, err := vars.CheckedUpdate(made, nil)
	if err != nil || changed.ModifyIndex <= made.ModifyIndex || changed.CreateIndex != made.CreateIndex {
		t.Errorf("changed to %+v, %v", changed, err)
	}
	if _, _, err := vars.CheckedUpdate(made, nil); !isConflict(err) {
		t.Errorf("changing it from an old index: %v", err)
	}
	if _, err := vars.CheckedDelete("a", made.ModifyIndex, nil); !isConflict(err) {
		t.Errorf("deleting it at an old index: %v", err)
	}
	if _, err := vars.CheckedDelete("nope", 7, nil); !isConflict(err) {
		t.Errorf("deleting what is not there at an index: %v", err)
	}
	if _, err := vars.CheckedDelete("a", changed.ModifyIndex, nil); err != nil {
		t.Errorf("deleting it: %v", err)
	}
}

func isConflict(err error) bool {
	_, ok := errors.AsType[api.ErrCASConflict](err)
	return ok
}

func TestVariableRefusals(t *testing.T) {
	client, _ := newAgent(t)
	const body = `{"Items":{"a":"b"}}`
	for _, c := range []struct {
		method, path, body string
		status             int
		text               string
	}{
		{"GET", "/v1/var/", "", 400, "missing variable path"},
		{"GET", "/v1/var/nope", "", 404, "variable not found"},
		{"PUT", "/v1/var/a", `{}`, 400, "variable missing required Items object"},
		{"PUT", "/v1/var/a%20b", body, 400, `RPC Error:: 400,invalid path "a b"`},
		{"PUT", "/v1/var/" + strings.Repeat("x", 129), body, 400, `RPC Error:: 400,invalid path "` + strings.Repeat("x", 129) + `"`},
		{"PUT", "/v1/var/a", `{"Namespace":"*","Items":{"a":"b"}}`, 400, `RPC Error:: 400,can not target wildcard ("*")namespace`},
		{"PUT", "/v1/var/a", `{"Items":{"a":"` + strings.Repeat("x", maxVariable) + `"}}`, 400, "RPC Error:: 400,variables are limited to 64KiB in total size"},
		{"PUT", "/v1/var/a?cas=x", body, 400, `can not parse cas: strconv.ParseUint: parsing "x": invalid syntax`},
		{"PUT", "/v1/var/nomad/x", body, 400, `RPC Error:: 400,only paths at "nomad/jobs" or "nomad/job-templates" and below are valid paths under the top-level "nomad" directory`},
		{"PUT", "/v1/var/nomad/jobs/a", body, 200, ""},
		{"PUT", "/v1/var/nomad/job-templates/a/b", body, 400, `RPC Error:: 400,"nomad/job-templates" is a reserved directory path, but you may write variables at the level below it, for example, "nomad/job-templates/template-name"`},
		{"PUT", "/v1/var/a?lock-acquire&lock-renew", body, 400, "multiple lock operations"},
		{"PUT", "/v1/var/a?lock-acquire&cas=1", body, 400, "CAS can't be used with lock operations"},
		{"PUT", "/v1/var/a?lock-acquire", `{"Lock":{"TTL":"1s","LockDelay":"-1s"}}`, 400,
			"RPC Error:: 400,2 errors occurred:\n\t* Lock delay and TTL must be positive\n\t* TTL must be between 10 seconds and 24 hours\n\n"},
		{"PUT", "/v1/var/a?lock-acquire", `{"Lock":{"TTL":"abc"}}`, 400, `time: invalid duration "abc"`},
		{"PUT", "/v1/var/a", `{"Items":{"a":"b"},"Lock":{"ID":"x","TTL":"20s"}}`, 400, "RPC Error:: 400,RPC Error:: 400,variable should not contain lock definition"},
		{"PUT", "/v1/var/a?lock-renew", `{}`, 500, "1 error occurred:\n\t* missing lock ID\n\n"},
		{"PUT", "/v1/var/nope?lock-renew", `{"Lock":{"ID":"x"}}`, 404, "variable doesn't exist"},
		{"PUT", "/v1/var/nope?lock-release", `{"Lock":{"ID":"x"}}`, 500, "variable doesn't exist"},
		{"PUT", "/v1/var/a?lock-release", `{}`, 400, "RPC Error:: 400,missing lock information"},
		{"PUT", "/v1/var/a?lock-release", `{"Items":{"a":"b"},"Lock":{"ID":"x"}}`, 400, "RPC Error:: 400,lock release operation doesn't take variable items"},
		{"DELETE", "/v1/var/nope", "", 204, ""},
	} {
		status, text, _ := do(t, client.Address(), c.method, c.path, c.body, nil)
		if status != c.status || c.text != "" && text != c.text {
			t.Errorf("%s %s: got %d %q, want %d %q", c.method, c.path, status, text, c.status, c.text)
		}
	}
}

func TestVariableLock(t *testing.T) {
	now := time.Unix(1700000000, 0)
	client, c := newAgent(t, func(c *Config) { c.Clock.Now = func() time.Time { return now } })
	vars := client.Variables()
	held, _, err := vars.AcquireLock(&api.Variable{Path: "leader", Items: api.VariableItems{"who": "me"}, Lock: &api.VariableLock{TTL: "20s", LockDelay: "5s"}}, nil)
	if err != nil || held.Lock.ID == "" || held.Lock.TTL != "20s" || held.Lock.LockDelay != "5s" {
		t.Fatalf("acquired %+v, %v", held, err)
	}
	for what, write := range map[string]func() error{
		"acquire": func() error { _, _, err := vars.AcquireLock(testVariable("leader", "you"), nil); return err },
		"renew": func() error {
			_, _, err := vars.RenewLock(&api.Variable{Path: "leader", Lock: &api.VariableLock{ID: "other"}}, nil)
			return err
		},
		"release": func() error {
			_, _, err := vars.ReleaseLock(&api.Variable{Path: "leader", Lock: &api.VariableLock{ID: "other"}}, nil)
			return err
		},
		"write":  func() error { _, _, err := vars.Update(testVariable("leader", "you"), nil); return err },
		"delete": func() error { _, err := vars.Delete("leader", nil); return err },
	} {
		if err := write(); err == nil || !strings.Contains(err.Error(), "409") {
			t.Errorf("%s by somebody else: %v", what, err)
		}
	}
	// The holder may write, and keeps the lock as it is.
	mine := &api.Variable{Path: "leader", Items: api.VariableItems{"who": "still me"}, Lock: &api.VariableLock{ID: held.Lock.ID}}
	if written, _, err := vars.Update(mine, nil); err != nil || written.Lock.TTL != "20s" {
		t.Errorf("the holder wrote %+v, %v", written, err)
	}
	expires := func() time.Time { return c.Store.Snapshot().Lock(nil, "default", "leader").Expires }
	if got := expires().Sub(now); got != 40*time.Second {
		t.Errorf("the lock expires after %s", got)
	}
	now = now.Add(30 * time.Second)
	if renewed, _, err := vars.RenewLock(mine, nil); err != nil || renewed.Lock.ID != held.Lock.ID || expires().Sub(now) != 40*time.Second {
		t.Errorf("renewed %+v, %v", renewed, err)
	}
	now = now.Add(time.Minute)
	if _, _, err := vars.RenewLock(mine, nil); err == nil || !strings.Contains(err.Error(), "attempting to modify locked variable") {
		t.Errorf("renewed too late: %v", err)
	}
	freed, _, err := vars.ReleaseLock(&api.Variable{Path: "leader", Lock: &api.VariableLock{ID: held.Lock.ID}}, nil)
	if err != nil || freed.Lock != nil {
		t.Errorf("released %+v, %v", freed, err)
	}
	if got := c.Store.Snapshot().Variable(nil, "default", "leader"); got.Items["who"] != "still me" || got.Lock != nil {
		t.Errorf("after the release there is %+v", got)
	}
	update(t, c, func(tx *state.Txn) {
		if tx.Lock(nil, "default", "leader") != nil {
			t.Error("the lock is still there")
		}
	})
}
