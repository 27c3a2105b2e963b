package httpapi

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-memdb"
	"github.com/hashicorp/nomad/api"

	"ostro/orchestrator/state"
)

// maxVariable is the largest size in bytes of the keys and values of a variable
// together. (Nomad.)
const maxVariable = 64 << 10

// variableBody is a variable as a client writes it.
type variableBody struct {
	Namespace string
	Items     map[string]string
	Lock      *variableLock
}

// variableLock is a lock whose durations are given as "15s" or as nanoseconds.
// (Nomad.)
type variableLock struct {
	ID             string
	TTL, LockDelay lockDuration
}

type lockDuration time.Duration

// UnmarshalJSON takes a text or a number.
func (d *lockDuration) UnmarshalJSON(text []byte) error {
	var value any
	if err := json.Unmarshal(text, &value); err != nil {
		return err
	}
	switch v := value.(type) {
	case float64:
		*d = lockDuration(v)
	case string:
		if v == "" {
			return nil
		}
		parsed, err := time.ParseDuration(v)
		*d = lockDuration(parsed)
		return err
	}
	return nil
}

// variableReply is a variable as it is answered. (Nomad: without empty items.)
type variableReply struct {
	*api.VariableMetadata
	Items map[string]string `json:",omitempty"`
}

func metadata(v *api.Variable) *api.VariableMetadata {
	return &api.VariableMetadata{
		Namespace: v.Namespace, Path: v.Path, CreateIndex: v.CreateIndex, ModifyIndex: v.ModifyIndex,
		CreateTime: v.CreateTime, ModifyTime: v.ModifyTime, Lock: v.Lock,
	}
}

func (s *server) listVariables(r *request) (any, error) {
	variables, index := wait(s, r, func(snap *state.Snapshot, watch memdb.WatchSet) ([]*api.Variable, uint64) {
		return snap.Variables(watch, r.namespace, r.prefix), snap.TableIndex("variables")
	})
	list := make([]*api.VariableMetadata, len(variables))
	for i, v := range variables {
		list[i] = metadata(v)
	}
	list, next, err := page(r, list, func(v *api.VariableMetadata) key { return namespaceKey(v.Namespace, v.Path) })
	return answer{value: list, index: index, next: next}, err
}

func (s *server) readVariable(r *request) (any, error) {
	path, err := r.variablePath()
	if err != nil {
		return nil, err
	}
	v, index, err := one(s, r, "variables", "variable not found", func(snap *state.Snapshot, watch memdb.WatchSet) (*api.Variable, uint64) {
		v := snap.Variable(watch, r.namespace, path)
		if v == nil {
			return nil, 0
		}
		return v, v.ModifyIndex
	})
	if err != nil {
		return nil, err
	}
	return answer{value: variableReply{metadata(v), v.Items}, index: index}, nil
}

func (r *request) variablePath() (string, error) {
	if path := r.PathValue("path"); path != "" {
		return path, nil
	}
	return "", badRequest("missing variable path")
}

// writeVariable stores a variable, or does to its lock what the query says.
func (s *server) writeVariable(r *request) (any, error) {
	path, err := r.variablePath()
	if err != nil {
		return nil, err
	}
	operation, err := r.lockOperation()
	if err != nil {
		return nil, err
	}
	body := &variableBody{}
	if err := decode(r, body); err != nil {
		return nil, err
	}
	if body.Namespace == "" {
		body.Namespace = r.namespace
	}
	switch operation {
	case lockAcquire:
		return s.acquireLock(path, body)
	case lockRenew:
		return s.renewLock(r.namespace, path, body)
	case lockRelease:
		return s.releaseLock(path, body)
	}
	return s.setVariable(r, path, body)
}

func (s *server) setVariable(r *request, path string, body *variableBody) (any, error) {
	if len(body.Items) == 0 {
		return nil, badRequest("variable missing required Items object")
	}
	check, err := r.casIndex()
	if err != nil {
		return nil, err
	}
	if body.Lock != nil && (body.Lock.TTL != 0 || body.Lock.LockDelay != 0) {
		return nil, coded(coded(textError("variable should not contain lock definition")))
	}
	if err := checkVariable(path, body); err != nil {
		return nil, coded(err)
	}
	return s.putVariable(path, body, check)
}

