//go:build unix

package httpapi

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"path"
	"reflect"
	"strings"
	"testing"

	"github.com/hashicorp/nomad/api"
)

// notHere are the methods of the client library whose answer is 501, on purpose.
// (Patterns as in path.Match; ARCHITECTURE.md tells the reasons.)
var notHere = []string{
	"ACLRoles.*", "ACLAuthMethods.*", "ACLBindingRules.*", "ACLAuth.*", "ACLIdentity.*", "ACLTokens.*OneTimeToken", "NodeIdentity.*",
	"Quotas.*", "SentinelPolicies.*", "Recommendations.*",
	"CSIVolumes.*", "HostVolumes.*", "TaskGroupHostVolumeClaims.*",
	"Agent.SetServers", "Agent.SetSchedulerWorkerConfig", "Agent.Reload",
	"Agent.Host", "Agent.CPUProfile", "Agent.Trace", "Agent.Lookup",
	"Operator.RaftTransfer*", "Operator.Snapshot*", "Operator.Utilization", "Operator.ApplyLicense", "Operator.Autopilot[SC]*",
}

// elsewhere are the methods that answer with a stream, and the test that reads it.
var elsewhere = map[string]string{
	"Allocations.Exec":    "TestExec",
	"Jobs.ActionExec":     "TestAction",
	"EventStream.Stream":  "eventstream_test.go",
	"AllocFS.Stream":      "client_test.go",
	"AllocFS.Logs":        "client_test.go",
	"Agent.Monitor":       "metrics_test.go",
	"Agent.MonitorExport": "nothing: it is answered with 501",
	"Nodes.MonitorDrain":  "the command line's comparison",
	"Nodes.Identity":      "its own methods",
	"Nodes.Meta":          "its own methods",
	"Agent.NodeName":      "Agent.Self, whose answer it keeps",
	"Agent.Region":        "Agent.Self, whose answer it keeps",
	"ACLTokens.Create":    "acl_test.go",
	"Raw.Do":              "do, which sends requests as they are",
	"Operator.LicensePut": "nothing: only Nomad Enterprise takes a license",
	// The library gives these no client to send with.
	"ACLOIDC.CompleteAuth": "ACLAuth", "ACLOIDC.GetAuthURL": "ACLAuth", "ACLOIDC.Login": "ACLAuth",
}

// TestEveryMethodOfTheClientIsAnswered calls each method of the client library
// with arguments of the right kind: whatever the answer is, there has to be one
// to its path and its method, or the list above says that there is none.
func TestEveryMethodOfTheClientIsAnswered(t *testing.T) {
	seen := &answers{}
	original, alloc := running(t)
	client, err := api.NewClient(&api.Config{Address: original.Address(), HttpClient: &http.Client{Transport: seen}})
	if err != nil {
		t.Fatal(err)
	}
	called := 0
	for _, handle := range handles(client) {
		kind := handle.Type().Elem().Name()
		for i := range handle.NumMethod() {
			name := kind + "." + handle.Type().Method(i).Name
			if elsewhere[name] != "" {
				continue
			}
			t.Run(name, func(t *testing.T) {
				seen.list = nil
				method := handle.Method(i)
				method.Call(arguments(t, kind, method.Type(), alloc))
				seen.check(t, name)
			})
			called++
		}
	}
	if called < 150 {
		t.Errorf("only %d methods", called)
	}
}

// handles are the parts of the client, by which it groups its methods.
func handles(client *api.Client) (all []reflect.Value) {
	value := reflect.ValueOf(client)
	for i := range value.NumMethod() {
		method := value.Method(i).Type()
		if method.NumIn() == 0 && method.NumOut() == 1 && method.Out(0).Kind() == reflect.Pointer {
			all = append(all, value.Method(i).Call(nil)[0])
		}
	}
	nodes := client.Nodes()
	return append(all, reflect.ValueOf(nodes.Meta()), reflect.ValueOf(nodes.Identity()))
}

// ids are what the methods of a handle are asked about.
var ids = map[string]string{
	"Jobs": "web", "Allocations": alloc1, "Nodes": node1, "Agent": "127.0.0.1:1", "Raw": "/v1/job/web",
	"Evaluations": alloc1, "Deployments": alloc1, "AllocFS": "/", "NodePools": "default", "Namespaces": "default",
}

func arguments(t *testing.T, handle string, method reflect.Type, alloc *api.Allocation) (args []reflect.Value) {
	for i := range method.NumIn() {
		kind := method.In(i)
		if method.IsVariadic() && i == method.NumIn()-1 {
			break
		}
		args = append(args, argument(t, handle, kind, alloc))
	}
	return args
}

func argument(t *testing.T, handle string, kind reflect.Type, alloc *api.Allocation) reflect.Value {
	for _, value := range []any{
		testJob("web"), alloc, io.Reader(strings.NewReader("")), &api.Variable{Path: "a/b", Lock: &api.VariableLock{ID: alloc1}},
		&api.Namespace{Name: "other"}, &api.NodePool{Name: "pool"}, &api.ACLToken{AccessorID: alloc1, SecretID: alloc1}, &api.ACLRole{ID: alloc1, Name: "r"},
		&api.ACLPolicy{Name: "p"}, &api.ACLAuthMethod{Name: "m"}, &api.ACLBindingRule{ID: alloc1}, &api.JobsParseRequest{JobHCL: `job "x" {}`},
		&api.DispatchOptions{JobID: "web"}, &api.KeyringDeleteOptions{KeyID: alloc1}, &api.CSIVolume{ID: "v"}, &api.SentinelPolicy{Name: "p"},
		&api.CSIVolumeRegisterRequest{Volumes: []*api.CSIVolume{{ID: "v"}}}, &api.CSIVolumeCreateRequest{Volumes: []*api.CSIVolume{{ID: "v"}}},
		&api.NodeMetaApplyRequest{NodeID: node1}, &api.EvalDeleteRequest{EvalIDs: []string{alloc1}}, []string{alloc1},
		&api.HostVolumeDeleteRequest{ID: alloc1},
		&api.CSISnapshot{}, &api.DrainSpec{Deadline: -1},
	} {
		if reflect.TypeOf(value).AssignableTo(kind) {
			return reflect.ValueOf(value)
		}
	}
	switch {
	case kind == reflect.TypeFor[context.Context]():
		return reflect.ValueOf(t.Context())
	case kind == reflect.TypeFor[*http.Request]():
		t.Fatal("a request cannot be made up")
	case kind.Kind() == reflect.String:
		id := ids[handle]
		if id == "" {
			id = "some"
		}
		return reflect.ValueOf(id).Convert(kind)
	case kind.Kind() == reflect.Pointer && kind.Elem().Kind() == reflect.Struct:
		return reflect.New(kind.Elem())
	}
	return reflect.Zero(kind)
}

// answers keeps what was answered, as a transport.
type answers struct{ list []answered }

type answered struct {
	method, path, text string
	status             int
}

func (a *answers) RoundTrip(r *http.Request) (*http.Response, error) {
	reply, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(reply.Body)
	if err != nil {
		return nil, err
	}
	reply.Body.Close()
	reply.Body = io.NopCloser(bytes.NewReader(text))
	a.list = append(a.list, answered{r.Method, r.URL.Path, string(text), reply.StatusCode})
	return reply, nil
}

// check holds what one method was answered.
func (a *answers) check(t *testing.T, name string) {
	t.Helper()
	listed := false
	for _, pattern := range notHere {
		matched, err := path.Match(pattern, name)
		if err != nil {
			t.Fatal(err)
		}
		listed = listed || matched
	}
	if len(a.list) == 0 && !listed {
		t.Error("it asks for nothing: give it other arguments")
	}
	for _, one := range a.list {
		switch {
		case one.status == http.StatusNotImplemented:
			if !listed {
				t.Errorf("%+v, and the list does not say that it is missing", one)
			}
		case one.status == http.StatusNotFound && one.text == "", one.status == http.StatusMethodNotAllowed:
			t.Errorf("%+v: nobody answers", one)
		}
	}
}