// checkVariable refuses what cannot be stored. (Nomad: the texts.)
func checkVariable(path string, body *variableBody) error {
	if body.Namespace == api.AllNamespacesNamespace {
		return textError(`can not target wildcard ("*")namespace`)
	}
	size := 0
	for name, value := range body.Items {
		size += len(name) + len(value)
	}
	if size > maxVariable {
		return textError("variables are limited to 64KiB in total size")
	}
	return checkVariablePath(path)
}

// validVariablePath leaves out what a template could not name. (Nomad.)
var validVariablePath = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[a-zA-Z0-9-_~/]{1,128}$`) })

// checkVariablePath keeps the paths below nomad/ for what they are for. (Nomad:
// the texts.)
func checkVariablePath(path string) error {
	if !validVariablePath().MatchString(path) {
		return textError("invalid path " + strconv.Quote(path))
	}
	parts := strings.Split(path, "/")
	switch {
	case parts[0] != "nomad":
		return nil
	case len(parts) == 1:
		return textError(`"nomad" is a reserved top-level directory path, but you may write variables to "nomad/jobs", "nomad/job-templates", "nomad/sentinel", or below`)
	case parts[1] == "jobs" || parts[1] == "sentinel" || parts[1] == "job-templates" && len(parts) == 3:
		return nil
	case parts[1] == "job-templates":
		return textError(`"nomad/job-templates" is a reserved directory path, but you may write variables at the level below it, for example, "nomad/job-templates/template-name"`)
	}
	return textError(`only paths at "nomad/jobs" or "nomad/job-templates" and below are valid paths under the top-level "nomad" directory`)
}

// coded is a refusal that went through Nomad's RPC. (Nomad: the text.)
func coded(err error) error { return badRequest("RPC Error:: 400,%v", err) }

// casIndex is the index that the variable must have, or nil for any.
func (r *request) casIndex() (*uint64, error) {
	text := r.query.Get("cas")
	if text == "" {
		return nil, nil
	}
	index, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return nil, badRequest("can not parse cas: %v", err)
	}
	return &index, nil
}

// conflict is the answer to a write that does not fit what is there. It is read as
// it is where a client knows of no conflict, so its parts are in Nomad's order.
func conflict(v *api.Variable) answer {
	reply := map[string]any{
		"Namespace": v.Namespace, "Path": v.Path, "CreateIndex": v.CreateIndex, "ModifyIndex": v.ModifyIndex,
		"CreateTime": v.CreateTime, "ModifyTime": v.ModifyTime,
	}
	if v.Lock != nil {
		reply["Lock"] = v.Lock
	}
	if len(v.Items) > 0 {
		reply["Items"] = v.Items
	}
	return answer{value: reply, index: v.ModifyIndex, status: http.StatusConflict}
}

// placeOnly is all that is told about a variable that somebody else has locked,
// or that is not there. (Nomad.)
func placeOnly(namespace, path string) *api.Variable {
	return &api.Variable{Namespace: namespace, Path: path}
}

// blocked is what stands in the way of a write under a lock ID, or nil.
func blocked(old *api.Variable, namespace, path, lockID string, check *uint64) *api.Variable {
	switch {
	case check != nil && old == nil && *check != 0:
		return placeOnly(namespace, path)
	case check != nil && old != nil && *check != old.ModifyIndex:
		return old
	case old != nil && old.Lock != nil && old.Lock.ID != lockID:
		return placeOnly(namespace, path)
	}
	return nil
}

func (s *server) deleteVariable(r *request) (any, error) {
	path, err := r.variablePath()
	if err != nil {
		return nil, err
	}
	check, err := r.casIndex()
	if err != nil {
		return nil, err
	}
	var inTheWay *api.Variable
	index, err := s.Store.Update(func(tx *state.Txn) error {
		inTheWay = blocked(tx.Variable(nil, r.namespace, path), r.namespace, path, "", check)
		if inTheWay == nil {
			tx.DeleteVariable(r.namespace, path)
		}
		return nil
	})
	switch {
	case err != nil:
		return nil, err
	case inTheWay != nil:
		return conflict(inTheWay), nil
	}
	return noContent(http.StatusNoContent, index), nil
}
